// record_layouts.h - how the records of a unit lie in memory, what static data holds them, and what
// an edit changes of that.
//
// Existing data was laid out by an earlier generation. A record whose size, alignment, members,
// bases or virtual functions differ from what the previous tables tell is a changed layout: where a
// variable with static storage reaches it - through members, arrays, base classes, pointers and
// references - that is LayoutChanged, for each such variable (three at most); else LayoutUnseen, as
// other memory may hold it. A member that only has another name is no change. Types of system
// headers are looked through, not kept. Unnamed records without a typedef name belong to the type
// of the member or variable that they are declared with.
#pragma once

#include "compiler/hot_table.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Decl.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace kiln
{

class RecordLayouts
{
  public:
    explicit RecordLayouts(HotWork &work) : work_(work) {}
    // A variable with static storage that the unit defines.
    void add_variable(const clang::VarDecl *variable)
    {
        variables_.push_back(variable);
    }
    // A record that is complete.
    void add_record(const clang::RecordDecl *record);
    // Fill in records, holders and notices of work.unit.
    void finish(clang::ASTContext &context);

  private:
    struct Reach {
        std::vector<uint32_t> records;
        bool is_opaque = false;
        llvm::SmallPtrSet<const clang::RecordDecl *, 8> seen;
    };

    bool is_kept(const clang::RecordDecl *record) const;
    uint32_t index_of(const clang::RecordDecl *record);
    HotRecord describe(const clang::RecordDecl *record) const;
    std::string text_of(clang::QualType type) const;
    std::string text_of_unnamed(const clang::RecordDecl *record) const;
    void reach(clang::QualType type, Reach &found);
    void reach_record(const clang::RecordDecl *record, Reach &found);
    void compare();
    void carry_over();
    const HotRecord *record_before(const std::string &name) const;
    std::vector<const HotHolder *> holders_before(const std::string &name) const;

    HotWork &work_;
    clang::ASTContext *context_ = nullptr;
    std::vector<const clang::VarDecl *> variables_;
    std::vector<const clang::RecordDecl *> complete_;
    llvm::DenseMap<const clang::RecordDecl *, uint32_t> indices_;
};

} // namespace kiln
