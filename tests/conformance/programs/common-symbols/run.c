//kiln: -fcommon
/* Tentative definitions of one name in several units are one variable, of the largest size. */
#include <stdio.h>

int shared;
char buffer[16];
int *address_in_other(void);
char *buffer_in_other(void);

int run(void)
{
    shared = 5;
    printf("%s %d\n", address_in_other() == &shared ? "one variable" : "two variables",
           *address_in_other());
    printf("%s\n", buffer_in_other() == buffer ? "one buffer" : "two buffers");
    return 0;
}
