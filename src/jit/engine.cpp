// engine.cpp - see engine.h.
#include "jit/engine.h"
#include "jit/builtins.h"
#include "jit/ir_code.h"
#include "jit/refuse.h"

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"

namespace kiln
{

using namespace llvm;

static constexpr size_t slab_bytes = size_t(1) << 30;

// ---- making and ending ----

Expected<std::unique_ptr<Engine>> Engine::create(const jit_config &config)
{
    std::unique_ptr<Engine> engine(new Engine(config));
    if (Error error = engine->begin())
        return error;
    engine->enlist();
    return engine;
}

Error Engine::begin()
{
    auto slab = Slab::create(config_.slab_bytes ? config_.slab_bytes : slab_bytes);
    if (!slab)
        return slab.takeError();
    slab_ = std::move(*slab);
    auto machine = ir_target_machine(config_.optimisation);
    if (!machine)
        return machine.takeError();
    machine_ = std::move(*machine);
    // Tasks run at once, on the thread that asks.
    auto process = orc::SelfExecutorProcessControl::Create(
        nullptr, std::make_unique<orc::InPlaceTaskDispatcher>());
    if (!process)
        return process.takeError();
    session_ = std::make_unique<orc::ExecutionSession>(std::move(*process));
    session_->setErrorReporter([this](Error error) { report(std::move(error)); });
    objects_ = std::make_unique<orc::ObjectLinkingLayer>(*session_, *slab_);
    objects_->addPlugin(std::make_shared<LinkPasses>(*this, config_.perf_map));
    runtime_ = &session_->createBareJITDylib("kiln.runtime");
    orc::SymbolMap symbols;
    for (const RuntimeSymbol &symbol : runtime_symbols())
        symbols[session_->intern(symbol.name)] = {orc::ExecutorAddr::fromPtr(symbol.address),
                                                  JITSymbolFlags::Exported};
    if (Error error = runtime_->define(orc::absoluteSymbols(std::move(symbols))))
        return error;
    // Each engine has builtins of its own, within reach of its code; they use libc and libm.
    auto own = std::make_unique<jit_dylib>();
    own->engine = this;
    own->name = "kiln.runtime";
    own->own = runtime_;
    own->last = &session_->createBareJITDylib("kiln.runtime.process");
    own->behind = &session_->createBareJITDylib("kiln.runtime.path");
    runtime_->setLinkOrder({{runtime_, orc::JITDylibLookupFlags::MatchAllSymbols},
                            {own->last, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly}},
                           /*LinkAgainstThisJITDylibFirst=*/false);
    dylibs_.push_back(std::move(own));
    if (auto process = add_process(*dylibs_.front()); !process)
        return process.takeError();
    jit_input builtins = {};
    builtins.name = "builtins";
    builtins.bytes = builtins_archive().data();
    builtins.size = builtins_archive().size();
    auto code = add(*dylibs_.front(), builtins);
    return code ? Error::success() : code.takeError();
}

Engine::~Engine()
{
    delist();
    // What a thread owes a destructor stays for good, with what that needs, and what counts it.
    std::set<jit_code *> held, found;
    if (session_)
        found = end_code();
    while (!found.empty()) {
        for (jit_code *code : found) {
            held.insert(code);
            hold(*code);
            for (auto &lazy : code->lazy)
                lazy->leave();
            for (void *library : code->libraries)
                config_.host.keep_library(library);
            close_libraries(*code);
        }
        found = find_held();
        erase_if(found, [&](jit_code *code) { return held.count(code) != 0; });
    }
    for (auto &code : reverse(code_))
        for (auto &linked : reverse(code->linked))
            tell(*linked, code->name, /*removed=*/true);
    by_key_.clear(); // what is under way nobody owns
    for (auto *codes : {&code_, &departed_})
        for (auto &code : *codes) {
            for (auto &linked : code->linked)
                if (!held.count(code.get())) {
                    linked->debug.reset();
                    slab_->let_go(linked->begin);
                }
            remove_generator(*code);
            code->tracker = nullptr;
            code->units.clear(); // their trackers
            code->definitions.clear();
        }
    if (session_)
        report(session_->endSession());
    objects_.reset();
    for (auto *codes : {&code_, &departed_})
        for (auto &code : *codes)
            code->lazy.clear();
    session_.reset();
    if (held.empty())
        return;
    (void)slab_.release();
    (void)natives_.release();
    for (auto *codes : {&code_, &departed_})
        for (auto &code : *codes)
            if (held.count(code.get()))
                (void)code.release();
}

// Run handlers, of what waits for threads, too, since that would wait too long; compile what threads may
// call; close libraries of what nobody keeps. All that may add, link and remove some. What was kept,
// though its threads may have ended meanwhile.
std::set<jit_code *> Engine::end_code()
{
    std::set<jit_code *> kept;
    release_departed();
    is_ending_ = true;
    using State = std::array<size_t, 3>;
    State seen = {}, now = {1};
    while (seen != now) {
        seen = now;
        std::vector<jit_code *> all;
        for (auto &code : departed_)
            all.push_back(code.get());
        for (auto &code : reverse(code_))
            all.push_back(code.get());
        for (jit_code *code : all)
            runtime_finalise(*code->traces, linked_of(*code));
        settle_references();
        for (jit_code *code : find_held())
            complete(*code);
        // An image that cannot leave holds what it needs, which may have to be compiled first.
        for (jit_code *code : closing_order()) {
            kept = find_held();
            if (kept.count(code) || code->libraries.empty())
                continue;
            close_for_good(*code);
            if (!code->images.empty())
                break;
        }
        kept = find_held();
        size_t images = 0;
        for (jit_code *code : all)
            images += code->images.size();
        now = {link_count_, departed_.size() + code_.size(), images};
    }
    return kept;
}

void Engine::report(Error error)
{
    handleAllErrors(std::move(error), [&](const ErrorInfoBase &problem) {
        // What failed because of that is told by who asked for it.
        if (problem.isA<orc::FailedToMaterialize>())
            return;
        std::lock_guard lock(link_mutex_);
        if (!depth_)
            return; // nobody asks
        if (problem.isA<orc::SymbolsNotFound>()) {
            for (const auto &name : static_cast<const orc::SymbolsNotFound &>(problem).getSymbols())
                reports_.missing.insert((*name).str());
            return;
        }
        reports_.text += (reports_.text.empty() ? "" : "\n") + problem.message();
    });
}

void Engine::tell(const Linked &linked, StringRef name, bool removed) const
{
    if (config_.host.object_event)
        config_.host.object_event(
            config_.host.data, name.str().c_str(), linked.begin,
            size_t(static_cast<const char *>(linked.end) - static_cast<const char *>(linked.begin)),
            removed);
}

// ---- dylibs ----

Expected<jit_dylib *> Engine::add_dylib(StringRef name)
{
    std::lock_guard lock(link_mutex_);
    if (session_->getJITDylibByName(name))
        return refuse("there is a dylib '" + name + "' already", std::errc::file_exists);
    auto made = std::make_unique<jit_dylib>();
    made->engine = this;
    made->name = name.str();
    made->own = &session_->createBareJITDylib(name.str());
    made->last = &session_->createBareJITDylib(name.str() + ".process");
    made->behind = &session_->createBareJITDylib(name.str() + ".path");
    dylibs_.push_back(std::move(made));
    if (Error error = set_search_order(*dylibs_.back(), {}))
        return error;
    return dylibs_.back().get();
}

Error Engine::set_search_order(jit_dylib &dylib, ArrayRef<jit_dylib *> order)
{
    std::lock_guard lock(link_mutex_);
    constexpr auto exported = orc::JITDylibLookupFlags::MatchExportedSymbolsOnly;
    orc::JITDylibSearchOrder all = {{dylib.own, orc::JITDylibLookupFlags::MatchAllSymbols},
                                    // Builtins are hidden.
                                    {runtime_, orc::JITDylibLookupFlags::MatchAllSymbols}};
    for (jit_dylib *other : order) {
        if (other->engine != this)
            return refuse("dylib '" + other->name + "' belongs to another engine");
        if (other != &dylib)
            all.push_back({other->own, exported});
    }
    all.push_back({dylib.last, exported});
    all.push_back({dylib.behind, exported});
    dylib.order.assign(order.begin(), order.end());
    dylib.own->setLinkOrder(std::move(all), /*LinkAgainstThisJITDylibFirst=*/false);
    return Error::success();
}

// ---- what there is ----

bool Engine::defines(const jit_dylib &dylib, StringRef name)
{
    std::lock_guard lock(link_mutex_);
    return any_of(code_, [&](const auto &code) {
        return code->dylib == &dylib &&
               (code->symbols.count(name.str()) || code->offers.count(name.str()));
    });
}

void Engine::visit(jit_dylib &dylib, function_ref<bool(const kiln_symbol &)> visit)
{
    std::map<std::string, jit_code::Offer> all;
    {
        std::lock_guard lock(link_mutex_);
        for (const auto &code : code_) {
            if (code->dylib != &dylib)
                continue;
            for (const auto &[symbol, kind] : code->symbols) {
                StringRef name = symbol;
                bool is_weak = code->weak.count(symbol) != 0;
                if (name.consume_front(emulated_tls_prefix))
                    all[name.str()] = {KILN_SYMBOL_THREAD_LOCAL, is_weak, 0};
                else if (!name.starts_with(emulated_tls_initial_prefix) && !name.contains(".kiln."))
                    all[symbol] = {kind, is_weak, code->sizes.lookup(symbol)};
            }
            all.insert(code->offers.begin(), code->offers.end());
        }
    }
    for (const auto &[name, offer] : all)
        if (!visit({.size = sizeof(kiln_symbol),
                    .name = name.c_str(),
                    .demangled = nullptr,
                    .kind = offer.kind,
                    .size_bytes = offer.size,
                    .address = nullptr,
                    .weak = offer.is_weak}))
            return;
}

} // namespace kiln
