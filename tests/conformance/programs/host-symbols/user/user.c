#include <stdio.h>
#include <unistd.h>

int lent_add(int a, int b);
extern int lent_counter;
int exported_by_host(void);
int base_function(void);
extern int not_lent(void) __attribute__((weak));

static int (*const in_a_table)(int, int) = lent_add;
static int *const counter = &lent_counter;

int own_function(void)
{
    return 3;
}

int run(void)
{
    *counter += lent_add(1, 2);
    lent_counter += in_a_table(3, 4);
    printf("%d %d %d, %s\n", exported_by_host(), own_function(), base_function(),
           getpid() == 12345 ? "the lent getpid" : "libc's getpid");
    printf("not lent: %s\n", not_lent ? "there" : "null");
    return 0;
}

void *address_of_lent_add(void)
{
    return (void *)lent_add;
}
