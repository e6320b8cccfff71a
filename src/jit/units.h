// units.h - what ORC materialises for an engine: objects, modules, and objects that become images.
#pragma once

#include "jit/engine.h"

namespace kiln
{

// The object is copied.
llvm::Expected<std::unique_ptr<llvm::orc::MaterializationUnit>>
make_object_unit(Engine &engine, llvm::orc::ExecutionSession &session, llvm::MemoryBufferRef object,
                 bool as_image);
std::unique_ptr<llvm::orc::MaterializationUnit>
make_module_unit(Engine &engine, llvm::orc::ExecutionSession &session,
                 llvm::orc::ThreadSafeModule module);

// What an object needs of others; thread-local variables are left out, since an image finds these by
// itself.
llvm::Expected<llvm::orc::SymbolLookupSet> undefined_symbols(llvm::orc::ExecutionSession &session,
                                                             llvm::MemoryBufferRef object);
// Of what it defines, in bytes.
void read_object_sizes(llvm::MemoryBufferRef object, llvm::StringMap<uint64_t> &sizes);
// Whether it needs the run-time library of C++.
bool uses_cxx(llvm::MemoryBufferRef object);
// Tell ORC the addresses of what an image has defined.
void finish_image(Engine &engine,
                  std::unique_ptr<llvm::orc::MaterializationResponsibility> responsibility,
                  const AddressGenerator::Find &find);

} // namespace kiln
