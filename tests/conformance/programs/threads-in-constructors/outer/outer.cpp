#include <atomic>
#include <cstdio>
#include <thread>

extern "C" int load_another(void);

static std::atomic<bool> stop;
static std::atomic<int> worked;

struct Worker {
    std::thread thread{[] {
        worked = 1;
        while (!stop)
            std::this_thread::yield();
        worked = 2;
    }};
    int loaded = load_another();
    ~Worker()
    {
        stop = true;
        thread.join();
        std::printf("joined, worked %d\n", worked.load());
    }
};
static Worker worker;

extern "C" int value()
{
    while (worked == 0)
        std::this_thread::yield();
    return worker.loaded * 10 + worked;
}
