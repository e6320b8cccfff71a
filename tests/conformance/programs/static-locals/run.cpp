// A static local is constructed once though many threads come at once; one whose constructor throws
// is tried again.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

static std::atomic<int> constructions, attempts;
static std::atomic<bool> go;

struct Slow {
    int value;
    Slow()
    {
        constructions++;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        value = 42;
    }
};

struct Reluctant {
    Reluctant()
    {
        if (++attempts < 3)
            throw attempts.load();
    }
};

static int value()
{
    static Slow slow;
    return slow.value;
}

extern "C" int run()
{
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; i++)
        threads.emplace_back([&wrong] {
            while (!go)
                ;
            if (value() != 42)
                wrong++;
        });
    go = true;
    for (auto &thread : threads)
        thread.join();
    std::printf("constructed %d time, wrong %d\n", constructions.load(), wrong.load());
    for (int i = 0; i < 4; i++) {
        try {
            static Reluctant reluctant;
            std::puts("constructed");
        } catch (int n) {
            std::printf("attempt %d failed\n", n);
        }
    }
    return 0;
}
