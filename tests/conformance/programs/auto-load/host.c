/* A symbol that no input defines: with auto_load the installed shared library that defines it is
 * loaded. */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    kiln_library *library;
    kiln_error *error;
    kiln_load_options options = {.size = sizeof options, .auto_load = true};
    conformance_register(conformance_spec("user", "user/user.c", NULL));
    CHECK_STATUS(kiln_library_load(conformance_session(), "user", &options, &library, &error),
                 KILN_OK, &error);
    printf("%x\n", (unsigned)call_int(library, "checksum"));
    conformance_close(library);
    return 0;
}
