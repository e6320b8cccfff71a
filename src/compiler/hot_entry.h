// hot_entry.h - the shape of a hot function's entry, which src/reload/patch.c patches.
//
// Bytes before and at the entry are given as LLVM's prefix and prologue data, which come out the
// same at every level of optimisation; `-fpatchable-function-entry` depends on -Os, -mtune and CET.
// One file a processor: x86-64's shape stands in hot_entry.cpp.
#pragma once

#include "llvm/IR/Function.h"

namespace kiln
{

void hot_entry_add(llvm::Function &function);

} // namespace kiln
