// ir_digest.h - digests of functions and initialisers as LLVM IR, by what they mean.
//
// Two functions of different modules have the same digest if the same code would be made of them:
// names of values, numbers that LLVM gives to types and private constants, positions in the source
// and debug information do not count. What a function refers to counts by name; private constants
// count by content, and so do functions that only live within others (the caller says which).
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"

#include <functional>

namespace kiln
{

class IrDigest
{
  public:
    // How a global is referred to: a name that is the same in every generation; empty: it has none,
    // and its content counts.
    using NameOf = std::function<llvm::StringRef(const llvm::GlobalValue &)>;
    explicit IrDigest(NameOf name_of) : name_of_(std::move(name_of)) {}

    // Of the body, with all attributes; never 0.
    uint64_t function(const llvm::Function &function);
    // Of the places in the source that its debug information names; 0: it has none.
    uint64_t lines(const llvm::Function &function);
    // Of the type alone, calling convention included.
    uint64_t signature(const llvm::Function &function);
    // Of an initialiser; never 0.
    uint64_t constant(const llvm::Constant &constant);
    uint64_t type(const llvm::Type &type);
    // Names have changed.
    void forget_constants()
    {
        constants_.clear();
    }

  private:
    using Bytes = llvm::SmallVector<char, 0>;

    void add(Bytes &bytes, uint64_t value)
    {
        bytes.append(reinterpret_cast<const char *>(&value),
                     reinterpret_cast<const char *>(&value) + sizeof value);
    }
    void add(Bytes &bytes, llvm::StringRef text);
    void add_attributes(Bytes &bytes, const llvm::AttributeList &list);
    void add_words(Bytes &bytes, const llvm::Metadata *metadata);
    void add_operand(Bytes &bytes, const llvm::Value &value);
    void add_details(Bytes &bytes, const llvm::Instruction &instruction);
    void add_metadata(Bytes &bytes, const llvm::Instruction &instruction);
    void add_instruction(Bytes &bytes, const llvm::Instruction &instruction);
    uint64_t global(const llvm::GlobalValue &value);
    uint64_t new_constant(const llvm::Constant &constant);

    NameOf name_of_;
    llvm::DenseMap<const llvm::Type *, uint64_t> types_;
    llvm::DenseMap<const llvm::Constant *, uint64_t> constants_;
    llvm::DenseMap<void *, uint64_t> attributes_;
    llvm::DenseMap<const llvm::Value *, uint64_t> numbers_; // of the function at hand
};

} // namespace kiln
