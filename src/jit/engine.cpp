// engine.cpp - see engine.h.
#include "jit/engine.h"
#include "jit/builtins.h"
#include "jit/ir_code.h"
#include "jit/object_check.h"
#include "jit/units.h"

#include "llvm/BinaryFormat/Magic.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/Debugging/ELFDebugObjectPlugin.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/xxhash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>

namespace kiln
{

using namespace llvm;

namespace
{

constexpr size_t slab_bytes = size_t(1) << 30;

Error refuse(const Twine &text, std::errc code = std::errc::invalid_argument)
{
    return make_error<StringError>(text, std::make_error_code(code));
}

// Its own definition, not one of the libraries that it needs.
void *find_in_library(void *library, const char *name)
{
    Dl_info information;
    link_map *map = nullptr;
    void *address = dlsym(library, name);
    bool is_own =
        address &&
        dladdr1(address, &information, reinterpret_cast<void **>(&map), RTLD_DL_LINKMAP) &&
        map == library;
    // Of a thread-local variable the loader knows no more than that.
    EmulatedTls control;
    return is_own || (address && runtime_describe_native_tls(address, control)) ? address : nullptr;
}

void *find_in_libm(const char *name)
{
    static void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    return library ? find_in_library(library, name) : nullptr;
}

// A host in C need have neither the run-time library of C++ loaded nor libm; code that asks for one of
// them gets it.
void *find_in_process(const char *name)
{
    // Not RTLD_DEFAULT, which would bind what it finds to the plugin, for good.
    static void *program = dlopen(nullptr, RTLD_NOW);
    if (void *address = dlsym(program, name))
        return address;
    StringRef text = name;
    if (text.starts_with("_Unwind_") || text == "__stack_chk_fail") {
        static void *unwinder = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
        return unwinder ? dlsym(unwinder, name) : nullptr;
    }
    if (!text.starts_with("_Z") && !text.starts_with("__cxa_") && !text.starts_with("__gxx_") &&
        text != "__dynamic_cast" && text != "__once_proxy")
        return find_in_libm(name);
    static void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, name) : nullptr;
}

// Whether this thread's stack leads through the code.
bool is_running(const jit_code &code)
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

} // namespace

// ---- making and ending ----

Expected<std::unique_ptr<Engine>> Engine::create(const jit_config &config)
{
    std::unique_ptr<Engine> engine(new Engine(config));
    if (Error error = engine->begin())
        return error;
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
    Error error = Error::success();
    auto debugger = std::make_shared<orc::ELFDebugObjectPlugin>(*session_, true, true, error);
    if (error)
        return error;
    objects_->addPlugin(std::move(debugger));
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
    runtime_->setLinkOrder({{runtime_, orc::JITDylibLookupFlags::MatchAllSymbols},
                            {own->last, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly}},
                           /*LinkAgainstThisJITDylibFirst=*/false);
    dylibs_.push_back(std::move(own));
    if (auto process = add_process(*dylibs_.front()); !process)
        return process.takeError();
    jit_input builtins = {.name = "builtins",
                          .bytes = builtins_archive().data(),
                          .size = builtins_archive().size(),
                          .lazy = false,
                          .optimisation = 0};
    auto code = add(*dylibs_.front(), builtins);
    return code ? Error::success() : code.takeError();
}

Engine::~Engine()
{
    for (auto &code : reverse(code_))
        finalise(*code);
    for (auto &code : code_)
        if (code->traces->owed.load(std::memory_order_acquire))
            hold(*code);
    bool is_owed = !departed_.empty() || any_of(code_, [](const auto &code) {
        return code->traces->owed.load(std::memory_order_acquire) != 0;
    });
    for (auto &code : code_) {
        code->tracker = nullptr;
        code->units.clear(); // their trackers
        code->definitions.clear();
        for (void *library : code->libraries)
            config_.host.close_library(library);
    }
    if (session_)
        report(session_->endSession());
    objects_.reset();
    session_.reset();
    // A thread may still owe a destructor: then code, and what counts that, stay for good.
    if (!is_owed)
        return;
    (void)slab_.release();
    for (auto &code : departed_)
        (void)code.release();
    for (auto &code : code_)
        (void)code.release();
}

void Engine::report(Error error)
{
    handleAllErrors(std::move(error), [&](const ErrorInfoBase &problem) {
        // What failed because of that is told by who asked for it.
        if (problem.isA<orc::FailedToMaterialize>())
            return;
        std::lock_guard<std::recursive_mutex> lock(link_mutex_);
        if (problem.isA<orc::SymbolsNotFound>()) {
            for (const auto &name : static_cast<const orc::SymbolsNotFound &>(problem).getSymbols())
                missing_.insert((*name).str());
            return;
        }
        reports_ += (reports_.empty() ? "" : "\n") + problem.message();
    });
}

std::string Engine::take_reports()
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    return std::exchange(reports_, {});
}

std::set<std::string> Engine::take_missing()
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    return std::exchange(missing_, {});
}

// ---- dylibs ----

Expected<jit_dylib *> Engine::add_dylib(StringRef name)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    if (session_->getJITDylibByName(name))
        return refuse("there is a dylib '" + name + "' already", std::errc::file_exists);
    auto made = std::make_unique<jit_dylib>();
    made->engine = this;
    made->name = name.str();
    made->own = &session_->createBareJITDylib(name.str());
    made->last = &session_->createBareJITDylib(name.str() + ".process");
    dylibs_.push_back(std::move(made));
    if (Error error = set_search_order(*dylibs_.back(), {}))
        return error;
    return dylibs_.back().get();
}

Error Engine::set_search_order(jit_dylib &dylib, ArrayRef<jit_dylib *> order)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
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
    dylib.order.assign(order.begin(), order.end());
    dylib.own->setLinkOrder(std::move(all), /*LinkAgainstThisJITDylibFirst=*/false);
    return Error::success();
}

// ---- adding ----

jit_code &Engine::new_code(jit_dylib &dylib, StringRef name, bool last)
{
    auto made = std::make_unique<jit_code>();
    made->dylib = &dylib;
    made->name = name.str();
    made->tracker = (last ? dylib.last : dylib.own)->createResourceTracker();
    made->traces = std::make_unique<Traces>();
    made->traces->handle = reinterpret_cast<Traces **>(slab_->new_word());
    *made->traces->handle = made->traces.get();
    by_key_[made->tracker->getKeyUnsafe()] = {made.get(), nullptr};
    dylib.by_name[made->name] = made.get();
    if (promising_)
        promising_->kept.push_back(made.get());
    code_.push_back(std::move(made));
    return *code_.back();
}

void Engine::forget(jit_code &code)
{
    if (promising_)
        erase(promising_->kept, &code);
    code.dylib->by_name.erase(code.name);
    for (auto &unit : code.units)
        by_key_.erase(unit->tracker->getKeyUnsafe());
    by_key_.erase(code.tracker->getKeyUnsafe());
    slab_->free_word(reinterpret_cast<void **>(code.traces->handle));
    erase_if(code_, [&](const auto &other) { return other.get() == &code; });
}

Error Engine::define(jit_code &code, std::unique_ptr<orc::MaterializationUnit> unit,
                     orc::ResourceTrackerSP tracker, Unit *of)
{
    std::map<std::string, bool> symbols;
    if (of)
        unify(code, *unit, *of);
    std::set<std::string> weak;
    std::vector<std::pair<orc::SymbolStringPtr, orc::SymbolLookupFlags>> definitions;
    for (const auto &[name, flags] : unit->getSymbols()) {
        definitions.push_back({name, flags.hasMaterializationSideEffectsOnly()
                                         ? orc::SymbolLookupFlags::WeaklyReferencedSymbol
                                         : orc::SymbolLookupFlags::RequiredSymbol});
        if (flags.hasMaterializationSideEffectsOnly() || !flags.isExported())
            continue;
        symbols[(*name).str()] = flags.isCallable();
        if (flags.isWeak() || flags.isCommon())
            weak.insert((*name).str());
    }
    if (Error error = code.dylib->own->define(std::move(unit), std::move(tracker)))
        return error;
    append_range(code.definitions, definitions);
    code.symbols.merge(symbols);
    code.weak.merge(weak);
    return Error::success();
}

bool Engine::is_defined_below(const jit_dylib &dylib, const std::string &name,
                              std::set<const jit_dylib *> &seen) const
{
    for (const jit_dylib *below : dylib.order) {
        if (!seen.insert(below).second)
            continue;
        bool is_there = any_of(code_, [&](const auto &code) {
            return code->dylib == below && code->symbols.count(name);
        });
        if (is_there || is_defined_below(*below, name, seen))
            return true;
    }
    return false;
}

// Weak data that a dylib of the search order has is left to it.
void Engine::unify(jit_code &code, orc::MaterializationUnit &unit, Unit &of)
{
    if (code.dylib->order.empty())
        return;
    std::vector<orc::SymbolStringPtr> others;
    for (const auto &[name, flags] : unit.getSymbols()) {
        std::set<const jit_dylib *> seen;
        if (flags.isWeak() && !flags.isCallable() &&
            is_defined_below(*code.dylib, (*name).str(), seen))
            others.push_back(name);
    }
    for (const orc::SymbolStringPtr &name : others) {
        of.elsewhere.insert((*name).str());
        unit.doDiscard(*code.dylib->own, name);
    }
}

Error Engine::define_unit(jit_code &code, Unit &unit)
{
    unit.tracker = code.dylib->own->createResourceTracker();
    unit.has_failed = false;
    by_key_[unit.tracker->getKeyUnsafe()] = {&code, &unit};
    if (unit.kind == Unit::Kind::LazyStubs)
        return define(code, unit.lazy->stubs_unit(*session_), unit.tracker, &unit);
    if (unit.kind == Unit::Kind::LazyData)
        return define(code, unit.lazy->data_unit(*session_), unit.tracker, &unit);
    if (unit.kind != Unit::Kind::Module) {
        auto made = make_object_unit(*this, *session_, *unit.bytes, unit.kind == Unit::Kind::Image);
        if (!made)
            return made.takeError();
        read_object_sizes(unit.bytes->getMemBufferRef(), code.sizes);
        return define(code, std::move(*made), unit.tracker, &unit);
    }
    auto module = ir_read(unit.bytes->getBufferIdentifier(), unit.bytes->getBuffer(), *machine_);
    return module ? define(code, make_module_unit(*this, *session_, std::move(*module)),
                           unit.tracker, &unit)
                  : module.takeError();
}

Error Engine::add_unit(jit_code &code, Unit::Kind kind, MemoryBufferRef bytes, LazyModule *lazy)
{
    auto unit = std::make_unique<Unit>();
    unit->kind = kind;
    unit->lazy = lazy;
    unit->bytes = MemoryBuffer::getMemBufferCopy(bytes.getBuffer(), bytes.getBufferIdentifier());
    code.units.push_back(std::move(unit));
    return define_unit(code, *code.units.back());
}

Error Engine::add_object(jit_code &code, MemoryBufferRef object)
{
    std::string reason;
    auto verdict = check_object(object, reason);
    if (!verdict)
        return verdict.takeError();
    if (*verdict == ObjectVerdict::Link)
        return add_unit(code, Unit::Kind::Object, object);
    if (!config_.host.load_object)
        return refuse("'" + object.getBufferIdentifier() + "' cannot be linked here: " + reason,
                      std::errc::not_supported);
    return add_unit(code, Unit::Kind::Image, object);
}

Expected<TargetMachine *> Engine::machine_for(unsigned optimisation)
{
    auto &machine = lazy_machines_[optimisation & 3];
    if (!machine) {
        auto made = ir_target_machine(optimisation & 3);
        if (!made)
            return made.takeError();
        machine = std::move(*made);
    }
    return machine.get();
}

Error Engine::add_lazy(jit_code &code, const jit_input &input)
{
    auto machine = machine_for(input.optimisation);
    if (!machine)
        return machine.takeError();
    auto module = LazyModule::create(*this, code, input.name,
                                     StringRef(static_cast<const char *>(input.bytes), input.size),
                                     **machine);
    if (!module)
        return module.takeError();
    code.lazy.push_back(std::move(*module));
    LazyModule *lazy = code.lazy.back().get();
    lazy->read_sizes(code.sizes);
    Error error = add_unit(code, Unit::Kind::LazyStubs, MemoryBufferRef("", code.name), lazy);
    return error ? std::move(error)
                 : add_unit(code, Unit::Kind::LazyData, MemoryBufferRef("", code.name), lazy);
}

void Engine::use_generator(jit_code &code, orc::JITDylib &dylib,
                           std::unique_ptr<orc::DefinitionGenerator> generator)
{
    code.generator_dylib = &dylib;
    code.generator = &dylib.addGenerator(std::move(generator));
}

Error Engine::add_archive(jit_code &code, StringRef bytes)
{
    auto archive = ArchiveGenerator::create(
        MemoryBuffer::getMemBufferCopy(bytes, code.name),
        [this, &code](MemoryBufferRef member) { return add_object(code, member); });
    if (!archive)
        return refuse("'" + code.name +
                      "' is no archive that can be used: " + toString(archive.takeError()));
    use_generator(code, *code.dylib->own, std::move(*archive));
    return Error::success();
}

Expected<jit_code *> Engine::add(jit_dylib &dylib, const jit_input &input)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    release_departed();
    StringRef bytes(static_cast<const char *>(input.bytes), input.size);
    uint64_t digest = xxh3_64bits(bytes) | 1;
    auto same = dylib.by_name.find(input.name);
    if (same != dylib.by_name.end()) {
        jit_code &known = *same->second;
        if (known.digest != digest || known.size != input.size)
            return refuse("dylib '" + dylib.name + "' has something else of the name '" +
                              input.name + "': remove it first",
                          std::errc::file_exists);
        known.references++;
        return &known;
    }
    jit_code &code = new_code(dylib, input.name);
    code.digest = digest;
    code.size = input.size;
    file_magic magic = identify_magic(bytes);
    Error error = Error::success();
    if (input.lazy && magic == file_magic::bitcode)
        error = add_lazy(code, input);
    else if (magic == file_magic::archive)
        error = add_archive(code, bytes);
    else if (magic == file_magic::bitcode || !bytes.starts_with(StringRef("\177ELF", 4)))
        error = add_unit(code, Unit::Kind::Module, MemoryBufferRef(bytes, code.name));
    else
        error = add_object(code, MemoryBufferRef(bytes, code.name));
    if (!error)
        return &code;
    forget(code);
    return error;
}

Expected<jit_code *> Engine::add_shared_library(jit_dylib &dylib, const char *path)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return refuse(dlerror(), std::errc::no_such_file_or_directory);
    jit_code &code = new_code(dylib, path);
    // Kept open for good: code that was removed may have left pointers into it.
    auto find = [handle](const char *name) { return find_in_library(handle, name); };
    use_generator(code, *dylib.own, std::make_unique<AddressGenerator>(find, code.tracker));
    return &code;
}

Expected<jit_code *> Engine::add_process(jit_dylib &dylib)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    jit_code &code = new_code(dylib, "process", /*last=*/true);
    use_generator(code, *dylib.last,
                  std::make_unique<AddressGenerator>(find_in_process, code.tracker));
    return &code;
}

Expected<jit_code *> Engine::add_library(jit_dylib &dylib, StringRef name, void *library)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    if (dylib.by_name.count(name.str()))
        return refuse("dylib '" + dylib.name + "' has something of the name '" + name + "' already",
                      std::errc::file_exists);
    jit_code &code = new_code(dylib, name);
    code.libraries.push_back(library);
    auto find = [this, library](const char *symbol) {
        return config_.host.library_symbol(library, symbol);
    };
    use_generator(code, *dylib.own, std::make_unique<AddressGenerator>(find, code.tracker));
    return &code;
}

Expected<jit_code *> Engine::add_symbols(jit_dylib &dylib, StringRef name,
                                         ArrayRef<jit_symbol> symbols, bool last)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    if (dylib.by_name.count(name.str()))
        return refuse("dylib '" + dylib.name + "' has something of the name '" + name + "' already",
                      std::errc::file_exists);
    if (last) {
        StringMap<void *> addresses;
        for (const jit_symbol &symbol : symbols)
            addresses[symbol.name] = symbol.address;
        jit_code &code = new_code(dylib, name, /*last=*/true);
        // libc's own names are not the host's to lend.
        auto find = [addresses,
                     libc = dlopen("libc.so.6", RTLD_NOW)](const char *symbol) -> void * {
            void *address = addresses.lookup(symbol);
            return address && !find_in_library(libc, symbol) ? address : nullptr;
        };
        use_generator(code, *dylib.last, std::make_unique<AddressGenerator>(find, code.tracker));
        return &code;
    }
    orc::SymbolMap map;
    for (const jit_symbol &symbol : symbols)
        map[session_->intern(symbol.name)] = {orc::ExecutorAddr::fromPtr(symbol.address),
                                              JITSymbolFlags::Exported};
    jit_code &code = new_code(dylib, name);
    if (Error error = define(code, orc::absoluteSymbols(std::move(map)), code.tracker)) {
        forget(code);
        return error;
    }
    return &code;
}

Expected<jit_code *> Engine::add_promise(jit_dylib &dylib, StringRef name,
                                         std::set<std::string> symbols, std::function<Error()> make)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    if (dylib.by_name.count(name.str()))
        return refuse("dylib '" + dylib.name + "' has something of the name '" + name + "' already",
                      std::errc::file_exists);
    jit_code &code = new_code(dylib, name);
    // What the process has is not asked of a source whose symbols nobody has told.
    auto wants = [symbols = std::move(symbols)](StringRef wanted) {
        return symbols.empty() ? !find_in_process(wanted.str().c_str())
                               : symbols.count(wanted.str()) != 0;
    };
    // What it adds goes with it.
    auto keep = [this, &code, make = std::move(make)]() -> Error {
        jit_code *outer = std::exchange(promising_, &code);
        Error error = make();
        promising_ = outer;
        return error;
    };
    use_generator(code, *dylib.own, std::make_unique<PromiseGenerator>(wants, std::move(keep)));
    return &code;
}

// ---- linking at once ----

Error Engine::link_names(const orc::JITDylibSearchOrder &order, orc::SymbolLookupSet names)
{
    auto found = look_up(order, std::move(names));
    revive();
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

bool Engine::defines(const jit_dylib &dylib, StringRef name)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    return any_of(code_, [&](const auto &code) {
        return code->dylib == &dylib && code->symbols.count(name.str());
    });
}

// ---- removing ----

void Engine::remove_dylib(jit_dylib &dylib)
{
    std::lock_guard<std::recursive_mutex> lock(link_mutex_);
    report(session_->removeJITDylibs({dylib.own, dylib.last}));
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
    bool is_owed = code.traces->owed.load(std::memory_order_acquire) != 0;
    if (is_owed)
        hold(code);
    for (auto &linked : code.linked) {
        extents_.erase(linked->begin);
        erase(to_initialise_, linked.get());
        for (auto &[begin, extent] : extents_)
            erase(extent.linked->needs, linked.get());
    }
    for (auto &other : code_)
        other->users.erase(&code);
    if (code.generator)
        code.generator_dylib->removeGenerator(*code.generator);
    for (auto &unit : reverse(code.units)) {
        report(unit->tracker->remove());
        by_key_.erase(unit->tracker->getKeyUnsafe());
    }
    code.units.clear();
    code.definitions.clear();
    code.lazy.clear();
    report(code.tracker->remove());
    for (auto &linked : code.linked)
        if (config_.host.object_event)
            config_.host.object_event(config_.host.data, code.name.c_str(), linked->begin,
                                      size_t(static_cast<const char *>(linked->end) -
                                             static_cast<const char *>(linked->begin)),
                                      nullptr, 0);
    for (void *library : code.libraries)
        config_.host.close_library(library);
    auto own = find_if(code_, [&](const auto &other) { return other.get() == &code; });
    std::unique_ptr<jit_code> kept = std::move(*own);
    code.dylib->by_name.erase(code.name);
    by_key_.erase(code.tracker->getKeyUnsafe());
    code.tracker = nullptr;
    code_.erase(own);
    if (!is_owed) {
        slab_->free_word(reinterpret_cast<void **>(kept->traces->handle));
        return KILN_OK;
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
        for (const auto &linked : code->linked)
            slab_->let_go(linked->begin);
        slab_->free_word(reinterpret_cast<void **>(code->traces->handle));
        return true;
    });
}

// ---- linking ----

// Who refers to whom: known when all that was linked together is in its place, since objects may refer
// to each other.
void Engine::settle_references()
{
    for (Linked *linked : std::exchange(to_settle_, {})) {
        jit_code *user = extents_.at(linked->begin).code;
        for (const void *address : std::exchange(linked->references, {})) {
            auto next = extents_.upper_bound(address);
            if (next == extents_.begin())
                continue;
            Extent &extent = std::prev(next)->second;
            if (address >= extent.linked->end || extent.linked == linked)
                continue;
            linked->needs.push_back(extent.linked);
            if (extent.code != user)
                extent.code->users.insert(user);
        }
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
        owner->second.unit->bytes.reset();
    linked->traces = code.traces.get();
    extents_[linked->begin] = {linked.get(), &code};
    to_settle_.push_back(linked.get());
    if (linked->initialisers.empty() && linked->finalisers.empty())
        linked->is_initialised = true;
    else
        to_initialise_.push_back(linked.get());
    if (config_.host.object_event)
        config_.host.object_event(config_.host.data, name.str().c_str(), linked->begin,
                                  size_t(static_cast<const char *>(linked->end) -
                                         static_cast<const char *>(linked->begin)),
                                  "", 0);
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

void Engine::failed(orc::ResourceKey key)
{
    auto owner = by_key_.find(key);
    if (owner == by_key_.end() || !owner->second.unit)
        return;
    owner->second.unit->has_failed = true;
    has_failed_ = true;
}

void Engine::fail(std::unique_ptr<orc::MaterializationResponsibility> responsibility, Error error)
{
    report(std::move(error));
    consumeError(responsibility->withResourceKeyDo([&](orc::ResourceKey key) { failed(key); }));
    responsibility->failMaterialization();
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
                continue; // it was linked, and what it needs was not
            report(unit->tracker->remove());
            by_key_.erase(unit->tracker->getKeyUnsafe());
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
    session_->lookup(
        orc::LookupKind::Static, order, std::move(names), orc::SymbolState::Ready,
        [outcome](Expected<orc::SymbolMap> result) { outcome->result.emplace(std::move(result)); },
        orc::NoDependenciesToRegister);
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
        if (dylib.last)
            order.push_back({dylib.last, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly});
        found = look_up(order, orc::SymbolLookupSet(symbol));
        revive();
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
    revive();
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

// ---- objects that the image engine loads ----

void Engine::emit_image(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                        std::unique_ptr<MemoryBuffer> object)
{
    auto names = undefined_symbols(*session_, object->getMemBufferRef());
    if (!names)
        return fail(std::move(responsibility), names.takeError());
    orc::JITDylibSearchOrder order;
    responsibility->getTargetJITDylib().withLinkOrderDo(
        [&](const orc::JITDylibSearchOrder &own) { order = own; });
    auto shared = std::make_shared<std::pair<std::unique_ptr<orc::MaterializationResponsibility>,
                                             std::unique_ptr<MemoryBuffer>>>(
        std::move(responsibility), std::move(object));
    session_->lookup(
        orc::LookupKind::Static, order, std::move(*names), orc::SymbolState::Ready,
        [this, shared](Expected<orc::SymbolMap> addresses) {
            if (addresses)
                return load_image(std::move(shared->first), std::move(shared->second),
                                  std::move(*addresses));
            fail(std::move(shared->first), addresses.takeError());
        },
        orc::NoDependenciesToRegister);
}

void Engine::load_image(std::unique_ptr<orc::MaterializationResponsibility> responsibility,
                        std::unique_ptr<MemoryBuffer> object, orc::SymbolMap addresses)
{
    std::vector<std::string> names;
    std::vector<jit_symbol> symbols;
    void *library = nullptr;
    kiln_error *error = nullptr;
    // Its constructors may call what was linked for it. run_mutex_ cannot be taken here.
    for (Linked *linked : take_pending())
        runtime_initialise(*linked);
    for (const auto &[name, definition] : addresses)
        names.push_back((*name).str());
    size_t i = 0;
    for (const auto &[name, definition] : addresses)
        symbols.push_back({names[i++].c_str(), definition.getAddress().toPtr<void *>()});
    kiln_status status = config_.host.load_object(
        config_.host.data, object->getBufferIdentifier().str().c_str(), object->getBufferStart(),
        object->getBufferSize(), uses_cxx(object->getMemBufferRef()), symbols.data(),
        symbols.size(), &library, &error);
    if (status != KILN_OK) {
        Error failed = refuse(config_.host.error_text(error));
        config_.host.error_destroy(error);
        return fail(std::move(responsibility), std::move(failed));
    }
    cantFail(responsibility->withResourceKeyDo([&](orc::ResourceKey key) {
        auto owner = by_key_.find(key);
        if (owner != by_key_.end())
            owner->second.code->libraries.push_back(library);
    }));
    AddressGenerator::Find find = [&](const char *name) {
        return config_.host.library_symbol(library, name);
    };
    finish_image(*this, std::move(responsibility), find);
}

// ---- what there is ----

void Engine::visit(jit_dylib &dylib,
                   function_ref<bool(const std::string &, bool, bool, uint64_t)> visit)
{
    struct Kind {
        bool is_function, is_weak;
        uint64_t size;
    };
    std::map<std::string, Kind> all;
    {
        std::lock_guard<std::recursive_mutex> lock(link_mutex_);
        for (const auto &code : code_)
            if (code->dylib == &dylib)
                for (const auto &[name, is_function] : code->symbols)
                    all[name] = {is_function, code->weak.count(name) != 0,
                                 code->sizes.lookup(name)};
    }
    for (const auto &[name, kind] : all)
        if (!visit(name, kind.is_function, kind.is_weak, kind.size))
            return;
}

} // namespace kiln
