// engine_remove.cpp - an engine: removing what was added.
#include "jit/engine.h"
#include "jit/large_stack.h"

namespace kiln
{

using namespace llvm;

// Whether this thread's stack leads through the code.
static bool is_running(const jit_code &code)
{
    enum { frames_at_most = 512 };
    void *frames[frames_at_most];
    int count = frames_of_this_thread(frames, frames_at_most);
    return any_of(ArrayRef(frames, size_t(count)), [&](void *frame) {
        return any_of(code.linked, [&](const auto &linked) {
            return frame >= linked->begin && frame < linked->end;
        });
    });
}

void Engine::remove_dylib(jit_dylib &dylib)
{
    std::lock_guard lock(link_mutex_);
    if (is_ending_)
        return; // it goes with the engine
    for (auto &code : code_)
        if (code->dylib == &dylib) {
            remove_generator(*code);
            unregister(*code);
        }
    report(session_->removeJITDylibs({dylib.own, dylib.last, dylib.behind}));
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
            if (!is_contained(family, user) && !has_been_removed(user))
                users += (users.empty() ? "" : ", ") + ("'" + user->name + "'");
    if (!users.empty())
        return "'" + name + "' is in use: " + users + " refers to it";
    if (any_of(family, [](jit_code *member) { return is_running(*member); }))
        return "'" + name + "' is in use: this thread is running it";
    if (any_of(family, [](jit_code *member) {
            return any_of(member->linked,
                          [](const auto &linked) { return linked->runner.has_value(); });
        }))
        return "'" + name + "' is in use: a thread is running its constructors";
    // A link of this thread's may be about to link something of it, or be in the middle of that.
    if (link_mutex_.level() > 1 &&
        any_of(family, [&](jit_code *member) { return is_left_to_link(*member); }))
        return "'" + name + "' is in use: a link is under way which may need it";
    return any_of(family, [](jit_code *member) { return member->leaves_with != nullptr; })
               ? "'" + name + "' is being removed already"
               : "";
}

kiln_status Engine::remove(jit_code &code, std::string &reason, bool anyway)
{
    release_departed();
    std::unique_lock lock(link_mutex_);
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
    erase_if(family, [](jit_code *member) { return member->leaves_with != nullptr; });
    // Somebody else has added it, too.
    erase_if(family,
             [](jit_code *member) { return member->references > 1 && member->references--; });
    for (jit_code *member : family) {
        member->leaves_with = &code;
        member->ender = pthread_self();
        leaving_++;
    }
    kiln_status status = KILN_OK;
    for (jit_code *member : reverse(family))
        if (remove_one(*member, lock) == KILN_PENDING)
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
        if (extent.linked)
            erase(extent.linked->needs, &linked);
}

// What runs meanwhile may call Kiln, from any thread; but not if this is a part of a link.
template <typename Run> static void run_unlocked(std::unique_lock<CountedMutex> &lock, Run run)
{
    bool is_outermost = lock.mutex()->level() == 1;
    if (is_outermost)
        lock.unlock();
    run();
    if (is_outermost)
        lock.lock();
}

kiln_status Engine::remove_one(jit_code &code, std::unique_lock<CountedMutex> &lock)
{
    // A thread that owes a destructor may use what others have to destroy, and what it needs.
    bool is_delayed = is_held(code);
    std::vector<Linked *> linked;
    do {
        linked = linked_of(code);
        run_unlocked(lock, [&] {
            for (const Linked *one : linked)
                await_initialised(one->begin, nullptr);
            if (!is_delayed)
                runtime_finalise(*code.traces, linked);
            if (is_delayed || code.is_owed())
                complete(code);
        });
        // They, and other threads, may have linked something of it. What was not finalised, or is owed
        // once more, has that before it, though its threads may have ended meanwhile.
        settle_references();
        is_delayed |= is_held(code);
    } while (linked != linked_of(code) || (is_delayed && !is_whole(code)));
    hold(code);
    for (auto &one : code.linked) {
        withdraw(code, *one);
        // What is being linked may have its addresses, and goes when the link ends.
        if (depth_) {
            lost_.push_back({one->begin, one->end});
            has_failed_ = true;
        }
    }
    for (const auto &[address, lenders] : lent_)
        if (depth_ && lenders.size() == 1 && *lenders.begin() == &code) {
            lost_.push_back({address, address});
            has_failed_ = true;
        }
    erase_if(extents_, [&](const auto &extent) { return extent.second.code == &code; });
    erase_if(recent_, [&](const Recent &recent) { return recent.code == &code; });
    remove_generator(code);
    for (auto &unit : reverse(code.units))
        drop(*unit);
    code.units.clear();
    code.definitions.clear();
    report(code.tracker->remove());
    auto own = find_if(code_, [&](const auto &other) { return other.get() == &code; });
    std::unique_ptr<jit_code> kept = std::move(*own);
    code_.erase(own);
    unregister(code);
    take_back_weak_data(code);
    code.tracker = nullptr;
    leaving_--;
    departed_.push_back(std::move(kept));
    if (is_delayed) {
        code.ender.reset();
        return KILN_PENDING;
    }
    run_unlocked(lock, [&] { close_libraries(code); });
    let_go(&code);
    return has_been_removed(&code) ? KILN_PENDING : KILN_OK;
}

// Weak data that was left to what is gone now is defined by what has not been linked yet. What was linked
// without it has used that, and was removed before.
void Engine::take_back_weak_data(const jit_code &gone)
{
    std::vector<Unit *> linked;
    for (const Recent &recent : recent_)
        linked.push_back(recent.unit);
    for (auto &code : code_)
        for (auto &unit : code->units)
            if (unit->bytes && !is_contained(linked, unit.get()) &&
                any_of(unit->elsewhere,
                       [&](const std::string &name) { return gone.symbols.count(name) != 0; })) {
                drop(*unit);
                run_on_large_stack([&] { report(define_unit(*code, *unit)); });
            }
}

bool Engine::is_left_to_link(const jit_code &code) const
{
    return any_of(code.units, [&](const auto &unit) {
        return unit->bytes &&
               none_of(recent_, [&](const Recent &recent) { return recent.unit == unit.get(); });
    });
}

std::vector<Linked *> Engine::linked_of(const jit_code &code)
{
    std::vector<Linked *> linked;
    for (const auto &object : code.linked)
        linked.push_back(object.get());
    return linked;
}

bool Engine::is_linking()
{
    if (!link_mutex_.try_lock())
        return false;
    bool is_within = link_mutex_.level() > 1;
    link_mutex_.unlock();
    return is_within;
}

} // namespace kiln
