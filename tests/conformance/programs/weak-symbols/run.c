/* Weak definitions give way to strong ones; weak references to nothing are null; aliases. */
#include <stdio.h>

__attribute__((weak)) int overridden(void)
{
    return 1;
}
__attribute__((weak)) int kept(void)
{
    return 2;
}
__attribute__((weak)) int weak_data = 3;
extern int nowhere(void) __attribute__((weak));
extern int nowhere_data __attribute__((weak));

static int target(void)
{
    return 4;
}
int alias(void) __attribute__((alias("target")));
int weak_alias(void) __attribute__((weak, alias("target")));
int from_other(void);

int run(void)
{
    printf("%d %d %d %d %d\n", overridden(), kept(), weak_data, alias(), weak_alias());
    printf("other unit: %d\n", from_other());
    printf("nowhere: %s %s\n", nowhere ? "there" : "null", &nowhere_data ? "there" : "null");
    return 0;
}
