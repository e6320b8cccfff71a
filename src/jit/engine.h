// engine.h - one JIT engine: dylibs, what was added to them, and what was linked of that.
//
// Everything is linked when it is looked up first, by the thread that asks; one thread links at a time.
// Constructors run after that, without the lock that links take, so that they may use threads which
// look something up.
#pragma once

#include "jit/generators.h"
#include "jit/jit_plugin.h"
#include "jit/lazy_module.h"
#include "jit/link_passes.h"
#include "jit/slab.h"

#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/Target/TargetMachine.h"

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace kiln
{

class Engine;

// An object or a module of what was added; an archive comes to several.
struct Unit {
    enum class Kind { Object, Image, Module, LazyStubs, LazyData } kind;
    LazyModule *lazy = nullptr;
    llvm::orc::ResourceTrackerSP tracker;
    std::unique_ptr<llvm::MemoryBuffer>
        bytes; // until it is linked: a link that fails can be tried again
    bool has_failed = false;
    std::set<std::string, std::less<>> elsewhere; // weak data that a dylib of the search order has
};

} // namespace kiln

// What one call added.
struct jit_code {
    jit_dylib *dylib;
    std::string name;
    uint64_t digest = 0, size = 0; // of what was added; 0: not to be compared
    unsigned references = 1;
    llvm::orc::ResourceTrackerSP tracker; // of what is no unit
    std::vector<std::unique_ptr<kiln::LazyModule>> lazy;
    std::vector<std::unique_ptr<kiln::Unit>> units;
    llvm::orc::DefinitionGenerator *generator = nullptr;
    llvm::orc::JITDylib *generator_dylib = nullptr;
    std::map<std::string, bool> symbols; // that it defines, or can; whether it is a function
    std::set<std::string> weak;
    llvm::StringMap<uint64_t> sizes; // of symbols, in bytes
    // All that its units define, those that only run constructors too.
    std::vector<std::pair<llvm::orc::SymbolStringPtr, llvm::orc::SymbolLookupFlags>> definitions;
    std::unique_ptr<kiln::Traces> traces;
    std::vector<std::unique_ptr<kiln::Linked>> linked; // in the order of their links
    std::set<jit_code *> users;                        // other code that refers to it
    std::vector<jit_code *> kept;                      // of a promise: what it has added
    std::vector<void *> libraries;                     // of the image engine
};

struct jit_dylib {
    kiln::Engine *engine;
    std::string name;
    llvm::orc::JITDylib *own;
    llvm::orc::JITDylib *last;   // the process's symbols: behind all others
    llvm::orc::JITDylib *behind; // libraries that are loaded for what nobody has
    std::vector<jit_dylib *> order;
    std::map<std::string, jit_code *> by_name; // of what is its own
};

namespace kiln
{

class Engine : public LinkObserver
{
  public:
    static llvm::Expected<std::unique_ptr<Engine>> create(const jit_config &config);
    ~Engine() override;

    llvm::Expected<jit_dylib *> add_dylib(llvm::StringRef name);
    llvm::Error set_search_order(jit_dylib &dylib, llvm::ArrayRef<jit_dylib *> order);
    llvm::Expected<jit_code *> add(jit_dylib &dylib, const jit_input &input);
    llvm::Expected<jit_code *> add_shared_library(jit_dylib &dylib, const char *path);
    llvm::Expected<jit_code *> add_process(jit_dylib &dylib);
    llvm::Expected<jit_code *> add_library_path(jit_dylib &dylib,
                                                std::vector<std::string> directories);
    llvm::Expected<jit_code *> add_library(jit_dylib &dylib, llvm::StringRef name, void *library);
    llvm::Expected<jit_code *> add_symbols(jit_dylib &dylib, llvm::StringRef name,
                                           llvm::ArrayRef<jit_symbol> symbols, bool last);
    llvm::Expected<jit_code *> add_promise(jit_dylib &dylib, llvm::StringRef name,
                                           std::set<std::string> symbols,
                                           std::function<llvm::Error()> make);
    // REFUSED with a reason, or PENDING, or OK. anyway: whoever refers to it.
    kiln_status remove(jit_code &code, std::string &reason, bool anyway);
    // Whether code whose removal was PENDING is gone by now.
    bool has_departed(const jit_code *code);
    void remove_dylib(jit_dylib &dylib);
    llvm::Error link(jit_code &code);
    bool defines(const jit_dylib &dylib, llvm::StringRef name);
    llvm::Expected<void *> lookup(jit_dylib &dylib, llvm::StringRef name);
    void visit(jit_dylib &dylib,
               llvm::function_ref<bool(const std::string &, bool, bool, uint64_t)> visit);
    size_t memory() const
    {
        return slab_->used();
    }
    // What was reported since it was asked last, one error a line.
    std::string take_reports();
    std::set<std::string> take_missing();
    const jit_host &host() const
    {
        return config_.host;
    }

    // For the units (units.cpp): one object, for JITLink or for the image engine.
    void emit_object(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                     std::unique_ptr<llvm::MemoryBuffer> object);
    void emit_image(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                    std::unique_ptr<llvm::MemoryBuffer> object);
    void emit_graph(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                    std::unique_ptr<llvm::jitlink::LinkGraph> graph);
    void emit_module(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                     llvm::orc::ThreadSafeModule module);
    // What a stub is to lead to. body, slots: the module's, once they are known.
    void *resolve_lazy(LazyModule &module, size_t index, void *&body, void **&slots);
    void report(llvm::Error error);
    void fail(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
              llvm::Error error);

  private:
    explicit Engine(const jit_config &config) : config_(config) {}

    llvm::Error begin();
    // where: NULL: the dylib's own; what stands behind all other dylibs has no name there.
    jit_code &new_code(jit_dylib &dylib, llvm::StringRef name,
                       llvm::orc::JITDylib *where = nullptr);
    void unregister(jit_code &code);
    void drop(Unit &unit);
    void forget(jit_code &code);
    // The same, added once more; NULL: it is new. Refuses something else of that name. digest: 0:
    // whatever there is is something else.
    llvm::Expected<jit_code *> find_same(jit_dylib &dylib, const std::string &name, uint64_t digest,
                                         uint64_t size);
    llvm::Error add_object(jit_code &code, llvm::MemoryBufferRef object);
    llvm::Error add_archive(jit_code &code, llvm::StringRef bytes);
    llvm::Error add_lazy(jit_code &code, const jit_input &input);
    llvm::Error add_unit(jit_code &code, Unit::Kind kind, llvm::MemoryBufferRef bytes,
                         LazyModule *lazy = nullptr);
    llvm::Expected<llvm::TargetMachine *> machine_for(unsigned optimisation);
    llvm::Expected<void *> link_lazy(LazyModule &module, size_t index, void **&slots);
    llvm::Error define_unit(jit_code &code, Unit &unit);
    llvm::Error define(jit_code &code, std::unique_ptr<llvm::orc::MaterializationUnit> unit,
                       llvm::orc::ResourceTrackerSP tracker, Unit *of = nullptr);
    void unify(jit_code &code, llvm::orc::MaterializationUnit &unit, Unit &of);
    bool is_defined_below(const jit_dylib &dylib, const std::string &name) const;
    void withdraw(const jit_code &code, Linked &linked);
    bool conclude();
    void revive();
    void use_addresses(jit_code &code, llvm::orc::JITDylib &dylib, Addresses::Find find,
                       AddressGenerator::Lend lend = nullptr,
                       AddressGenerator::Weak weak = AddressGenerator::Weak::Found);
    void use_generator(jit_code &code, llvm::orc::JITDylib &dylib,
                       std::unique_ptr<llvm::orc::DefinitionGenerator> generator);
    llvm::Error link_names(const llvm::orc::JITDylibSearchOrder &order,
                           llvm::orc::SymbolLookupSet names);
    llvm::Expected<llvm::orc::SymbolMap> look_up(const llvm::orc::JITDylibSearchOrder &order,
                                                 llvm::orc::SymbolLookupSet names);
    struct Image; // an object on its way to become one
    void load_image(Image &image, const llvm::orc::SymbolMap &addresses);
    void finish_image(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                      jit_code &code, void *library);
    // Who has the address, and would take it away by being removed; linked: NULL if it was lent.
    jit_code *owner_of(const void *address, Linked *&linked);
    void settle_references();
    void add_in_order(Linked *linked, std::vector<Linked *> &order);
    std::vector<Linked *> take_pending();
    // wait: for those that another thread is running, too.
    void run_initialisers(bool wait);
    std::string reason_to_stay(llvm::ArrayRef<jit_code *> family);
    kiln_status remove_one(jit_code &code);
    void finalise(jit_code &code);
    void tell(const Linked &linked, llvm::StringRef name, bool removed) const;
    void hold(const jit_code &code);
    void release_departed();

    const void *handle(llvm::orc::ResourceKey key) override;
    bool is_elsewhere(llvm::orc::ResourceKey key, llvm::StringRef name) override;
    void failed(llvm::orc::ResourceKey key, Range where) override;
    void linked(llvm::orc::ResourceKey key, llvm::StringRef name,
                std::unique_ptr<Linked> linked) override;

    const jit_config config_;
    std::recursive_mutex link_mutex_; // guards all that follows, and links
    std::recursive_mutex
        run_mutex_; // constructors run one after another; taken without link_mutex_
    std::unique_ptr<Slab> slab_;
    std::unique_ptr<llvm::TargetMachine> machine_;
    std::unique_ptr<llvm::TargetMachine> lazy_machines_[4]; // by level
    std::unique_ptr<llvm::orc::ExecutionSession> session_;
    std::unique_ptr<llvm::orc::ObjectLinkingLayer> objects_;
    llvm::orc::JITDylib *runtime_ = nullptr; // what all code gets from here
    std::vector<std::unique_ptr<jit_dylib>> dylibs_;
    std::vector<std::unique_ptr<jit_code>> code_; // in the order of addition
    struct Owner {
        jit_code *code;
        Unit *unit; // NULL: none
    };
    std::map<llvm::orc::ResourceKey, Owner> by_key_;
    struct Extent {
        Linked *linked;
        jit_code *code;
    };
    std::map<const void *, Extent> extents_; // by where they begin
    // What code refers to of images, which go when what brought them is removed.
    std::map<const void *, jit_code *> lent_;
    std::list<EmulatedTls> natives_; // descriptions that code reads
    std::vector<Linked *> to_settle_, to_initialise_;
    struct Recent {
        jit_code *code;
        Unit *unit;
        Linked *linked;
    };
    // Since the outermost look-up began: linked, and where lay what failed to be.
    std::vector<Recent> recent_;
    std::vector<Range> lost_;
    unsigned depth_ = 0; // of look-ups: images' constructors may look something up
    std::vector<std::unique_ptr<jit_code>> departed_; // removed, while threads owe destructors
    std::string reports_;
    jit_code *promising_ = nullptr; // whose promise is being kept
    bool has_failed_ = false;       // some unit
    std::set<std::string> missing_; // symbols that a link looked for in vain
};

} // namespace kiln
