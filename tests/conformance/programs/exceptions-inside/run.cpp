// Exceptions within a library: over frames with destructors, rethrown, nested, carried to another
// thread, from noexcept(false) destructors of C frames in between, and function try blocks.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <thread>

extern "C" void through_c(void (*callback)(int), int n);

struct Trace {
    const char *name;
    ~Trace()
    {
        std::printf("unwound %s\n", name);
    }
};

static void deep(int n)
{
    Trace trace{n == 0 ? "bottom" : "middle"};
    if (n == 0)
        throw std::runtime_error("from the bottom");
    deep(n - 1);
}

static void thrower(int n)
{
    throw n * 2;
}

struct Base {
    explicit Base(int)
    {
        throw std::logic_error("base");
    }
};
struct Derived : Base {
    Derived()
    try : Base(1) {
    } catch (const std::logic_error &) {
        std::puts("function try block");
        throw;
    }
};

static int unwinding_count()
{
    struct Probe {
        int *seen;
        ~Probe()
        {
            *seen = std::uncaught_exceptions();
        }
    };
    int seen = -1;
    try {
        Probe probe{&seen};
        throw 1;
    } catch (...) {
    }
    return seen;
}

extern "C" int run()
{
    try {
        deep(2);
    } catch (const std::exception &e) {
        std::printf("caught %s\n", e.what());
    }
    try {
        through_c(thrower, 21);
    } catch (int n) {
        std::printf("caught %d through C\n", n);
    }
    try {
        Derived derived;
    } catch (const std::exception &e) {
        std::printf("caught %s\n", e.what());
    }
    try {
        try {
            throw std::invalid_argument("inner");
        } catch (...) {
            std::throw_with_nested(std::runtime_error("outer"));
        }
    } catch (const std::exception &outer) {
        try {
            std::rethrow_if_nested(outer);
        } catch (const std::exception &inner) {
            std::printf("%s with %s\n", outer.what(), inner.what());
        }
    }
    std::exception_ptr pointer;
    std::thread([&pointer] {
        try {
            throw std::out_of_range("another thread");
        } catch (...) {
            pointer = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(pointer);
    } catch (const std::out_of_range &e) {
        std::printf("caught from %s\n", e.what());
    }
    std::printf("uncaught while unwinding: %d\n", unwinding_count());
    try {
        char *volatile room = new char[static_cast<std::size_t>(std::atoll("4611686018427387904"))];
        delete[] room;
    } catch (const std::bad_alloc &) {
        std::puts("bad_alloc");
    }
    return 0;
}
