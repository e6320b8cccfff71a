// object_symbols.cpp - see object_symbols.h.
#include "jit/object_symbols.h"

#include "llvm/Object/ELFObjectFile.h"

#include <set>

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
        // LLVM's flag is for STV_HIDDEN alone.
        unsigned visibility = symbol.getOther() & 3;
        visit({.name = *name,
               .size = symbol.getSize(),
               .is_defined = !(*flags & object::SymbolRef::SF_Undefined),
               .is_local = !(*flags & object::SymbolRef::SF_Global),
               .is_hidden = visibility == ELF::STV_HIDDEN || visibility == ELF::STV_INTERNAL,
               .is_weak = (*flags & object::SymbolRef::SF_Weak) != 0,
               .is_thread_local = symbol.getELFType() == ELF::STT_TLS,
               .is_function = symbol.getELFType() == ELF::STT_FUNC});
    }
    return Error::success();
}

static std::set<unsigned> sections_of_groups(const object::ELFFile<object::ELF64LE> &file,
                                             ArrayRef<object::ELF64LE::Shdr> sections)
{
    std::set<unsigned> members;
    for (const object::ELF64LE::Shdr &section : sections) {
        if (section.sh_type != ELF::SHT_GROUP)
            continue;
        auto words = file.getSectionContentsAsArray<object::ELF64LE::Word>(section);
        if (!words)
            consumeError(words.takeError());
        else if (!words->empty() && (words->front() & ELF::GRP_COMDAT))
            members.insert(words->begin() + 1, words->end());
    }
    return members;
}

void weaken_group_symbols(MutableArrayRef<char> object)
{
    using object::ELF64LE;
    auto file = object::ELFFile<ELF64LE>::create(StringRef(object.data(), object.size()));
    auto sections = file ? file->sections() : file.takeError();
    if (!sections)
        return consumeError(sections.takeError());
    std::set<unsigned> members = sections_of_groups(*file, *sections);
    for (const ELF64LE::Shdr &section : *sections) {
        if (members.empty() || section.sh_type != ELF::SHT_SYMTAB)
            continue;
        auto symbols = file->symbols(&section);
        if (!symbols) {
            consumeError(symbols.takeError());
            continue;
        }
        for (const ELF64LE::Sym &symbol : *symbols)
            if (symbol.getBinding() == ELF::STB_GLOBAL && members.count(symbol.st_shndx))
                const_cast<ELF64LE::Sym &>(symbol).setBinding(ELF::STB_WEAK);
    }
}

} // namespace kiln
