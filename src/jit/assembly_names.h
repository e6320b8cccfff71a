// assembly_names.h - names of symbols within assembly: one file a processor.
#pragma once

#include "llvm/ADT/StringMap.h"

#include <string>

namespace kiln
{

// The same text with names replaced where operands and directives have them: not instructions, registers,
// operands of an LLVM template ($0, ${0:P}), strings and comments.
std::string rename_in_assembly(llvm::StringRef text, const llvm::StringMap<std::string> &names);

} // namespace kiln
