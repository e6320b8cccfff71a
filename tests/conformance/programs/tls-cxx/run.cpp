// thread_local objects: constructed at first use in each thread, destroyed at its end, in reverse
// order.
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> constructed, destroyed, order_errors;

struct Counter {
    std::string text =
        std::string(40, 'x'); // on the heap: a leak checker would see a missing destructor
    int value = 0;
    Counter()
    {
        constructed++;
    }
    ~Counter()
    {
        destroyed++;
    }
};

thread_local Counter counter;
static thread_local bool second_is_gone = false;

struct Second {
    bool used = false;
    ~Second()
    {
        second_is_gone = true;
    }
};

struct First {
    bool used = false;
    ~First()
    {
        if (!second_is_gone)
            order_errors++;
    }
};
thread_local First first;
thread_local Second second;

static thread_local int initialised = [] { return 40 + 2; }();

extern "C" int run()
{
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 12; i++) {
        threads.emplace_back([&wrong, i] {
            first.used = true;
            second.used = true;
            for (int n = 0; n < 100; n++)
                counter.value += i;
            if (counter.value != 100 * i || counter.text.size() != 40 || initialised != 42)
                wrong++;
        });
    }
    for (auto &thread : threads)
        thread.join();
    std::printf("wrong %d, constructed %d, destroyed %d, order errors %d\n", wrong.load(),
                constructed.load(), destroyed.load(), order_errors.load());
    return 0;
}
