// engine_link.cpp - an engine: linking what is looked up, and running what that has at load.
#include "jit/engine.h"
#include "jit/ir_code.h"
#include "jit/refuse.h"

namespace kiln
{

using namespace llvm;

// ---- linking ----

jit_code *Engine::owner_of(const void *address, Linked *&linked)
{
    linked = nullptr;
    auto next = extents_.upper_bound(address);
    if (next != extents_.begin() && address < std::prev(next)->second.linked->end) {
        linked = std::prev(next)->second.linked;
        return std::prev(next)->second.code;
    }
    auto lent = lent_.find(address);
    return lent == lent_.end() ? nullptr : lent->second;
}

// Who refers to whom: known when all that was linked together is in its place, since objects may refer
// to each other.
void Engine::settle_references()
{
    for (Linked *linked : std::exchange(to_settle_, {})) {
        jit_code *user = extents_.at(linked->begin).code;
        for (const void *address : linked->references) {
            Linked *needed;
            jit_code *owner = owner_of(address, needed);
            if (!owner || needed == linked)
                continue;
            if (needed)
                linked->needs.push_back(needed);
            if (owner != user)
                owner->users.insert(user);
        }
        // Until the outermost look-up has ended, they tell what goes with what.
        if (!depth_)
            linked->references = {};
    }
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

void Engine::linked(orc::ResourceKey key, StringRef name, std::unique_ptr<Linked> linked)
{
    auto owner = by_key_.find(key);
    if (owner == by_key_.end())
        return;
    jit_code &code = *owner->second.code;
    if (owner->second.unit)
        recent_.push_back({&code, owner->second.unit, linked.get()});
    linked->traces = code.traces.get();
    extents_[linked->begin] = {linked.get(), &code};
    to_settle_.push_back(linked.get());
    if (linked->initialisers.empty() && linked->finalisers.empty())
        linked->is_initialised = true;
    else
        to_initialise_.push_back(linked.get());
    tell(*linked, name, /*removed=*/false);
    code.linked.push_back(std::move(linked));
}

const void *Engine::handle(orc::ResourceKey key)
{
    return by_key_.at(key).code->traces->handle;
}

bool Engine::is_elsewhere(orc::ResourceKey key, StringRef name)
{
    auto owner = by_key_.find(key);
    return owner != by_key_.end() && owner->second.unit &&
           owner->second.unit->elsewhere.count(name);
}

void Engine::failed(orc::ResourceKey key, Range where)
{
    if (where.begin)
        lost_.push_back(where);
    auto owner = by_key_.find(key);
    if (owner == by_key_.end() || !owner->second.unit)
        return;
    owner->second.unit->has_failed = true;
    has_failed_ = true;
}

void Engine::fail(std::unique_ptr<orc::MaterializationResponsibility> responsibility, Error error)
{
    report(std::move(error));
    consumeError(responsibility->withResourceKeyDo([&](orc::ResourceKey key) { failed(key, {}); }));
    responsibility->failMaterialization();
}

// What refers to something within one of the ranges can run no more than that.
static bool refers_to(const Linked &linked, ArrayRef<Range> ranges)
{
    return any_of(linked.references, [&](const void *address) {
        return any_of(ranges, [&](const Range &range) {
            return address >= range.begin && address <= range.end;
        });
    });
}

// The outermost look-up has ended. What was linked for it stays, or goes with what it needs and did not
// get: that is gone already, and nothing of it may run. Whether something has gone.
bool Engine::conclude()
{
    std::vector<Recent> recent = std::exchange(recent_, {});
    std::vector<Range> lost = std::exchange(lost_, {});
    bool has_gone = false;
    for (bool goes_on = has_failed_; goes_on;) {
        goes_on = false;
        for (Recent &item : recent) {
            if (!item.linked || (!item.unit->has_failed && !refers_to(*item.linked, lost)))
                continue;
            lost.push_back({item.linked->begin, item.linked->end});
            withdraw(*item.code, *item.linked);
            erase_if(item.code->linked,
                     [&](const auto &linked) { return linked.get() == item.linked; });
            item.linked = nullptr;
            item.unit->has_failed = goes_on = has_gone = true;
        }
    }
    for (Recent &item : recent)
        if (item.linked)
            item.unit->bytes.reset();
    revive();
    return has_gone;
}

// ORC does not try again what has failed to link; but what it lacked may have been added by the next
// time.
void Engine::revive()
{
    if (!std::exchange(has_failed_, false))
        return;
    for (auto &code : code_)
        for (auto &unit : code->units) {
            if (!unit->has_failed || !unit->bytes)
                continue; // an image, which stays loaded
            drop(*unit);
            report(define_unit(*code, *unit));
        }
}

void Engine::run_initialisers(bool wait)
{
    if (!wait) {
        std::lock_guard<std::recursive_mutex> lock(link_mutex_);
        settle_references();
        if (to_initialise_.empty())
            return;
    }
    std::lock_guard<std::recursive_mutex> running(run_mutex_);
    for (Linked *linked : take_pending())
        runtime_initialise(*linked);
}

// In the order of their calls.
std::vector<Linked *> Engine::take_pending()
{
    std::vector<Linked *> order;
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    settle_references();
    for (Linked *linked : std::exchange(to_initialise_, {}))
        add_in_order(linked, order);
    return order;
}

// Everything happens on this thread: a look-up that has not ended when this returns never will.
Expected<orc::SymbolMap> Engine::look_up(const orc::JITDylibSearchOrder &order,
                                         orc::SymbolLookupSet names)
{
    struct Outcome {
        std::optional<Expected<orc::SymbolMap>> result;
        ~Outcome()
        {
            if (result && !*result)
                consumeError(result->takeError());
        }
    };
    auto outcome = std::make_shared<Outcome>();
    depth_++;
    session_->lookup(
        orc::LookupKind::Static, order, std::move(names), orc::SymbolState::Ready,
        [outcome](Expected<orc::SymbolMap> result) { outcome->result.emplace(std::move(result)); },
        orc::NoDependenciesToRegister);
    bool has_gone = --depth_ == 0 && conclude();
    if (outcome->result && *outcome->result && has_gone)
        return refuse_as(KILN_BIND, "");
    if (outcome->result)
        return std::move(*outcome->result);
    return refuse("objects that only the image engine can load need each other");
}

Expected<void *> Engine::lookup(jit_dylib &dylib, StringRef name)
{
    Expected<orc::SymbolMap> found = orc::SymbolMap();
    {
        std::lock_guard<std::recursive_mutex> lock(link_mutex_);
        release_departed();
        orc::SymbolStringPtr symbol = session_->intern(name);
        orc::JITDylibSearchOrder order = {
            {dylib.own, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly}};
        for (jit_dylib *other : dylib.order)
            order.push_back({other->own, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly});
        for (orc::JITDylib *other : {dylib.last, dylib.behind})
            order.push_back({other, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly});
        found = look_up(order, orc::SymbolLookupSet(symbol));
    }
    // Also after a failure: what was linked on the way may be found by others.
    run_initialisers(/*wait=*/true);
    if (!found)
        return found.takeError();
    return found->begin()->second.getAddress().toPtr<void *>();
}

void Engine::emit_object(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                         std::unique_ptr<MemoryBuffer> object)
{
    objects_->emit(std::move(responsibility), std::move(object));
}

void Engine::emit_graph(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                        std::unique_ptr<jitlink::LinkGraph> graph)
{
    objects_->emit(std::move(responsibility), std::move(graph));
}

// ---- linking at once ----

Error Engine::link_names(const orc::JITDylibSearchOrder &order, orc::SymbolLookupSet names)
{
    auto found = look_up(order, std::move(names));
    if (found)
        return Error::success();
    // All that are missing are told together, whether code needs them already or not.
    return handleErrors(found.takeError(), [&](const orc::SymbolsNotFound &missing) {
        for (const auto &name : missing.getSymbols())
            missing_.insert((*name).str());
        return refuse("");
    });
}

Error Engine::link(jit_code &code)
{
    Error error = Error::success();
    {
        std::lock_guard<std::recursive_mutex> lock(link_mutex_);
        orc::SymbolLookupSet names, undefined;
        for (const auto &[name, flags] : code.definitions)
            names.add(name, flags);
        names.sortByAddress();
        names.removeDuplicates();
        // Of lazy code, all that it may ever need; before anything of it runs.
        for (auto &lazy : code.lazy)
            for (const std::string &name : lazy->undefined())
                undefined.add(session_->intern(name));
        undefined.sortByAddress();
        undefined.removeDuplicates();
        orc::JITDylibSearchOrder order;
        code.dylib->own->withLinkOrderDo([&](const orc::JITDylibSearchOrder &own) { order = own; });
        if (!undefined.empty())
            error = link_names(order, std::move(undefined));
        if (!error && !names.empty())
            error = link_names({{code.dylib->own, orc::JITDylibLookupFlags::MatchAllSymbols}},
                               std::move(names));
    }
    run_initialisers(/*wait=*/true);
    return error;
}

// ---- functions at their first call ----

Expected<void *> Engine::link_lazy(LazyModule &module, size_t index, void **&slots)
{
    orc::JITDylibSearchOrder own = {
        {module.code().dylib->own, orc::JITDylibLookupFlags::MatchAllSymbols}};
    orc::SymbolStringPtr body = session_->intern(module.body_name(index)),
                         first_slot = session_->intern(module.slots_name());
    // A body that could not be linked waits for what it lacks.
    if (!module.is_generated(index)) {
        auto object = module.generate(index);
        if (!object)
            return object.takeError();
        if (Error error = add_unit(module.code(), Unit::Kind::Object, (*object)->getMemBufferRef()))
            return error;
        module.set_generated(index);
    }
    auto found = look_up(own, orc::SymbolLookupSet({body, first_slot}));
    if (!found)
        return found.takeError();
    slots = found->lookup(first_slot).getAddress().toPtr<void **>();
    return found->lookup(body).getAddress().toPtr<void *>();
}

void *Engine::resolve_lazy(LazyModule &module, size_t index, void *&body, void **&slots)
{
    std::string problem;
    {
        std::lock_guard<std::recursive_mutex> lock(link_mutex_);
        if (!body) {
            auto made = link_lazy(module, index, slots);
            if (made) {
                body = *made;
            } else {
                problem = toString(made.takeError());
                std::string reports = take_reports();
                for (const std::string &name : take_missing())
                    reports +=
                        (reports.empty() ? "" : "\n") + ("the symbol '" + name + "' is missing");
                problem = reports.empty() ? problem : reports;
            }
        }
    }
    if (!problem.empty())
        return config_.host.call_failed(config_.host.data, module.display_name(index).c_str(),
                                        problem.c_str());
    run_initialisers(/*wait=*/false);
    __atomic_store_n(&slots[index], body, __ATOMIC_RELEASE);
    return body;
}

void Engine::emit_module(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                         orc::ThreadSafeModule module)
{
    auto object = module.withModuleDo([&](Module &module) {
        ir_optimise(module, *machine_);
        return ir_compile(module, *machine_);
    });
    if (object)
        return emit_object(std::move(responsibility), std::move(*object));
    fail(std::move(responsibility), object.takeError());
}

} // namespace kiln
