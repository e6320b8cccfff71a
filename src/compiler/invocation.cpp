// invocation.cpp - setting up the front end. See invocation.h.
#include "compiler/invocation.h"
#include "compiler/clock_watch.h"
#include "compiler/driver.h"

#include "clang/Basic/DiagnosticIDs.h"
#include "clang/Frontend/CompilerInvocation.h"
#include "clang/Frontend/FrontendOptions.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/VirtualOutputBackends.h"

namespace kiln
{
namespace
{

bool refuse_plugins(const clang::CompilerInvocation &invocation, DiagnosticList &list)
{
    const clang::FrontendOptions &front = invocation.getFrontendOpts();
    bool wants = !front.Plugins.empty() || !front.AddPluginActions.empty() ||
                 !front.PluginArgs.empty() || !front.ActionName.empty() ||
                 !invocation.getCodeGenOpts().PassPlugins.empty();
    if (wants)
        list.add(Severity::Error,
                 "compiler plugins are not loaded here; remove -fplugin, -fpass-plugin and -Xclang "
                 "-load",
                 "clang");
    return wants;
}

bool refuse_action(const clang::CompilerInvocation &invocation, DiagnosticList &list)
{
    using namespace clang::frontend;
    switch (invocation.getFrontendOpts().ProgramAction) {
    case EmitAssembly:
    case EmitBC:
    case EmitLLVM:
    case EmitObj:
    case PrintPreprocessedInput: // the first half of a .S file
        return false;
    default:
        list.add(
            Severity::Error,
            "the arguments ask Clang for something other than code; remove the option that does "
            "(-fsyntax-only, -emit-ast, -Xclang -ast-dump and the like)",
            "clang");
        return true;
    }
}

// Side products have no place to go: nobody asked for the files, and disk is not touched.
void drop_side_products(clang::CompilerInvocation &invocation)
{
    invocation.getDependencyOutputOpts() = clang::DependencyOutputOptions();

    clang::FrontendOptions &front = invocation.getFrontendOpts();
    front.StatsFile.clear();
    front.TimeTracePath.clear();
    front.ModuleOutputPath.clear();
    front.SymbolGraphOutputDir.clear();
    front.DumpMinimizationHintsPath.clear();

    clang::DiagnosticOptions &diagnostics = invocation.getDiagnosticOpts();
    diagnostics.DiagnosticLogFile.clear();
    diagnostics.DiagnosticSerializationFile.clear();
    diagnostics.ShowColors = false;

    clang::CodeGenOptions &code = invocation.getCodeGenOpts();
    code.SplitDwarfFile.clear(); // all debug information stays in the object
    code.SplitDwarfOutput.clear();
    code.CoverageNotesFile.clear();
    code.ThinLinkBitcodeFile.clear();
    code.SaveTempsFilePrefix.clear();
    code.OptRecordFile.clear();
    code.StackUsageOutput.clear();
    code.AsSecureLogFile.clear();
    code.DIBugsReportFilePath.clear();
    code.TimePasses = false; // reports on standard error, which nobody reads
    code.TimePassesPerRun = false;
    code.TimePassesJson = false;
    code.TimePassesStatsFile = false;
    front.ShowStats = false;

    // Clang would build module files in a cache directory; without, #include stays textual.
    invocation.clearImplicitModuleBuildOptions();
}

} // namespace

clang::BackendAction back_end_action(clang::frontend::ActionKind kind)
{
    switch (kind) {
    case clang::frontend::EmitAssembly:
        return clang::Backend_EmitAssembly;
    case clang::frontend::EmitBC:
        return clang::Backend_EmitBC;
    case clang::frontend::EmitLLVM:
        return clang::Backend_EmitLL;
    default:
        return clang::Backend_EmitObj;
    }
}

bool apply_llvm_options(const std::vector<std::string> &options, DiagnosticList &list)
{
    if (options.empty())
        return true;
    for (const std::string &option : options) {
        if (llvm::StringRef(option).ltrim('-').consume_front("load")) {
            list.add(Severity::Error,
                     "'-mllvm " + option + "' is refused: plugins are not loaded here", "clang");
            return false;
        }
    }
    std::vector<const char *> argv = c_strings(options);
    argv.insert(argv.begin(), "clang (LLVM option parsing)");
    std::string complaint;
    llvm::raw_string_ostream stream(complaint);
    llvm::cl::ResetAllOptionOccurrences();
    if (llvm::cl::ParseCommandLineOptions(int(argv.size()), argv.data(), "", &stream))
        return true;
    list.add(Severity::Error, llvm::StringRef(complaint).trim());
    return false;
}

FrontEnd *front_end_create(const std::vector<std::string> &arguments,
                           llvm::IntrusiveRefCntPtr<RecordingFileSystem> files, InputLog &log,
                           DiagnosticList &list)
{
    auto *front = new FrontEnd;
    front->invocation = std::make_shared<clang::CompilerInvocation>();
    clang::CompilerInvocation &invocation = *front->invocation;
    {
        clang::DiagnosticOptions options;
        DiagnosticCollector collector(list, options, "");
        clang::DiagnosticsEngine engine(clang::DiagnosticIDs::create(), options, &collector, false);
        if (!clang::CompilerInvocation::CreateFromArgs(invocation, c_strings(arguments), engine,
                                                       clang_executable().c_str()))
            return nullptr;
    }
    if (refuse_plugins(invocation, list) || refuse_action(invocation, list))
        return nullptr;
    if (!apply_llvm_options(invocation.getFrontendOpts().LLVMArgs, list))
        return nullptr;
    drop_side_products(invocation);
    // Called when the passes are set up, which is when the front end has done its part.
    invocation.getCodeGenOpts().PassBuilderCallbacks.push_back(
        [front](llvm::PassBuilder &) { front->back_end_start = steady_seconds(); });

    front->collector =
        std::make_unique<DiagnosticCollector>(list, invocation.getDiagnosticOpts(), "");
    front->instance = std::make_unique<clang::CompilerInstance>(front->invocation);
    clang::CompilerInstance &instance = *front->instance;
    instance.createVirtualFileSystem(files, front->collector.get());
    instance.createDiagnostics(front->collector.get(), /*ShouldOwnClient=*/false);
    instance.setVerboseOutputStream(llvm::nulls());
    instance.setOutputManager(llvm::vfs::makeNullOutputBackend());
    instance.addDependencyCollector(std::make_shared<ClockWatch>(log));
    return front;
}

} // namespace kiln
