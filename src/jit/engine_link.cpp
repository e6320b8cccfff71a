// engine_link.cpp - an engine: linking what is looked up.
#include "jit/engine.h"
#include "jit/failure.h"
#include "jit/ir_code.h"
#include "jit/large_stack.h"
#include "jit/refuse.h"

namespace kiln
{

using namespace llvm;

// ---- linking ----

const Engine::Extent *Engine::find_extent(const void *address) const
{
    auto next = extents_.upper_bound(address);
    return next != extents_.begin() && address < std::prev(next)->second.end
               ? &std::prev(next)->second
               : nullptr;
}

void Engine::visit_owners(const void *address,
                          function_ref<void(jit_code &owner, Linked *linked)> visit) const
{
    if (const Extent *extent = find_extent(address))
        return visit(*extent->code, extent->linked);
    auto lent = lent_.find(address);
    if (lent != lent_.end())
        for (jit_code *lender : lent->second)
            visit(*lender, nullptr);
}

// What is being removed is lent to nobody but what goes with it.
Error Engine::check_references(const jit_code &code, ArrayRef<const void *> addresses)
{
    std::string leaving;
    if (!leaving_)
        return Error::success();
    for (const void *address : addresses) {
        // One lender that stays is enough.
        const jit_code *last = nullptr;
        bool stays = false;
        visit_owners(address, [&](jit_code &owner, Linked *) {
            last = &owner;
            stays |= !owner.leaves_with || owner.leaves_with == code.leaves_with;
        });
        if (last && !stays)
            leaving = last->name;
    }
    return leaving.empty() ? Error::success()
                           : refuse_as(KILN_BIND, "'" + code.name + "' needs '" + leaving +
                                                      "', which is being removed");
}

Error Engine::check_references(orc::ResourceKey key, ArrayRef<const void *> addresses)
{
    auto owner = by_key_.find(key);
    return owner == by_key_.end() ? Error::success()
                                  : check_references(*owner->second.code, addresses);
}

void Engine::linked(orc::ResourceKey key, StringRef name, std::unique_ptr<Linked> linked)
{
    auto owner = by_key_.find(key);
    if (owner == by_key_.end())
        return;
    jit_code &code = *owner->second.code;
    if (owner->second.unit)
        recent_.push_back({&code, owner->second.unit, linked.get(), depth_});
    linked->traces = code.traces.get();
    link_count_++;
    extents_[linked->begin] = {linked->end, linked.get(), &code};
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
    auto owner = by_key_.find(key);
    return owner == by_key_.end() ? nullptr : owner->second.code->traces->handle;
}

bool Engine::is_elsewhere(orc::ResourceKey key, StringRef name)
{
    auto owner = by_key_.find(key);
    return owner != by_key_.end() && owner->second.unit &&
           owner->second.unit->elsewhere.count(name);
}

void Engine::allocated(orc::ResourceKey key, Range where)
{
    auto owner = by_key_.find(key);
    if (owner != by_key_.end())
        extents_[where.begin] = {where.end, nullptr, owner->second.code};
}

void Engine::failed(orc::ResourceKey key, Range where)
{
    if (where.begin) {
        lost_.push_back(where);
        extents_.erase(where.begin);
    }
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
            if (!item.linked ||
                (!item.unit->has_failed && !refer_to(item.linked->references, lost)))
                continue;
            // An image needed it, and it has run.
            if (item.linked->is_initialised &&
                !(item.linked->initialisers.empty() && item.linked->finalisers.empty()))
                continue;
            lost.push_back({item.linked->begin, item.linked->end});
            withdraw(*item.code, *item.linked);
            erase_if(item.code->linked,
                     [&](const auto &linked) { return linked.get() == item.linked; });
            item.linked = nullptr;
            item.unit->has_failed = goes_on = true;
            // What code that ran meanwhile has looked up in vain was told then.
            has_gone |= item.depth == 1;
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
            run_on_large_stack([&] { report(define_unit(*code, *unit)); });
        }
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
    // What is reported belongs to the innermost look-up, which code that it runs may have begun.
    Reports outer = std::exchange(reports_, {});
    depth_++;
    run_on_large_stack([&] {
        session_->lookup(
            orc::LookupKind::Static, order, std::move(names), orc::SymbolState::Ready,
            [outcome](Expected<orc::SymbolMap> result) {
                outcome->result.emplace(std::move(result));
            },
            orc::NoDependenciesToRegister);
    });
    bool has_gone = depth_ == 1 && conclude();
    depth_--;
    Reports reports = std::exchange(reports_, std::move(outer));
    if (!outcome->result)
        return joinErrors(refuse("objects that only the image engine can load need each other"),
                          make_error<LinkFailure>(reports));
    if (!*outcome->result)
        return joinErrors(outcome->result->takeError(), make_error<LinkFailure>(reports));
    if (has_gone)
        return make_error<LinkFailure>(reports);
    return std::move(*outcome->result);
}

Expected<void *> Engine::lookup(jit_dylib &dylib, StringRef name)
{
    Expected<orc::SymbolMap> found = orc::SymbolMap();
    std::vector<Linked *> pending;
    release_departed();
    {
        std::lock_guard lock(link_mutex_);
        orc::SymbolStringPtr symbol = session_->intern(name);
        orc::JITDylibSearchOrder order = {
            {dylib.own, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly}};
        for (jit_dylib *other : dylib.order)
            order.push_back({other->own, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly});
        for (orc::JITDylib *other : {dylib.last, dylib.behind})
            order.push_back({other, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly});
        found = look_up(order, orc::SymbolLookupSet(symbol));
        // Also after a failure: what was linked on the way may be found by others.
        pending = take_pending();
    }
    initialise(pending);
    if (!found)
        return found.takeError();
    void *address = found->begin()->second.getAddress().toPtr<void *>();
    await_initialised(address, nullptr);
    return address;
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
        Reports reports;
        for (const auto &name : missing.getSymbols())
            reports.missing.insert((*name).str());
        return make_error<LinkFailure>(reports);
    });
}

Error Engine::link(jit_code &code)
{
    Error error = Error::success();
    std::vector<Linked *> pending;
    std::vector<const void *> places;
    release_departed();
    {
        std::lock_guard lock(link_mutex_);
        orc::SymbolLookupSet names, undefined;
        std::vector<orc::DefinitionGenerator *> made;
        if (code.promise)
            error = code.promise->keep(made);
        std::vector<jit_code *> family = {&code};
        append_range(family, code.kept);
        for (const jit_code *member : family) {
            for (const auto &[name, flags] : member->definitions)
                names.add(name, flags);
            // Of lazy code, all that it may ever need; before anything of it runs.
            for (auto &lazy : member->lazy)
                for (const std::string &name : lazy->undefined())
                    undefined.add(session_->intern(name));
        }
        names.sortByAddress();
        names.removeDuplicates();
        undefined.sortByAddress();
        undefined.removeDuplicates();
        orc::JITDylibSearchOrder order;
        code.dylib->own->withLinkOrderDo([&](const orc::JITDylibSearchOrder &own) { order = own; });
        if (!error && !undefined.empty())
            error = link_names(order, std::move(undefined));
        if (!error && !names.empty())
            error = link_names({{code.dylib->own, orc::JITDylibLookupFlags::MatchAllSymbols}},
                               std::move(names));
        pending = take_pending();
        for (const jit_code *member : family)
            for (const auto &linked : member->linked)
                places.push_back(linked->begin);
    }
    initialise(pending);
    for (const void *place : places)
        await_initialised(place, nullptr);
    return error;
}

// ---- functions at their first call ----

// The slots are known even if this fails.
Error Engine::link_lazy(LazyModule &module, size_t index, LazyPlace place)
{
    orc::JITDylibSearchOrder own = {
        {module.code().dylib->own, orc::JITDylibLookupFlags::MatchAllSymbols}};
    orc::SymbolStringPtr body = session_->intern(module.body_name(index)),
                         first_slot = session_->intern(module.slots_name());
    if (!place.slots) {
        auto found = look_up(own, orc::SymbolLookupSet(first_slot));
        if (!found)
            return found.takeError();
        place.slots = found->lookup(first_slot).getAddress().toPtr<void **>();
    }
    // A body that could not be linked waits for what it lacks.
    if (!module.is_generated(index)) {
        Error error = Error::success();
        run_on_large_stack([&] {
            auto object = module.generate(index);
            error = object
                        ? add_unit(module.code(), Unit::Kind::Object, (*object)->getMemBufferRef())
                        : object.takeError();
        });
        if (error)
            return error;
        module.set_generated(index);
    }
    auto found = look_up(own, orc::SymbolLookupSet(body));
    if (!found)
        return found.takeError();
    place.body = found->lookup(body).getAddress().toPtr<void *>();
    return Error::success();
}

// The function's slot and address, NULL where not known. What the problem is, or nothing.
std::string Engine::make_lazy(LazyModule &module, size_t index, LazyPlace place, void **&slot,
                              void *&address)
{
    std::string problem;
    std::vector<Linked *> pending;
    {
        std::lock_guard lock(link_mutex_);
        if (!place.body && module.is_complete) {
            problem = "its library was removed before it could be compiled";
        } else if (!place.body) {
            if (Error error = link_lazy(module, index, place))
                problem = read_failure(std::move(error)).text;
            pending = take_pending();
        }
        address = place.body;
        slot = place.slots ? place.slots + index : nullptr;
    }
    initialise(pending);
    return problem;
}

void *Engine::resolve_lazy(LazyModule &module, size_t index, LazyPlace place)
{
    void **slot, *address;
    std::string problem =
        is_lost_ ? lost_text.str() : make_lazy(module, index, place, slot, address);
    if (!problem.empty())
        return config_.host.call_failed(config_.host.data, module.display_name(index).c_str(),
                                        problem.c_str());
    // Who calls it is allowed to while its own library is being initialised, but not others.
    await_initialised(address, &module.code());
    __atomic_store_n(slot, address, __ATOMIC_RELEASE);
    return address;
}

void Engine::complete_lazy(LazyModule &module, size_t index, LazyPlace place)
{
    void **slot, *address;
    make_lazy(module, index, place, slot, address);
    if (slot && address)
        __atomic_store_n(slot, address, __ATOMIC_RELEASE);
}

void Engine::emit_module(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                         orc::ThreadSafeModule module)
{
    auto object =
        module.withModuleDo([&](Module &module) -> Expected<std::unique_ptr<MemoryBuffer>> {
            if (Error error = ir_optimise(module, *machine_))
                return error;
            return IrCompiler(*machine_).compile(module);
        });
    if (object)
        return emit_object(std::move(responsibility), std::move(*object));
    fail(std::move(responsibility), object.takeError());
}

} // namespace kiln
