/* Inline variables, statics of inline functions and of templates, and weak data: one each for
 * libraries loaded together. */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    static const char *const names[] = {"inline variable", "inline static",       "template static",
                                        "guarded static",  "inline thread_local", "weak data"};
    kiln_spec *second = conformance_spec("second", "second/second.cpp", NULL);
    kiln_spec *first = conformance_spec("first", "first/first.cpp", NULL);
    kiln_spec_add_dependency(second, "first");
    conformance_register(first);
    conformance_register(second);
    kiln_library *library = conformance_load("second"), *base = conformance_load("first");
    void *(*in_second)(int) = (void *(*)(int))conformance_function(library, "second_address");
    void *(*in_first)(int) = (void *(*)(int))conformance_function(base, "first_address");
    for (int i = 0; i < 6; i++)
        printf("%s: %s\n", names[i], in_first(i) == in_second(i) ? "one" : "two");
    printf("constructed %d time\n", *(int *)in_second(6));
    conformance_close(library);
    conformance_close(base);
    return 0;
}
