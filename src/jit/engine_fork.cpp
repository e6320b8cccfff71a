// engine_fork.cpp - engines, when the process forks.
//
// The fork waits until no other thread links, so that the child finds every engine whole; but not for long,
// since a constructor that runs within a link may wait for the thread that forks. What another thread would
// not let go of by then is lost to the child, where each call says so. For threads that run constructors or
// handlers without a lock it waits a moment, since they may be inside of libc's list of handlers.
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
        if (!engine->is_lost_ && !engine->is_held_for_fork_)
            all &= engine->is_held_for_fork_ = engine->link_mutex_.try_lock();
    return all;
}

void Engine::release_after_fork()
{
    for (Engine *engine : engines)
        if (std::exchange(engine->is_held_for_fork_, false))
            engine->link_mutex_.unlock();
}

// Meanwhile the others go on: what they do may need two of these. At last what is held is kept.
void Engine::before_fork(bool (*hold)(unsigned wait_ms), void (*release)(bool in_child))
{
    using std::chrono::milliseconds;
    using std::chrono::steady_clock;
    auto begin = steady_clock::now(), short_end = begin + milliseconds(100),
         end = begin + milliseconds(1000), last_end = end + milliseconds(100);
    list_mutex.lock();
    for (;;) {
        auto now = steady_clock::now();
        bool all = hold_for_fork();
        // Who is within handlers, and needs no engine for the rest, is out of them soon.
        bool is_idle = hold(/*wait_ms=*/all ? 50 : 0);
        if (all ? is_idle || now > short_end : now > last_end)
            break;
        release(/*in_child=*/false);
        if (now < end)
            release_after_fork();
        std::this_thread::sleep_for(milliseconds(1));
    }
    for (std::mutex *leaf : leaves)
        leaf->lock();
}

void Engine::after_fork(bool in_child)
{
    for (std::mutex *leaf : leaves)
        leaf->unlock();
    if (in_child)
        for (Engine *engine : engines)
            engine->forget_other_threads();
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
