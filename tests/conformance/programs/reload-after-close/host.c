/* The last close runs destructors and takes the image away; a load after it starts afresh. */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    conformance_register(conformance_spec("counter", "counter/counter.cpp", NULL));
    for (int i = 0; i < 3; i++) {
        kiln_library *library = conformance_load("counter");
        kiln_function next = conformance_function(library, "next");
        call_int(library, "next");
        printf("%d\n", call_int(library, "next"));
        fflush(stdout);
        conformance_close(library);
        printf("%s, %u closed\n", conformance_is_mapped((void *)next) ? "mapped" : "gone",
               conformance_events()->count[KILN_EVENT_CLOSED]);
    }
    return 0;
}
