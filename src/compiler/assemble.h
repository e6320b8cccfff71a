// assemble.h - assembly to an object, or to assembly again, through LLVM's machine-code layer.
#pragma once

#include "compiler/compile.h"
#include "compiler/driver.h"

namespace kiln
{

struct AssemblyText {
    std::string name; // of the source; in `text`, line markers may name others
    std::unique_ptr<llvm::MemoryBuffer> text;
};

// Assemble with the options of a -cc1as job. What .include and .incbin read comes from `files`.
// false: `list` has the errors.
bool assemble(const DriverJob &job, AssemblyText source,
              llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files, OutputKind output,
              OutputBytes &bytes, DiagnosticList &list);

} // namespace kiln
