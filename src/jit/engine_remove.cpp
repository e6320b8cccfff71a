// engine_remove.cpp - an engine: removing what was added.
#include "jit/engine.h"

#include <execinfo.h>

namespace kiln
{

using namespace llvm;

// Whether this thread's stack leads through the code.
static bool is_running(const jit_code &code)
{
    enum { frames_at_most = 256 };
    void *frames[frames_at_most];
    int count = backtrace(frames, frames_at_most);
    return any_of(ArrayRef(frames, size_t(count)), [&](void *frame) {
        return any_of(code.linked, [&](const auto &linked) {
            return frame >= linked->begin && frame < linked->end;
        });
    });
}

void Engine::remove_dylib(jit_dylib &dylib)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    report(session_->removeJITDylibs({dylib.own, dylib.last, dylib.behind}));
    for (auto &code : code_)
        if (code->dylib == &dylib)
            unregister(*code);
    erase_if(code_, [&](const auto &code) { return code->dylib == &dylib; });
    for (auto &other : dylibs_)
        erase(other->order, &dylib);
    erase_if(dylibs_, [&](const auto &other) { return other.get() == &dylib; });
}

// Who keeps it from being removed, as a reason; empty: nobody. family: it, and what it has promised.
std::string Engine::reason_to_stay(ArrayRef<jit_code *> family)
{
    const std::string &name = family.front()->name;
    std::string users;
    settle_references();
    for (jit_code *member : family)
        for (jit_code *user : member->users)
            if (!is_contained(family, user))
                users += (users.empty() ? "" : ", ") + ("'" + user->name + "'");
    if (!users.empty())
        return "'" + name + "' is in use: " + users + " refers to it";
    return any_of(family, [](jit_code *member) { return is_running(*member); })
               ? "'" + name + "' is in use: this thread is running it"
               : "";
}

kiln_status Engine::remove(jit_code &code, std::string &reason, bool anyway)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    release_departed();
    if (code.references > 1) {
        code.references--;
        return KILN_OK;
    }
    std::vector<jit_code *> family = {&code};
    append_range(family, code.kept);
    if (!anyway)
        reason = reason_to_stay(family);
    if (!reason.empty())
        return KILN_REFUSED;
    kiln_status status = KILN_OK;
    for (jit_code *member : reverse(family))
        if (remove_one(*member) == KILN_PENDING)
            status = KILN_PENDING;
    return status;
}

// Nobody finds it any more.
void Engine::withdraw(const jit_code &code, Linked &linked)
{
    tell(linked, code.name, /*removed=*/true);
    extents_.erase(linked.begin);
    erase(to_settle_, &linked);
    erase(to_initialise_, &linked);
    for (auto &[begin, extent] : extents_)
        erase(extent.linked->needs, &linked);
}

// link_mutex_ is held, once.
kiln_status Engine::remove_one(jit_code &code)
{
    // A thread that owes a destructor may use what others have to destroy. Functions that are compiled
    // at their first call cannot be compiled later.
    bool is_delayed = code.traces->owed.load(std::memory_order_acquire) != 0 && code.lazy.empty();
    // Handlers may call Kiln, from any thread.
    link_mutex_.unlock();
    {
        std::lock_guard<std::recursive_mutex> running(run_mutex_);
        if (!is_delayed)
            finalise(code);
    }
    link_mutex_.lock();
    // They may have had something linked.
    settle_references();
    // What was not finalised has that before it, though its threads may have ended meanwhile.
    bool is_owed = is_delayed || code.traces->owed.load(std::memory_order_acquire) != 0;
    if (is_owed)
        hold(code);
    for (auto &linked : code.linked) {
        withdraw(code, *linked);
        if (!is_owed)
            linked->debug.reset();
    }
    erase_if(recent_, [&](const Recent &recent) { return recent.code == &code; });
    for (auto &other : code_)
        other->users.erase(&code);
    if (code.generator)
        code.generator_dylib->removeGenerator(*code.generator);
    for (auto &unit : reverse(code.units))
        drop(*unit);
    code.units.clear();
    code.definitions.clear();
    code.lazy.clear();
    report(code.tracker->remove());
    bool is_closed = true;
    for (void *library : code.libraries)
        is_closed &= config_.host.close_library(library) == KILN_OK;
    auto own = find_if(code_, [&](const auto &other) { return other.get() == &code; });
    std::unique_ptr<jit_code> kept = std::move(*own);
    unregister(code);
    code.tracker = nullptr;
    code_.erase(own);
    if (!is_owed) {
        slab_->free_word(reinterpret_cast<void **>(kept->traces->handle));
        return is_closed ? KILN_OK : KILN_PENDING;
    }
    departed_.push_back(std::move(kept));
    return KILN_PENDING;
}

void Engine::finalise(jit_code &code)
{
    std::vector<Linked *> linked;
    for (const auto &object : code.linked)
        linked.push_back(object.get());
    runtime_finalise(*code.traces, linked);
}

bool Engine::has_departed(const jit_code *code)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    release_departed();
    return none_of(departed_, [&](const auto &other) { return other.get() == code; });
}

void Engine::hold(const jit_code &code)
{
    for (const auto &linked : code.linked)
        slab_->hold(linked->begin);
}

// What threads have paid their destructors of.
void Engine::release_departed()
{
    erase_if(departed_, [&](const auto &code) {
        if (code->traces->owed.load(std::memory_order_acquire))
            return false;
        finalise(*code);
        for (const auto &linked : code->linked) {
            linked->debug.reset();
            slab_->let_go(linked->begin);
        }
        slab_->free_word(reinterpret_cast<void **>(code->traces->handle));
        return true;
    });
}

} // namespace kiln
