#include <stdio.h>

static int count;
__attribute__((constructor)) static void start(void)
{
    puts("base starts");
}
__attribute__((destructor)) static void end(void)
{
    printf("base ends at %d\n", count);
}
int base_next(void)
{
    return ++count;
}
