// warm_up.cpp - warming of zygote and children. See warm_up.h.
#include "compiler/warm_up.h"

#include "llvm/Support/TargetSelect.h"

namespace kiln
{

void register_targets()
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
}

void warm_zygote()
{
}

void warm_child()
{
}

} // namespace kiln
