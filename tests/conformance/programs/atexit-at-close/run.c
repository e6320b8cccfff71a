/* atexit in a library: handlers run at its close, last registered first, after its destructors
 * without a priority (crtbeginS.o runs them). */
#include <stdio.h>
#include <stdlib.h>

static void handler_1(void)
{
    puts("handler 1");
}
static void handler_2(void)
{
    puts("handler 2");
}
static void late(void)
{
    puts("registered by a handler");
}
static void handler_3(void)
{
    puts("handler 3");
    atexit(late);
}
__attribute__((destructor)) static void destructor(void)
{
    puts("destructor");
}

int run(void)
{
    for (int i = 0; i < 40; i++) /* more than the block that libc has in itself */
        atexit(handler_1);
    atexit(handler_2);
    atexit(handler_3);
    puts("run");
    return 0;
}
