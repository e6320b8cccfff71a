#include <stdio.h>

int left_next(void);
int right_next(void);
__attribute__((constructor)) static void start(void)
{
    puts("apex starts");
}
__attribute__((destructor)) static void end(void)
{
    puts("apex ends");
}
int run(void)
{
    int left = left_next();
    return left * 10 + right_next();
}
