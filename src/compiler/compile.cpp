// compile.cpp - the steps of a compile. See compile.h.
#include "compiler/compile.h"
#include "compiler/assemble.h"
#include "compiler/driver.h"
#include "compiler/file_gate.h"
#include "compiler/function_edit.h"
#include "compiler/hot_consumer.h"
#include "compiler/hot_pass.h"
#include "compiler/invocation.h"
#include "compiler/ir_module.h"
#include "compiler/parallel_back_end.h"

#include "clang/CodeGen/CodeGenAction.h"
#include "clang/Driver/Types.h"
#include "clang/Frontend/FrontendActions.h"
#include "clang/Frontend/Utils.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/PrettyStackTrace.h"

#include <time.h>

namespace kiln
{
namespace
{

// What one compile works with.
struct Work {
    const CompileRequest &request;
    const Surroundings &surroundings;
    InputLog &log;
    llvm::IntrusiveRefCntPtr<RecordingFileSystem> files;
    CompileResult &result;
};

// The driver's arguments: the user's, between what comes from the surroundings and what says how to
// treat the source.
std::vector<std::string> driver_arguments(const Work &work, std::vector<std::string> mode,
                                          const std::string &language)
{
    // Link arguments are given to compiles too: what is not used here is no cause for a warning.
    std::vector<std::string> arguments{"-Qunused-arguments"};
    const std::string &memory = work.surroundings.virtual_directory;
    if (!memory.empty())
        arguments.insert(arguments.end(), {"-iquote" + memory, "-I" + memory});
    arguments.insert(arguments.end(), work.request.arguments.begin(), work.request.arguments.end());
    arguments.insert(arguments.end(), mode.begin(), mode.end());
    if (!language.empty())
        arguments.insert(arguments.end(), {"-x", language});
    arguments.insert(arguments.end(), {"--", work.request.source});
    return arguments;
}

// The one job that the driver makes of the arguments, or nothing: then the diagnostics say why.
std::optional<DriverJob> single_job(Work &work, const std::vector<std::string> &arguments,
                                    ToolKind tool)
{
    DiagnosticList &list = work.result.diagnostics;
    if (llvm::is_contained(arguments, "-fno-integrated-as")) {
        list.add(Severity::Error, "'-fno-integrated-as' is refused: no other program is run",
                 "clang");
        return std::nullopt;
    }
    std::vector<DriverJob> jobs = run_driver(arguments, work.files, list);
    // What one compilation hands to the next goes through a temporary file, which the driver makes.
    bool several = llvm::any_of(list.messages, [](const Message &message) {
        return llvm::StringRef(message.text).starts_with("unable to make temporary file");
    });
    if (several)
        list.messages.clear();
    if (list.has_errors())
        return std::nullopt;
    if (jobs.size() == 1 && jobs[0].tool == tool)
        return std::move(jobs[0]);
    if (jobs.empty() && !several)
        list.add(Severity::Error, "the arguments leave nothing to compile", "clang");
    else
        list.add(
            Severity::Error,
            "the arguments ask for several compilations of one source; remove the options that do "
            "(-save-temps, -emit-ast, -fembed-bitcode, offloading and the like)",
            "clang");
    return std::nullopt;
}

// hot: NULL for an ordinary unit.
std::unique_ptr<clang::CodeGenAction> action_for(clang::frontend::ActionKind kind, HotWork *hot)
{
    switch (kind) {
    case clang::frontend::EmitAssembly:
        return hot_action<clang::EmitAssemblyAction>(hot);
    case clang::frontend::EmitBC:
        return hot_action<clang::EmitBCAction>(hot);
    case clang::frontend::EmitLLVM:
        return hot_action<clang::EmitLLVMAction>(hot);
    default:
        return hot_action<clang::EmitObjAction>(hot);
    }
}

// What the local symbols of a unit are told apart by, where they have to be seen beyond their
// piece.
std::string unit_suffix(const std::vector<std::string> &arguments)
{
    Digest digest = digest_of(llvm::join(arguments, llvm::StringRef("\0", 1)));
    return ".kiln." +
           llvm::toHex(llvm::ArrayRef<uint8_t>(digest).take_front(8), /*LowerCase=*/true);
}

bool run_front_end(Work &work, const DriverJob &job, FrontEnd &front, OutputBytes &bytes)
{
    clang::CompilerInstance &instance = *front.instance;
    clang::CodeGenOptions &options = instance.getCodeGenOpts();
    clang::frontend::ActionKind kind = instance.getFrontendOpts().ProgramAction;
    instance.setOutputStream(std::make_unique<llvm::raw_svector_ostream>(bytes));
    // Not destroyed, as the front end: it owns the module, and the job ends by exit.
    clang::CodeGenAction *action = action_for(kind, work.request.hot).release();
    if (work.request.hot) {
        options.CXXCtorDtorAliases = false; // each of them has its own entry
        hot_pass_install(options, *work.request.hot, work.result.diagnostics);
    }
    bool is_parallel = work.request.codegen_units > 1 && kind == clang::frontend::EmitObj &&
                       ParallelBackEnd::is_possible(options);
    if (!is_parallel)
        return instance.ExecuteAction(*action);
    ParallelBackEnd back_end(work.request.codegen_units, unit_suffix(job.arguments), work.log,
                             work.result.diagnostics);
    back_end.install(options);
    return back_end.finish(instance.ExecuteAction(*action), bytes);
}

// What is skipped is not missing: nothing is said of it (HotNames::seem_used does the rest).
void look_for_function_edit(Work &work, DriverJob &job)
{
    if (!function_edit_is_possible(*work.request.hot))
        return;
    auto source = work.files->getBufferForFile(work.request.source);
    if (!source)
        return;
    function_edit_find(*work.request.hot, (*source)->getBuffer());
    if (work.request.hot->single_function)
        job.arguments.insert(job.arguments.end(),
                             {"-Wno-undefined-internal", "-Wno-undefined-internal-type",
                              "-Wno-undefined-inline", "-Wno-unused-private-field",
                              "-Wno-unused-member-function", "-Wno-unused-template",
                              "-Wno-unneeded-internal-declaration", "-Wno-unneeded-member-function",
                              "-Wno-undefined-func-template", "-Wno-undefined-var-template"});
}

// C, C++ and LLVM IR.
void compile_code(Work &work)
{
    OutputKind output = work.request.output;
    std::vector<std::string> mode;
    bool is_text = output == OutputKind::Ir || output == OutputKind::Assembly;
    mode.push_back(is_text ? "-S" : "-c");
    if (output != OutputKind::Object && output != OutputKind::Assembly)
        mode.push_back("-emit-llvm");
    auto job =
        single_job(work, driver_arguments(work, mode, work.request.language), ToolKind::Compiler);
    if (!job)
        return;
    double start = steady_seconds();
    CompileResult &result = work.result;
    if (work.request.hot)
        look_for_function_edit(work, *job);
    FrontEnd *front = front_end_create(job->arguments, work.files, work.log, result.diagnostics);
    if (!front)
        return;
    if (output == OutputKind::RawBitcode) {
        front->instance->getCodeGenOpts().DisableLLVMPasses = true;
        front->instance->getCodeGenOpts().EmitLLVMUseLists = false; // the driver asks for them
    }
    if (work.request.hot && work.request.hot->single_function)
        front->instance->getFrontendOpts().SkipFunctionBodies = true;
    clang::Language language =
        front->instance->getFrontendOpts().Inputs.front().getKind().getLanguage();
    result.cxx = language == clang::Language::CXX;
    OutputBytes bytes;
    bool done = language == clang::Language::LLVM_IR
                    ? compile_module(*front, result.cxx, bytes, result.diagnostics)
                    : run_front_end(work, *job, *front, bytes);
    double end = steady_seconds();
    result.frontend_seconds = (front->back_end_start > 0 ? front->back_end_start : end) - start;
    result.backend_seconds = end - start - result.frontend_seconds;
    if (done)
        result.output = std::move(bytes);
}

// -E into memory.
class PreprocessAction : public clang::PreprocessorFrontendAction
{
  public:
    explicit PreprocessAction(llvm::raw_ostream &stream) : stream_(stream) {}

  protected:
    void ExecuteAction() override
    {
        clang::CompilerInstance &instance = getCompilerInstance();
        clang::DoPrintPreprocessedInput(instance.getPreprocessor(), &stream_,
                                        instance.getPreprocessorOutputOpts());
    }

  private:
    llvm::raw_ostream &stream_;
};

std::unique_ptr<llvm::MemoryBuffer> preprocess(Work &work)
{
    auto job =
        single_job(work, driver_arguments(work, {"-E"}, "assembler-with-cpp"), ToolKind::Compiler);
    if (!job)
        return nullptr;
    FrontEnd *front =
        front_end_create(job->arguments, work.files, work.log, work.result.diagnostics);
    if (!front)
        return nullptr;
    std::string text;
    llvm::raw_string_ostream stream(text);
    auto *action = new PreprocessAction(stream); // kept, as the front end
    if (!front->instance->ExecuteAction(*action))
        return nullptr;
    return llvm::MemoryBuffer::getMemBufferCopy(text, work.request.source);
}

std::unique_ptr<llvm::MemoryBuffer> read_source(Work &work)
{
    auto buffer = work.files->getBufferForFile(work.request.source);
    if (buffer)
        return std::move(*buffer);
    work.result.diagnostics.add(
        Severity::Error,
        "cannot read '" + work.request.source + "': " + buffer.getError().message(), "clang");
    return nullptr;
}

void compile_assembly(Work &work, bool with_preprocessor)
{
    OutputKind output = work.request.output;
    if (output != OutputKind::Object && output != OutputKind::Assembly) {
        work.result.diagnostics.add(
            Severity::Error,
            "'" + work.request.source + "' is assembly: it cannot become LLVM code", "clang");
        return;
    }
    auto job = single_job(work, driver_arguments(work, {"-c"}, "assembler"), ToolKind::Assembler);
    if (!job)
        return;
    auto text = with_preprocessor ? preprocess(work) : read_source(work);
    if (!text)
        return;
    double start = steady_seconds();
    OutputBytes bytes;
    if (assemble(*job, {work.request.source, std::move(text)}, work.files, output, bytes,
                 work.result.diagnostics))
        work.result.output = std::move(bytes);
    work.result.backend_seconds = steady_seconds() - start;
}

// How the driver would treat the source, by its language or its name.
clang::driver::types::ID type_of(const CompileRequest &request)
{
    if (!request.language.empty())
        return clang::driver::types::lookupTypeForTypeSpecifier(request.language.c_str());
    llvm::StringRef extension = llvm::sys::path::extension(request.source);
    return clang::driver::types::lookupTypeForExtension(
        extension.drop_front(extension.empty() ? 0 : 1));
}

void compile_by_type(Work &work)
{
    switch (type_of(work.request)) {
    case clang::driver::types::TY_Asm:
        return compile_assembly(work, /*with_preprocessor=*/true);
    case clang::driver::types::TY_PP_Asm:
        return compile_assembly(work, /*with_preprocessor=*/false);
    default:
        return compile_code(work);
    }
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
    std::string activity = "compiling '" + request.source + "'";
    llvm::PrettyStackTraceString trace(activity.c_str());
    CompileResult result;
    InputLog log(surroundings.directory);
    {
        GateRecording recording(log);
        auto files = llvm::makeIntrusiveRefCnt<RecordingFileSystem>(
            log, surroundings.virtual_directory, surroundings.memory_files);
        files->set_script(request.source);
        Work work{request, surroundings, log, files, result};
        compile_by_type(work);
    }
    std::vector<std::string> changed;
    result.inputs = log.finish(&changed);
    for (const std::string &path : changed)
        result.diagnostics.add(Severity::Error,
                               "'" + path + "' changed while it was being compiled; try again");
    if (result.diagnostics.has_errors())
        result.output.reset();
    return result;
}

} // namespace kiln
