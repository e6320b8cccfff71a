// A host linked -rdynamic exports names that a library and its dependency define too: C functions,
// data, thread-locals, weak functions, inline C++ functions. Within the libraries their own win,
// the host keeps its own, and what only the host has is found there.
#include "conformance.h"

#include <cstdio>

extern "C" {
int clash_function(void)
{
    return 1;
}
int clash_data = 1;
thread_local int clash_tls = 1;
__attribute__((weak)) int clash_weak(void)
{
    return 1;
}
int base_function(void)
{
    return 1;
}
int base_data = 1;
__attribute__((weak)) int base_weak(void)
{
    return 1;
}
int daemon_of_host(void)
{
    return 100;
}
}

inline int clash_inline()
{
    return 1;
}
struct Clash {
    int method();
    static int count();
};
int Clash::method()
{
    return 1;
}
inline int Clash::count()
{
    return 1;
}
template <class T> int clash_template(T)
{
    return 1;
}

int main()
{
    int (*volatile keep[])(void) = {clash_inline, Clash::count};
    kiln_spec *top = conformance_spec("top", "top/top.cpp", "top/c_part.c", nullptr);
    kiln_spec_add_dependency(top, "base");
    conformance_register(top);
    conformance_register(conformance_spec("base", "base/base.cpp", nullptr));
    kiln_library *library = conformance_load("top");
    int status = call_int(library, "run");
    std::fflush(stdout);
    auto library_main =
        reinterpret_cast<int (*)(int, char **)>(conformance_function(library, "main"));
    std::printf("main: %d\n", library_main(41, nullptr));
    std::printf("host: %d %d %d %d %d %d %d %d %d\n", clash_function(), clash_data, clash_tls,
                clash_weak(), keep[0](), Clash().method(), keep[1](), clash_template(1), base_data);
    conformance_close(library);
    return status;
}
