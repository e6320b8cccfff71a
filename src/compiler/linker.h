// linker.h - LLD in process.
#pragma once

#include "compiler/diagnostics.h"

#include <string>
#include <vector>

namespace kiln
{

// Run LLD over arguments (with no output option, or `-o -`). The output is an unsealed memory file,
// owned by the caller; -1 where there are errors. input_size: of the objects, decides how many
// threads are worth their start.
int run_lld(std::vector<std::string> arguments, uint64_t input_size, DiagnosticList &list);

// All objects as one relocatable object; of archives, the members that are asked for, or all.
int merge_objects(const std::vector<std::string> &names, DiagnosticList &list,
                  bool whole_archives = false);

} // namespace kiln
