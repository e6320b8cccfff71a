// engine_depart.cpp - an engine: what was removed, and cannot leave yet.
//
// A thread may owe a destructor to code that was removed: an object of thread storage duration that it
// has made lives until it ends. That code stays until then, and so does all that it needs. Its own
// handlers run when the last such thread has ended, before those of what it needs.
#include "jit/engine.h"

namespace kiln
{

using namespace llvm;

bool Engine::has_been_removed(const jit_code &code) const
{
    return any_of(departed_, [&](const auto &other) { return other.get() == &code; });
}

bool Engine::is_held(const jit_code &code) const
{
    return code.is_owed() || !code.images.empty() ||
           any_of(code.users, [&](const jit_code *user) { return has_been_removed(*user); });
}

// What cannot leave, of all code.
std::set<const jit_code *> Engine::find_held() const
{
    std::set<const jit_code *> held;
    std::vector<const jit_code *> all;
    for (const auto *codes : {&code_, &departed_})
        for (const auto &code : *codes)
            all.push_back(code.get());
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (const jit_code *code : all)
            if (!held.count(code) &&
                (code->is_owed() || !code->images.empty() || code->is_ending ||
                 any_of(code->users, [&](jit_code *user) { return held.count(user) != 0; })))
                goes_on = held.insert(code).second;
    }
    return held;
}

void Engine::hold(const jit_code &code)
{
    for (const auto &linked : code.linked)
        slab_->hold(linked->begin);
}

// Threads may call functions of it that are not compiled yet, when nothing can be compiled any longer.
void Engine::complete(jit_code &code)
{
    for (auto &lazy : code.lazy)
        if (!lazy->is_complete())
            lazy->complete();
}

bool Engine::is_whole(const jit_code &code)
{
    return all_of(code.lazy, [](const auto &lazy) { return lazy->is_complete(); });
}

// Closed images that the loader could not unmap leave when their threads have ended.
void Engine::collect_images()
{
    std::set<std::string> images;
    {
        std::lock_guard lock(link_mutex_);
        for (auto &code : departed_)
            images.insert(code->images.begin(), code->images.end());
    }
    if (images.empty())
        return;
    erase_if(images, [&](const std::string &id) { return !config_.host.has_left(id.c_str()); });
    std::lock_guard lock(link_mutex_);
    for (auto &code : departed_)
        erase_if(code->images, [&](const std::string &id) { return images.count(id) != 0; });
}

// What can leave now; this thread is to run the last of it.
std::vector<jit_code *> Engine::take_ready()
{
    std::vector<jit_code *> ready;
    std::lock_guard lock(link_mutex_);
    // Within a link its handlers could not use what other threads have.
    if (departed_.empty() || link_mutex_.level() > 1)
        return ready;
    std::set<const jit_code *> held = find_held();
    for (auto &code : departed_)
        if (!held.count(code.get()))
            ready.push_back(code.get());
    for (jit_code *code : ready)
        code->is_ending = true;
    return ready;
}

// Give back what code has that has ended. Whether there was any: handlers may have left a thread
// something to destroy once more.
bool Engine::let_go(ArrayRef<jit_code *> ended)
{
    std::lock_guard lock(link_mutex_);
    size_t before = departed_.size();
    for (jit_code *code : ended) {
        code->is_ending = false;
        if (code->is_owed() || !code->images.empty())
            continue;
        for (const auto &linked : code->linked) {
            linked->debug.reset();
            slab_->let_go(linked->begin);
        }
        slab_->free_word(reinterpret_cast<void **>(code->traces->handle));
        for (auto *codes : {&code_, &departed_})
            for (auto &other : *codes)
                other->users.erase(code);
        erase_if(departed_, [&](const auto &other) { return other.get() == code; });
    }
    return departed_.size() != before;
}

void Engine::release_departed()
{
    collect_images();
    std::vector<jit_code *> ready;
    do {
        ready = take_ready();
        for (jit_code *code : ready)
            runtime_finalise(*code->traces, linked_of(*code));
        for (jit_code *code : ready)
            close_libraries(*code);
        // What it has needed may be next.
    } while (let_go(ready));
}

bool Engine::has_departed(const jit_code *code)
{
    release_departed();
    std::lock_guard lock(link_mutex_);
    return none_of(departed_, [&](const auto &other) { return other.get() == code; });
}

} // namespace kiln
