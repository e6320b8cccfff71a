//kiln: -std=c++20
// The threading library: threads, mutexes, condition variables, futures, atomics with wait,
// semaphores, barriers, stop tokens.
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <vector>

extern "C" int run()
{
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<int> atomic{0};
    int guarded = 0, turns = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&] {
            for (int n = 0; n < 1000; n++) {
                std::lock_guard lock(mutex);
                guarded++;
                atomic.fetch_add(1, std::memory_order_relaxed);
            }
            std::lock_guard lock(mutex);
            turns++;
            changed.notify_all();
        });
    {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return turns == 8; });
    }
    threads.clear();
    std::printf("%d %d\n", guarded, atomic.load());

    auto value = std::async(std::launch::async, [] { return 6 * 7; });
    auto failure =
        std::async(std::launch::async, []() -> int { throw std::runtime_error("future"); });
    std::printf("%d\n", value.get());
    try {
        failure.get();
    } catch (const std::exception &e) {
        std::printf("%s\n", e.what());
    }

    std::atomic<int> flag{0};
    std::jthread waker([&flag] {
        flag = 1;
        flag.notify_one();
    });
    flag.wait(0);
    std::counting_semaphore<4> semaphore(0);
    std::barrier meet(2);
    std::jthread other([&] {
        semaphore.release(3);
        meet.arrive_and_wait();
    });
    for (int i = 0; i < 3; i++)
        semaphore.acquire();
    meet.arrive_and_wait();
    std::jthread stoppable([](std::stop_token token) {
        while (!token.stop_requested())
            std::this_thread::yield();
    });
    stoppable.request_stop();
    std::shared_mutex shared;
    std::shared_lock reader(shared), another(shared, std::try_to_lock);
    std::printf("%d %s\n", flag.load(), another.owns_lock() ? "shared" : "not shared");
    return 0;
}
