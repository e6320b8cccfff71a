// Objects with static storage: order within a unit, init_priority across units, destruction in
// reverse at the close.
#include "noisy.h"
#include <cstdio>

Noisy a("a");
Noisy b("b");
__attribute__((init_priority(200))) Noisy early("early");

static Noisy &on_demand()
{
    static Noisy object("on demand");
    return object;
}

extern "C" int run()
{
    std::puts("run");
    on_demand();
    on_demand();
    return 0;
}
