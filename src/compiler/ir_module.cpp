// ir_module.cpp - LLVM modules as sources. See ir_module.h.
#include "compiler/ir_module.h"

#include "clang/Basic/TargetInfo.h"
#include "clang/CodeGen/BackendUtil.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/SourceMgr.h"

namespace kiln
{
namespace
{

class BackEndMessages : public llvm::DiagnosticHandler
{
  public:
    explicit BackEndMessages(DiagnosticList &list) : list_(list) {}

    bool handleDiagnostics(const llvm::DiagnosticInfo &info) override
    {
        bool is_wanted =
            info.getSeverity() == llvm::DS_Error || info.getSeverity() == llvm::DS_Warning;
        if (!is_wanted)
            return true;
        std::string text;
        llvm::raw_string_ostream stream(text);
        llvm::DiagnosticPrinterRawOStream printer(stream);
        info.print(printer);
        list_.add(info.getSeverity() == llvm::DS_Error ? Severity::Error : Severity::Warning, text);
        return true;
    }

  private:
    DiagnosticList &list_;
};

void report_parse_error(const llvm::SMDiagnostic &problem, llvm::StringRef name,
                        DiagnosticList &list)
{
    Message message;
    message.file = name.str();
    message.line = problem.getLineNo() > 0 ? unsigned(problem.getLineNo()) : 0;
    message.column = problem.getColumnNo() >= 0 ? unsigned(problem.getColumnNo()) + 1 : 0;
    message.text = problem.getMessage().str();
    llvm::raw_string_ostream stream(message.rendered);
    problem.print(nullptr, stream, /*ShowColors=*/false);
    list.add(std::move(message));
}

// Whether the module was made for the processor and system that we compile for. One that does not
// say gets ours.
bool fits_target(llvm::Module &module, const clang::TargetInfo &target, llvm::StringRef name,
                 DiagnosticList &list)
{
    const llvm::Triple &ours = target.getTriple();
    const llvm::Triple theirs = module.getTargetTriple();
    bool is_silent = theirs.str().empty();
    bool fits = is_silent || (theirs.getArch() == ours.getArch() && theirs.getOS() == ours.getOS());
    if (!fits) {
        list.add(Severity::Error,
                 "'" + name.str() + "' was made for " + theirs.str() + ", not for " + ours.str());
        return false;
    }
    module.setTargetTriple(ours);
    if (module.getDataLayoutStr().empty())
        module.setDataLayout(target.getDataLayoutString());
    if (module.getDataLayoutStr() == target.getDataLayoutString())
        return true;
    list.add(Severity::Error,
             "the data layout of '" + name.str() + "' is not that of " + ours.str());
    return false;
}

bool is_cxx(const llvm::Module &module)
{
    return module.getFunction("__gxx_personality_v0") != nullptr;
}

} // namespace

std::unique_ptr<llvm::DiagnosticHandler> back_end_messages(DiagnosticList &list)
{
    return std::make_unique<BackEndMessages>(list);
}

std::unique_ptr<llvm::Module> read_module(llvm::MemoryBufferRef buffer, llvm::LLVMContext &context,
                                          DiagnosticList &list)
{
    std::string name = buffer.getBufferIdentifier().str();
    std::unique_ptr<llvm::Module> module;
    llvm::SMDiagnostic problem;
    std::string broken;
    llvm::CrashRecoveryContext::Enable();
    bool survived = llvm::CrashRecoveryContext().RunSafely([&] {
        module = llvm::parseIR(buffer, problem, context);
        llvm::raw_string_ostream stream(broken);
        if (module && llvm::verifyModule(*module, &stream))
            module.reset();
    });
    llvm::CrashRecoveryContext::Disable();
    if (!survived) {
        (void)module.release(); // who knows what is left of it
        list.add(Severity::Error,
                 "'" + name + "' is no valid LLVM module: LLVM's reader crashed on it");
        return nullptr;
    }
    if (!module && !broken.empty())
        list.add(Severity::Error,
                 "'" + name + "' is no valid LLVM module: " + llvm::StringRef(broken).trim().str());
    else if (!module)
        report_parse_error(problem, name, list);
    return module;
}

void emit_module(FrontEnd &front, llvm::Module &module, clang::BackendAction action,
                 std::unique_ptr<llvm::raw_pwrite_stream> stream)
{
    clang::CompilerInstance &instance = *front.instance;
    clang::emitBackendOutput(instance, instance.getCodeGenOpts(),
                             instance.getTarget().getDataLayoutString(), &module, action,
                             instance.getVirtualFileSystemPtr(), std::move(stream));
}

bool compile_module(FrontEnd &front, bool &cxx, OutputBytes &bytes, DiagnosticList &list)
{
    clang::CompilerInstance &instance = *front.instance;
    std::string name = instance.getFrontendOpts().Inputs.front().getFile().str();
    auto buffer = instance.getVirtualFileSystem().getBufferForFile(name);
    if (!buffer) {
        list.add(Severity::Error, "cannot read '" + name + "': " + buffer.getError().message());
        return false;
    }
    if (!instance.createTarget())
        return false;
    // Neither is freed: the job ends by exit.
    auto *context = new llvm::LLVMContext;
    context->setDiagnosticHandler(back_end_messages(list));
    llvm::Module *module = read_module(**buffer, *context, list).release();
    if (!module || !fits_target(*module, instance.getTarget(), name, list))
        return false;
    cxx = is_cxx(*module);
    emit_module(front, *module, back_end_action(instance.getFrontendOpts().ProgramAction),
                std::make_unique<llvm::raw_svector_ostream>(bytes));
    return !list.has_errors();
}

} // namespace kiln
