/* 100 MB of zeroed memory: neither in the image nor in the cache. */
#include <stdio.h>

static char large[100 << 20];
int tail[1 << 20];

int run(void)
{
    size_t set = 0;
    for (size_t i = 0; i < sizeof large; i += 1 << 20)
        set += large[i] != 0;
    large[sizeof large - 1] = 1;
    tail[(1 << 20) - 1] = 2;
    printf("%zu set at first, then %d %d\n", set, large[sizeof large - 1], tail[(1 << 20) - 1]);
    return 0;
}
