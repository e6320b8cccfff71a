// function_edit.h - edits within the body of one function of a source.
//
// The table of a unit knows the bytes of each body, and what stands between them, by digest. Where
// all of it is as it was but for one body, and no header differs, that function alone need be
// compiled: the others are skipped by the parser, and stand in the module as declarations.
//
// The bodies of functions of which no code was made so far are parsed, too: the edited one may be
// the first to call them.
//
// Left to the whole unit: templates, constexpr functions, deduced return types, constructors and
// destructors, members that are defined within their class; functions that are inline or always
// inlined; bodies with preprocessor directives; sources that use __COUNTER__; units that are built
// as a whole.
#pragma once

#include "compiler/hot_table.h"

#include "clang/AST/Decl.h"
#include "clang/Basic/SourceManager.h"
#include "llvm/ADT/StringSet.h"

namespace kiln
{

// Whether there can be such an edit at all; known without a look at the source.
bool function_edit_is_possible(const HotWork &work);
// Find such an edit: sets work.single_function, and work.unit's bodies as they are now.
void function_edit_find(HotWork &work, llvm::StringRef source);

// Note the bodies of a source that was compiled whole.
class FunctionBodies
{
  public:
    explicit FunctionBodies(HotWork &work) : work_(work) {}
    // name: what it goes by; in C++ its mangled one.
    void add(const clang::FunctionDecl *function, const std::string &name,
             const clang::SourceManager &sources);
    // Another name is defined by the one of that name, which has to be seen for that.
    void add_target(llvm::StringRef name)
    {
        targets_.insert(name);
    }
    // alone: whether functions of this source can be compiled alone at all.
    void finish(const clang::SourceManager &sources, bool alone);

  private:
    HotWork &work_;
    std::vector<HotBody> bodies_;
    llvm::StringSet<> targets_;
};

} // namespace kiln
