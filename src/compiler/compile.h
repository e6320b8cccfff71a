// compile.h - one source to one output.
//
// compile() never touches disk but to read, never loads plugins, and reports everything through its
// result. What an argument could make Clang write (dependency files, .dwo, .gcno, traces,
// diagnostics logs) is switched off; what cannot be switched off is refused by name. One compile at
// a time in a process.
#pragma once

#include "compiler/diagnostics.h"
#include "compiler/inputs.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/VirtualFileSystem.h"

#include <optional>

namespace kiln
{

class RecordingFileSystem;
struct HotWork;

// As OutputKind of wire.proto, in its order.
enum class OutputKind { Object, Bitcode, Ir, Assembly, Archive, Image, SharedLibrary, RawBitcode };

// The surroundings of a job.
struct Surroundings {
    std::string directory;         // the working directory
    std::string virtual_directory; // where memory files seem to be; empty: there are none
    llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> memory_files;
};

struct CompileRequest {
    std::string source;
    std::string language; // for -x; empty: by name
    std::vector<std::string> arguments;
    OutputKind output = OutputKind::Object;
    unsigned codegen_units = 1;
    HotWork *hot = nullptr; // of a hot library's unit: what is known, and what is found out
};

using OutputBytes = llvm::SmallVector<char, 0>;

struct CompileResult {
    DiagnosticList diagnostics;
    std::vector<Input> inputs;
    std::optional<OutputBytes> output; // set unless there are errors
    bool cxx = false;
    double frontend_seconds = 0, backend_seconds = 0;
};

CompileResult compile(const CompileRequest &request, const Surroundings &surroundings);

// Seconds since some fixed moment, for durations.
double steady_seconds();

} // namespace kiln
