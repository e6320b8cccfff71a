#include <base.h>
#include <made/up.h>
#ifdef PRIVATE_TO_BASE
#error "it is private"
#endif

template <class T>
concept Anything = true;

extern "C" int special(void);

extern "C" int value()
{
    static_assert(Anything<int>);
    return base() * 100 + special() * 10 + FROM_THE_MANIFEST;
}
