// driver.cpp - Clang's driver in process. See driver.h.
#include "compiler/driver.h"
#include "compiler/compiler_config.h"

#include "clang/Basic/DiagnosticIDs.h"
#include "clang/Driver/Compilation.h"
#include "clang/Driver/Driver.h"
#include "clang/Driver/Job.h"
#include "clang/Driver/Tool.h"
#include "clang/Frontend/CompilerInvocation.h"
#include "clang/Options/OptionUtils.h"
#include "llvm/TargetParser/Host.h"

#include <cstdlib>

namespace kiln
{
namespace
{

ToolKind tool_of(const clang::driver::Command &command)
{
    const auto &arguments = command.getArguments();
    llvm::StringRef first = arguments.empty() ? "" : arguments.front();
    if (first == "-cc1")
        return ToolKind::Compiler;
    if (first == "-cc1as")
        return ToolKind::Assembler;
    return command.getCreator().isLinkJob() ? ToolKind::Linker : ToolKind::Other;
}

DriverJob job_of(const clang::driver::Command &command)
{
    DriverJob job{tool_of(command), {}};
    for (const char *argument : command.getArguments())
        job.arguments.emplace_back(argument);
    if (job.tool == ToolKind::Compiler || job.tool == ToolKind::Assembler)
        job.arguments.erase(job.arguments.begin());
    return job;
}

} // namespace

const std::string &clang_executable()
{
    static const std::string path = [] {
        const char *chosen = getenv("KILN_CLANG");
        return std::string(chosen && *chosen ? chosen : KILN_CLANG_EXECUTABLE);
    }();
    return path;
}

const std::string &resource_directory()
{
    static const std::string path = clang::GetResourcesPath(clang_executable());
    return path;
}

std::vector<const char *> c_strings(const std::vector<std::string> &strings)
{
    std::vector<const char *> pointers;
    for (const std::string &string : strings)
        pointers.push_back(string.c_str());
    return pointers;
}

std::vector<DriverJob> run_driver(const std::vector<std::string> &arguments,
                                  llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files,
                                  DiagnosticList &list)
{
    std::vector<const char *> argv = c_strings(arguments);
    argv.insert(argv.begin(), clang_executable().c_str());

    std::unique_ptr<clang::DiagnosticOptions> options = clang::CreateAndPopulateDiagOpts(argv);
    options->ShowColors = false;
    DiagnosticCollector collector(list, *options, "clang");
    clang::DiagnosticsEngine engine(clang::DiagnosticIDs::create(), *options, &collector,
                                    /*ShouldOwnClient=*/false);
    clang::ProcessWarningOptions(engine, *options, *files, /*ReportDiags=*/false);

    clang::driver::Driver driver(clang_executable(), llvm::sys::getDefaultTargetTriple(), engine,
                                 "clang", files);
    driver.setProbePrecompiled(
        false); // -include x.h means x.h, not an x.h.gch that happens to lie beside it
    std::unique_ptr<clang::driver::Compilation> compilation(driver.BuildCompilation(argv));

    std::vector<DriverJob> jobs;
    if (!compilation || compilation->containsError() || engine.hasErrorOccurred())
        return jobs;
    for (const clang::driver::Command &command : compilation->getJobs())
        jobs.push_back(job_of(command));
    return jobs;
}

} // namespace kiln
