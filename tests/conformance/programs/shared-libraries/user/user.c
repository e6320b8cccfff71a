#include <math.h>

int beside(void);

int use(void)
{
    volatile double x = 2;
    return beside() + (int)pow(x, 10);
}
