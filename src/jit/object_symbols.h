// object_symbols.h - what an object defines and needs, by its symbol table.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace kiln
{

struct ObjectSymbol {
    llvm::StringRef name; // empty: it has none
    uint64_t size;        // in bytes
    bool is_defined, is_local, is_weak, is_thread_local;
};

llvm::Error visit_object_symbols(llvm::MemoryBufferRef object,
                                 llvm::function_ref<void(const ObjectSymbol &symbol)> visit);

} // namespace kiln
