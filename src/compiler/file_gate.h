// file_gate.h - the one gate through which Clang, LLVM, LLD and libpkgconf reach the file system.
//
// The program is linked with --wrap for the libc calls that those libraries use (the list stands in
// CMakeLists.txt), so nothing that they open, look for or execute gets past this file. The gate
//   - records what is read and what is not found in the request's InputLog, unless the recording
//     file system did so already;
//   - lends memory files under names of our choice, so that LLD's messages show an input's own
//     name;
//   - refuses to write, to run programs and to load plugins, whatever the arguments ask for: EROFS,
//     EPERM.
// Set up by the job's thread before a request; the calls themselves are thread-safe.
#pragma once

#include "compiler/inputs.h"

#include "llvm/ADT/StringRef.h"

#include <sys/stat.h>

namespace kiln
{

// For as long as it lives, files opened through the gate are recorded in `log`. Not nested.
class GateRecording
{
  public:
    explicit GateRecording(InputLog &log);
    ~GateRecording();
    GateRecording(const GateRecording &) = delete;
    GateRecording &operator=(const GateRecording &) = delete;
};

// Make `name` open the memory file `fd` (kept open by the caller) until gate_return_all.
void gate_lend(llvm::StringRef name, int fd);
void gate_return_all();

// What the recording file system uses: the same calls, past the recorder. Return -1 with errno.
int gate_open_unrecorded(const char *path);
int gate_stat_unrecorded(const char *path, struct stat *status);

} // namespace kiln
