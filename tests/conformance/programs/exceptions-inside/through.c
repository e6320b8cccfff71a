//kiln: -fexceptions
/* A C frame with exception tables, and a cleanup of its own. */
#include <stdio.h>

static void leave(int *n)
{
    printf("C cleanup %d\n", *n);
}

void through_c(void (*callback)(int), int n)
{
    __attribute__((cleanup(leave))) int local = n;
    callback(local);
}
