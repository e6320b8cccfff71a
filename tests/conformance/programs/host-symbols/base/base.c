#include <unistd.h>

int base_function(void)
{
    return 4;
}

int pid_in_base(void)
{
    return getpid() == 12345; /* the symbol is lent to the user alone */
}
