// engine.h - one JIT engine: dylibs, what was added to them, and what was linked of that.
//
// Everything is linked when it is looked up first, by the thread that asks; one thread links at a time.
// Constructors run after that, and handlers at the end before removal, without the lock that links take,
// so that they may use threads which look something up.
#pragma once

#include "jit/counted_mutex.h"
#include "jit/failure.h"
#include "jit/generators.h"
#include "jit/jit_plugin.h"
#include "jit/lazy_module.h"
#include "jit/link_passes.h"
#include "jit/slab.h"

#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/Target/TargetMachine.h"

#include <array>
#include <condition_variable>
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
    std::string reason;                           // of an image: why JITLink cannot link it
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
    kiln::PromiseGenerator *promise = nullptr;       // that the generator is
    std::map<std::string, kiln_symbol_kind> symbols; // that it defines, or can
    struct Offer {
        kiln_symbol_kind kind;
        bool is_weak;
        uint64_t size;
    };
    std::map<std::string, Offer> offers; // of an archive: what its members define
    std::set<std::string> weak;
    llvm::StringMap<uint64_t> sizes; // of symbols, in bytes
    // All that its units define, those that only run constructors too.
    std::vector<std::pair<llvm::orc::SymbolStringPtr, llvm::orc::SymbolLookupFlags>> definitions;
    std::unique_ptr<kiln::Traces> traces;
    std::vector<std::unique_ptr<kiln::Linked>> linked; // in the order of their links
    std::set<jit_code *> users;                        // other code that refers to it
    std::vector<jit_code *> kept;                      // of a promise: what it has added
    std::vector<void *> libraries;                     // of the image engine
    std::vector<std::string> images; // of those that were closed, the ids of what is still mapped
    const jit_code *leaves_with = nullptr; // whose removal it is a part of; NULL: it stays
    std::optional<pthread_t> ender;        // the thread that removes it, or runs the last of it

    bool is_owed() const // threads have a destructor of it to run
    {
        return traces->owed.load(std::memory_order_acquire) != 0;
    }
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
                                           std::function<llvm::Error(jit_code &promise)> make);
    // Code that a promise's make has added, which goes with it.
    void keep_with(jit_code &promise, jit_code &code);
    // REFUSED with a reason, or PENDING, or OK. anyway: whoever refers to it.
    kiln_status remove(jit_code &code, std::string &reason, bool anyway);
    // Whether code whose removal was PENDING is gone by now.
    bool has_departed(const jit_code *code);
    bool is_linking(); // on this thread
    // The fork handlers, of all engines in the list.
    void enlist();
    void delist();
    static void before_fork(bool (*hold)(unsigned wait_ms), void (*release)(bool in_child));
    static void after_fork(bool in_child);
    // To this process, which was forked: of nothing else may be asked then.
    bool is_lost() const
    {
        return is_lost_;
    }
    void remove_dylib(jit_dylib &dylib);
    llvm::Error link(jit_code &code);
    bool defines(const jit_dylib &dylib, llvm::StringRef name);
    llvm::Expected<void *> lookup(jit_dylib &dylib, llvm::StringRef name);
    void visit(jit_dylib &dylib, llvm::function_ref<bool(const kiln_symbol &)> visit);
    size_t memory() const
    {
        return slab_->used();
    }
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
    // What a stub is to lead to. place: the module's.
    void *resolve_lazy(LazyModule &module, size_t index, LazyPlace place);
    // Compile a function that may be called when nothing can be compiled any longer.
    void complete_lazy(LazyModule &module, size_t index, LazyPlace place);
    void report(llvm::Error error);
    void fail(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
              llvm::Error error);

  private:
    explicit Engine(const jit_config &config) : config_(config) {}

    llvm::Error begin();
    std::set<jit_code *> end_code();
    static bool hold_for_fork();
    static void release_after_fork();
    void forget_other_threads();
    // where: NULL: the dylib's own; what stands behind all other dylibs has no name there.
    llvm::Expected<jit_code *> new_code(jit_dylib &dylib, llvm::StringRef name,
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
                         LazyModule *lazy = nullptr, std::string reason = "");
    llvm::Expected<llvm::TargetMachine *> machine_for(unsigned optimisation);
    llvm::Error link_lazy(LazyModule &module, size_t index, LazyPlace place);
    std::string make_lazy(LazyModule &module, size_t index, LazyPlace place, void **&slot,
                          void *&address);
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
    void remove_generator(jit_code &code);
    llvm::Error link_names(const llvm::orc::JITDylibSearchOrder &order,
                           llvm::orc::SymbolLookupSet names);
    llvm::Expected<llvm::orc::SymbolMap> look_up(const llvm::orc::JITDylibSearchOrder &order,
                                                 llvm::orc::SymbolLookupSet names);
    struct Image; // an object on its way to become one
    void load_image(Image &image, const llvm::orc::SymbolMap &addresses);
    void finish_image(std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                      jit_code &code, void *library);
    struct Extent; // of what is linked, or being linked
    const Extent *find_extent(const void *address) const;
    // Who has the address, and would take it away by being removed; linked: NULL if it was lent, or is
    // being linked.
    void visit_owners(const void *address,
                      llvm::function_ref<void(jit_code &owner, Linked *linked)> visit) const;
    llvm::Error check_references(const jit_code &code, llvm::ArrayRef<const void *> addresses);
    void settle_references();
    bool is_complete(const Linked &linked, std::set<const Linked *> &known) const;
    void add_in_order(Linked *linked, std::vector<Linked *> &order);
    std::vector<Linked *> take_pending();
    // Without the lock, but within a link: run what this thread has taken.
    void initialise(llvm::ArrayRef<Linked *> order);
    // Wait until other threads have initialised what has the address and what that needs. but: code for
    // which not to wait, or NULL.
    void await_initialised(const void *address, const jit_code *but);
    bool begin_to_wait(const void *address, const jit_code *but) const;
    std::string reason_to_stay(llvm::ArrayRef<jit_code *> family);
    kiln_status remove_one(jit_code &code, std::unique_lock<CountedMutex> &lock);
    void take_back_weak_data(const jit_code &gone);
    static std::vector<Linked *> linked_of(const jit_code &code);
    void tell(const Linked &linked, llvm::StringRef name, bool removed) const;
    void close_libraries(jit_code &code);
    bool has_been_removed(const jit_code *code) const;
    bool is_held(const jit_code &code) const;
    using Needs = std::map<jit_code *, std::vector<jit_code *>>;
    Needs find_needs() const;
    bool may_define(const jit_code &code, const std::string &name) const;
    void add_possible_needs(Needs &needs) const;
    std::vector<jit_code *> closing_order();
    void close_for_good(jit_code &code);
    std::set<jit_code *> find_held() const;
    void hold(const jit_code &code);
    void complete(jit_code &code);
    bool is_whole(const jit_code &code);              // nothing of it is left to be compiled
    bool is_left_to_link(const jit_code &code) const; // something of it
    void collect_images();
    std::vector<jit_code *> take_ready();
    void let_go(llvm::ArrayRef<jit_code *> ended);
    void release_departed();

    bool is_near(const void *address) const override
    {
        return slab_->contains(address);
    }
    const void *handle(llvm::orc::ResourceKey key) override;
    bool is_elsewhere(llvm::orc::ResourceKey key, llvm::StringRef name) override;
    llvm::Error check_references(llvm::orc::ResourceKey key,
                                 llvm::ArrayRef<const void *> addresses) override;
    void allocated(llvm::orc::ResourceKey key, Range where) override;
    void failed(llvm::orc::ResourceKey key, Range where) override;
    void linked(llvm::orc::ResourceKey key, llvm::StringRef name,
                std::unique_ptr<Linked> linked) override;

    const jit_config config_;
    bool is_lost_ = false, is_held_for_fork_ = false;
    CountedMutex link_mutex_; // guards all that follows, and links
    std::condition_variable_any has_run_;
    std::map<pthread_t, unsigned> running_; // how many objects each has claimed
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
        const void *end;
        Linked *linked; // NULL: it is being linked
        jit_code *code;
    };
    std::map<const void *, Extent> extents_; // by where they begin
    // What code refers to of images, which go when what brought them is removed.
    std::map<const void *, std::set<jit_code *>> lent_;
    std::unique_ptr<std::list<EmulatedTls>> natives_ = // descriptions that code reads
        std::make_unique<std::list<EmulatedTls>>();
    std::vector<Linked *> to_settle_, to_initialise_;
    struct Recent {
        jit_code *code;
        Unit *unit;
        Linked *linked;
        unsigned depth;
    };
    // Since the outermost look-up began: linked, and where lay what failed to be.
    std::vector<Recent> recent_;
    std::vector<Range> lost_;
    unsigned depth_ = 0; // of look-ups: images' constructors may look something up
    // Removed, while threads owe destructors to it or to what uses it; users first.
    std::vector<std::unique_ptr<jit_code>> departed_;
    unsigned leaving_ = 0;    // codes that are being removed
    Reports reports_;         // of the innermost look-up
    bool has_failed_ = false; // some unit
    size_t link_count_ = 0;   // objects that were linked, libraries that came and went
    bool is_ending_ = false;  // nothing of code_ and departed_ is freed
};

} // namespace kiln
