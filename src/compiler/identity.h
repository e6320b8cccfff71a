// identity.h - what this compiler is: the name under which its results may be reused.
#pragma once

#include "compiler/digest.h"

#include <string>
#include <vector>

namespace kiln
{

struct CompilerIdentity {
    Digest digest;                  // of all that follows
    std::vector<std::string> files; // where these are unchanged, so is the digest
    std::string version;            // "clang version 22.1.8"
};

// This program (Clang, LLVM and LLD are in it, so its build id covers them) and the resource
// directory that it uses.
CompilerIdentity compiler_identity();

} // namespace kiln
