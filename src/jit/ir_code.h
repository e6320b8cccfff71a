// ir_code.h - from LLVM IR, as text or bitcode, to an object that JITLink can link.
//
// What ELF leaves to linker and loader is settled in the module: an ifunc becomes a function that goes
// where its resolver has led it, once, at load; groups of sections (COMDATs) become weak definitions,
// since linking takes longer than linearly in the number of sections. Thread-local variables are
// emulated (runtime.h).
#pragma once

#include "llvm/ExecutionEngine/JITSymbol.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace kiln
{

// Read, check and settle a module. Errors are for people: they tell line and column of text.
llvm::Expected<llvm::orc::ThreadSafeModule> ir_read(llvm::StringRef name, llvm::StringRef bytes,
                                                    const llvm::TargetMachine &machine);

// For this processor, position independent, with emulated TLS.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> ir_target_machine(unsigned optimisation);

// What ir_read does to a module that was read otherwise; first, is it for this processor?
llvm::Error ir_settle_target(llvm::Module &module, llvm::StringRef name,
                             const llvm::TargetMachine &machine);
llvm::Error ir_settle(llvm::Module &module);
// Leave what a value defines to others.
void ir_discard(llvm::GlobalValue &value);
// What assembly at the top level of a module defines.
void ir_assembly_symbols(
    const llvm::Module &module,
    llvm::function_ref<void(llvm::StringRef name, llvm::JITSymbolFlags flags)> found);

llvm::Error ir_optimise(llvm::Module &module, llvm::TargetMachine &machine);

// Makes objects of modules of one context; the same passes for all of them, since to set them up takes as
// long as to compile a small function.
class IrCompiler
{
  public:
    explicit IrCompiler(llvm::TargetMachine &machine);
    ~IrCompiler();
    llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> compile(llvm::Module &module);

  private:
    struct Passes;
    llvm::TargetMachine &machine_;
    std::unique_ptr<Passes> passes_; // NULL: to be set up
};

} // namespace kiln
