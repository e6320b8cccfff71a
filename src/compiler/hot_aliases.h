// hot_aliases.h - other names of functions, in a hot unit.
//
// An alias has the address of what it stands for, so that it could neither be led to another
// function nor get a body of its own later. In a hot unit each is a function instead, with an entry
// of its own, that does nothing but call the other one in its last step. So its address differs
// from that one's. Of constructors and destructors there are no aliases at all
// (CodeGenOptions::CXXCtorDtorAliases).
#pragma once

#include "llvm/IR/Module.h"

namespace kiln
{

void hot_aliases_become_functions(llvm::Module &module);

} // namespace kiln
