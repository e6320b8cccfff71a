// unwind_check.h - whether an unwind table can be given to the system's unwinder, which believes
// what it reads: a damaged one would end the host at its next exception.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace kiln
{

// The records of a .eh_frame section, as an object has it (System V ABI, "DWARF unwind tables"; Linux
// Standard Base, "Exception Frames"): JITLink, too, believes what they say. special: what it does not
// know, though unwinders do; unchanged if there is nothing.
llvm::Error check_unwind_records(llvm::ArrayRef<char> table, std::string &special);
// The same of one in its place, with its relocations applied. code: where functions may lie.
llvm::Error check_unwind_table(llvm::ArrayRef<char> table, const void *code_begin,
                               const void *code_end);

} // namespace kiln
