// ir_code.cpp - see ir_code.h.
#include "jit/ir_code.h"
#include "jit/refuse.h"

#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ModuleSymbolTable.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

#include <set>

namespace kiln
{

using namespace llvm;

namespace
{

// What LLVM has to say while it works; errors of code generation come this way alone.
class Diagnostics : public DiagnosticHandler
{
  public:
    explicit Diagnostics(std::string &errors) : errors_(errors) {}
    bool handleDiagnostics(const DiagnosticInfo &information) override
    {
        if (information.getSeverity() != DS_Error)
            return true;
        raw_string_ostream stream(errors_);
        DiagnosticPrinterRawOStream printer(stream);
        information.print(printer);
        stream << "\n";
        return true;
    }

  private:
    std::string &errors_;
};

// For as long as it lives, errors of a context come here; by default LLVM prints them and exits.
class Errors
{
  public:
    explicit Errors(LLVMContext &context)
        : context_(context), earlier_(context.getDiagnosticHandler())
    {
        context.setDiagnosticHandler(std::make_unique<Diagnostics>(text_));
    }
    ~Errors()
    {
        context_.setDiagnosticHandler(std::move(earlier_));
    }
    StringRef text() const
    {
        return StringRef(text_).rtrim();
    }

  private:
    LLVMContext &context_;
    std::unique_ptr<DiagnosticHandler> earlier_;
    std::string text_;
};

// ---- ifuncs ----

// f becomes a function that jumps to what its resolver has chosen, which a constructor of the highest
// priority asks it for.
void settle_ifunc(Module &module, GlobalIFunc &choice)
{
    LLVMContext &context = module.getContext();
    auto *resolver = cast<Function>(choice.getResolver()->stripPointerCastsAndAliases());
    auto *type = cast<FunctionType>(choice.getValueType());
    std::string name = choice.getName().str();
    auto *pointer = PointerType::getUnqual(context);
    auto *chosen = new GlobalVariable(module, pointer, false, GlobalValue::InternalLinkage,
                                      ConstantPointerNull::get(pointer), name + ".kiln.chosen");
    auto *function =
        Function::Create(type, choice.getLinkage(), choice.getAddressSpace(), "", &module);
    function->setVisibility(choice.getVisibility());
    function->takeName(&choice);
    IRBuilder<> builder(BasicBlock::Create(context, "entry", function));
    SmallVector<Value *, 8> arguments;
    for (Argument &argument : function->args())
        arguments.push_back(&argument);
    CallInst *call = builder.CreateCall(type, builder.CreateLoad(pointer, chosen), arguments);
    call->setTailCallKind(CallInst::TCK_MustTail);
    if (type->getReturnType()->isVoidTy())
        builder.CreateRetVoid();
    else
        builder.CreateRet(call);
    choice.replaceAllUsesWith(function);
    choice.eraseFromParent();
    auto *choose = Function::Create(FunctionType::get(Type::getVoidTy(context), false),
                                    GlobalValue::InternalLinkage, name + ".kiln.choose", module);
    builder.SetInsertPoint(BasicBlock::Create(context, "entry", choose));
    builder.CreateStore(builder.CreateCall(resolver->getFunctionType(), resolver), chosen);
    builder.CreateRetVoid();
    appendToGlobalCtors(module, choose, 0);
}

Error settle_ifuncs(Module &module)
{
    for (GlobalIFunc &choice : make_early_inc_range(module.ifuncs())) {
        if (!isa<Function>(choice.getResolver()->stripPointerCastsAndAliases()) ||
            !isa<FunctionType>(choice.getValueType()))
            return refuse("the resolver of ifunc '" + choice.getName() + "' is no function");
        settle_ifunc(module, choice);
    }
    return Error::success();
}

// What others may refer to is there, whether this module still needs it or not.
void settle_definitions(Module &module)
{
    for (GlobalObject &object : module.global_objects()) {
        const Comdat *group = object.getComdat();
        // Of a group there is one in all, whatever its members are.
        if (group && object.hasExternalLinkage() &&
            group->getSelectionKind() != Comdat::NoDeduplicate)
            object.setLinkage(GlobalValue::WeakAnyLinkage);
        object.setComdat(nullptr);
    }
    for (GlobalValue &value : module.global_values()) {
        if (value.hasLinkOnceLinkage())
            value.setLinkage(GlobalValue::getWeakLinkage(value.hasLinkOnceODRLinkage()));
        // What may be another's may be far away, though it was compiled for a program.
        if (value.hasDefaultVisibility() && !value.hasLocalLinkage() &&
            (value.isDeclarationForLinker() || value.isWeakForLinker()))
            value.setDSOLocal(false);
    }
}

// "\1NAME" is the name as it is, with nothing before it (Language Reference, Identifiers): on this system
// the same as NAME.
Error settle_names(Module &module)
{
    std::vector<GlobalValue *> marked;
    for (GlobalValue &value : module.global_values())
        if (value.getName().starts_with("\1"))
            marked.push_back(&value);
    for (GlobalValue *value : marked) {
        std::string name = value->getName().drop_front().str();
        GlobalValue *other = module.getNamedValue(name);
        if (!other) {
            value->setName(name);
            continue;
        }
        if (!other->isDeclaration())
            std::swap(value, other);
        if (!other->isDeclaration())
            return refuse("it defines '" + name + "' twice");
        other->replaceAllUsesWith(value);
        other->eraseFromParent();
        value->setName(name);
    }
    return Error::success();
}

} // namespace

Expected<orc::ThreadSafeModule> ir_read(StringRef name, StringRef bytes,
                                        const TargetMachine &machine)
{
    auto context = std::make_unique<LLVMContext>();
    Errors errors(*context);
    SMDiagnostic diagnostic;
    auto buffer = MemoryBuffer::getMemBufferCopy(bytes, name);
    auto module = parseIR(*buffer, diagnostic, *context);
    if (!module) {
        std::string text;
        raw_string_ostream stream(text);
        diagnostic.print("", stream, /*ShowColors=*/false);
        if (!errors.text().empty())
            stream << errors.text();
        return refuse(StringRef(text).rtrim());
    }
    std::string problem;
    raw_string_ostream stream(problem);
    if (verifyModule(*module, &stream))
        return refuse(name + ": " + StringRef(problem).rtrim());
    if (Error error = ir_settle_target(*module, name, machine))
        return error;
    if (Error error = ir_settle(*module))
        return error;
    return orc::ThreadSafeModule(std::move(module), std::move(context));
}

Error ir_settle_target(Module &module, StringRef name, const TargetMachine &machine)
{
    const Triple &triple = machine.getTargetTriple();
    if (!module.getTargetTriple().empty() && module.getTargetTriple().getArch() != triple.getArch())
        return refuse(name + ": is made for " + module.getTargetTriple().str() + ", not for " +
                      triple.str());
    if (!module.getDataLayoutStr().empty() && module.getDataLayout() != machine.createDataLayout())
        return refuse(name + ": has the data layout '" + module.getDataLayoutStr() +
                      "', not that of this processor, '" +
                      machine.createDataLayout().getStringRepresentation() + "'");
    module.setTargetTriple(triple);
    module.setDataLayout(machine.createDataLayout());
    module.setModuleIdentifier(name);
    module.setPICLevel(PICLevel::BigPIC);
    return Error::success();
}

Error ir_settle(Module &module)
{
    if (Error error = settle_names(module))
        return error;
    if (Error error = settle_ifuncs(module))
        return error;
    settle_definitions(module);
    return Error::success();
}

void ir_discard(GlobalValue &value)
{
    // Be it by a constant expression.
    std::set<const User *> aliases;
    for (GlobalAlias &alias : value.getParent()->aliases()) {
        const User *user = &alias;
        for (; user; user = dyn_cast<ConstantExpr>(user->getOperand(0)))
            aliases.insert(user);
    }
    const auto is_aliased = [&](const Use &use) { return aliases.count(use.getUser()) != 0; };
    auto *object = dyn_cast<GlobalObject>(&value);
    if (object && none_of(value.uses(), is_aliased)) {
        // Only what is the same everywhere may be used in place of the other one.
        bool is_same = value.hasWeakODRLinkage();
        if (auto *function = dyn_cast<Function>(object); function && !is_same)
            function->deleteBody();
        else if (!is_same)
            cast<GlobalVariable>(object)->setInitializer(nullptr);
        object->setLinkage(is_same ? GlobalValue::AvailableExternallyLinkage
                                   : GlobalValue::ExternalLinkage);
        object->setDSOLocal(false);
        return;
    }
    // Aliases keep what they stand for; all else refers to the other one of that name.
    std::string name = value.getName().str();
    value.setName(name + ".kiln.discarded");
    GlobalValue *other;
    if (auto *type = dyn_cast<FunctionType>(value.getValueType()))
        other = Function::Create(type, GlobalValue::ExternalLinkage, name, value.getParent());
    else
        other = new GlobalVariable(*value.getParent(), value.getValueType(), false,
                                   GlobalValue::ExternalLinkage, nullptr, name, nullptr,
                                   value.getThreadLocalMode());
    value.replaceUsesWithIf(other, [&](const Use &use) { return !is_aliased(use); });
    if (object) {
        value.setLinkage(GlobalValue::InternalLinkage);
        return;
    }
    value.replaceAllUsesWith(cast<GlobalAlias>(value).getAliasee());
    value.eraseFromParent();
}

void ir_assembly_symbols(const Module &module,
                         function_ref<void(StringRef name, JITSymbolFlags flags)> found)
{
    using Symbol = object::BasicSymbolRef;
    ModuleSymbolTable::CollectAsmSymbols(module, [&](StringRef name, Symbol::Flags flags) {
        if ((flags & Symbol::SF_Undefined) || !(flags & Symbol::SF_Global))
            return;
        JITSymbolFlags kind = JITSymbolFlags::Exported;
        if (flags & Symbol::SF_Weak)
            kind |= JITSymbolFlags::Weak;
        found(name, kind);
    });
}

Expected<std::unique_ptr<TargetMachine>> ir_target_machine(unsigned optimisation)
{
    Triple triple(sys::getProcessTriple());
    std::string problem;
    const Target *target = TargetRegistry::lookupTarget(triple, problem);
    if (!target)
        return refuse(problem);
    TargetOptions options;
    options.EmulatedTLS = true;
    options.FunctionSections = options.DataSections = false;
    return std::unique_ptr<TargetMachine>(
        target->createTargetMachine(triple, "x86-64", "", options, Reloc::PIC_, CodeModel::Small,
                                    CodeGenOptLevel(optimisation), /*JIT=*/true));
}

static Error refuse_module(const Module &module, StringRef errors)
{
    return errors.empty() ? Error::success() : refuse(module.getModuleIdentifier() + ": " + errors);
}

Error ir_optimise(Module &module, TargetMachine &machine)
{
    Errors errors(module.getContext());
    static constexpr const OptimizationLevel *levels[] = {
        &OptimizationLevel::O0, &OptimizationLevel::O1, &OptimizationLevel::O2,
        &OptimizationLevel::O3};
    OptimizationLevel level = *levels[unsigned(machine.getOptLevel())];
    LoopAnalysisManager loops;
    FunctionAnalysisManager functions;
    CGSCCAnalysisManager groups;
    ModuleAnalysisManager modules;
    PassBuilder builder(&machine);
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(groups);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, groups, modules);
    ModulePassManager passes = level == OptimizationLevel::O0
                                   ? builder.buildO0DefaultPipeline(level)
                                   : builder.buildPerModuleDefaultPipeline(level);
    passes.run(module, modules);
    return refuse_module(module, errors.text());
}

struct IrCompiler::Passes {
    SmallVector<char, 0> bytes;
    raw_svector_ostream stream{bytes};
    legacy::PassManager all;
};

IrCompiler::IrCompiler(TargetMachine &machine) : machine_(machine) {}
IrCompiler::~IrCompiler() = default;

Expected<std::unique_ptr<MemoryBuffer>> IrCompiler::compile(Module &module)
{
    Errors errors(module.getContext());
    if (!passes_) {
        passes_ = std::make_unique<Passes>();
        MCContext *unused;
        if (machine_.addPassesToEmitMC(passes_->all, unused, passes_->stream)) {
            passes_.reset();
            return refuse("no code can be generated for this processor");
        }
    }
    passes_->all.run(module);
    if (Error error = refuse_module(module, errors.text())) {
        passes_.reset(); // whatever state they are in
        return error;
    }
    auto object = MemoryBuffer::getMemBufferCopy(
        StringRef(passes_->bytes.data(), passes_->bytes.size()), module.getModuleIdentifier());
    passes_->bytes.clear();
    return object;
}

} // namespace kiln
