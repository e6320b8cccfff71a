// hot_pass.h - makes a module of a hot library out of an ordinary one, before any optimisation.
//
// In every generation each function and each variable that has a name gets a stable one, by which
// later generations refer to it. What the generation defines for the first time is exported under
// that name: a function with an entry that can be patched, its address for ever. What earlier
// generations define becomes a declaration, so that data stays where it is and calls go through
// entries; of it, a function whose body differs is compiled under a name of its own, for the host to
// publish, and of a constant or initial value that differs the new bytes are kept.
//
// Islands: no function may assume anything of another's body (semantic interposition); `whole`:
// functions of a unit see each other, all of them are compiled anew, and calls between them stay
// inside the generation.
//
// The table of the unit (hot_table.h) says what was done; the first generation carries it in its
// image, as the symbol hot_table_symbol() names.
#pragma once

#include "compiler/diagnostics.h"
#include "compiler/hot_table.h"

#include "clang/Basic/CodeGenOptions.h"
#include "llvm/IR/Module.h"

namespace kiln
{

// Have the pass run first of all passes. work and list must outlive the compilation.
void hot_pass_install(clang::CodeGenOptions &options, HotWork &work, DiagnosticList &list);

// "kiln.hot.UNIT"
std::string hot_table_symbol(const HotWork &work);

} // namespace kiln
