// Inline functions, their statics, templates, vtables and type information of several units are
// one.
#include "comdat.h"
#include <cstdio>
#include <typeinfo>

extern "C" int run()
{
    const Addresses other = addresses_of_other();
    const Addresses own = addresses();
    std::printf("inline function %s\n", own.function == other.function ? "one" : "two");
    std::printf("inline static %s\n", own.inline_static == other.inline_static ? "one" : "two");
    std::printf("inline variable %s\n",
                own.inline_variable == other.inline_variable ? "one" : "two");
    std::printf("template static %s\n",
                own.template_static == other.template_static ? "one" : "two");
    std::printf("type info %s\n", own.type == other.type ? "one" : "two");
    std::printf("counted to %d\n", counter());
    return 0;
}
