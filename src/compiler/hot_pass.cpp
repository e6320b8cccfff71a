// hot_pass.cpp - the pass over a hot unit's module. See hot_pass.h.
//
// Method: names are settled first, for all of the module; then digests, which count references by
// these names; then each definition is kept, replaced or dropped. A function or constant that is
// replaced keeps its llvm::Function or llvm::GlobalVariable as the declaration that everybody
// refers to; its body moves to a new one.
#include "compiler/hot_pass.h"
#include "compiler/hot_aliases.h"
#include "compiler/hot_entry.h"
#include "compiler/hot_initialisers.h"
#include "compiler/hot_names.h"
#include "compiler/ir_digest.h"

#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/xxhash.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

namespace kiln
{
namespace
{

constexpr llvm::StringLiteral name_annotation = "kiln.name:";
// Initial values above this are not kept for a reset.
constexpr uint64_t kept_initial_value_limit = 1 << 20;

// What runs the initialisers of thread-locals before they are used. It belongs to the generation
// that defined the variable: a later one does not know the initialisers any more.
bool is_thread_wrapper(llvm::StringRef name)
{
    return name.starts_with("_ZTW");
}

class HotModule
{
  public:
    HotModule(llvm::Module &module, HotWork &work)
        : module_(module), work_(work),
          digest_([this](const llvm::GlobalValue &value) { return reference_name(value); })
    {
    }
    void run();

  private:
    void name_skipped();
    void drop_kept_code();
    void free_always_inline();
    void take_annotations();
    void settle_names();
    void settle_name(llvm::GlobalValue &value);
    bool is_managed(const llvm::GlobalValue &value) const;
    bool is_managed_function(const llvm::Function &function) const;
    bool is_managed_variable(const llvm::GlobalVariable &variable) const;
    bool is_needed_outside(const llvm::Function &function) const;
    llvm::StringRef reference_name(const llvm::GlobalValue &value);
    void digest_data();
    void digest_functions();
    bool must_be_remade(const llvm::GlobalVariable &variable) const;
    const llvm::GlobalVariable *guarded_by(const llvm::GlobalVariable &guard) const;
    llvm::SmallPtrSet<llvm::Function *, 16> changed_functions();

    void drop_known_structors(llvm::StringRef list_name);
    void handle_aliases();
    void handle_ifuncs();
    void handle_alias(llvm::GlobalAlias &alias, llvm::GlobalVariable &target);
    llvm::GlobalValue *declare(const llvm::GlobalVariable &like, llvm::StringRef name);
    void handle_function(llvm::Function &function);
    HotSymbol symbol_of(const llvm::GlobalVariable &variable) const;
    void handle_variable(llvm::GlobalVariable &variable);
    void handle_known_variable(llvm::GlobalVariable &variable, const HotSymbol &known,
                               HotSymbol symbol);
    void export_definition(llvm::GlobalObject &object, llvm::StringRef name);
    void make_declaration(llvm::GlobalValue &value, llvm::StringRef name);
    void move_body(llvm::Function &function, llvm::StringRef body_name);
    void keep_bytes(llvm::GlobalVariable &variable, llvm::StringRef name);
    void replace_direct_calls(llvm::Function &from, llvm::Function &to);
    void mark_guards();
    void name_references();
    void carry_over();
    void keep_table();

    void notice(HotNoticeKind kind, const HotSymbol &symbol, llvm::StringRef detail)
    {
        work_.unit.notices.push_back({kind, symbol.name, symbol.display, detail.str(), ""});
    }
    HotSymbol new_symbol(llvm::StringRef name, HotKind kind) const;
    std::string body_name(llvm::StringRef name) const
    {
        return name.str() + ".kiln.g" + std::to_string(work_.generation);
    }
    const HotSymbol *known(llvm::StringRef name) const
    {
        return work_.baseline.symbol(name);
    }

    struct Plan {
        std::string name;
        uint64_t content = 0, type = 0, lines = 0;
    };

    // Whether the code that runs was compiled from other lines of the source.
    bool has_moved(const Plan &plan) const
    {
        const HotSymbol *before = known(plan.name);
        return before && before->lines != plan.lines;
    }

    // Whether it is to take the place of what runs.
    bool differs(const Plan &plan) const
    {
        const HotSymbol *before = known(plan.name);
        return before && (before->content != plan.content || (work_.follow_up && has_moved(plan)));
    }

    llvm::Module &module_;
    HotWork &work_;
    bool replaces_all_ = false; // a unit that is built as a whole, and differs
    IrDigest digest_;
    llvm::DenseMap<const llvm::GlobalValue *, Plan> plans_; // of managed definitions
    llvm::DenseMap<const llvm::GlobalValue *, std::string> annotated_;
    llvm::DenseMap<const llvm::GlobalValue *, std::string> references_;
    llvm::SmallPtrSet<const llvm::GlobalValue *, 8> remade_; // data that cannot stay in its place
};

// How other generations refer to a symbol: data that had to be made anew has another name since.
std::string place_name(const HotSymbol &symbol)
{
    bool is_remade = symbol.kind != HotKind::Function && symbol.defined == symbol.changed;
    return is_remade && !symbol.body.empty() ? symbol.body : symbol.name;
}

// ---- names ----

llvm::StringRef string_of(const llvm::Constant *constant)
{
    auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(constant->stripPointerCasts());
    auto *data = variable && variable->hasInitializer()
                     ? llvm::dyn_cast<llvm::ConstantDataArray>(variable->getInitializer())
                     : nullptr;
    return data && data->isCString() ? data->getAsCString() : llvm::StringRef();
}

// Names that the front end has given by annotations; these are taken out of the module's list.
void HotModule::take_annotations()
{
    llvm::GlobalVariable *list = module_.getNamedGlobal("llvm.global.annotations");
    auto *array = list ? llvm::dyn_cast<llvm::ConstantArray>(list->getInitializer()) : nullptr;
    if (!array)
        return;
    llvm::SmallVector<llvm::Constant *, 16> others;
    for (llvm::Use &operand : array->operands()) {
        auto *entry = llvm::cast<llvm::Constant>(operand.get());
        llvm::StringRef text = string_of(llvm::cast<llvm::Constant>(entry->getOperand(1)));
        if (!text.consume_front(name_annotation)) {
            others.push_back(entry);
            continue;
        }
        auto *value = llvm::dyn_cast<llvm::GlobalValue>(entry->getOperand(0)->stripPointerCasts());
        if (value)
            annotated_[value] = text.str();
    }
    if (others.size() == array->getNumOperands())
        return;
    auto *type = llvm::ArrayType::get(array->getType()->getElementType(), others.size());
    std::string section = list->getSection().str();
    list->eraseFromParent();
    if (others.empty())
        return;
    auto *shorter =
        new llvm::GlobalVariable(module_, type, false, llvm::GlobalValue::AppendingLinkage,
                                 llvm::ConstantArray::get(type, others), "llvm.global.annotations");
    shorter->setSection(section);
}

bool HotModule::is_managed_function(const llvm::Function &function) const
{
    if (function.isDeclaration() || function.hasAvailableExternallyLinkage() ||
        hot_is_of_one_generation(function))
        return false;
    // What is always inlined lives in its callers.
    if (function.hasFnAttribute(llvm::Attribute::AlwaysInline))
        return false;
    return !work_.whole || is_needed_outside(function);
}

// In a unit that is built as a whole: what others can call, or keep the address of.
bool HotModule::is_needed_outside(const llvm::Function &function) const
{
    return !function.hasLocalLinkage() ||
           function.hasAddressTaken(nullptr, /*IgnoreCallbackUses=*/false,
                                    /*IgnoreAssumeLikeCalls=*/true, /*IgnoreLLVMUsed=*/true);
}

// A table of labels belongs to the code that jumps by it.
bool holds_labels(const llvm::Constant &initializer)
{
    if (llvm::isa<llvm::BlockAddress>(initializer))
        return true;
    return llvm::any_of(initializer.operands(), [](const llvm::Use &operand) {
        return !llvm::isa<llvm::GlobalValue>(operand) &&
               holds_labels(*llvm::cast<llvm::Constant>(operand));
    });
}

bool HotModule::is_managed_variable(const llvm::GlobalVariable &variable) const
{
    if (variable.isDeclaration() || variable.hasAvailableExternallyLinkage() ||
        variable.hasAppendingLinkage() || variable.hasPrivateLinkage() || !variable.hasName() ||
        variable.getName().starts_with("llvm."))
        return false;
    if (variable.getName().starts_with("__tls_guard") && variable.hasLocalLinkage())
        return false;
    if (variable.hasLocalLinkage() && holds_labels(*variable.getInitializer()))
        return false;
    // A constant whose address nobody can tell from another's is as good as its bytes.
    return !(variable.isConstant() && variable.hasLocalLinkage() &&
             variable.hasGlobalUnnamedAddr());
}

bool HotModule::is_managed(const llvm::GlobalValue &value) const
{
    if (auto *function = llvm::dyn_cast<llvm::Function>(&value))
        return is_managed_function(*function);
    if (auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(&value))
        return is_managed_variable(*variable);
    return false;
}

void HotModule::settle_name(llvm::GlobalValue &value)
{
    std::string name = value.getName().str();
    auto annotated = annotated_.find(&value);
    if (annotated != annotated_.end())
        name = annotated->second;
    // The guard of a static local variable goes by the variable's name.
    if (llvm::StringRef(name).starts_with("_ZGVZ")) {
        auto *variable = module_.getNamedValue("_Z" + name.substr(4));
        auto found = variable ? annotated_.find(variable) : annotated_.end();
        if (found != annotated_.end())
            name = "_ZGV" + found->second.substr(2);
    }
    if (value.hasLocalLinkage())
        name += ".kiln." + work_.unit_name;
    plans_[&value].name = std::move(name);
}

void HotModule::settle_names()
{
    for (llvm::GlobalObject &object : module_.global_objects()) {
        if (is_managed(object))
            settle_name(object);
    }
}

llvm::StringRef HotModule::reference_name(const llvm::GlobalValue &value)
{
    auto plan = plans_.find(&value);
    bool is_definition = !value.isDeclaration();
    if (plan == plans_.end() && is_definition && !llvm::isa<llvm::GlobalAlias>(value))
        return "";
    std::string name = plan != plans_.end() ? plan->second.name : value.getName().str();
    if (remade_.contains(&value))
        name = body_name(name);
    else if (const HotSymbol *symbol = known(name))
        name = place_name(*symbol);
    return references_[&value] = std::move(name);
}

// Data that is made anew has another name for who refers to it, be it in code or in data.
void HotModule::digest_data()
{
    for (bool more = true; more;) {
        more = false;
        digest_.forget_constants();
        for (auto &[value, plan] : plans_) {
            auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(value);
            if (!variable)
                continue;
            plan.content = digest_.constant(*variable->getInitializer());
            plan.type =
                digest_.type(*variable->getValueType()) ^ variable->getAlign().valueOrOne().value();
        }
        for (const llvm::GlobalVariable &variable : module_.globals()) {
            if (plans_.contains(&variable) && must_be_remade(variable))
                more |= remade_.insert(&variable).second;
        }
    }
}

void HotModule::digest_functions()
{
    uint64_t lines_of_all = 0;
    for (const llvm::Function &function : module_)
        lines_of_all = work_.whole ? lines_of_all * 31 + digest_.lines(function) : 0;
    for (auto &[value, plan] : plans_) {
        auto *function = llvm::dyn_cast<llvm::Function>(value);
        if (!function)
            continue;
        plan.content = digest_.function(*function);
        plan.type = digest_.signature(*function);
        plan.lines = work_.whole ? lines_of_all : digest_.lines(*function);
    }
}

llvm::SmallPtrSet<llvm::Function *, 16> HotModule::changed_functions()
{
    llvm::SmallPtrSet<llvm::Function *, 16> changed;
    for (llvm::Function &function : module_) {
        auto plan = plans_.find(&function);
        if (plan != plans_.end() && differs(plan->second))
            changed.insert(&function);
    }
    return changed;
}

// ---- what all definitions have in common ----

// Visible to later generations, under its stable name, and never assumed to be the only one.
void HotModule::export_definition(llvm::GlobalObject &object, llvm::StringRef name)
{
    if (object.getName() != name)
        object.setName(name);
    if (llvm::Comdat *group = object.getComdat(); group && object.isWeakForLinker()) {
        llvm::Comdat *own = module_.getOrInsertComdat(name);
        own->setSelectionKind(group->getSelectionKind());
        object.setComdat(own);
    }
    if (object.hasLocalLinkage()) {
        object.setComdat(nullptr);
        object.setLinkage(llvm::GlobalValue::ExternalLinkage);
    } else if (object.hasLinkOnceLinkage() || object.hasWeakLinkage()) {
        bool may_look_inside =
            work_.whole && (object.hasLinkOnceODRLinkage() || object.hasWeakODRLinkage());
        object.setLinkage(may_look_inside ? llvm::GlobalValue::WeakODRLinkage
                                          : llvm::GlobalValue::WeakAnyLinkage);
    }
    object.setVisibility(llvm::GlobalValue::DefaultVisibility);
    object.setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::None);
    object.setDSOLocal(false);
}

void HotModule::make_declaration(llvm::GlobalValue &value, llvm::StringRef name)
{
    if (auto *function = llvm::dyn_cast<llvm::Function>(&value)) {
        function->deleteBody();
        function->setComdat(nullptr);
        function->clearMetadata();
    } else {
        auto *variable = llvm::cast<llvm::GlobalVariable>(&value);
        variable->setInitializer(nullptr);
        variable->setComdat(nullptr);
        variable->clearMetadata();
        variable->setSection("");
        variable->setLinkage(llvm::GlobalValue::ExternalLinkage);
    }
    value.setLinkage(llvm::GlobalValue::ExternalLinkage);
    value.setVisibility(llvm::GlobalValue::DefaultVisibility);
    value.setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::None);
    value.setDSOLocal(false);
    if (value.getName() != name)
        value.setName(name);
}

std::string display_name(llvm::StringRef name)
{
    name = name.substr(0, name.find(".kiln."));
    return llvm::demangle(name.str());
}

HotSymbol HotModule::new_symbol(llvm::StringRef name, HotKind kind) const
{
    HotSymbol symbol;
    symbol.name = name.str();
    symbol.kind = kind;
    symbol.defined = symbol.changed = work_.generation;
    symbol.display = display_name(name);
    return symbol;
}

// ---- functions ----

void HotModule::replace_direct_calls(llvm::Function &from, llvm::Function &to)
{
    llvm::SmallVector<llvm::CallBase *, 16> calls;
    for (llvm::User *user : from.users()) {
        auto *call = llvm::dyn_cast<llvm::CallBase>(user);
        if (call && call->getCalledOperand() == &from)
            calls.push_back(call);
    }
    for (llvm::CallBase *call : calls)
        call->setCalledOperand(&to);
}

void HotModule::move_body(llvm::Function &function, llvm::StringRef body_name)
{
    llvm::Function *body = llvm::Function::Create(function.getFunctionType(), function.getLinkage(),
                                                  function.getAddressSpace(), body_name, &module_);
    body->copyAttributesFrom(&function);
    body->copyMetadata(&function, 0);
    if (llvm::Comdat *group = function.getComdat(); group && function.isWeakForLinker()) {
        llvm::Comdat *own = module_.getOrInsertComdat(body_name);
        own->setSelectionKind(group->getSelectionKind());
        body->setComdat(own);
    }
    body->splice(body->begin(), &function);
    for (size_t i = 0; i < function.arg_size(); i++) {
        body->getArg(unsigned(i))->takeName(function.getArg(unsigned(i)));
        function.getArg(unsigned(i))->replaceAllUsesWith(body->getArg(unsigned(i)));
    }
    export_definition(*body, body_name);
}

void HotModule::handle_function(llvm::Function &function)
{
    const Plan plan = plans_.lookup(&function);
    const HotSymbol *before = known(plan.name);
    HotSymbol symbol = new_symbol(plan.name, HotKind::Function);
    symbol.content = plan.content;
    symbol.type = plan.type;
    symbol.weak = function.isWeakForLinker();
    symbol.lines = plan.lines;
    if (!before || before->kind != HotKind::Function) {
        export_definition(function, plan.name);
        hot_entry_add(function);
        work_.unit.symbols[plan.name] = symbol;
        return;
    }
    symbol.defined = before->defined;
    if ((!replaces_all_ && !differs(plan)) || is_thread_wrapper(plan.name)) {
        work_.unit.symbols[plan.name] = *before;
        work_.unit.stale_lines |= !is_thread_wrapper(plan.name) && has_moved(plan);
        make_declaration(function, plan.name);
        return;
    }
    if (before->type != plan.type)
        notice(HotNoticeKind::SignatureChanged, symbol,
               "it takes or returns something else now; code that was not compiled anew, and "
               "pointers that others keep, call it as before");
    symbol.body = body_name(plan.name);
    symbol.along = work_.whole && before->content == plan.content;
    work_.unit.symbols[plan.name] = symbol;
    move_body(function, symbol.body);
    make_declaration(function, plan.name);
    if (work_.whole)
        replace_direct_calls(function, *module_.getFunction(symbol.body));
}

// ---- data ----

HotKind kind_of(const llvm::GlobalVariable &variable)
{
    if (variable.isThreadLocal())
        return HotKind::ThreadLocal;
    return variable.isConstant() ? HotKind::Constant : HotKind::Variable;
}

// Whether what is defined now can stay where it was.
bool fits(const HotSymbol &before, const HotSymbol &now)
{
    bool was_constant = before.kind == HotKind::Constant;
    return before.type == now.type && before.size == now.size &&
           (!was_constant || now.kind == HotKind::Constant) &&
           (before.kind == HotKind::ThreadLocal) == (now.kind == HotKind::ThreadLocal);
}

// The new bytes of what stays where it is, read-only, for the host to copy.
void HotModule::keep_bytes(llvm::GlobalVariable &variable, llvm::StringRef name)
{
    auto *copy = new llvm::GlobalVariable(module_, variable.getValueType(), /*isConstant=*/true,
                                          llvm::GlobalValue::WeakAnyLinkage,
                                          variable.getInitializer(), name);
    copy->setAlignment(variable.getAlign());
    if (variable.getComdat()) {
        llvm::Comdat *own = module_.getOrInsertComdat(name);
        own->setSelectionKind(variable.getComdat()->getSelectionKind());
        copy->setComdat(own);
    } else {
        copy->setLinkage(llvm::GlobalValue::ExternalLinkage);
    }
}

void HotModule::handle_known_variable(llvm::GlobalVariable &variable, const HotSymbol &before,
                                      HotSymbol symbol)
{
    bool was_constant = before.kind == HotKind::Constant;
    bool same_content = before.content == symbol.content && before.dynamic == symbol.dynamic;
    if (remade_.contains(&variable)) {
        // It cannot stay where it is: it is made anew, under another name.
        if (was_constant)
            notice(HotNoticeKind::ConstantReplaced, symbol,
                   "the constant has another place now; who kept its address sees the old one");
        else if (work_.dropped_initializers.count(variable.getName().str()))
            notice(
                HotNoticeKind::Ambiguous, symbol,
                "its type has changed to another of the same size, and code initialises it: give "
                "it another name");
        else if (!guarded_by(variable))
            notice(HotNoticeKind::TypeChanged, symbol,
                   "its type has changed, so that its value cannot be kept");
        symbol.body = body_name(symbol.name);
        export_definition(variable, symbol.body);
        work_.unit.symbols[symbol.name] = symbol;
        return;
    }
    std::string place = place_name(before);
    HotSymbol after = before;
    if (!same_content) {
        after.content = symbol.content;
        after.dynamic = symbol.dynamic;
        if (!was_constant)
            notice(HotNoticeKind::InitializerChanged, symbol,
                   "it keeps the value that it has; reset it to get the new initial value");
        std::string bytes = body_name(symbol.name);
        bool has_bytes = !symbol.dynamic && symbol.kind != HotKind::ThreadLocal &&
                         (was_constant || symbol.size <= kept_initial_value_limit);
        if (has_bytes)
            keep_bytes(variable, bytes);
        if (was_constant) {
            after.changed = work_.generation;
            after.body = bytes;
        } else {
            after.initial_in = work_.generation;
            after.initial = has_bytes ? bytes : "";
        }
    }
    work_.unit.symbols[symbol.name] = after;
    make_declaration(variable, place);
}

HotSymbol HotModule::symbol_of(const llvm::GlobalVariable &variable) const
{
    const Plan plan = plans_.lookup(&variable);
    HotSymbol symbol = new_symbol(plan.name, kind_of(variable));
    symbol.content = plan.content;
    symbol.type = plan.type;
    symbol.size = module_.getDataLayout().getTypeAllocSize(variable.getValueType());
    symbol.weak = variable.isWeakForLinker();
    auto dynamic = work_.dynamic_initializers.find(variable.getName().str());
    if (dynamic != work_.dynamic_initializers.end()) {
        symbol.dynamic = true;
        symbol.content = dynamic->second;
    }
    return symbol;
}

void HotModule::handle_variable(llvm::GlobalVariable &variable)
{
    HotSymbol symbol = symbol_of(variable);
    if (variable.isThreadLocal())
        variable.setThreadLocalMode(llvm::GlobalVariable::GeneralDynamicTLSModel);
    if (const HotSymbol *before = known(symbol.name); before && before->kind != HotKind::Function)
        return handle_known_variable(variable, *before, std::move(symbol));
    if (variable.hasCommonLinkage())
        variable.setDSOLocal(false);
    else
        export_definition(variable, symbol.name);
    work_.unit.symbols[symbol.name] = symbol;
}

// NULL: it guards nothing.
const llvm::GlobalVariable *HotModule::guarded_by(const llvm::GlobalVariable &guard) const
{
    llvm::StringRef name = guard.getName();
    if (!name.consume_front("_ZGV"))
        return nullptr;
    return module_.getNamedGlobal(("_Z" + name).str());
}

bool HotModule::must_be_remade(const llvm::GlobalVariable &variable) const
{
    const HotSymbol symbol = symbol_of(variable);
    const HotSymbol *before = known(symbol.name);
    if (!before || before->kind == HotKind::Function)
        return false;
    if (const llvm::GlobalVariable *guarded = guarded_by(variable))
        return remade_.contains(guarded);
    bool was_remade = before->defined == before->changed && !before->body.empty();
    bool same_content = before->content == symbol.content && before->dynamic == symbol.dynamic;
    return !fits(*before, symbol) ||
           (before->kind == HotKind::Constant && was_remade && !same_content);
}

// A variable that exists is initialised; where its guard is new (it had a constant initialiser
// before), that has to say so.
void HotModule::mark_guards()
{
    for (llvm::GlobalVariable &guard : module_.globals()) {
        auto own = plans_.find(&guard);
        const llvm::GlobalVariable *guarded = guarded_by(guard);
        if (!guarded || own == plans_.end() || known(own->second.name) || remade_.contains(guarded))
            continue;
        auto plan = plans_.find(guarded);
        const HotSymbol *before = plan == plans_.end() ? nullptr : known(plan->second.name);
        auto *type = llvm::dyn_cast<llvm::IntegerType>(guard.getValueType());
        if (before && before->kind != HotKind::Constant && type)
            guard.setInitializer(llvm::ConstantInt::get(type, 1));
    }
}

// ---- the module's lists ----

// Constructors and destructors of the library that ran, or will run, for an earlier generation.
void HotModule::drop_known_structors(llvm::StringRef list_name)
{
    llvm::GlobalVariable *list = module_.getNamedGlobal(list_name);
    auto *array = list ? llvm::dyn_cast<llvm::ConstantArray>(list->getInitializer()) : nullptr;
    if (!array)
        return;
    llvm::SmallVector<llvm::Constant *, 16> kept;
    for (llvm::Use &operand : array->operands()) {
        auto *entry = llvm::cast<llvm::Constant>(operand.get());
        auto *function = llvm::dyn_cast<llvm::Function>(entry->getOperand(1)->stripPointerCasts());
        auto plan = function ? plans_.find(function) : plans_.end();
        if (plan == plans_.end() || !known(plan->second.name))
            kept.push_back(entry);
    }
    if (kept.size() == array->getNumOperands())
        return;
    auto *type = llvm::ArrayType::get(array->getType()->getElementType(), kept.size());
    std::string name = list_name.str();
    list->eraseFromParent();
    if (!kept.empty())
        new llvm::GlobalVariable(module_, type, false, llvm::GlobalValue::AppendingLinkage,
                                 llvm::ConstantArray::get(type, kept), name);
}

// Other names of data. Those that earlier generations have become declarations; an alias cannot
// stand for one, so a new name of a known definition goes by that one's name.
void HotModule::handle_aliases()
{
    llvm::SmallVector<llvm::GlobalAlias *, 16> aliases;
    for (llvm::GlobalAlias &alias : module_.aliases()) {
        auto *target = llvm::dyn_cast_or_null<llvm::GlobalVariable>(alias.getAliaseeObject());
        if (target && plans_.contains(target))
            aliases.push_back(&alias);
    }
    for (llvm::GlobalAlias *alias : aliases)
        handle_alias(*alias, *const_cast<llvm::GlobalVariable *>(
                                 llvm::cast<llvm::GlobalVariable>(alias->getAliaseeObject())));
}

void HotModule::handle_alias(llvm::GlobalAlias &alias, llvm::GlobalVariable &target)
{
    std::string name = alias.getName().str();
    if (alias.hasLocalLinkage())
        name += ".kiln." + work_.unit_name;
    std::string target_name = plans_[&target].name;
    const HotSymbol *before = known(name);
    HotSymbol symbol = new_symbol(name, HotKind::Variable);
    symbol.content = llvm::xxh3_64bits(target_name) | 1;
    if (!before && !known(target_name)) {
        if (alias.hasLocalLinkage())
            alias.setLinkage(llvm::GlobalValue::ExternalLinkage);
        alias.setName(name);
        alias.setVisibility(llvm::GlobalValue::DefaultVisibility);
        alias.setDSOLocal(false);
        work_.unit.symbols[name] = symbol;
        return;
    }
    llvm::GlobalValue *place = &target;
    if (before) {
        if (before->content != symbol.content && before->content != 0)
            notice(HotNoticeKind::Ambiguous, symbol,
                   "it is another name of '" + display_name(target_name) +
                       "' now, and was something else before: it cannot be both");
        work_.unit.symbols[name] = *before;
        work_.unit.symbols[name].content = symbol.content;
        alias.setName("");
        place = declare(target, place_name(*before));
    }
    alias.replaceAllUsesWith(place);
    alias.eraseFromParent();
}

// What a resolver chose when the first generation was loaded stays chosen.
void HotModule::handle_ifuncs()
{
    for (llvm::GlobalIFunc &choice : llvm::make_early_inc_range(module_.ifuncs())) {
        std::string name = choice.getName().str();
        if (choice.hasLocalLinkage())
            name += ".kiln." + work_.unit_name;
        if (const HotSymbol *before = known(name)) {
            work_.unit.symbols[name] = *before;
            choice.setName("");
            choice.replaceAllUsesWith(
                llvm::Function::Create(llvm::cast<llvm::FunctionType>(choice.getValueType()),
                                       llvm::GlobalValue::ExternalLinkage, name, module_));
            choice.eraseFromParent();
            continue;
        }
        if (choice.hasLocalLinkage())
            choice.setLinkage(llvm::GlobalValue::ExternalLinkage);
        choice.setName(name);
        choice.setVisibility(llvm::GlobalValue::DefaultVisibility);
        choice.setDSOLocal(false);
        work_.unit.symbols[name] = new_symbol(name, HotKind::Indirect);
        work_.unit.symbols[name].content = 1;
    }
}

llvm::GlobalValue *HotModule::declare(const llvm::GlobalVariable &like, llvm::StringRef name)
{
    return new llvm::GlobalVariable(module_, like.getValueType(), false,
                                    llvm::GlobalValue::ExternalLinkage, nullptr, name);
}

// Declarations of what earlier generations define, whoever made them: by their place, and not
// hidden.
void HotModule::name_references()
{
    llvm::SmallVector<llvm::GlobalValue *, 32> unused;
    for (llvm::GlobalObject &object : module_.global_objects()) {
        if (!object.isDeclaration() || object.getName().starts_with("llvm."))
            continue;
        auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(&object);
        if (variable && variable->isThreadLocal())
            variable->setThreadLocalMode(llvm::GlobalVariable::GeneralDynamicTLSModel);
        if (object.use_empty()) {
            unused.push_back(&object);
            continue;
        }
        const HotSymbol *symbol = known(object.getName());
        if (!symbol) {
            // A re-made variable was named by its place already.
            llvm::StringRef base = object.getName().substr(0, object.getName().rfind(".kiln.g"));
            symbol = base == object.getName() ? nullptr : known(base);
            if (symbol)
                work_.unit.needs.insert(symbol->defined);
            continue;
        }
        object.setVisibility(llvm::GlobalValue::DefaultVisibility);
        object.setDSOLocal(false);
        work_.unit.needs.insert(symbol->defined);
        std::string place = place_name(*symbol);
        if (object.getName() != place)
            object.setName(place);
    }
    for (llvm::GlobalValue *value : unused)
        value->eraseFromParent();
}

// ---- the table ----

// What the unit had before and has no more stays known: pointers to it may be kept, and it may come
// back.
void HotModule::carry_over()
{
    const HotUnit *previous = work_.previous();
    if (!previous)
        return;
    for (const auto &[name, symbol] : previous->symbols) {
        if (!work_.unit.symbols.emplace(name, symbol).second || symbol.content == 0 ||
            work_.single_function)
            continue;
        bool is_internal = name.find(".kiln.") != std::string::npos;
        work_.unit.symbols[name].content = 0;
        if (is_internal || symbol.weak)
            continue;
        bool is_function = symbol.kind == HotKind::Function || symbol.kind == HotKind::Indirect;
        notice(is_function ? HotNoticeKind::FunctionRemoved : HotNoticeKind::DataRemoved, symbol,
               is_function ? "it is gone from the source; who has its address calls its last code"
                           : "it is gone from the source; who has its address sees its last value");
    }
}

void HotModule::keep_table()
{
    if (work_.generation != 1)
        return;
    std::vector<uint8_t> bytes = hot_unit_pack(work_.unit);
    uint64_t size = bytes.size();
    bytes.insert(bytes.begin(), sizeof size, 0);
    memcpy(bytes.data(), &size, sizeof size);
    llvm::Constant *content = llvm::ConstantDataArray::get(
        module_.getContext(), llvm::ArrayRef<uint8_t>(bytes.data(), bytes.size()));
    auto *table = new llvm::GlobalVariable(module_, content->getType(), true,
                                           llvm::GlobalValue::ExternalLinkage, content,
                                           hot_table_symbol(work_));
    table->setSection(".kiln_hot");
    table->setAlignment(llvm::Align(8));
}

bool is_kept(const llvm::Function &function)
{
    return function.hasLocalLinkage() && function.getName().contains(hot_kept_prefix);
}

// Functions that hot_names.cpp has made: what they refer to was emitted by now.
void HotModule::drop_kept_code()
{
    llvm::SmallVector<llvm::Function *, 16> kept;
    for (llvm::Function &function : module_) {
        if (is_kept(function))
            kept.push_back(&function);
    }
    if (kept.empty())
        return;
    llvm::removeFromUsedLists(module_, [](llvm::Constant *constant) {
        auto *function = llvm::dyn_cast<llvm::Function>(constant->stripPointerCasts());
        return function && is_kept(*function);
    });
    for (llvm::Function *function : kept)
        function->eraseFromParent();
}

// Functions that live within their callers must not seem to be somebody else's.
void HotModule::free_always_inline()
{
    for (llvm::Function &function : module_) {
        if (!function.isDeclaration() && function.hasFnAttribute(llvm::Attribute::AlwaysInline))
            function.setDSOLocal(true);
    }
}

// Functions whose bodies the parser has skipped stand as declarations, without a word of it that they
// are local to the unit.
void HotModule::name_skipped()
{
    for (llvm::GlobalObject &object : module_.global_objects()) {
        if (!object.isDeclaration() || object.getName().starts_with("llvm."))
            continue;
        std::string name = object.getName().str() + ".kiln." + work_.unit_name;
        if (known(name))
            object.setName(name);
    }
}

void HotModule::run()
{
    work_.unit.unit = work_.unit_name;
    work_.unit.generation = work_.generation;
    if (!work_.whole)
        module_.setSemanticInterposition(true);
    if (work_.single_function)
        name_skipped();
    drop_kept_code();
    free_always_inline();
    take_annotations();
    hot_aliases_become_functions(module_);
    settle_names();
    digest_data();
    digest_functions();
    mark_guards();
    // A reference to a function that others cannot name counts by its content: so no difference of
    // the unit is overlooked. What a constant holds may be part of any code.
    replaces_all_ = work_.whole && llvm::any_of(plans_, [&](const auto &item) {
                        auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(item.first);
                        return (!variable || variable->isConstant()) && differs(item.second);
                    });
    drop_known_structors("llvm.global_ctors");
    drop_known_structors("llvm.global_dtors");
    if (!work_.whole)
        hot_initialisers_bind(module_, changed_functions());
    handle_aliases();
    handle_ifuncs();
    llvm::SmallVector<llvm::GlobalObject *, 64> objects;
    for (llvm::GlobalObject &object : module_.global_objects()) {
        if (plans_.contains(&object))
            objects.push_back(&object);
    }
    for (llvm::GlobalObject *object : objects) {
        if (auto *function = llvm::dyn_cast<llvm::Function>(object))
            handle_function(*function);
        else
            handle_variable(*llvm::cast<llvm::GlobalVariable>(object));
    }
    llvm::removeFromUsedLists(module_, [](llvm::Constant *constant) {
        return llvm::cast<llvm::GlobalValue>(constant->stripPointerCasts())->isDeclaration();
    });
    name_references();
    carry_over();
    keep_table();
}

class HotPass : public llvm::PassInfoMixin<HotPass>
{
  public:
    HotPass(HotWork &work, DiagnosticList &list) : work_(&work), list_(&list) {}
    llvm::PreservedAnalyses run(llvm::Module &module, llvm::ModuleAnalysisManager &)
    {
        if (!list_->has_errors())
            HotModule(module, *work_).run();
        return llvm::PreservedAnalyses::none();
    }
    static bool isRequired()
    {
        return true;
    }

  private:
    HotWork *work_;
    DiagnosticList *list_;
};

} // namespace

void hot_pass_install(clang::CodeGenOptions &options, HotWork &work, DiagnosticList &list)
{
    options.PassBuilderCallbacks.push_back([&work, &list](llvm::PassBuilder &builder) {
        builder.registerPipelineStartEPCallback(
            [&work, &list](llvm::ModulePassManager &passes, llvm::OptimizationLevel) {
                passes.addPass(HotPass(work, list));
            });
    });
}

std::string hot_table_symbol(const HotWork &work)
{
    return "kiln.hot." + work.unit_name;
}

} // namespace kiln
