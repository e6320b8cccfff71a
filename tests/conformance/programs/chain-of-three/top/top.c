#include "bottom.h"
#include <stdio.h>
#if !BOTTOM_PUBLIC || !MIDDLE_PUBLIC
#error "public arguments reach dependents of dependents"
#endif

int middle_value(void);

__attribute__((constructor)) static void start(void)
{
    printf("top starts, middle is %d\n", middle_value());
}
__attribute__((destructor)) static void end(void)
{
    printf("top ends, middle is %d\n", middle_value());
}

int top_value(void)
{
    return middle_value() * 10 + bottom_value();
}
