#include "bottom.h"
#include <stdio.h>
#if !BOTTOM_PUBLIC || !BOTTOM_PRIVATE
#error "a library's own arguments are missing"
#endif

static int state;

__attribute__((constructor)) static void start(void)
{
    puts("bottom starts");
    state = 1;
}

__attribute__((destructor)) static void end(void)
{
    puts("bottom ends");
}

int bottom_value(void)
{
    return state;
}
