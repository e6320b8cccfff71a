// object_symbols.cpp - see object_symbols.h.
#include "jit/object_symbols.h"

#include "llvm/Object/ELFObjectFile.h"

namespace kiln
{

using namespace llvm;

Error visit_object_symbols(MemoryBufferRef bytes, function_ref<void(const ObjectSymbol &)> visit)
{
    auto object = object::ELFObjectFile<object::ELF64LE>::create(bytes);
    if (!object)
        return object.takeError();
    for (const object::ELFSymbolRef &symbol : object->symbols()) {
        auto flags = symbol.getFlags();
        auto name = symbol.getName();
        if (!flags || !name)
            return joinErrors(flags.takeError(), name.takeError());
        visit({.name = *name,
               .size = symbol.getSize(),
               .is_defined = !(*flags & object::SymbolRef::SF_Undefined),
               .is_local = !(*flags & object::SymbolRef::SF_Global),
               .is_weak = (*flags & object::SymbolRef::SF_Weak) != 0,
               .is_thread_local = symbol.getELFType() == ELF::STT_TLS});
    }
    return Error::success();
}

} // namespace kiln
