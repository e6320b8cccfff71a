// runtime.h - what linked code needs of the process while it runs, beyond what libc gives it.
//
//   - What one call has added has a __dso_handle of its own, under which libc keeps its atexit
//     handlers; so they run when it is removed, or when the process ends, in libc's own order,
//     destructors (.fini_array) after them.
//   - Destructors of thread-locals are counted, since a thread may owe one when the code is removed.
//   - Thread-local storage is emulated (LLVM's emutls): each access asks for its address here.
//     A control block can also stand for a variable with native thread-local storage, of libc or
//     any shared library.
#pragma once

#include "jit/debugger.h"
#include "jit/jit_plugin.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <vector>

namespace kiln
{

extern std::mutex runtime_mutex; // guards numbers of thread-local variables

// What the code of one call leaves behind in the process.
struct Traces {
    Traces **handle = nullptr;     // its __dso_handle: a word that holds this address
    std::atomic<unsigned> owed{0}; // destructors of thread-locals, by threads
};

struct Range {
    const void *begin = nullptr, *end = nullptr;
};

// Whether one of the addresses lies within one of the ranges, or at its end.
bool refer_to(llvm::ArrayRef<const void *> addresses, llvm::ArrayRef<Range> ranges);

// One linked object.
struct Linked {
    std::vector<void (*)(int, char **, char **)> initialisers; // in the order of their calls
    std::vector<void (*)()> finalisers;                        // the same
    size_t plain_count = 0;               // of the finalisers, the first, those without a priority
    std::vector<const void *> references; // addresses of what is not its own
    Traces *traces = nullptr;
    std::vector<Linked *> needs;                 // those of them that the engine has linked
    const void *begin = nullptr, *end = nullptr; // of its code and data
    std::unique_ptr<DebugObject> debug;          // NULL: it has no debug information
    bool is_initialised = false;                 // or its runner is about to
    std::optional<pthread_t> runner;             // the thread that runs its initialisers
    bool is_settled = false;                     // so is all that it needs
};

// Run its initialisers, and have its finalisers run at the end. Without a lock of the engine's.
void runtime_initialise(Linked &linked);
// Run handlers and finalisers, as closing a library would: destructors without a priority, then what
// was registered, then destructors with one.
void runtime_finalise(Traces &traces, llvm::ArrayRef<Linked *> linked);

extern const jit_host *runtime_host; // what is the same for all engines

// The calling thread's variable, of its control block.
void *runtime_thread_local(void *control);

// Functions that code gets instead of those of the process: name, address.
struct RuntimeSymbol {
    const char *name;
    const void *address;
};
llvm::ArrayRef<RuntimeSymbol> runtime_symbols();

// LLVM's emulated TLS (llvm/lib/CodeGen/LowerEmuTLS.cpp): "__emutls_v.NAME".
constexpr llvm::StringLiteral emulated_tls_prefix = "__emutls_v.";
constexpr llvm::StringLiteral emulated_tls_initial_prefix = "__emutls_t."; // of what it begins with
struct EmulatedTls {
    uintptr_t size; // native_tls: what follows are the module and the offset of a native variable
    uintptr_t align;
    uintptr_t index; // given at the first access
    const void *initial;
};
constexpr uintptr_t native_tls = UINTPTR_MAX;
// Describe the native thread-local variable that has this address in the calling thread; false: it is
// none.
bool runtime_describe_native_tls(const void *address, EmulatedTls &control);

} // namespace kiln
