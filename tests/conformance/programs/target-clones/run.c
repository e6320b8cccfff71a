/* target_clones: the compiler makes an ifunc and its resolver, which reads the CPU model. */
#include <stdio.h>

__attribute__((target_clones("default", "sse4.2", "avx2", "arch=skylake"))) int
sum(const int *values, int count)
{
    int total = 0;
    for (int i = 0; i < count; i++)
        total += values[i];
    return total;
}

int run(void)
{
    int values[100];
    for (int i = 0; i < 100; i++)
        values[i] = i;
    printf("%d\n", sum(values, 100));
    return 0;
}
