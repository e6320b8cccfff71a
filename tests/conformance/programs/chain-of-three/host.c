/* A depends on B, B on C; public arguments reach dependents, private ones do not; the host exports
 * clashing names; loading the top initialises the chain from the bottom, closing it ends it from
 * the top. */
#include "conformance.h"

#include <stdio.h>

int bottom_value(void);
int bottom_value(void) /* exported: the host is linked with -rdynamic */
{
    return -1;
}

int main(void)
{
    kiln_spec *top = conformance_spec("top", "top/top.c", NULL);
    kiln_spec *middle = conformance_spec("middle", "middle/middle.c", NULL);
    kiln_spec *bottom = conformance_spec("bottom", "bottom/bottom.c", NULL);
    kiln_spec_add_dependency(top, "middle");
    kiln_spec_add_dependency(middle, "bottom");
    kiln_spec_add_arguments(bottom, KILN_PUBLIC,
                            (const char *const[]){"-Ibottom", "-DBOTTOM_PUBLIC=1", NULL});
    kiln_spec_add_arguments(bottom, KILN_PRIVATE,
                            (const char *const[]){"-DBOTTOM_PRIVATE=1", NULL});
    kiln_spec_add_arguments(middle, KILN_PUBLIC, (const char *const[]){"-DMIDDLE_PUBLIC=1", NULL});
    conformance_register(top);
    conformance_register(bottom);
    conformance_register(middle);
    kiln_library *library = conformance_load("top");
    printf("loaded: %d %d %d\n", kiln_session_is_loaded(conformance_session(), "top"),
           kiln_session_is_loaded(conformance_session(), "middle"),
           kiln_session_is_loaded(conformance_session(), "bottom"));
    printf("%d\n", call_int(library, "top_value"));
    fflush(stdout);
    conformance_close(library);
    printf("loaded: %d\n", kiln_session_is_loaded(conformance_session(), "bottom"));
    return 0;
}
