// archive.h - static archives and merged bitcode, made in memory.
#pragma once

#include "compiler/diagnostics.h"

#include <string>
#include <vector>

namespace kiln
{

// Inputs are named as the file gate knows them. Outputs are unsealed memory files, owned by the
// caller; -1 where there are errors.

// A static archive with an index; members are named by the last part of the inputs' names.
int write_archive(const std::vector<std::string> &names, DiagnosticList &list);
// One bitcode module out of several (bitcode or textual IR).
int merge_bitcode(const std::vector<std::string> &names, DiagnosticList &list);

} // namespace kiln
