// Once only, from many threads: std::call_once (an exception lets another try), C11 call_once,
// pthread_once.
#include "once.h"
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

static std::once_flag flag;
static std::atomic<int> tries, successes, caught;

static void attempt()
{
    try {
        std::call_once(flag, [] {
            if (++tries < 3)
                throw 1;
            successes++;
        });
    } catch (int) {
        caught++;
    }
}

extern "C" int run()
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; i++)
        threads.emplace_back([] {
            attempt();
            c_once();
        });
    for (auto &thread : threads)
        thread.join();
    std::printf("std::call_once: %d tries, %d caught, %d success\n", tries.load(), caught.load(),
                successes.load());
    std::printf("call_once %d, pthread_once %d\n", c11_count, pthread_count);
    return 0;
}
