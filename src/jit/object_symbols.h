// object_symbols.h - what an object defines and needs, by its symbol table.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace kiln
{

struct ObjectSymbol {
    llvm::StringRef name; // empty: it has none
    uint64_t size;        // in bytes
    bool is_defined, is_local, is_hidden, is_weak, is_thread_local, is_function;
};

llvm::Error visit_object_symbols(llvm::MemoryBufferRef object,
                                 llvm::function_ref<void(const ObjectSymbol &symbol)> visit);

// Of what is in COMDAT groups one definition of each counts (System V ABI, "Section Groups"), weak or
// not: here they all become weak. Of an object that was checked.
void weaken_group_symbols(llvm::MutableArrayRef<char> object);

} // namespace kiln
