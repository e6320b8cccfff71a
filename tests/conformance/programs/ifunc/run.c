/* An indirect function: its resolver runs when the library is bound; called, taken as an address,
 * and through a table. */
#include <stdio.h>

static int plus_one(int n)
{
    return n + 1;
}
static int (*resolve(void))(int)
{
    return plus_one;
}

int chosen(int n) __attribute__((ifunc("resolve")));
static int hidden_chosen(int n) __attribute__((ifunc("resolve")));

static int (*const table[])(int) = {chosen, chosen};

int run(void)
{
    int (*volatile address)(int) = chosen;
    printf("%d %d %d %d\n", chosen(1), address(2), table[1](3), hidden_chosen(4));
    printf("one address: %s\n", address == table[0] ? "yes" : "no");
    return 0;
}
