// lazy_stubs.h - functions that are not compiled yet: one file a processor.
//
// Each function of a lazy module has a stub, its address for ever, which jumps to where the function's
// slot says: at first to an entry that asks the module for the function (kiln_lazy_resolve), with every
// register that can hold an argument kept; then to its code.
#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLink.h"

#include <string>
#include <vector>

namespace kiln
{

class LazyModule;

// Compile function `index` of the module, if it is not yet; where it is. Never fails: see
// jit_host.call_failed. Keeps errno and the floating-point environment. Any thread; nothing of the
// engine's may be locked.
extern "C" void *kiln_lazy_resolve(LazyModule *module, size_t index);

struct StubName {
    std::string text;
    bool is_weak = false, is_hidden = false;
};

struct Stub {
    StubName name;
    std::vector<StubName> aliases;
};

// A graph with a stub for each function. slots: the name that the first function's slot gets. needed:
// a symbol that is to be linked with them.
std::unique_ptr<llvm::jitlink::LinkGraph>
make_stubs(llvm::StringRef name, const std::vector<Stub> &stubs, LazyModule *module,
           llvm::StringRef slots, llvm::StringRef needed,
           std::shared_ptr<llvm::orc::SymbolStringPool> names);

} // namespace kiln
