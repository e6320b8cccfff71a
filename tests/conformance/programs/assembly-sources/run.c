/* Assembly files: .s as it is, .S through the preprocessor with an include; data, calls both ways.
 */
#include <stdio.h>

int plain_twice(int n);
int preprocessed(int n);
extern int assembly_data[3];

int called_back(int n)
{
    return n * 100;
}

int run(void)
{
    printf("%d %d %d\n", plain_twice(21), preprocessed(2), assembly_data[2]);
    return 0;
}
