// lazy_module.h - a module whose functions are generated one by one, when they are called first.
//
// Its data is one object, which is linked with the stubs of its functions (lazy_stubs.h) when anything
// of it is looked up. A function becomes a module of its own, is optimised and generated at the
// library's own level, and linked like any object. What was local to the module gets a name that
// nobody else has; every reference to a function goes to its stub, so that a function has one address.
//
// Source: bitcode that kiln-compiler has made of a source, before any optimisation. Read as it is
// needed. Under the engine's lock, but for resolve.
#pragma once

#include "jit/ir_code.h"
#include "jit/lazy_stubs.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"

struct jit_code;

namespace kiln
{

class Engine;

// Where a module keeps what was found of a function: its code, and the first of all slots.
struct LazyPlace {
    void *&body;
    void **&slots;
};

class LazyModule
{
  public:
    // Read, and settle names. bytes are copied.
    static llvm::Expected<std::unique_ptr<LazyModule>> create(Engine &engine, jit_code &code,
                                                              llvm::StringRef name,
                                                              llvm::StringRef bytes,
                                                              llvm::TargetMachine &machine);

    // What is to be defined of it, for ORC: the stubs, and the data.
    std::unique_ptr<llvm::orc::MaterializationUnit>
    stubs_unit(llvm::orc::ExecutionSession &session);
    std::unique_ptr<llvm::orc::MaterializationUnit> data_unit(llvm::orc::ExecutionSession &session);

    // An object of all data; of one function, which it calls body_name(index).
    llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> generate_data();
    llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> generate(size_t index);
    std::unique_ptr<llvm::jitlink::LinkGraph>
    generate_stubs(std::shared_ptr<llvm::orc::SymbolStringPool> names);

    void *resolve(size_t index);
    // Compile whatever is not compiled yet, for calls when nothing can be compiled any longer. Not under
    // the engine's lock; said to be done by is_complete, under it.
    void complete();
    // The engine ends: who calls what could not be compiled is told so, without it.
    void leave();
    bool is_complete = false;
    void read_sizes(llvm::StringMap<uint64_t> &sizes) const;
    // What it needs of others, in code that may never be called, too.
    std::vector<std::string> undefined() const;
    std::string body_name(size_t index) const;
    bool is_generated(size_t index) const
    {
        return generated_[index];
    }
    void set_generated(size_t index)
    {
        generated_[index] = true;
    }
    const std::string &display_name(size_t index) const
    {
        return stubs_[index].name.text;
    }
    const std::string &slots_name() const
    {
        return slots_name_;
    }
    Engine &engine()
    {
        return engine_;
    }
    jit_code &code()
    {
        return code_;
    }

  private:
    class Copier;

    LazyModule(Engine &engine, jit_code &code, llvm::TargetMachine &machine)
        : engine_(engine), code_(code), machine_(machine), compiler_(machine)
    {
    }
    llvm::Error read(llvm::StringRef name, llvm::StringRef bytes);
    llvm::Error check_for_parts() const; // whether it can be compiled function by function
    void publish_locals();
    llvm::Error publish_bounds();
    void find_label_tables();
    llvm::Error find_functions();
    std::unique_ptr<llvm::Module> new_module(llvm::StringRef name);

    Engine &engine_;
    jit_code &code_;
    llvm::TargetMachine &machine_;
    IrCompiler compiler_;
    std::string suffix_, slots_name_, data_name_;
    std::unique_ptr<llvm::MemoryBuffer> bytes_;
    llvm::LLVMContext context_;
    std::unique_ptr<llvm::Module> module_;
    std::vector<llvm::Function *> functions_;
    std::vector<Stub> stubs_; // of functions_
    std::vector<void *> bodies_;
    std::vector<bool> generated_;
    llvm::StringMap<std::string> renamed_; // of what was local
    std::vector<std::string> bounds_;      // of sections, that its data defines
    // Tables of labels, which belong to the function whose labels they are.
    llvm::DenseMap<const llvm::GlobalVariable *, const llvm::Function *> label_tables_;
    void **slots_ = nullptr;
};

} // namespace kiln
