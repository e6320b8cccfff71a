// partition.cpp - planning of pieces, and reduction of a module to one. See partition.h.
#include "compiler/partition.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

#include <algorithm>

namespace kiln
{
namespace
{

// Measured on SQLite and on a library of 100,000 lines: smaller pieces balance better, but each one
// costs a fork and the removal of all the others.
constexpr uint64_t smallest_piece = 8000; // instructions before optimisation
constexpr unsigned pieces_per_worker = 8;
// What is imported: larger bodies or longer chains cost more optimisation than they give.
constexpr unsigned import_instruction_limit = 40;
constexpr unsigned import_depth_limit = 3;

constexpr const char *list_names[] = {"llvm.used", "llvm.compiler.used", "llvm.global_ctors",
                                      "llvm.global_dtors"};

// Call `visit` for each global that a user's operands reach through constants, and for each
// function whose label is taken.
template <class Visit> void for_each_global(const llvm::User &user, Visit visit)
{
    llvm::SmallVector<const llvm::User *, 16> pending{&user};
    llvm::SmallPtrSet<const llvm::User *, 16> seen;
    while (!pending.empty()) {
        const llvm::User *current = pending.pop_back_val();
        for (const llvm::Use &operand : current->operands()) {
            if (auto *global = llvm::dyn_cast<llvm::GlobalValue>(operand.get()))
                visit(const_cast<llvm::GlobalValue *>(global),
                      llvm::isa<llvm::BlockAddress>(current));
            else if (auto *constant = llvm::dyn_cast<llvm::Constant>(operand.get()))
                if (constant->getNumOperands() > 0 && seen.insert(constant).second)
                    pending.push_back(constant);
        }
    }
}

template <class Visit> void for_each_reference(const llvm::GlobalValue &definition, Visit visit)
{
    for_each_global(definition, visit);
    auto *function = llvm::dyn_cast<llvm::Function>(&definition);
    if (!function)
        return;
    for (const llvm::Instruction &instruction : llvm::instructions(*function))
        for_each_global(instruction, visit);
}

bool is_list(const llvm::GlobalValue &value)
{
    return value.hasAppendingLinkage() || value.getName().starts_with("llvm.");
}

// A definition that has to stand in exactly one piece.
bool is_owned(const llvm::GlobalValue &value)
{
    return !value.isDeclaration() && !value.hasAvailableExternallyLinkage() && !is_list(value);
}

bool holds_no_addresses(const llvm::GlobalVariable &variable)
{
    bool found = false;
    for_each_global(variable, [&](llvm::GlobalValue *, bool) { found = true; });
    return !found;
}

// A constant whose value other pieces may know.
bool is_known_constant(const llvm::GlobalVariable &variable)
{
    return variable.isConstant() && variable.hasDefinitiveInitializer() &&
           !variable.isThreadLocal() && holds_no_addresses(variable);
}

bool must_be_inlined(const llvm::Function &function)
{
    return function.hasFnAttribute(llvm::Attribute::AlwaysInline);
}

bool may_be_imported(const llvm::Function &function)
{
    if (function.isDeclaration() || function.isInterposable() || function.isVarArg())
        return false;
    if (must_be_inlined(function))
        return true;
    return !function.hasFnAttribute(llvm::Attribute::NoInline) && !function.hasOptNone() &&
           !function.hasFnAttribute(llvm::Attribute::Naked) &&
           function.getInstructionCount() <= import_instruction_limit;
}

// The one function that calls a local function directly, where nothing else refers to it.
llvm::Function *only_caller(const llvm::Function &function)
{
    if (!function.hasLocalLinkage() || !function.hasOneUse())
        return nullptr;
    auto *call = llvm::dyn_cast<llvm::CallBase>(*function.user_begin());
    if (!call || call->getCalledOperand() != &function)
        return nullptr;
    return const_cast<llvm::Function *>(call->getFunction());
}

} // namespace

std::unique_ptr<Partition> Partition::plan(llvm::Module &module, unsigned at_once)
{
    uint64_t total = 0;
    for (const llvm::Function &function : module)
        total += is_owned(function) ? function.getInstructionCount() : 0;
    uint64_t count = std::min<uint64_t>(total / smallest_piece, at_once * pieces_per_worker);
    std::unique_ptr<Partition> partition(new Partition(module));
    if (count < 2 || !partition->can_be_cut())
        return nullptr;
    uint64_t piece_weight = total / count;
    partition->join_fixed_groups();
    partition->join_single_callers(piece_weight / 2);
    partition->assign_functions(piece_weight);
    if (partition->piece_count() < 2)
        return nullptr;
    partition->assign_rest();
    partition->choose_imports();
    partition->find_shared();
    return partition;
}

// Assembly may name any symbol of its module; the local ones among them are marked as used.
bool Partition::can_be_cut() const
{
    if (!module_.getModuleInlineAsm().empty())
        return false;
    llvm::SmallVector<llvm::GlobalValue *, 16> used;
    llvm::collectUsedGlobalVariables(module_, used, /*CompilerUsed=*/false);
    llvm::collectUsedGlobalVariables(module_, used, /*CompilerUsed=*/true);
    return std::none_of(used.begin(), used.end(),
                        [](llvm::GlobalValue *value) { return value->hasLocalLinkage(); });
}

llvm::GlobalValue *Partition::leader(llvm::GlobalValue *value) const
{
    for (auto found = parents_.find(value); found != parents_.end(); found = parents_.find(value))
        value = found->second;
    return value;
}

void Partition::join(llvm::GlobalValue *a, llvm::GlobalValue *b)
{
    a = leader(a);
    b = leader(b);
    if (a == b)
        return;
    parents_[b] = a;
    weights_[a] += weights_[b];
}

// What has to stay together: the members of a COMDAT group, an alias and what it stands for, a
// function and whatever holds addresses of its labels.
void Partition::join_fixed_groups()
{
    llvm::DenseMap<const llvm::Comdat *, llvm::GlobalValue *> groups;
    for (llvm::Function &function : module_)
        weights_[&function] = function.getInstructionCount();
    for (llvm::GlobalValue &value : module_.global_values()) {
        if (!is_owned(value))
            continue;
        if (auto *object = llvm::dyn_cast<llvm::GlobalObject>(&value);
            object && object->hasComdat()) {
            auto [group, is_new] = groups.try_emplace(object->getComdat(), &value);
            if (!is_new)
                join(group->second, &value);
        }
        if (llvm::isa<llvm::GlobalAlias, llvm::GlobalIFunc>(value)) {
            for_each_global(value, [&](llvm::GlobalValue *target, bool) { join(target, &value); });
            continue;
        }
        for_each_reference(value, [&](llvm::GlobalValue *function, bool takes_label) {
            if (takes_label)
                join(function, &value);
        });
    }
}

// A local function with one caller is what the inliner likes best: the two stay together, within
// limits.
void Partition::join_single_callers(uint64_t weight_limit)
{
    for (llvm::Function &function : module_) {
        llvm::Function *caller = is_owned(function) ? only_caller(function) : nullptr;
        if (caller && weights_[leader(&function)] + weights_[leader(caller)] <= weight_limit)
            join(caller, &function);
    }
}

// Clusters in the order of the source, which keeps what belongs together close, in pieces of about
// the same weight.
void Partition::assign_functions(uint64_t piece_weight)
{
    llvm::DenseMap<llvm::GlobalValue *, unsigned> piece_of;
    unsigned piece = 0;
    uint64_t filled = 0;
    for (llvm::Function &function : module_) {
        if (!is_owned(function))
            continue;
        llvm::GlobalValue *cluster = leader(&function);
        auto [found, is_new] = piece_of.try_emplace(cluster, piece);
        owners_[&function] = found->second;
        if (!is_new)
            continue;
        filled += weights_[cluster];
        if (filled >= piece_weight) {
            filled = 0;
            piece++;
        }
    }
    imports_.resize(piece + (filled > 0 ? 1 : 0));
    for (auto &[cluster, number] : piece_of)
        owners_.try_emplace(cluster, number);
}

// A variable goes to the first piece that uses it, and takes along what its value refers to.
void Partition::assign_variable(llvm::GlobalVariable *variable, unsigned piece)
{
    bool is_free = is_owned(*variable) && !is_clonable(variable) && !variable->hasSection();
    if (!is_free || !owners_.try_emplace(variable, piece).second)
        return;
    for_each_global(*variable, [&](llvm::GlobalValue *target, bool) {
        if (auto *next = llvm::dyn_cast<llvm::GlobalVariable>(target))
            assign_variable(next, piece);
    });
}

void Partition::assign_rest()
{
    // Members of clusters first: their place is given.
    for (llvm::GlobalValue &value : module_.global_values()) {
        auto found = owners_.find(leader(&value));
        if (is_owned(value) && found != owners_.end())
            owners_.try_emplace(&value, unsigned(found->second));
    }
    for (llvm::Function &function : module_) {
        if (!is_owned(function))
            continue;
        unsigned piece = owners_[&function];
        for_each_reference(function, [&](llvm::GlobalValue *target, bool) {
            if (auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(target);
                variable && leader(variable) == variable)
                assign_variable(variable, piece);
        });
    }
    // The others, among them those in sections of their own, whose order may matter, stay together
    // in the first piece.
    for (llvm::GlobalValue &value : module_.global_values()) {
        if (!is_owned(value) || is_clonable(&value))
            continue;
        unsigned piece = owners_.try_emplace(leader(&value), 0).first->second;
        owners_.try_emplace(&value, piece);
    }
}

void Partition::choose_imports()
{
    for (llvm::Function &function : module_) {
        if (!is_owned(function))
            continue;
        unsigned piece = owners_[&function];
        llvm::SmallVector<std::pair<llvm::Function *, unsigned>, 16> pending{{&function, 0}};
        while (!pending.empty()) {
            auto [caller, depth] = pending.pop_back_val();
            for (llvm::Instruction &instruction : llvm::instructions(*caller)) {
                auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
                llvm::Function *callee = call ? call->getCalledFunction() : nullptr;
                if (!callee || !may_be_imported(*callee))
                    continue;
                if (owner_of(callee) == piece ||
                    (depth >= import_depth_limit && !must_be_inlined(*callee)))
                    continue;
                if (imports_[piece].insert(callee).second)
                    pending.push_back({callee, depth + 1});
            }
        }
    }
}

void Partition::note_references(const llvm::User &user, unsigned piece)
{
    for_each_global(user, [&](llvm::GlobalValue *target, bool) {
        if (is_owned(*target) && !is_clonable(target) && owner_of(target) != piece)
            shared_.insert(target);
    });
}

void Partition::find_shared()
{
    auto note_function = [&](const llvm::Function &function, unsigned piece) {
        note_references(function, piece);
        for (const llvm::Instruction &instruction : llvm::instructions(function))
            note_references(instruction, piece);
    };
    for (const llvm::Function &function : module_) {
        if (is_owned(function))
            note_function(function, owners_[&function]);
    }
    for (size_t piece = 0; piece < imports_.size(); piece++) {
        for (const llvm::Function *function : imports_[piece])
            note_function(*function, unsigned(piece));
    }
    for (const llvm::GlobalVariable &variable : module_.globals()) {
        if (is_owned(variable) && !is_clonable(&variable)) {
            note_references(variable, unsigned(owner_of(&variable)));
        } else if (variable.hasInitializer() && !is_clonable(&variable)) {
            // Lists are divided later, and what the front end made available_externally stays
            // everywhere.
            for (size_t piece = 0; piece < imports_.size(); piece++)
                note_references(variable, unsigned(piece));
        }
    }
}

size_t Partition::owner_of(const llvm::GlobalValue *value) const
{
    auto found = owners_.find(value);
    return found == owners_.end() ? piece_count() : found->second;
}

// Constants whose address means nothing, string literals above all, are simply in every piece that
// uses them.
bool Partition::is_clonable(const llvm::GlobalValue *value) const
{
    auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(value);
    return variable && variable->hasLocalLinkage() && variable->hasGlobalUnnamedAddr() &&
           !variable->hasComdat() && !variable->hasSection() && is_known_constant(*variable);
}

void Partition::share(llvm::StringRef suffix)
{
    unsigned number = 0;
    for (llvm::GlobalValue &value : module_.global_values()) {
        if (!shared_.contains(&value))
            continue;
        if (value.hasLocalLinkage()) {
            std::string name =
                value.hasName() ? value.getName().str() : "unnamed." + std::to_string(number++);
            value.setName(name + suffix);
            value.setLinkage(llvm::GlobalValue::ExternalLinkage);
            value.setVisibility(llvm::GlobalValue::HiddenVisibility);
            value.setDSOLocal(true);
        } else if (value.hasLinkOnceLinkage()) {
            // Its own piece may need it no more, but the others do.
            value.setLinkage(value.hasLinkOnceODRLinkage() ? llvm::GlobalValue::WeakODRLinkage
                                                           : llvm::GlobalValue::WeakAnyLinkage);
        }
    }
}

void Partition::keep_only(size_t piece)
{
    keep_aliases(piece);
    keep_lists(piece);
    keep_functions(piece);
    keep_variables(piece);
    keep_debug_lists(piece);
}

void Partition::keep_functions(size_t piece)
{
    for (llvm::Function &function : module_) {
        if (function.isDeclaration() || owner_of(&function) == piece)
            continue;
        function.setComdat(nullptr);
        if (piece < piece_count() && imports_[piece].contains(&function))
            function.setLinkage(llvm::GlobalValue::AvailableExternallyLinkage);
        else
            function.deleteBody();
    }
}

void Partition::keep_variables(size_t piece)
{
    for (llvm::GlobalVariable &variable : module_.globals()) {
        if (!is_owned(variable) || is_clonable(&variable) || owner_of(&variable) == piece)
            continue;
        variable.setComdat(nullptr);
        if (is_known_constant(variable)) {
            variable.setLinkage(llvm::GlobalValue::AvailableExternallyLinkage);
            continue;
        }
        variable.setInitializer(nullptr);
        variable.setLinkage(llvm::GlobalValue::ExternalLinkage);
        variable.clearMetadata();
    }
}

// In another piece an alias is a declaration like any other.
void Partition::keep_aliases(size_t piece)
{
    llvm::SmallVector<llvm::GlobalValue *, 8> foreign;
    for (llvm::GlobalAlias &alias : module_.aliases())
        foreign.push_back(&alias);
    for (llvm::GlobalIFunc &ifunc : module_.ifuncs())
        foreign.push_back(&ifunc);
    for (llvm::GlobalValue *value : foreign) {
        if (owner_of(value) == piece)
            continue;
        llvm::GlobalValue *declaration;
        if (auto *type = llvm::dyn_cast<llvm::FunctionType>(value->getValueType()))
            declaration = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                                 value->getAddressSpace(), "", &module_);
        else
            declaration =
                new llvm::GlobalVariable(module_, value->getValueType(), /*isConstant=*/false,
                                         llvm::GlobalValue::ExternalLinkage, nullptr, "", nullptr,
                                         value->getThreadLocalMode(), value->getAddressSpace());
        declaration->takeName(value);
        declaration->setVisibility(value->getVisibility());
        declaration->setDSOLocal(value->isDSOLocal());
        value->replaceAllUsesWith(declaration);
        value->eraseFromParent();
    }
}

// Where an entry of a list belongs: a used symbol to its own piece, a constructor to that of the
// COMDAT that it initialises, all other constructors to the first piece, where they keep their
// order.
size_t Partition::piece_of_list_entry(const llvm::Constant *entry) const
{
    if (auto *constructor = llvm::dyn_cast<llvm::ConstantStruct>(entry)) {
        auto *key =
            llvm::dyn_cast<llvm::GlobalValue>(constructor->getOperand(2)->stripPointerCasts());
        return key && is_owned(*key) ? owner_of(key) : 0;
    }
    auto *value = llvm::dyn_cast<llvm::GlobalValue>(entry->stripPointerCasts());
    return value && is_owned(*value) ? owner_of(value) : 0;
}

void Partition::keep_lists(size_t piece)
{
    for (const char *name : list_names) {
        llvm::GlobalVariable *list = module_.getGlobalVariable(name);
        auto *entries =
            list ? llvm::dyn_cast<llvm::ConstantArray>(list->getInitializer()) : nullptr;
        if (!entries)
            continue;
        llvm::SmallVector<llvm::Constant *, 16> kept;
        for (llvm::Use &entry : entries->operands()) {
            auto *constant = llvm::cast<llvm::Constant>(entry.get());
            if (piece_of_list_entry(constant) == piece)
                kept.push_back(constant);
        }
        if (!kept.empty()) {
            auto *type = llvm::ArrayType::get(entries->getType()->getElementType(), kept.size());
            auto *shorter =
                new llvm::GlobalVariable(module_, type, list->isConstant(), list->getLinkage(),
                                         llvm::ConstantArray::get(type, kept), "");
            shorter->copyAttributesFrom(list);
            shorter->takeName(list);
        }
        list->eraseFromParent();
    }
}

// The debug information of the unit lists variables and types that nothing here refers to; each is
// told once.
void Partition::keep_debug_lists(size_t piece)
{
    llvm::SmallPtrSet<llvm::Metadata *, 16> ours;
    for (llvm::GlobalVariable &variable : module_.globals()) {
        llvm::SmallVector<llvm::DIGlobalVariableExpression *, 1> told;
        if (variable.hasInitializer() && !variable.hasAvailableExternallyLinkage())
            variable.getDebugInfo(told);
        ours.insert(told.begin(), told.end());
    }
    for (llvm::DICompileUnit *unit : module_.debug_compile_units()) {
        llvm::SmallVector<llvm::Metadata *, 16> kept;
        for (llvm::DIGlobalVariableExpression *variable : unit->getGlobalVariables()) {
            // Those without storage, constants that were folded, go with the first piece.
            bool has_storage =
                variable->getExpression() && !variable->getExpression()->isConstant();
            if (ours.contains(variable) || (piece == 0 && !has_storage))
                kept.push_back(variable);
        }
        unit->replaceGlobalVariables(llvm::MDTuple::get(module_.getContext(), kept));
        if (piece != 0) {
            unit->replaceEnumTypes(llvm::MDTuple::get(module_.getContext(), {}));
            unit->replaceRetainedTypes(llvm::MDTuple::get(module_.getContext(), {}));
        }
    }
}

} // namespace kiln
