/* -l and -L as arguments of the spec: a shared library outside the system's directories, with -rpath as for any linker, and libm
 * by name. */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    clang("-shared", "-fPIC", "-o", conformance_path("libbeside.so"), "beside/beside.c", NULL);
    kiln_spec *spec = conformance_spec("user", "user/user.c", NULL);
    const char *directory = conformance_path("");
    const char *arguments[] = {"-L", directory, "-lbeside", "-lm", text_of("-Wl,-rpath,%s", directory), NULL};
    kiln_spec_add_arguments(spec, KILN_PRIVATE, arguments);
    conformance_register(spec);
    kiln_library *library = conformance_load("user");
    printf("%d\n", call_int(library, "use"));
    conformance_close(library);
    return 0;
}
