#include "core.h"

int core_blank(void)
{
    return core_piece() + 1;
}
