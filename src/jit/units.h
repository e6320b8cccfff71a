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

} // namespace kiln
