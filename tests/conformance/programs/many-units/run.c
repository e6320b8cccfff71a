/* Twelve units and one header with X-macros: each calls the next, internal names are the same
 * everywhere. */
#include <stdio.h>

int step_0(int n);

int run(void)
{
    printf("%d\n", step_0(0));
    return 0;
}
