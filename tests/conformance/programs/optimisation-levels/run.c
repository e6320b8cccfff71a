//kiln: -O0 -g
/* Units of different optimisation and debug levels, and with sections of their own, in one library.
 */
#include <stdio.h>

int at_o3(int n);
int at_os(int n);

int run(void)
{
    printf("%d %d\n", at_o3(100), at_os(100));
    return 0;
}
