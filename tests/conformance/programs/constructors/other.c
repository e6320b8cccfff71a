#include <stdio.h>

__attribute__((constructor(200))) static void second(void)
{
    puts("constructor 200, other unit");
}
__attribute__((destructor(200))) static void destroyed(void)
{
    puts("destructor 200, other unit");
}
