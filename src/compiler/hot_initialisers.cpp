// hot_initialisers.cpp - see hot_initialisers.h.
#include "compiler/hot_initialisers.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Transforms/Utils/Cloning.h"

namespace kiln
{
namespace
{

using Functions = llvm::SmallPtrSet<llvm::Function *, 16>;

// Those that call one of them, whoever stands between; themselves included.
Functions callers_of(const llvm::SmallPtrSetImpl<llvm::Function *> &functions)
{
    Functions found(functions.begin(), functions.end());
    llvm::SmallVector<llvm::Function *, 16> open(functions.begin(), functions.end());
    while (!open.empty()) {
        for (llvm::User *user : open.pop_back_val()->users()) {
            auto *call = llvm::dyn_cast<llvm::CallBase>(user);
            if (call && found.insert(call->getFunction()).second)
                open.push_back(call->getFunction());
        }
    }
    return found;
}

// The addresses of its labels may be in data, and are those of one function.
bool can_be_copied(const llvm::Function &function)
{
    return llvm::none_of(function,
                         [](const llvm::BasicBlock &block) { return block.hasAddressTaken(); });
}

llvm::Function *copy(llvm::Function &function)
{
    llvm::ValueToValueMapTy values;
    llvm::Function *made = llvm::CloneFunction(&function, values);
    made->setName(function.getName() + ".init");
    made->setComdat(nullptr);
    made->setVisibility(llvm::GlobalValue::DefaultVisibility);
    made->setLinkage(llvm::GlobalValue::InternalLinkage);
    return made;
}

class Initialisers
{
  public:
    explicit Initialisers(const Functions &stale) : stale_(stale) {}

    // What is called in place of the function at load.
    llvm::Function *bound(llvm::Function *function)
    {
        if (!stale_.contains(function) || !can_be_copied(*function))
            return function;
        auto [known, is_new] = copies_.try_emplace(function, function);
        if (!is_new)
            return known->second;
        if (!hot_is_of_one_generation(*function))
            function = copies_[function] = copy(*function);
        bind_calls(*function);
        return function;
    }

  private:
    void bind_calls(llvm::Function &function)
    {
        for (llvm::Instruction &instruction : llvm::instructions(function)) {
            auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
            auto *callee =
                call ? llvm::dyn_cast<llvm::Function>(call->getCalledOperand()) : nullptr;
            if (callee)
                call->setCalledOperand(bound(callee));
        }
    }

    const Functions &stale_;
    llvm::DenseMap<llvm::Function *, llvm::Function *> copies_;
};

} // namespace

bool hot_is_of_one_generation(const llvm::Function &function)
{
    llvm::StringRef name = function.getName();
    return function.hasLocalLinkage() &&
           (name.starts_with("_GLOBAL__") || name.starts_with("__cxx_global_") ||
            name.starts_with("__tls_init"));
}

void hot_initialisers_bind(llvm::Module &module,
                           const llvm::SmallPtrSetImpl<llvm::Function *> &changed)
{
    llvm::GlobalVariable *list = module.getNamedGlobal("llvm.global_ctors");
    auto *array = list ? llvm::dyn_cast<llvm::ConstantArray>(list->getInitializer()) : nullptr;
    if (!array || changed.empty())
        return;
    Functions stale = callers_of(changed);
    Initialisers initialisers(stale);
    llvm::SmallVector<llvm::Constant *, 16> entries;
    for (llvm::Use &operand : array->operands()) {
        auto *entry = llvm::cast<llvm::ConstantStruct>(operand.get());
        auto *function = llvm::dyn_cast<llvm::Function>(entry->getOperand(1)->stripPointerCasts());
        llvm::Constant *called = function ? initialisers.bound(function) : entry->getOperand(1);
        entries.push_back(llvm::ConstantStruct::get(
            entry->getType(), {entry->getOperand(0), called, entry->getOperand(2)}));
    }
    list->setInitializer(llvm::ConstantArray::get(array->getType(), entries));
}

} // namespace kiln
