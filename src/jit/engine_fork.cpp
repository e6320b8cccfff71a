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

// What can be had now, without waiting; whether that is all.
bool Engine::hold_for_fork()
{
    bool all = true;
    for (Engine *engine : engines)
        if (!engine->is_lost_)
            all &= engine->is_held_for_fork_ = engine->link_mutex_.try_lock();
    busy_mutex.lock();
    return all && runtime_is_idle();
}

void Engine::release_after_fork()
{
    busy_mutex.unlock();
    for (Engine *engine : engines)
        if (std::exchange(engine->is_held_for_fork_, false))
            engine->link_mutex_.unlock();
}

// Meanwhile the others go on: what they do may need two of these.
void Engine::before_fork()
{
    constexpr auto long_enough = std::chrono::seconds(1);
    auto end = std::chrono::steady_clock::now() + long_enough;
    list_mutex.lock();
    while (!hold_for_fork() && std::chrono::steady_clock::now() < end) {
        release_after_fork();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (std::mutex *leaf : leaves)
        leaf->lock();
}

void Engine::after_fork(bool in_child)
{
    for (std::mutex *leaf : leaves)
        leaf->unlock();
    if (in_child) {
        runtime_forget_other_threads();
        for (Engine *engine : engines)
            engine->forget_other_threads();
    }
    release_after_fork();
    list_mutex.unlock();
}

// Constructors and handlers that they were running stay half run, as those of libraries do; what they were
// removing can be removed here.
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
    for (auto *codes : {&code_, &departed_})
        for (auto &code : *codes) {
            if (!code->ender || pthread_equal(*code->ender, pthread_self()))
                continue;
            code->ender.reset();
            leaving_ -= code->leaves_with != nullptr && codes == &code_;
            code->leaves_with = nullptr;
        }
    for (auto running = running_.begin(); running != running_.end();)
        running = pthread_equal(running->first, pthread_self()) ? std::next(running)
                                                                : running_.erase(running);
    // Who waits there does not exist here; the old one would wait for them at its end.
    new (&has_run_) std::condition_variable_any;
}

} // namespace kiln
