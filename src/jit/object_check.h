// object_check.h - what an object file asks of a linker, before JITLink sees it.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace kiln
{

enum class ObjectVerdict {
    Link,  // JITLink links it right
    Image, // it uses what JITLink cannot do: native TLS, ifunc, thousands of sections, ...
};

// Errors, for people: it is no relocatable ELF object, of another processor, or damaged. reason: of
// Image.
llvm::Expected<ObjectVerdict> check_object(llvm::MemoryBufferRef object, std::string &reason);

} // namespace kiln
