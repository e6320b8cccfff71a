// engine_depart.cpp - an engine: what was removed, and cannot leave yet.
//
// A thread may owe a destructor to code that was removed: an object of thread storage duration that it
// has made lives until it ends. That code stays until then, and so does all that it needs. Its own
// handlers run when the last such thread has ended, before those of what it needs.
#include "jit/engine.h"

namespace kiln
{

using namespace llvm;

bool Engine::has_been_removed(const jit_code *code) const
{
    return any_of(departed_, [&](const auto &other) { return other.get() == code; });
}

bool Engine::is_held(const jit_code &code) const
{
    return code.is_owed() || !code.images.empty() ||
           any_of(code.users, [&](const jit_code *user) { return has_been_removed(user); });
}

// What cannot leave, of all code; nor can what a thread is about to end.
std::set<jit_code *> Engine::find_held() const
{
    std::set<jit_code *> held;
    std::vector<jit_code *> all, left;
    for (const auto *codes : {&code_, &departed_})
        for (const auto &code : *codes) {
            all.push_back(code.get());
            if (code->is_owed() || !code->images.empty() || (code->ender && codes == &departed_))
                left.push_back(code.get());
        }
    if (left.empty())
        return held;
    std::map<jit_code *, std::vector<jit_code *>> needs; // of users
    for (jit_code *code : all)
        for (jit_code *user : code->users)
            needs[user].push_back(code);
    while (!left.empty()) {
        jit_code *code = left.back();
        left.pop_back();
        if (held.insert(code).second)
            append_range(left, needs[code]);
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
    if (is_whole(code))
        return;
    for (auto &lazy : code.lazy)
        lazy->complete();
    std::lock_guard lock(link_mutex_);
    for (auto &lazy : code.lazy)
        lazy->is_complete = true;
}

bool Engine::is_whole(const jit_code &code)
{
    std::lock_guard lock(link_mutex_);
    return all_of(code.lazy, [](const auto &lazy) { return lazy->is_complete; });
}

// Without the lock, where other threads may use Kiln meanwhile.
void Engine::close_libraries(jit_code &code)
{
    std::vector<void *> libraries;
    std::vector<std::string> images;
    {
        std::lock_guard lock(link_mutex_);
        libraries = std::exchange(code.libraries, {});
        link_count_ += libraries.size();
    }
    char id[jit_image_id_size];
    for (void *library : libraries)
        if (config_.host.close_library(library, id) == KILN_PENDING)
            images.push_back(id);
    std::lock_guard lock(link_mutex_);
    append_range(code.images, images);
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

// One that can leave now, and that nobody needs; of circles, whoever is in them. This thread is to run
// the last of it.
std::vector<jit_code *> Engine::take_ready()
{
    std::vector<jit_code *> ready;
    std::lock_guard lock(link_mutex_);
    // Within a link its handlers could not use what other threads have.
    if (departed_.empty() || link_mutex_.level() > 1 || is_ending_)
        return ready;
    std::set<jit_code *> held = find_held();
    for (auto &code : departed_)
        if (!held.count(code.get()))
            ready.push_back(code.get());
    auto first = find_if(ready, [&](const jit_code *code) {
        return none_of(code->users, [&](const jit_code *user) { return has_been_removed(user); });
    });
    if (first != ready.end())
        ready = {*first};
    for (jit_code *code : ready)
        code->ender = pthread_self();
    return ready;
}

// Give back what code has that has ended; but handlers may have left a thread something to destroy once
// more, with all that it needs.
void Engine::let_go(ArrayRef<jit_code *> ended)
{
    std::lock_guard lock(link_mutex_);
    for (jit_code *code : ended)
        code->ender.reset();
    if (is_ending_)
        return;
    std::set<jit_code *> held = find_held();
    for (jit_code *code : ended) {
        if (held.count(code))
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
}

void Engine::release_departed()
{
    collect_images();
    for (;;) {
        std::vector<jit_code *> ready = take_ready();
        if (ready.empty())
            return;
        for (jit_code *code : ready)
            runtime_finalise(*code->traces, linked_of(*code));
        for (jit_code *code : ready)
            close_libraries(*code);
        let_go(ready);
    }
}

bool Engine::has_departed(const jit_code *code)
{
    release_departed();
    std::lock_guard lock(link_mutex_);
    return !has_been_removed(code);
}

} // namespace kiln
