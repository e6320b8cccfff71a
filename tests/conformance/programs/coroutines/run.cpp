//kiln: -std=c++20
// A generator as a coroutine, an exception out of one, and one that is destroyed half way.
#include <coroutine>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>

struct Generator {
    struct promise_type {
        int value = 0;
        std::exception_ptr failure;
        Generator get_return_object()
        {
            return Generator{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend()
        {
            return {};
        }
        std::suspend_always final_suspend() noexcept
        {
            return {};
        }
        std::suspend_always yield_value(int n)
        {
            value = n;
            return {};
        }
        void return_void() {}
        void unhandled_exception()
        {
            failure = std::current_exception();
        }
    };
    std::coroutine_handle<promise_type> handle;
    explicit Generator(std::coroutine_handle<promise_type> h) : handle(h) {}
    Generator(Generator &&other) : handle(std::exchange(other.handle, {})) {}
    ~Generator()
    {
        if (handle)
            handle.destroy();
    }
    bool next()
    {
        handle.resume();
        if (handle.promise().failure)
            std::rethrow_exception(handle.promise().failure);
        return !handle.done();
    }
    int value() const
    {
        return handle.promise().value;
    }
};

struct Trace {
    ~Trace()
    {
        std::puts("frame destroyed");
    }
};

static Generator fibonacci(int limit)
{
    Trace trace;
    int a = 0, b = 1;
    while (a < limit) {
        co_yield a;
        a = std::exchange(b, a + b);
    }
}

static Generator failing()
{
    co_yield 1;
    throw std::runtime_error("out of a coroutine");
}

extern "C" int run()
{
    Generator numbers = fibonacci(60);
    while (numbers.next())
        std::printf("%d ", numbers.value());
    std::puts("");
    {
        Generator half = fibonacci(1000);
        half.next();
    }
    try {
        Generator generator = failing();
        while (generator.next())
            ;
    } catch (const std::exception &e) {
        std::puts(e.what());
    }
    return 0;
}
