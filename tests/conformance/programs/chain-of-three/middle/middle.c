#include "bottom.h"
#include <stdio.h>
#if !BOTTOM_PUBLIC || defined BOTTOM_PRIVATE
#error "public arguments reach dependents, private ones do not"
#endif

static int state;

__attribute__((constructor)) static void start(void)
{
    printf("middle starts, bottom is %d\n", bottom_value());
    state = bottom_value() + 10;
}

__attribute__((destructor)) static void end(void)
{
    printf("middle ends, bottom is %d\n", bottom_value());
}

int middle_value(void)
{
    return state;
}
