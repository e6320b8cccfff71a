// engine_run.cpp - an engine: running what linked code has to run at load.
//
// A thread claims what it has linked, and runs that without the engine's lock. Another one that gets to
// it by a look-up waits until it has run; unless the first one waits for the other, directly or not: then
// somebody goes first, as in a circle of needs.
#include "jit/engine.h"

namespace kiln
{

using namespace llvm;

// Who refers to whom. Within a look-up some refer to what is not in its place yet, since objects may refer
// to each other: they are looked at again when it has ended; until then references tell what goes with
// what.
void Engine::settle_references()
{
    for (Linked *linked : to_settle_) {
        jit_code *user = extents_.at(linked->begin).code;
        linked->needs.clear();
        for (const void *address : linked->references) {
            visit_owners(address, [&](jit_code &owner, Linked *needed) {
                if (needed == linked)
                    return;
                if (needed)
                    linked->needs.push_back(needed);
                if (&owner != user)
                    owner.users.insert(user);
            });
        }
        if (!depth_)
            linked->references = {};
    }
    if (!depth_)
        to_settle_.clear();
}

// Whether all that it needs, directly or not, is in its place. known: what is being asked already.
bool Engine::is_complete(const Linked &linked, std::set<const Linked *> &known) const
{
    if (linked.is_settled || !known.insert(&linked).second)
        return true;
    for (const void *address : linked.references)
        if (const Extent *extent = find_extent(address); extent && !extent->linked)
            return false;
    return !refer_to(linked.references, lost_) &&
           all_of(linked.needs, [&](const Linked *needed) { return is_complete(*needed, known); });
}

// What an object needs is initialised before it; in a circle, somebody is first.
void Engine::add_in_order(Linked *linked, std::vector<Linked *> &order)
{
    if (std::exchange(linked->is_settled, true))
        return;
    for (Linked *needed : linked->needs)
        add_in_order(needed, order);
    if (!linked->is_initialised)
        order.push_back(linked);
}

// In the order of their calls; this thread is to run them. Within a look-up, what is not complete waits
// for its end.
std::vector<Linked *> Engine::take_pending()
{
    std::vector<Linked *> order;
    settle_references();
    for (Linked *linked : std::exchange(to_initialise_, {})) {
        std::set<const Linked *> known;
        if (depth_ && !is_complete(*linked, known))
            to_initialise_.push_back(linked);
        else
            add_in_order(linked, order);
    }
    for (Linked *linked : order) {
        linked->is_initialised = true;
        linked->runner = pthread_self();
        running_[*linked->runner]++;
    }
    return order;
}

void Engine::initialise(ArrayRef<Linked *> order)
{
    for (Linked *linked : order) {
        await_initialised(linked->begin, nullptr);
        runtime_initialise(*linked);
        std::lock_guard lock(link_mutex_);
        linked->runner.reset();
        config_.host.wait_over(linked);
        auto own = running_.find(pthread_self());
        if (--own->second == 0)
            running_.erase(own);
        has_run_.notify_all();
    }
}

// For a thread that initialises what is at the address or what that needs; false: there is none for which
// to wait.
bool Engine::begin_to_wait(const void *address, const jit_code *but) const
{
    std::set<const Linked *> known;
    std::vector<const Linked *> left;
    auto add = [&](const Linked *linked) {
        if (linked && known.insert(linked).second)
            left.push_back(linked);
    };
    if (running_.size() > running_.count(pthread_self()))
        visit_owners(address, [&](jit_code &, Linked *linked) { add(linked); });
    while (!left.empty()) {
        const Linked *linked = left.back();
        left.pop_back();
        bool is_skipped = but && linked->traces == but->traces.get();
        if (linked->runner && !is_skipped && config_.host.wait_begin(*linked->runner, linked))
            return true;
        for (const Linked *needed : linked->needs)
            add(needed);
    }
    return false;
}

void Engine::await_initialised(const void *address, const jit_code *but)
{
    std::unique_lock lock(link_mutex_);
    // Within a link of this thread's others could not go on while it waits.
    while (link_mutex_.level() == 1 && begin_to_wait(address, but)) {
        has_run_.wait(lock);
        config_.host.wait_end();
    }
}

} // namespace kiln
