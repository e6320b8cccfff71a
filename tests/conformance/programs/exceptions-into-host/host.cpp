// Exceptions over the border: thrown by the library into a C++ host, by a host's callback through
// the library; of a standard type, of a type that both know by header, and of none that the host
// knows.
#include "conformance.h"
#include "thrower/thrower.h"

#include <cstdio>
#include <exception>
#include <stdexcept>

static void host_throws()
{
    throw SharedException(7);
}

int main()
{
    conformance_register(conformance_spec("thrower", "thrower/thrower.cpp", nullptr));
    kiln_library *library = conformance_load("thrower");
    auto throw_kind = reinterpret_cast<void (*)(int)>(conformance_function(library, "throw_kind"));
    auto call = reinterpret_cast<int (*)(void (*)())>(conformance_function(library, "call"));

    try {
        throw_kind(0);
    } catch (const std::runtime_error &e) {
        std::printf("runtime_error %s\n", e.what());
    }
    try {
        throw_kind(1);
    } catch (int n) {
        std::printf("int %d\n", n);
    }
    try {
        throw_kind(2);
    } catch (const SharedException &e) {
        std::printf("SharedException %d\n", e.code);
    }
    try {
        throw_kind(3);
    } catch (const std::exception &e) {
        std::printf("exception %s\n", e.what());
    }
    std::printf("host's own, caught in the library: %d\n", call(host_throws));
    try {
        call([] { throw std::logic_error("through the library"); });
    } catch (const std::logic_error &e) {
        std::printf("%s\n", e.what());
    }
    conformance_close(library);
    return 0;
}
