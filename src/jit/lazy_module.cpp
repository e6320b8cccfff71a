// lazy_module.cpp - see lazy_module.h.
#include "jit/lazy_module.h"
#include "jit/assembly_names.h"
#include "jit/engine.h"
#include "jit/processor_stubs.h"
#include "jit/refuse.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/Mangling.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Object/ModuleSymbolTable.h"
#include "llvm/Support/xxhash.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

#include <cerrno>
#include <cfenv>
#include <cstdio>
#include <cstdlib>

namespace kiln
{

using namespace llvm;

namespace
{

bool is_own(const GlobalValue &value)
{
    return !value.isDeclaration() && !value.hasAvailableExternallyLinkage() &&
           !value.getName().starts_with("llvm.");
}

bool is_inlined(const Function &function)
{
    return is_own(function) && !function.isInterposable() &&
           function.hasFnAttribute(Attribute::AlwaysInline);
}

// The function whose labels a constant holds; NULL: none.
const Function *function_of_labels(const Constant &constant)
{
    if (auto *label = dyn_cast<BlockAddress>(&constant))
        return label->getFunction();
    if (isa<GlobalValue>(constant))
        return nullptr;
    for (const Use &operand : constant.operands())
        if (const Function *function = function_of_labels(*cast<Constant>(operand)))
            return function;
    return nullptr;
}

bool refers_to_globals(const Constant &constant)
{
    return isa<GlobalValue>(constant) || any_of(constant.operands(), [](const Use &operand) {
               return refers_to_globals(*cast<Constant>(operand));
           });
}

// A constant of which every module may have a copy.
bool can_be_copied(const GlobalVariable &variable)
{
    constexpr uint64_t bytes_at_most = 256;
    return variable.hasInitializer() && variable.isConstant() && variable.hasGlobalUnnamedAddr() &&
           variable.hasHiddenVisibility() && !variable.isThreadLocal() &&
           variable.getDataLayout().getTypeAllocSize(variable.getValueType()) <= bytes_at_most &&
           !refers_to_globals(*variable.getInitializer());
}

} // namespace

// ---- copying into a module of its own ----

// Copies definitions, and declares what they refer to. Metadata is shared by all modules of a context.
class LazyModule::Copier : public ValueMaterializer
{
  public:
    // with_inlined: functions that are always inlined come along.
    Copier(LazyModule &own, Module &to, bool with_inlined)
        : own_(own), to_(to), with_inlined_(with_inlined)
    {
    }

    Value *materialize(Value *value) override
    {
        auto *global = dyn_cast<GlobalValue>(value);
        return global && global->getParent() == own_.module_.get() ? global_copy(*global) : nullptr;
    }
    // Copies of functions that live in their callers are made until no more are needed.
    Error copy_body(Function &function, Function &copy)
    {
        root_ = &function;
        if (Error error = clone(function, copy))
            return error;
        while (!to_copy_.empty()) {
            auto [from, into] = to_copy_.pop_back_val();
            if (Error error = clone(*from, *into))
                return error;
        }
        return Error::success();
    }
    Constant *map(Constant &constant)
    {
        return MapValue(&constant, values_, flags, nullptr, this);
    }
    void set(const Value &from, Value &into)
    {
        values_[&from] = &into;
    }

  private:
    static constexpr RemapFlags flags = RF_ReuseAndMutateDistinctMDs;

    // Its own definitions are within reach, and nobody's else.
    GlobalValue *declared(GlobalValue &made, const GlobalValue &global)
    {
        made.setVisibility(global.isDeclaration() ? global.getVisibility()
                                                  : GlobalValue::DefaultVisibility);
        made.setDSOLocal(is_own(global) && !global.isWeakForLinker());
        if (global.hasExternalWeakLinkage())
            made.setLinkage(GlobalValue::ExternalWeakLinkage);
        return &made;
    }

    GlobalValue *global_copy(GlobalValue &global)
    {
        if (auto *function = dyn_cast<Function>(&global))
            return function_copy(*function);
        if (auto *variable = dyn_cast<GlobalVariable>(&global))
            return variable_copy(*variable);
        if (isa<FunctionType>(global.getValueType()))
            return declared(*Function::Create(cast<FunctionType>(global.getValueType()),
                                              GlobalValue::ExternalLinkage, global.getName(), to_),
                            global);
        return declared(*new GlobalVariable(to_, global.getValueType(), false,
                                            GlobalValue::ExternalLinkage, nullptr, global.getName(),
                                            nullptr, global.getThreadLocalMode()),
                        global);
    }

    Function *function_copy(Function &function)
    {
        auto *made = Function::Create(function.getFunctionType(), GlobalValue::ExternalLinkage,
                                      function.getAddressSpace(), function.getName(), &to_);
        AttributeList attributes = function.getAttributes();
        made->setCallingConv(function.getCallingConv());
        made->setAttributes(attributes);
        if (with_inlined_ && function.hasAvailableExternallyLinkage()) {
            made->setLinkage(GlobalValue::AvailableExternallyLinkage);
            to_copy_.push_back({&function, made});
            return made;
        }
        declared(*made, function);
        return made;
    }

    // For calls alone: its address stays that of the stub.
    Function *inlined_copy(Function &function)
    {
        Function *&made = inlined_[&function];
        if (!made) {
            made = Function::Create(function.getFunctionType(), GlobalValue::InternalLinkage,
                                    function.getAddressSpace(),
                                    function.getName() + ".kiln.inlined", &to_);
            made->setCallingConv(function.getCallingConv());
            made->setAttributes(function.getAttributes());
            to_copy_.push_back({&function, made});
        }
        return made;
    }

    // A call of what is always inlined goes to a copy, and assembly calls things by their own names.
    void map_call(CallBase &call)
    {
        Value *called = call.getCalledOperand();
        auto *function = dyn_cast<Function>(called);
        RemapInstruction(&call, values_, flags, nullptr, this);
        if (with_inlined_ && function && function != root_ &&
            function->getParent() == own_.module_.get() && is_inlined(*function))
            call.setCalledOperand(inlined_copy(*function));
        if (auto *assembly = dyn_cast<InlineAsm>(called))
            call.setCalledOperand(InlineAsm::get(
                assembly->getFunctionType(),
                rename_in_assembly(assembly->getAsmString(), own_.renamed_),
                assembly->getConstraintString(), assembly->hasSideEffects(),
                assembly->isAlignStack(), assembly->getDialect(), assembly->canThrow()));
    }

    GlobalVariable *variable_copy(GlobalVariable &variable)
    {
        auto *made = new GlobalVariable(to_, variable.getValueType(), variable.isConstant(),
                                        GlobalValue::ExternalLinkage, nullptr, variable.getName(),
                                        nullptr, variable.getThreadLocalMode());
        made->copyAttributesFrom(&variable);
        bool is_table = own_.label_tables_.count(&variable) != 0;
        if (!is_table && !can_be_copied(variable)) {
            declared(*made, variable);
            return made;
        }
        made->setLinkage(GlobalValue::InternalLinkage);
        made->setVisibility(GlobalValue::DefaultVisibility);
        made->setDSOLocal(true);
        // It may hold labels of the function that is being copied.
        values_[&variable] = made;
        if (is_table)
            tables_.push_back({&variable, made});
        else
            made->setInitializer(variable.getInitializer());
        return made;
    }

    Error clone(Function &from, Function &into)
    {
        if (Error error = from.materialize())
            return error;
        into.copyAttributesFrom(&from);
        into.setPersonalityFn(nullptr);
        into.setComdat(nullptr);
        auto argument = into.arg_begin();
        for (Argument &old : from.args())
            values_[&old] = &*argument++;
        SmallVector<BasicBlock *, 32> blocks;
        for (BasicBlock &block : from) {
            BasicBlock *copy = CloneBasicBlock(&block, values_, "", &into);
            values_[&block] = copy;
            blocks.push_back(copy);
        }
        // Its labels are those of the copy; its address stays that of the stub.
        for (BasicBlock &block : from)
            if (BlockAddress *label = BlockAddress::lookup(&block))
                values_[label] = BlockAddress::get(&into, cast<BasicBlock>(values_[&block]));
        if (from.hasPersonalityFn())
            into.setPersonalityFn(map(*from.getPersonalityFn()));
        into.setSubprogram(from.getSubprogram());
        for (BasicBlock *block : blocks)
            for (Instruction &instruction : *block) {
                if (auto *call = dyn_cast<CallBase>(&instruction))
                    map_call(*call);
                else
                    RemapInstruction(&instruction, values_, flags, nullptr, this);
                RemapDbgRecordRange(&to_, instruction.getDbgRecordRange(), values_, flags, nullptr,
                                    this);
            }
        for (auto &[table, made] : std::exchange(tables_, {}))
            made->setInitializer(map(*table->getInitializer()));
        return Error::success();
    }

    LazyModule &own_;
    Module &to_;
    const bool with_inlined_;
    ValueToValueMapTy values_;
    SmallVector<std::pair<Function *, Function *>, 8> to_copy_;
    DenseMap<Function *, Function *> inlined_;
    const Function *root_ = nullptr; // of which there is no second copy
    std::vector<std::pair<GlobalVariable *, GlobalVariable *>> tables_;
};

std::unique_ptr<Module> LazyModule::new_module(StringRef name)
{
    auto made = std::make_unique<Module>(name, context_);
    made->setTargetTriple(module_->getTargetTriple());
    made->setDataLayout(module_->getDataLayout());
    made->setSourceFileName(module_->getSourceFileName());
    if (NamedMDNode *all = module_->getModuleFlagsMetadata())
        for (MDNode *flag : all->operands())
            made->getOrInsertModuleFlagsMetadata()->addOperand(flag);
    return made;
}

// ---- making ----

Expected<std::unique_ptr<LazyModule>> LazyModule::create(Engine &engine, jit_code &code,
                                                         StringRef name, StringRef bytes,
                                                         TargetMachine &machine)
{
    std::unique_ptr<LazyModule> made(new LazyModule(engine, code, machine));
    if (Error error = made->read(name, bytes))
        return error;
    if (Error error = made->check_for_parts())
        return error;
    made->publish_locals();
    if (Error error = made->publish_bounds())
        return error;
    made->find_label_tables();
    if (Error error = made->find_functions())
        return error;
    return made;
}

Error LazyModule::read(StringRef name, StringRef bytes)
{
    bytes_ = MemoryBuffer::getMemBufferCopy(bytes, name);
    auto module = getLazyBitcodeModule(bytes_->getMemBufferRef(), context_);
    if (!module)
        return module.takeError();
    module_ = std::move(*module);
    if (Error error = module_->materializeMetadata())
        return error;
    if (Error error = ir_settle_target(*module_, name, machine_))
        return error;
    suffix_ = ".kiln." + utohexstr(xxh3_64bits(name) ^ reinterpret_cast<uintptr_t>(this),
                                   /*LowerCase=*/true);
    slots_name_ = "kiln.slots" + suffix_;
    data_name_ = "kiln.data" + suffix_;
    return ir_settle(*module_);
}

static Error refuse_parts(const Twine &why)
{
    return refuse_as(KILN_BIND, "it cannot be compiled function by function: " + why);
}

Error LazyModule::check_for_parts() const
{
    // Clang lowers these in a pipeline of its own.
    static constexpr StringLiteral instrumentation[] = {"llvm.instrprof.", "llvm.matrix."};
    for (const Function &function : *module_)
        for (StringRef prefix : instrumentation)
            if (function.getName().starts_with(prefix))
                return refuse_parts("it uses '" + function.getName() + "'");
    using Symbol = object::BasicSymbolRef;
    std::string own;
    ModuleSymbolTable::CollectAsmSymbols(*module_, [&](StringRef name, Symbol::Flags flags) {
        if (!(flags & (Symbol::SF_Undefined | Symbol::SF_Global)) && !name.starts_with(".L"))
            own = name.str();
    });
    if (!own.empty())
        return refuse_parts("its assembly has a symbol '" + own + "' that is local");
    if (StringRef(module_->getModuleInlineAsm()).contains(".macro"))
        return refuse_parts("its assembly has macros");
    return Error::success();
}

// Everything has a name that others can refer to; what was local keeps to this dylib.
void LazyModule::publish_locals()
{
    unsigned unnamed = 0;
    for (GlobalValue &value : module_->global_values()) {
        if (!is_own(value))
            continue;
        if (!value.hasName())
            value.setName("kiln.unnamed" + Twine(unnamed++));
        if (!value.hasLocalLinkage())
            continue;
        std::string name = value.getName().str();
        value.setName(name + suffix_);
        renamed_[name] = value.getName().str();
        value.setLinkage(GlobalValue::ExternalLinkage);
        value.setVisibility(GlobalValue::HiddenVisibility);
    }
    module_->setModuleInlineAsm(rename_in_assembly(module_->getModuleInlineAsm(), renamed_));
}

// Where sections begin and end is this module's own matter. Its data has them; functions lie apart.
Error LazyModule::publish_bounds()
{
    for (GlobalVariable &bound : module_->globals()) {
        std::string section = section_of_bound(bound.getName()).str();
        const auto is_in = [&](const GlobalObject &object) {
            return is_own(object) && object.getSection() == section;
        };
        if (section.empty() || !bound.isDeclaration())
            continue;
        if (any_of(*module_, is_in))
            return refuse_parts("it asks where section '" + section +
                                "' lies, which has functions");
        if (none_of(module_->globals(), is_in))
            continue;
        bound.setName(bound.getName() + suffix_);
        bound.setLinkage(GlobalValue::ExternalLinkage);
        bound.setVisibility(GlobalValue::HiddenVisibility);
        bounds_.push_back(bound.getName().str());
    }
    return Error::success();
}

void LazyModule::find_label_tables()
{
    for (GlobalVariable &variable : module_->globals())
        if (variable.hasInitializer())
            if (const Function *function = function_of_labels(*variable.getInitializer()))
                label_tables_[&variable] = function;
}

static StubName name_of_stub(const GlobalValue &value)
{
    return {value.getName().str(), value.isWeakForLinker(), value.hasHiddenVisibility()};
}

Error LazyModule::find_functions()
{
    DenseMap<const Function *, size_t> indices;
    for (Function &function : *module_) {
        if (!is_own(function))
            continue;
        indices[&function] = functions_.size();
        functions_.push_back(&function);
        stubs_.push_back({name_of_stub(function), {}});
    }
    for (GlobalAlias &alias : module_->aliases()) {
        auto *function = dyn_cast_or_null<Function>(alias.getAliaseeObject());
        if (!function)
            continue;
        auto found = indices.find(function);
        if (found == indices.end())
            return refuse("'" + alias.getName() +
                          "' is another name of a function that has no code");
        stubs_[found->second].aliases.push_back(name_of_stub(alias));
    }
    bodies_.resize(functions_.size());
    generated_.resize(functions_.size());
    return Error::success();
}

void LazyModule::read_sizes(StringMap<uint64_t> &sizes) const
{
    for (const GlobalVariable &variable : module_->globals())
        if (is_own(variable))
            sizes[variable.getName()] =
                module_->getDataLayout().getTypeAllocSize(variable.getValueType());
}

// The engine makes these for each object (link_passes.h).
bool is_library_function(StringRef name)
{
    return any_of(library_functions,
                  [&](const LibraryFunction &what) { return name == what.name; });
}

std::vector<std::string> LazyModule::undefined() const
{
    std::vector<std::string> names;
    for (const Function &function : *module_) {
        bool is_copied = function.hasAvailableExternallyLinkage() &&
                         function.hasFnAttribute(Attribute::AlwaysInline);
        if (function.isDeclarationForLinker() && !is_copied && !function.isIntrinsic() &&
            !function.hasExternalWeakLinkage() && !is_library_function(function.getName()))
            names.push_back(function.getName().str());
    }
    for (const GlobalVariable &variable : module_->globals())
        if (variable.isDeclarationForLinker() && !variable.hasExternalWeakLinkage() &&
            !variable.getName().starts_with("llvm.") && variable.getName() != "__dso_handle")
            names.push_back(((variable.isThreadLocal() ? StringRef(emulated_tls_prefix) : "") +
                             variable.getName())
                                .str());
    return names;
}

std::string LazyModule::body_name(size_t index) const
{
    return stubs_[index].name.text + ".kiln.body" + suffix_;
}

// ---- generating ----

Expected<std::unique_ptr<MemoryBuffer>> LazyModule::generate_data()
{
    auto made = new_module(module_->getModuleIdentifier() + ".data");
    Copier copier(*this, *made, /*with_inlined=*/false);
    std::vector<std::pair<GlobalVariable *, GlobalVariable *>> variables;
    made->setModuleInlineAsm(module_->getModuleInlineAsm());
    for (GlobalVariable &variable : module_->globals()) {
        bool is_list =
            variable.hasAppendingLinkage() && variable.getName() != "llvm.global.annotations";
        if ((!is_own(variable) && !is_list) || label_tables_.count(&variable))
            continue;
        auto *copy = new GlobalVariable(*made, variable.getValueType(), variable.isConstant(),
                                        variable.getLinkage(), nullptr, variable.getName(), nullptr,
                                        variable.getThreadLocalMode());
        copy->copyAttributesFrom(&variable);
        copier.set(variable, *copy);
        variables.push_back({&variable, copy});
    }
    for (auto &[from, into] : variables)
        into->setInitializer(copier.map(*from->getInitializer()));
    for (GlobalAlias &alias : module_->aliases()) {
        if (isa_and_nonnull<Function>(alias.getAliaseeObject()))
            continue;
        auto *copy =
            GlobalAlias::create(alias.getValueType(), alias.getAddressSpace(), alias.getLinkage(),
                                alias.getName(), copier.map(*alias.getAliasee()), made.get());
        copy->setVisibility(alias.getVisibility());
    }
    // What the stubs refer to, so that it is linked with them.
    auto *anchor =
        new GlobalVariable(*made, Type::getInt8Ty(context_), true, GlobalValue::ExternalLinkage,
                           ConstantInt::get(Type::getInt8Ty(context_), 0), data_name_);
    anchor->setVisibility(GlobalValue::HiddenVisibility);
    return compiler_.compile(*made);
}

Expected<std::unique_ptr<MemoryBuffer>> LazyModule::generate(size_t index)
{
    Function &function = *functions_[index];
    auto made = new_module(stubs_[index].name.text);
    auto *copy = Function::Create(function.getFunctionType(), GlobalValue::ExternalLinkage,
                                  function.getAddressSpace(), body_name(index), made.get());
    Copier copier(*this, *made, /*with_inlined=*/true);
    if (Error error = copier.copy_body(function, *copy))
        return error;
    copy->setLinkage(GlobalValue::ExternalLinkage);
    copy->setVisibility(GlobalValue::HiddenVisibility);
    copy->setDSOLocal(true);
    if (DISubprogram *program = copy->getSubprogram(); program && program->getUnit())
        made->getOrInsertNamedMetadata("llvm.dbg.cu")->addOperand(program->getUnit());
    if (Error error = ir_optimise(*made, machine_))
        return error;
    return compiler_.compile(*made);
}

std::unique_ptr<jitlink::LinkGraph>
LazyModule::generate_stubs(std::shared_ptr<orc::SymbolStringPool> names)
{
    return make_stubs(module_->getModuleIdentifier() + ".stubs", stubs_, this, slots_name_,
                      data_name_, std::move(names));
}

// ---- units ----

namespace
{

class StubsUnit : public orc::MaterializationUnit
{
  public:
    StubsUnit(LazyModule &module, Interface interface)
        : MaterializationUnit(std::move(interface)), module_(module)
    {
    }
    StringRef getName() const override
    {
        return "stubs";
    }

  private:
    void materialize(std::unique_ptr<orc::MaterializationResponsibility> responsibility) override
    {
        auto names = responsibility->getExecutionSession().getSymbolStringPool();
        module_.engine().emit_graph(std::move(responsibility), module_.generate_stubs(names));
    }
    void discard(const orc::JITDylib &, const orc::SymbolStringPtr &) override {}

    LazyModule &module_;
};

class DataUnit : public orc::MaterializationUnit
{
  public:
    DataUnit(LazyModule &module, Interface interface)
        : MaterializationUnit(std::move(interface)), module_(module)
    {
    }
    StringRef getName() const override
    {
        return "data";
    }

  private:
    void materialize(std::unique_ptr<orc::MaterializationResponsibility> responsibility) override
    {
        auto object = module_.generate_data();
        if (object)
            module_.engine().emit_object(std::move(responsibility), std::move(*object));
        else
            module_.engine().fail(std::move(responsibility),
                                  refuse_parts(toString(object.takeError())));
    }
    void discard(const orc::JITDylib &, const orc::SymbolStringPtr &) override {}

    LazyModule &module_;
};

} // namespace

std::unique_ptr<orc::MaterializationUnit> LazyModule::stubs_unit(orc::ExecutionSession &session)
{
    orc::SymbolFlagsMap symbols;
    symbols[session.intern(slots_name_)] = JITSymbolFlags::None;
    const auto add = [&](const StubName &name) {
        JITSymbolFlags flags = JITSymbolFlags::Callable;
        if (!name.is_hidden)
            flags |= JITSymbolFlags::Exported;
        if (name.is_weak)
            flags |= JITSymbolFlags::Weak;
        symbols[session.intern(name.text)] = flags;
    };
    for (const Stub &stub : stubs_) {
        add(stub.name);
        for (const StubName &alias : stub.aliases)
            add(alias);
    }
    return std::make_unique<StubsUnit>(
        *this, orc::MaterializationUnit::Interface(std::move(symbols), nullptr));
}

std::unique_ptr<orc::MaterializationUnit> LazyModule::data_unit(orc::ExecutionSession &session)
{
    std::vector<GlobalValue *> values;
    for (GlobalVariable &variable : module_->globals())
        if (is_own(variable) && !label_tables_.count(&variable))
            values.push_back(&variable);
    for (GlobalAlias &alias : module_->aliases())
        if (!isa_and_nonnull<Function>(alias.getAliaseeObject()))
            values.push_back(&alias);
    orc::SymbolFlagsMap symbols;
    orc::IRSymbolMapper::ManglingOptions options;
    options.EmulatedTLS = true;
    orc::IRSymbolMapper::add(session, options, values, symbols);
    symbols[session.intern(data_name_)] = JITSymbolFlags::None;
    for (const std::string &bound : bounds_)
        symbols[session.intern(bound)] = JITSymbolFlags::None;
    ir_assembly_symbols(*module_, [&](StringRef name, JITSymbolFlags flags) {
        symbols.try_emplace(session.intern(name), flags);
    });
    return std::make_unique<DataUnit>(
        *this, orc::MaterializationUnit::Interface(std::move(symbols), nullptr));
}

// ---- at the first call ----

void *LazyModule::resolve(size_t index)
{
    return engine_.resolve_lazy(*this, index, {bodies_[index], slots_});
}

void LazyModule::complete()
{
    for (size_t i = 0; i < bodies_.size(); i++)
        engine_.complete_lazy(*this, i, {bodies_[i], slots_});
}

[[noreturn]] static void called_too_late()
{
    fputs("kiln: a function was called that could not be compiled before its JIT had ended\n",
          stderr);
    fflush(stderr);
    abort();
}

void LazyModule::leave()
{
    for (size_t i = 0; slots_ && i < bodies_.size(); i++)
        __atomic_store_n(&slots_[i],
                         bodies_[i] ? bodies_[i] : reinterpret_cast<void *>(called_too_late),
                         __ATOMIC_RELEASE);
}

extern "C" void *kiln_lazy_resolve(LazyModule *module, size_t index)
{
    int kept_errno = errno;
    fenv_t kept;
    fegetenv(&kept);
    fesetenv(FE_DFL_ENV); // LLVM's own arithmetic is not the caller's
    void *address = module->resolve(index);
    fesetenv(&kept);
    errno = kept_errno;
    return address;
}

} // namespace kiln
