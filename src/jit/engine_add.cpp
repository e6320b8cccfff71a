// engine_add.cpp - an engine: what is added to its dylibs.
#include "jit/engine.h"
#include "jit/ir_code.h"
#include "jit/large_stack.h"
#include "jit/library_path.h"
#include "jit/object_check.h"
#include "jit/object_symbols.h"
#include "jit/refuse.h"
#include "jit/units.h"

#include "llvm/BinaryFormat/Magic.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/Support/xxhash.h"

#include <dlfcn.h>

namespace kiln
{

using namespace llvm;

Expected<jit_code *> Engine::new_code(jit_dylib &dylib, StringRef name, orc::JITDylib *where)
{
    void **word = slab_->new_word();
    if (!word)
        return refuse("the JIT's address space is full", std::errc::not_enough_memory);
    auto made = std::make_unique<jit_code>();
    made->dylib = &dylib;
    made->name = name.str();
    made->tracker = (where ? where : dylib.own)->createResourceTracker();
    made->traces = std::make_unique<Traces>();
    made->traces->handle = reinterpret_cast<Traces **>(word);
    *made->traces->handle = made->traces.get();
    by_key_[made->tracker->getKeyUnsafe()] = {made.get(), nullptr};
    if (!where)
        dylib.by_name[made->name] = made.get();
    code_.push_back(std::move(made));
    return code_.back().get();
}

void Engine::unregister(jit_code &code)
{
    auto named = code.dylib->by_name.find(code.name);
    if (named != code.dylib->by_name.end() && named->second == &code)
        code.dylib->by_name.erase(named);
    by_key_.erase(code.tracker->getKeyUnsafe());
    for (auto lent = lent_.begin(); lent != lent_.end();) {
        lent->second.erase(&code);
        lent = lent->second.empty() ? lent_.erase(lent) : std::next(lent);
    }
    for (auto &promise : code_)
        erase(promise->kept, &code);
}

// What it defined is defined no longer.
void Engine::drop(Unit &unit)
{
    report(unit.tracker->remove());
    by_key_.erase(unit.tracker->getKeyUnsafe());
}

// What could not be added.
void Engine::forget(jit_code &code)
{
    for (auto &unit : reverse(code.units))
        drop(*unit);
    report(code.tracker->remove());
    unregister(code);
    slab_->free_word(reinterpret_cast<void **>(code.traces->handle));
    erase_if(code_, [&](const auto &other) { return other.get() == &code; });
}

Error Engine::define(jit_code &code, std::unique_ptr<orc::MaterializationUnit> unit,
                     orc::ResourceTrackerSP tracker, Unit *of)
{
    std::map<std::string, kiln_symbol_kind> symbols;
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
        symbols[(*name).str()] = flags.isCallable() ? KILN_SYMBOL_FUNCTION : KILN_SYMBOL_DATA;
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

// In the dylib's own search order, which does not lead on to those of others.
bool Engine::is_defined_below(const jit_dylib &dylib, const std::string &name) const
{
    return any_of(code_, [&](const auto &code) {
        return code->dylib != &dylib && is_contained(dylib.order, code->dylib) &&
               code->symbols.count(name);
    });
}

// Weak data that a dylib of the search order has is left to it.
void Engine::unify(jit_code &code, orc::MaterializationUnit &unit, Unit &of)
{
    if (code.dylib->order.empty())
        return;
    std::vector<orc::SymbolStringPtr> others;
    for (const auto &[name, flags] : unit.getSymbols())
        if (flags.isWeak() && !flags.isCallable() && is_defined_below(*code.dylib, (*name).str()))
            others.push_back(name);
    for (const orc::SymbolStringPtr &name : others) {
        of.elsewhere.insert((*name).str());
        unit.doDiscard(*code.dylib->own, name);
    }
}

Error Engine::define_unit(jit_code &code, Unit &unit)
{
    unit.tracker = code.dylib->own->createResourceTracker();
    unit.has_failed = false;
    unit.elsewhere.clear();
    by_key_[unit.tracker->getKeyUnsafe()] = {&code, &unit};
    if (unit.kind == Unit::Kind::LazyStubs)
        return define(code, unit.lazy->stubs_unit(*session_), unit.tracker, &unit);
    if (unit.kind == Unit::Kind::LazyData)
        return define(code, unit.lazy->data_unit(*session_), unit.tracker, &unit);
    if (unit.kind != Unit::Kind::Module) {
        auto made = make_object_unit(*this, *session_, *unit.bytes, unit.kind == Unit::Kind::Image);
        if (!made)
            return made.takeError();
        Error error =
            visit_object_symbols(unit.bytes->getMemBufferRef(), [&](const ObjectSymbol &symbol) {
                if (!symbol.is_local && symbol.size)
                    code.sizes[symbol.name] = symbol.size;
            });
        if (error)
            return error;
        return define(code, std::move(*made), unit.tracker, &unit);
    }
    auto module = ir_read(unit.bytes->getBufferIdentifier(), unit.bytes->getBuffer(), *machine_);
    return module ? define(code, make_module_unit(*this, *session_, std::move(*module)),
                           unit.tracker, &unit)
                  : module.takeError();
}

Error Engine::add_unit(jit_code &code, Unit::Kind kind, MemoryBufferRef bytes, LazyModule *lazy,
                       std::string reason)
{
    auto unit = std::make_unique<Unit>();
    unit->kind = kind;
    unit->reason = std::move(reason);
    unit->lazy = lazy;
    auto copy = WritableMemoryBuffer::getNewUninitMemBuffer(bytes.getBufferSize(),
                                                            bytes.getBufferIdentifier());
    std::copy_n(bytes.getBufferStart(), bytes.getBufferSize(), copy->getBufferStart());
    if (kind == Unit::Kind::Object)
        weaken_group_symbols(copy->getBuffer());
    unit->bytes = std::move(copy);
    code.units.push_back(std::move(unit));
    Error error = define_unit(code, *code.units.back());
    if (error) {
        drop(*code.units.back());
        code.units.pop_back();
    }
    return error;
}

Error Engine::add_object(jit_code &code, MemoryBufferRef object)
{
    std::string reason;
    auto verdict = check_object(object, reason);
    if (!verdict)
        return verdict.takeError();
    return *verdict == ObjectVerdict::Link
               ? add_unit(code, Unit::Kind::Object, object)
               : add_unit(code, Unit::Kind::Image, object, nullptr, std::move(reason));
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

void Engine::use_addresses(jit_code &code, orc::JITDylib &dylib, Addresses::Find find,
                           AddressGenerator::Lend lend, AddressGenerator::Weak weak)
{
    use_generator(code, dylib,
                  std::make_unique<AddressGenerator>(Addresses(std::move(find), *natives_),
                                                     std::move(lend), code.tracker, weak));
}

void Engine::use_generator(jit_code &code, orc::JITDylib &dylib,
                           std::unique_ptr<orc::DefinitionGenerator> generator)
{
    code.generator_dylib = &dylib;
    code.generator = &dylib.addGenerator(std::move(generator));
}

// ORC's dylibs own their generators to the end, and these own the dylib by its tracker.
void Engine::remove_generator(jit_code &code)
{
    code.promise = nullptr;
    if (code.generator)
        code.generator_dylib->removeGenerator(*std::exchange(code.generator, nullptr));
}

Error Engine::add_archive(jit_code &code, StringRef bytes)
{
    auto archive = ArchiveGenerator::create(
        MemoryBuffer::getMemBufferCopy(bytes, code.name),
        [this, &code](MemoryBufferRef member) { return add_object(code, member); },
        [&code](const ObjectSymbol &symbol) {
            code.offers[symbol.name.str()] = {symbol.is_thread_local ? KILN_SYMBOL_THREAD_LOCAL
                                              : symbol.is_function   ? KILN_SYMBOL_FUNCTION
                                                                     : KILN_SYMBOL_DATA,
                                              symbol.is_weak, symbol.size};
        });
    if (!archive)
        return refuse("'" + code.name +
                      "' is no archive that can be used: " + toString(archive.takeError()));
    use_generator(code, *code.dylib->own, std::move(*archive));
    return Error::success();
}

Expected<jit_code *> Engine::find_same(jit_dylib &dylib, const std::string &name, uint64_t digest,
                                       uint64_t size)
{
    auto named = dylib.by_name.find(name);
    if (named == dylib.by_name.end())
        return nullptr;
    jit_code *known = named->second;
    if (known->leaves_with)
        return refuse("'" + name + "' is being removed from dylib '" + dylib.name + "'",
                      std::errc::file_exists);
    if (!digest || known->digest != digest || known->size != size)
        return refuse("dylib '" + dylib.name + "' has something else of the name '" + name +
                          "': remove it first",
                      std::errc::file_exists);
    known->references++;
    return known;
}

Expected<jit_code *> Engine::add(jit_dylib &dylib, const jit_input &input)
{
    release_departed();
    std::lock_guard lock(link_mutex_);
    StringRef bytes(static_cast<const char *>(input.bytes), input.size), known_by = bytes;
    if (input.made_of)
        known_by = StringRef(static_cast<const char *>(input.made_of), input.made_of_size);
    unsigned way = input.lazy ? 1 + input.optimisation : 0;
    uint64_t digest = (xxh3_64bits(known_by) + (way << 1)) | 1;
    auto same = find_same(dylib, input.name, digest, known_by.size());
    if (!same || *same)
        return same;
    auto made = new_code(dylib, input.name);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    code.digest = digest;
    code.size = known_by.size();
    file_magic magic = identify_magic(bytes);
    Error error = Error::success();
    run_on_large_stack([&] {
        if (input.lazy && magic == file_magic::bitcode)
            error = add_lazy(code, input);
        else if (magic == file_magic::archive)
            error = add_archive(code, bytes);
        else if (magic == file_magic::bitcode || !bytes.starts_with(StringRef("\177ELF", 4)))
            error = add_unit(code, Unit::Kind::Module, MemoryBufferRef(bytes, code.name));
        else
            error = add_object(code, MemoryBufferRef(bytes, code.name));
    });
    if (!error)
        return &code;
    forget(code);
    return error;
}

Expected<jit_code *> Engine::add_shared_library(jit_dylib &dylib, const char *path)
{
    std::lock_guard lock(link_mutex_);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return refuse(dlerror(), std::errc::no_such_file_or_directory);
    // Which one it is, the loader knows: its handle tells.
    uint64_t digest = reinterpret_cast<uintptr_t>(handle);
    auto same = find_same(dylib, path, digest, 0);
    if (!same || *same)
        return same;
    auto made = new_code(dylib, path);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    code.digest = digest;
    // Kept open for good: code that was removed may have left pointers into it.
    auto find = [handle](const char *name) { return find_in_library(handle, name); };
    use_addresses(code, *dylib.own, find);
    return &code;
}

Expected<jit_code *> Engine::add_process(jit_dylib &dylib)
{
    std::lock_guard lock(link_mutex_);
    auto made = new_code(dylib, "process", dylib.last);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    use_addresses(code, *dylib.last, find_in_process);
    return &code;
}

Expected<jit_code *> Engine::add_library_path(jit_dylib &dylib,
                                              std::vector<std::string> directories)
{
    std::lock_guard lock(link_mutex_);
    auto made = new_code(dylib, "library path", dylib.behind);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    auto path = std::make_shared<LibraryPath>(
        std::move(directories), [this](const std::string &text) { report(refuse(text)); });
    auto find = [path](const char *name) { return path->find(name); };
    use_addresses(code, *dylib.behind, find, nullptr, AddressGenerator::Weak::Left);
    return &code;
}

Expected<jit_code *> Engine::add_library(jit_dylib &dylib, StringRef name, void *library)
{
    std::lock_guard lock(link_mutex_);
    if (auto same = find_same(dylib, name.str(), 0, 0); !same)
        return same.takeError();
    auto made = new_code(dylib, name);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    code.libraries.push_back(library);
    auto find = [this, library](const char *symbol) {
        return config_.host.library_symbol(library, symbol);
    };
    use_addresses(code, *dylib.own, find,
                  [this, &code](const void *address) { lent_[address].insert(&code); });
    return &code;
}

Expected<jit_code *> Engine::add_symbols(jit_dylib &dylib, StringRef name,
                                         ArrayRef<jit_symbol> symbols, bool last)
{
    std::lock_guard lock(link_mutex_);
    if (last) {
        StringMap<void *> addresses;
        for (const jit_symbol &symbol : symbols)
            addresses[symbol.name] = symbol.address;
        auto made = new_code(dylib, name, dylib.last);
        if (!made)
            return made.takeError();
        jit_code &code = **made;
        // libc's own names are not the host's to lend.
        auto find = [addresses,
                     libc = dlopen("libc.so.6", RTLD_NOW)](const char *symbol) -> void * {
            void *address = addresses.lookup(symbol);
            return address && !find_in_library(libc, symbol) ? address : nullptr;
        };
        use_addresses(code, *dylib.last, find);
        return &code;
    }
    if (auto same = find_same(dylib, name.str(), 0, 0); !same)
        return same.takeError();
    orc::SymbolMap map;
    for (const jit_symbol &symbol : symbols)
        map[session_->intern(symbol.name)] = {orc::ExecutorAddr::fromPtr(symbol.address),
                                              JITSymbolFlags::Exported};
    auto made = new_code(dylib, name);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    if (Error error = define(code, orc::absoluteSymbols(std::move(map)), code.tracker)) {
        forget(code);
        return error;
    }
    for (auto &[symbol, kind] : code.symbols)
        kind = KILN_SYMBOL_OTHER; // the host may lend anything
    return &code;
}

Expected<jit_code *> Engine::add_promise(jit_dylib &dylib, StringRef name,
                                         std::set<std::string> symbols,
                                         std::function<Error(jit_code &promise)> make)
{
    std::lock_guard lock(link_mutex_);
    if (auto same = find_same(dylib, name.str(), 0, 0); !same)
        return same.takeError();
    auto made = new_code(dylib, name);
    if (!made)
        return made.takeError();
    jit_code &code = **made;
    // What the process has is not asked of a source whose symbols nobody has told.
    auto wants = [symbols = std::move(symbols)](StringRef wanted) {
        return symbols.empty() ? !find_in_process(wanted.str().c_str())
                               : symbols.count(wanted.str()) != 0;
    };
    auto keep = [this, &code,
                 make = std::move(make)](std::vector<orc::DefinitionGenerator *> &made) -> Error {
        Error error = make(code);
        for (const jit_code *kept : code.kept)
            if (kept->generator && kept->generator_dylib == code.dylib->own)
                made.push_back(kept->generator);
        return error;
    };
    auto generator = std::make_unique<PromiseGenerator>(wants, std::move(keep));
    code.promise = generator.get();
    use_generator(code, *dylib.own, std::move(generator));
    return &code;
}

void Engine::keep_with(jit_code &promise, jit_code &code)
{
    std::lock_guard lock(link_mutex_);
    // A second try has added it once more.
    if (is_contained(promise.kept, &code))
        code.references--;
    else
        promise.kept.push_back(&code);
}

} // namespace kiln
