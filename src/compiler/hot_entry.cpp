// hot_entry.cpp - entries for x86-64. See hot_entry.h.
//
//     entry - 16   cc cc cc cc cc cc cc cc      never run
//     entry -  8   the slot: where a patched entry goes
//     entry        0f 1f 84 00 00 00 00 00      one eight-byte no-operation
// With control-flow protection an indirect branch has to meet endbr64 first, and the no-operation
// that is patched moves to the next eight bytes:
//     entry        f3 0f 1e fa 0f 1f 40 00 0f 1f 84 00 00 00 00 00
#include "compiler/hot_entry.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

#include <cstdint>

namespace kiln
{
namespace
{

constexpr uint64_t never_run = 0xcccccccccccccccc;
constexpr uint64_t no_operation = 0x0000000000841f0f;
constexpr uint64_t branch_target = 0x00401f0ffa1e0ff3;

bool has_branch_protection(const llvm::Module &module)
{
    auto *flag = llvm::mdconst::extract_or_null<llvm::ConstantInt>(
        module.getModuleFlag("cf-protection-branch"));
    return flag && !flag->isZero();
}

} // namespace

void hot_entry_add(llvm::Function &function)
{
    llvm::LLVMContext &context = function.getContext();
    auto words = [&](llvm::ArrayRef<uint64_t> values) {
        return llvm::ConstantDataArray::get(context, values);
    };
    function.setPrefixData(words({never_run, 0}));
    if (has_branch_protection(*function.getParent()))
        function.setPrologueData(words({branch_target, no_operation}));
    else
        function.setPrologueData(words({no_operation}));
    if (function.getAlign().valueOrOne() < llvm::Align(16))
        function.setAlignment(llvm::Align(16));
}

} // namespace kiln
