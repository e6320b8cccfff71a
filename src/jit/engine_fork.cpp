// engine_fork.cpp - engines, when the process forks.
//
// The fork waits until no other thread links, so that the child finds every engine whole; but not for long,
// since a constructor that runs within a link may wait for the thread that forks. What another thread would
// not let go of by then is lost to the child, where each call says so.
#include "jit/engine.h"
#include "jit/perf_map.h"

#include <chrono>
#include <thread>

namespace kiln
{

using namespace llvm;

static std::mutex list_mutex; // taken before every other lock
static std::set<Engine *> engines;

// What is locked for a moment, by whatever engine.
static std::mutex *const leaves[] = {&runtime_mutex, &debugger_mutex, &perf_map_mutex};

void Engine::enlist()
{
    std::lock_guard lock(list_mutex);
    engines.insert(this);
}

void Engine::delist()
{
    std::lock_guard lock(list_mutex);
    engines.erase(this);
}

void Engine::before_fork()
{
    constexpr auto long_enough = std::chrono::seconds(1);
    auto end = std::chrono::steady_clock::now() + long_enough;
    list_mutex.lock();
    for (Engine *engine : engines)
        while (!(engine->is_held_for_fork_ = engine->link_mutex_.try_lock()) &&
               std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (std::mutex *leaf : leaves)
        leaf->lock();
}

void Engine::after_fork(bool in_child)
{
    for (std::mutex *leaf : leaves)
        leaf->unlock();
    for (Engine *engine : engines) {
        if (in_child)
            engine->forget_other_threads();
        if (engine->is_held_for_fork_)
            engine->link_mutex_.unlock();
    }
    list_mutex.unlock();
}

// Constructors that they were running stay half run, as those of libraries do.
void Engine::forget_other_threads()
{
    is_lost_ = is_lost_ || !is_held_for_fork_;
    if (is_lost_)
        return;
    link_mutex_.take_over();
    for (auto *codes : {&code_, &departed_})
        for (auto &code : *codes)
            for (auto &linked : code->linked)
                if (linked->runner && !pthread_equal(*linked->runner, pthread_self()))
                    linked->runner.reset();
    for (auto running = running_.begin(); running != running_.end();)
        running = pthread_equal(running->first, pthread_self()) ? std::next(running)
                                                                : running_.erase(running);
    // Who waits there does not exist here; the old one would wait for them at its end.
    new (&has_run_) std::condition_variable_any;
}

} // namespace kiln
