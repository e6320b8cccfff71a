//kiln: -flto
/* Link-time optimisation asked for by the sources: objects are bitcode. */
#include <stdio.h>

int from_other_unit(int n);

int run(void)
{
    printf("%d\n", from_other_unit(4));
    return 0;
}
