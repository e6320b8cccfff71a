/* Two versions of one library side by side, the same names in both, each with a user of its own
 * that depends on it. */
#include "conformance.h"

#include <stdio.h>

static void describe(const char *library, const char *version, const char *user)
{
    const char *define[] = {version, NULL};
    kiln_spec *spec = conformance_spec(library, "library/library.cpp", NULL);
    kiln_spec_add_arguments(spec, KILN_PUBLIC, define);
    conformance_register(spec);
    spec = conformance_spec(user, "user/user.cpp", NULL);
    kiln_spec_add_dependency(spec, library);
    conformance_register(spec);
}

int main(void)
{
    describe("library-1", "-DVERSION=1", "user-1");
    describe("library-2", "-DVERSION=2", "user-2");
    kiln_library *user_1 = conformance_load("user-1"), *user_2 = conformance_load("user-2");
    kiln_library *library_1 = conformance_load("library-1"),
                 *library_2 = conformance_load("library-2");
    for (int i = 0; i < 3; i++)
        call_int(user_1, "count");
    call_int(user_2, "count");
    printf("%d %d\n", call_int(user_1, "report"), call_int(user_2, "report"));
    printf("%d %d\n", call_int(library_1, "version"), call_int(library_2, "version"));
    printf("%s\n", conformance_data(library_1, "counter") != conformance_data(library_2, "counter")
                       ? "two counters"
                       : "one counter");
    conformance_close(user_1);
    conformance_close(library_1);
    printf("%d\n", call_int(user_2, "report"));
    conformance_close(library_2);
    conformance_close(user_2);
    return 0;
}
