#include "thrower.h"
#include <cstdio>
#include <stdexcept>

namespace
{
struct Unknown : std::exception {
    const char *what() const noexcept override
    {
        return "known to the library alone";
    }
};

struct Trace {
    ~Trace()
    {
        std::puts("library frame unwound");
    }
};
} // namespace

extern "C" void throw_kind(int kind)
{
    Trace trace;
    switch (kind) {
    case 0:
        throw std::runtime_error("from the library");
    case 1:
        throw 42;
    case 2:
        throw SharedException(5);
    default:
        throw Unknown();
    }
}

extern "C" int call(void (*callback)())
{
    Trace trace;
    try {
        callback();
    } catch (const SharedException &e) {
        return e.code;
    }
    return 0;
}
