/* Patterns: all files of a folder, of a folder and all those below, a set of characters. */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    conformance_register(conformance_spec("flat", "flat/*.c", NULL));
    conformance_register(conformance_spec("deep", "deep/**/*.c", "flat/[a-b].c", NULL));
    kiln_library *flat = conformance_load("flat"), *deep = conformance_load("deep");
    printf("%d %d\n", call_int(flat, "total"), call_int(deep, "total"));
    printf("%d%d%d\n", call_int(deep, "deep_top"), call_int(deep, "deep_x"),
           call_int(deep, "deep_y"));
    conformance_close(flat);
    conformance_close(deep);
    return 0;
}
