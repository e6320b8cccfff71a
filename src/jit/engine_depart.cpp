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

// What each user refers to.
Engine::Needs Engine::find_needs() const
{
    Needs needs;
    for (const auto *codes : {&code_, &departed_})
        for (const auto &code : *codes)
            for (jit_code *user : code->users)
                needs[user].push_back(code.get());
    return needs;
}

// What cannot leave, of all code; nor can what a thread is about to end.
std::set<jit_code *> Engine::find_held() const
{
    std::set<jit_code *> held;
    std::vector<jit_code *> left;
    for (const auto *codes : {&code_, &departed_})
        for (const auto &code : *codes)
            if (code->is_owed() || !code->images.empty() || (code->ender && codes == &departed_))
                left.push_back(code.get());
    if (left.empty())
        return held;
    Needs needs = find_needs();
    while (!left.empty()) {
        jit_code *code = left.back();
        left.pop_back();
        if (held.insert(code).second)
            append_range(left, needs[code]);
    }
    return held;
}

bool Engine::may_define(const jit_code &code, const std::string &name) const
{
    StringRef variable = name;
    variable.consume_front(emulated_tls_prefix);
    return code.symbols.count(name) || code.offers.count(name) ||
           any_of(code.libraries, [&](void *library) {
               return config_.host.library_may_define(library, variable.str().c_str());
           });
}

// What functions that are not compiled yet may come to refer to, too.
void Engine::add_possible_needs(Needs &needs) const
{
    for (const auto *codes : {&code_, &departed_})
        for (const auto &user : *codes) {
            std::set<std::string> names;
            for (const auto &lazy : user->lazy)
                if (!lazy->is_complete)
                    for (const std::string &name : lazy->undefined())
                        names.insert(name);
            for (const auto &code : code_)
                if (any_of(names, [&](const std::string &name) { return may_define(*code, name); }))
                    needs[user.get()].push_back(code.get());
        }
}

// All that has libraries: users, and those that may become such, before what they need.
std::vector<jit_code *> Engine::closing_order()
{
    std::lock_guard lock(link_mutex_);
    std::vector<jit_code *> order;
    for (auto *codes : {&code_, &departed_}) // newer ones close first where nothing else counts
        for (auto &code : *codes)
            if (!code->libraries.empty())
                order.push_back(code.get());
    if (order.size() < 2)
        return order;
    Needs needs = find_needs();
    add_possible_needs(needs);
    std::set<jit_code *> seen;
    std::vector<jit_code *> needed_first;
    auto visit = [&](auto &&visit, jit_code *code) -> void {
        if (!seen.insert(code).second)
            return;
        for (jit_code *needed : needs[code])
            visit(visit, needed);
        if (!code->libraries.empty())
            needed_first.push_back(code);
    };
    for (jit_code *code : order)
        visit(visit, code);
    order.assign(needed_first.rbegin(), needed_first.rend());
    return order;
}

// At the engine's end: nobody finds what they define any more.
void Engine::close_for_good(jit_code &code)
{
    {
        std::lock_guard lock(link_mutex_);
        remove_generator(code);
        for (auto &unit : code.units)
            if (unit->kind == Unit::Kind::Image && !unit->bytes)
                drop(*unit);
        if (code.tracker)
            report(code.tracker->remove());
    }
    close_libraries(code);
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
