/* A constructor that starts a thread which calls the library and is joined by its destructor; and
 * one that uses Kiln itself to load another library while it runs. */
#include "conformance.h"

#include <stdio.h>

static int load_another(void)
{
    kiln_library *library = conformance_load("inner");
    int value = call_int(library, "inner_value");
    conformance_close(library);
    return value;
}

int main(void)
{
    conformance_register(conformance_spec("inner", "inner/inner.c", NULL));
    kiln_spec *outer = conformance_spec("outer", "outer/outer.cpp", NULL);
    kiln_spec_add_host_symbol(outer, "load_another", (void *)load_another);
    conformance_register(outer);
    kiln_library *library = conformance_load("outer");
    printf("%d\n", call_int(library, "value"));
    fflush(stdout);
    conformance_close(library);
    return 0;
}
