// hot_aliases.cpp - see hot_aliases.h.
#include "compiler/hot_aliases.h"

#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/IRBuilder.h"

namespace kiln
{
namespace
{

// A `musttail` call passes on whatever the function was called with, variable arguments too
// (LLVM Language Reference, "call instruction").
void call_in_last_step(llvm::Function &function, llvm::Function &target)
{
    llvm::IRBuilder<> builder(llvm::BasicBlock::Create(function.getContext(), "entry", &function));
    llvm::SmallVector<llvm::Value *, 8> arguments;
    for (llvm::Argument &argument : function.args())
        arguments.push_back(&argument);
    llvm::CallInst *call = builder.CreateCall(target.getFunctionType(), &target, arguments);
    call->setTailCallKind(llvm::CallInst::TCK_MustTail);
    call->setCallingConv(target.getCallingConv());
    call->setAttributes(target.getAttributes().removeFnAttributes(function.getContext()));
    if (call->getType()->isVoidTy())
        builder.CreateRetVoid();
    else
        builder.CreateRet(call);
}

void become_function(llvm::GlobalAlias &alias, llvm::Function &target)
{
    llvm::Function *function =
        llvm::Function::Create(target.getFunctionType(), alias.getLinkage(),
                               target.getAddressSpace(), "", alias.getParent());
    function->copyAttributesFrom(&target);
    function->setComdat(nullptr);
    function->setPersonalityFn(nullptr);
    function->setPrefixData(nullptr);
    function->setPrologueData(nullptr);
    function->setVisibility(alias.getVisibility());
    function->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::None);
    function->setDSOLocal(alias.isDSOLocal());
    function->takeName(&alias);
    call_in_last_step(*function, target);
    alias.replaceAllUsesWith(function);
    alias.eraseFromParent();
}

} // namespace

void hot_aliases_become_functions(llvm::Module &module)
{
    for (llvm::GlobalAlias &alias : llvm::make_early_inc_range(module.aliases())) {
        auto *target = llvm::dyn_cast_or_null<llvm::Function>(
            alias.getAliasee()->stripPointerCastsAndAliases());
        if (target && !target->isDeclaration())
            become_function(alias, *target);
    }
}

} // namespace kiln
