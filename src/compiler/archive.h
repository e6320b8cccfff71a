// archive.h - static archives and merged bitcode, made in memory.
#pragma once

#include "compiler/diagnostics.h"

#include <string>
#include <vector>

namespace kiln
{

// Inputs are named as the file gate knows them. Outputs are unsealed memory files, owned by the
// caller; -1 where there are errors.

struct ArchiveInput {
    std::string path;  // as the file gate knows it: the cache's, perhaps
    std::string title; // what it was made of
};

// A static archive with an index; members are named by the last part of the inputs' titles.
int write_archive(const std::vector<ArchiveInput> &inputs, DiagnosticList &list);
// One bitcode module out of several (bitcode or textual IR).
int merge_bitcode(const std::vector<std::string> &names, DiagnosticList &list);

} // namespace kiln
