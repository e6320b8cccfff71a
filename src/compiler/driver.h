// driver.h - from the user's arguments to the work that they ask for, through Clang's own driver.
//
// The driver probes the system (GCC's installation, header and library directories) through the
// recording file system, so its findings are inputs like any other. It executes nothing: its jobs
// come back as argument lists. One thread.
#pragma once

#include "compiler/diagnostics.h"

#include "llvm/ADT/IntrusiveRefCntPtr.h"
#include "llvm/Support/VirtualFileSystem.h"

#include <string>
#include <vector>

namespace kiln
{

// The clang executable in whose name the driver acts: its place tells where the resource directory
// is. $KILN_CLANG, else the one found when Kiln was configured. It need not be installed; its
// resource directory must.
const std::string &clang_executable();
const std::string &resource_directory();

enum class ToolKind { Compiler, Assembler, Linker, Other };

struct DriverJob {
    ToolKind tool;
    std::vector<std::string> arguments; // without the program, without -cc1 or -cc1as
};

// Run the driver over arguments (without the program's name). What it has to say is added to
// `list`. Empty where there are errors or nothing is to be done.
std::vector<DriverJob> run_driver(const std::vector<std::string> &arguments,
                                  llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files,
                                  DiagnosticList &list);

// A view of strings as C's argument vectors want them.
std::vector<const char *> c_strings(const std::vector<std::string> &strings);

} // namespace kiln
