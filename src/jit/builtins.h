// builtins.h - compiler-rt's builtins, as the archive that Debian ships: what compilers call where a
// processor has no instruction (__udivti3), and its model (__cpu_model). It is part of the plugin.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace kiln
{

llvm::StringRef builtins_archive();

} // namespace kiln
