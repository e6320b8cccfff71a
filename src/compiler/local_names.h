// local_names.h - gives the local symbols of a unit that was compiled in pieces their names back.
#pragma once

#include "compiler/compile.h"

namespace kiln
{

// Rewrite an object: each symbol whose name ends with `suffix` becomes local and loses the suffix,
// as if the unit had been compiled in one piece. Debuggers and profilers then see the names of the
// source. false: `list` has the error.
bool restore_local_names(llvm::StringRef object, llvm::StringRef suffix, OutputBytes &bytes,
                         DiagnosticList &list);

} // namespace kiln
