/* Constructors and destructors, with and without priorities, within and across units. */
#include <stdio.h>

__attribute__((constructor(300))) static void third(void)
{
    puts("constructor 300");
}
__attribute__((constructor(101))) static void first(void)
{
    puts("constructor 101");
}
__attribute__((constructor)) static void last(void)
{
    puts("constructor");
}
__attribute__((destructor)) static void destroyed_first(void)
{
    puts("destructor");
}
__attribute__((destructor(101))) static void destroyed_last(void)
{
    puts("destructor 101");
}
__attribute__((destructor(300))) static void destroyed_second(void)
{
    puts("destructor 300");
}

int run(void)
{
    puts("run");
    return 0;
}
