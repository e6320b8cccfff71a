// hot_initialisers.h - initialisers of new data, which run when an image is mapped.
//
// That is before its functions are published, so that an entry still leads to the code of an earlier
// generation: what an initialiser calls would be of yesterday. So initialisers get private copies of
// the functions that an edit changes, and of those on the way to these; they run once, and so never
// grow old. Functions that other units have changed are met as they were, and so is what is called
// through pointers.
#pragma once

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/Module.h"

namespace kiln
{

// What Clang makes for itself in each unit, under names that only it may use: initialisation at
// load, which never is part of two generations.
bool hot_is_of_one_generation(const llvm::Function &function);

// changed: functions of this module that earlier generations have, too, and that differ. All bodies
// are still in the module.
void hot_initialisers_bind(llvm::Module &module,
                           const llvm::SmallPtrSetImpl<llvm::Function *> &changed);

} // namespace kiln
