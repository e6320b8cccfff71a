/* Two libraries depend on one; a third on both: one instance of the base, its constructor runs
 * once, first. A library that is loaded already is handed out again, counted. */
#include "conformance.h"

#include <stdio.h>

static void describe(const char *name, const char *source, const char *first, const char *second)
{
    kiln_spec *spec = conformance_spec(name, source, NULL);
    if (first)
        kiln_spec_add_dependency(spec, first);
    if (second)
        kiln_spec_add_dependency(spec, second);
    conformance_register(spec);
}

int main(void)
{
    describe("apex", "apex.c", "left", "right");
    describe("left", "left.c", "base", NULL);
    describe("right", "right.c", "base", NULL);
    describe("base", "base.c", NULL, NULL);
    kiln_library *left = conformance_load("left"), *apex = conformance_load("apex");
    printf("%d\n", call_int(apex, "run"));
    kiln_library *again = conformance_load("apex");
    conformance_close(apex);
    printf("%d\n", call_int(again, "run"));
    fflush(stdout);
    conformance_close(left);
    conformance_close(again);
    return 0;
}
