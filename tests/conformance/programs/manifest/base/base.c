#include "base.h"
#ifndef PRIVATE_TO_BASE
#error "the define is missing"
#endif

int base(void)
{
    return ANSWER;
}
