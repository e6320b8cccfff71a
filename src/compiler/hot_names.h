// hot_names.h - identities of what has no name of its own, or shares it: static variables of
// functions, and lambdas; and initialisers that have run already.
//
// Looks at each declaration before Clang's code generator does, and
//   - gives each static variable of a function an annotation "kiln.name:NAME", from which
//     hot_pass.cpp takes its stable name: compilers number those of one name, and the numbers shift
//     when another is put before them;
//   - gives each lambda a stable number for mangling, for the same reason;
//   - takes their initialisers from variables that an earlier generation has initialised by code.
// What was given before is told by the previous table of the unit, and found again by function (or
// context), name, type, and text: see align.h for how lists of these are matched.
#pragma once

#include "compiler/hot_table.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/Frontend/CompilerInstance.h"

#include <memory>

namespace kiln
{

// next: the code generator, which is handed functions of our own, too: they are named
// hot_kept_prefix and a number, and are only there to keep code alive.
std::unique_ptr<clang::ASTConsumer> hot_names_create(HotWork &work, clang::ASTConsumer &next,
                                                     clang::CompilerInstance &instance);
constexpr llvm::StringLiteral hot_kept_prefix = "__kiln_kept_";

} // namespace kiln
