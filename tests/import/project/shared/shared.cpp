#include "core.h"

#ifndef shared_EXPORTS
#error CMake defines this
#endif
static_assert(__cplusplus >= 202002L);

extern "C" int shared_answer()
{
    return core_blank() * 6;
}
