#include <stdio.h>

int base_next(void);
__attribute__((constructor)) static void start(void)
{
    printf("right starts, base at %d\n", base_next());
}
int right_next(void)
{
    return base_next();
}
