/* 128-bit integers, whose division comes from the compiler's run-time library. */
#include <stdio.h>

typedef unsigned __int128 u128;

static void print(u128 n)
{
    char digits[40], *p = digits + sizeof digits;
    *--p = '\0';
    do
        *--p = (char)('0' + (int)(n % 10));
    while ((n /= 10) != 0);
    puts(p);
}

int run(void)
{
    volatile u128 big = ((u128)1 << 127) + 12345;
    volatile u128 divisor = 1000000007;
    volatile __int128 negative = -((__int128)1 << 100);
    print(big);
    print(big / divisor);
    print(big % divisor);
    print((u128)0xffffffffffffffffull * 0xffffffffffffffffull);
    printf("%lld %.0f\n", (long long)(negative >> 64), (double)negative);
    printf("%d\n", __builtin_mul_overflow(big, (u128)2, &(u128){0}));
    return 0;
}
