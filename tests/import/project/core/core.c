#include "core.h"

#include <config.h>
#include <math.h>

#ifdef CORE_USED
#error this definition is for those who use the library
#endif

const char *core_name(void)
{
    return CORE_NAME;
}

int core_version(void)
{
    return SAMPLE_VERSION;
}

double core_root(double value)
{
    return sqrt(value);
}
