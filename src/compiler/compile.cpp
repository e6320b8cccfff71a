// compile.cpp - the steps of a compile. See compile.h.
#include "compiler/compile.h"
#include "compiler/driver.h"
#include "compiler/file_gate.h"
#include "compiler/invocation.h"

#include "clang/CodeGen/CodeGenAction.h"
#include "llvm/Support/PrettyStackTrace.h"

#include <time.h>

namespace kiln
{
namespace
{

std::vector<std::string> driver_arguments(const CompileRequest &request, const Surroundings &surroundings)
{
    // Link arguments are given to compiles too: what is not used here is no cause for a warning.
    std::vector<std::string> arguments{"-Qunused-arguments"};
    if (!surroundings.virtual_directory.empty()) {
        arguments.push_back("-iquote" + surroundings.virtual_directory);
        arguments.push_back("-I" + surroundings.virtual_directory);
    }
    arguments.insert(arguments.end(), request.arguments.begin(), request.arguments.end());
    arguments.push_back(request.output == OutputKind::Object || request.output == OutputKind::Bitcode ? "-c" : "-S");
    if (request.output == OutputKind::Bitcode || request.output == OutputKind::Ir)
        arguments.push_back("-emit-llvm");
    if (!request.language.empty())
        arguments.insert(arguments.end(), {"-x", request.language});
    arguments.insert(arguments.end(), {"--", request.source});
    return arguments;
}

std::unique_ptr<clang::CodeGenAction> action_for(clang::frontend::ActionKind kind)
{
    switch (kind) {
    case clang::frontend::EmitAssembly:
        return std::make_unique<clang::EmitAssemblyAction>();
    case clang::frontend::EmitBC:
        return std::make_unique<clang::EmitBCAction>();
    case clang::frontend::EmitLLVM:
        return std::make_unique<clang::EmitLLVMAction>();
    default:
        return std::make_unique<clang::EmitObjAction>();
    }
}

void compile_source(const DriverJob &job, llvm::IntrusiveRefCntPtr<RecordingFileSystem> files, InputLog &log,
                    CompileResult &result)
{
    double start = steady_seconds();
    FrontEnd *front = front_end_create(job.arguments, files, log, result.diagnostics);
    if (!front)
        return;
    clang::CompilerInstance &instance = *front->instance;
    result.cxx = instance.getFrontendOpts().Inputs.front().getKind().getLanguage() == clang::Language::CXX;

    OutputBytes bytes;
    instance.setOutputStream(std::make_unique<llvm::raw_svector_ostream>(bytes));
    // Not destroyed, as the front end: it owns the module, and the job ends by exit.
    clang::CodeGenAction *action = action_for(instance.getFrontendOpts().ProgramAction).release();
    bool done = instance.ExecuteAction(*action);
    double end = steady_seconds();
    result.frontend_seconds = (front->back_end_start > 0 ? front->back_end_start : end) - start;
    result.backend_seconds = end - start - result.frontend_seconds;
    if (done)
        result.output = std::move(bytes);
}

void run_jobs(const std::vector<DriverJob> &jobs, llvm::IntrusiveRefCntPtr<RecordingFileSystem> files, InputLog &log,
              CompileResult &result)
{
    if (jobs.empty()) {
        if (!result.diagnostics.has_errors())
            result.diagnostics.add(Severity::Error, "the arguments leave nothing to compile", "clang");
        return;
    }
    if (jobs.size() > 1 || jobs[0].tool != ToolKind::Compiler) {
        result.diagnostics.add(Severity::Error,
                               "the arguments ask for several compilations of one source; remove the options that do "
                               "(-save-temps, offloading, -fno-integrated-as and the like)",
                               "clang");
        return;
    }
    compile_source(jobs[0], files, log, result);
}

} // namespace

double steady_seconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

CompileResult compile(const CompileRequest &request, const Surroundings &surroundings)
{
    std::string work = "compiling '" + request.source + "'";
    llvm::PrettyStackTraceString trace(work.c_str());
    CompileResult result;
    InputLog log(surroundings.directory);
    {
        GateRecording recording(log);
        auto files = llvm::makeIntrusiveRefCnt<RecordingFileSystem>(log, surroundings.virtual_directory,
                                                                    surroundings.memory_files);
        files->set_script(request.source);
        auto jobs = run_driver(driver_arguments(request, surroundings), files, result.diagnostics);
        if (!result.diagnostics.has_errors())
            run_jobs(jobs, files, log, result);
    }
    std::vector<std::string> changed;
    result.inputs = log.finish(&changed);
    for (const std::string &path : changed)
        result.diagnostics.add(Severity::Error, "'" + path + "' changed while it was being compiled; try again");
    if (result.diagnostics.has_errors())
        result.output.reset();
    return result;
}

} // namespace kiln
