#include "../registry/registry.h"
#include <cstdio>

static Registration one("one", [] { return 1; });
static Registration two("two", [] { return 2; });

extern "C" int run()
{
    for (const auto &[name, factory] : registry())
        std::printf("%s %d\n", name.c_str(), factory());
    return 0;
}
