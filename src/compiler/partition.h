// partition.h - cuts a module into pieces that can be optimised and compiled apart.
//
// Every definition is owned by one piece. What another piece refers to becomes visible to it: local
// definitions turn into hidden ones with a suffix, so that nothing of it can be seen from outside
// of the merged object. Small functions are imported into the pieces that reach them, as
// available_externally, which keeps inlining across pieces; constants without addresses in them
// likewise. Planning and sharing happen once, before the fork; keep_only in each child, whose
// module is a copy-on-write copy.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/IR/Module.h"

#include <memory>
#include <string>
#include <vector>

namespace kiln
{

class Partition
{
  public:
    // NULL where the module is better left whole: it is small, or holds what cannot be cut
    // (assembly that may name its symbols). at_once: how many pieces are compiled side by side.
    static std::unique_ptr<Partition> plan(llvm::Module &module, unsigned at_once);

    size_t piece_count() const
    {
        return imports_.size();
    }
    // Make what several pieces refer to visible to all. suffix: of the names that local definitions
    // get.
    void share(llvm::StringRef suffix);
    // Reduce the module to one piece; piece_count(): to nothing.
    void keep_only(size_t piece);

  private:
    explicit Partition(llvm::Module &module) : module_(module) {}

    bool can_be_cut() const;
    void join(llvm::GlobalValue *a, llvm::GlobalValue *b);
    llvm::GlobalValue *leader(llvm::GlobalValue *value) const;
    void join_fixed_groups();
    void join_single_callers(uint64_t weight_limit);
    void assign_functions(uint64_t piece_weight);
    void assign_rest();
    void assign_variable(llvm::GlobalVariable *variable, unsigned piece);
    void choose_imports();
    void find_shared();
    void note_references(const llvm::User &user, unsigned piece);

    size_t owner_of(const llvm::GlobalValue *value) const;
    bool is_clonable(const llvm::GlobalValue *value) const;
    void keep_functions(size_t piece);
    void keep_variables(size_t piece);
    void keep_aliases(size_t piece);
    void keep_lists(size_t piece);
    void keep_debug_lists(size_t piece);
    size_t piece_of_list_entry(const llvm::Constant *entry) const;

    llvm::Module &module_;
    llvm::DenseMap<llvm::GlobalValue *, llvm::GlobalValue *> parents_; // union-find
    llvm::DenseMap<llvm::GlobalValue *, uint64_t> weights_; // of clusters, at their leaders
    llvm::DenseMap<const llvm::GlobalValue *, unsigned> owners_;
    llvm::SmallPtrSet<llvm::GlobalValue *, 16> shared_;
    std::vector<llvm::DenseSet<const llvm::Function *>> imports_; // for each piece
};

} // namespace kiln
