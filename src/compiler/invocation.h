// invocation.h - Clang's front end, set up for a job: from cc1 arguments to a CompilerInstance that
// cannot write.
//
// A FrontEnd owns the instance and everything that it refers to. It is not destroyed piece by
// piece: jobs end by exit, and freeing a syntax tree costs more than it gives. One thread.
#pragma once

#include "compiler/compile.h"
#include "compiler/recording_file_system.h"

#include "clang/CodeGen/BackendUtil.h"
#include "clang/Frontend/CompilerInstance.h"

namespace kiln
{

struct FrontEnd {
    std::shared_ptr<clang::CompilerInvocation> invocation;
    std::unique_ptr<DiagnosticCollector> collector;
    std::unique_ptr<clang::CompilerInstance> instance;
    double back_end_start = 0; // steady_seconds; 0: it has not begun
};

// Set up from arguments as the driver gives them after -cc1. NULL where they are refused or wrong;
// `list` says why. Never freed: see above.
FrontEnd *front_end_create(const std::vector<std::string> &arguments,
                           llvm::IntrusiveRefCntPtr<RecordingFileSystem> files, InputLog &log,
                           DiagnosticList &list);

// What the back end is to make for an action that EmitXxx names.
clang::BackendAction back_end_action(clang::frontend::ActionKind kind);

// Hand -mllvm options to LLVM. false: `list` says why not.
bool apply_llvm_options(const std::vector<std::string> &options, DiagnosticList &list);

} // namespace kiln
