// parallel_back_end.h - one unit's optimisation and code generation on several processors.
//
// The module is cut when the pass pipeline starts, and this process forks a child for each piece:
// the module is theirs without being written or read again. A child goes on as if its piece were
// the whole unit; this process waits, and merges the objects. Diagnostics and inputs of the
// children come back with them. Used once, by the job's thread.
#pragma once

#include "compiler/invocation.h"
#include "compiler/partition.h"

#include <sys/types.h>

namespace kiln
{

class ParallelBackEnd
{
  public:
    ParallelBackEnd(unsigned at_once, std::string suffix, InputLog &log, DiagnosticList &list)
        : at_once_(at_once), suffix_(std::move(suffix)), log_(log), list_(list)
    {
    }

    // Whether options leave room for it: code that is optimised, and nothing that needs to see the
    // unit whole.
    static bool is_possible(const clang::CodeGenOptions &options);
    // Take part in the compilation that is about to run.
    void install(clang::CodeGenOptions &options);
    // After it: a child delivers its object and ends here. In the parent, where the unit was cut,
    // *bytes becomes the merged object. false: `list` has the errors.
    bool finish(bool done, OutputBytes &bytes);

  private:
    class CutPass;
    struct Piece {
        pid_t pid = -1;
        int object_fd = -1, report_fd = -1;
    };

    void cut(llvm::Module &module);
    bool start_piece(size_t number);
    void wait_for_one();
    [[noreturn]] void deliver(bool done, const OutputBytes &bytes);
    bool take_reports();
    bool merge(OutputBytes &bytes);

    unsigned at_once_;
    std::string suffix_;
    InputLog &log_;
    DiagnosticList &list_;
    std::unique_ptr<Partition> partition_;
    std::vector<Piece> pieces_;
    unsigned running_ = 0;
    Piece *own_ = nullptr;       // in a child
    size_t messages_before_ = 0; // of list_, at the fork
};

} // namespace kiln
