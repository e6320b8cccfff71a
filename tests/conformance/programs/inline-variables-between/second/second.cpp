#include "../shared.h"

__attribute__((weak)) int weak_data = 9;

extern "C" void *second_address(int which)
{
    return address_of(which);
}
