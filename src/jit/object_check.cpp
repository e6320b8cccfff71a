// object_check.cpp - see object_check.h.
#include "jit/object_check.h"
#include "jit/processor_stubs.h"

#include "llvm/Object/ELFObjectFile.h"
#include "llvm/TargetParser/Host.h"

namespace kiln
{

using namespace llvm;
using object::ELF64LE;

namespace
{

// JITLink's time grows with the square of the number of sections (1,000: 0.6 s).
constexpr size_t sections_at_most = 256;

Error refuse(const Twine &text)
{
    return make_error<StringError>(text, inconvertibleErrorCode());
}

Error check_header(StringRef name, const object::ELFFile<ELF64LE> &file)
{
    if (file.getHeader().e_type != ELF::ET_REL)
        return refuse("'" + name + "' is a linked file, no object");
    if (file.getHeader().e_machine != ELF::EM_X86_64)
        return refuse("'" + name + "' is made for another processor (ELF machine " +
                      Twine(file.getHeader().e_machine) + ")");
    return Error::success();
}

// What a symbol asks for that JITLink cannot do; empty: nothing.
Expected<std::string> find_special_symbol(const object::ELFFile<ELF64LE> &file,
                                          const ELF64LE::Shdr &table)
{
    auto symbols = file.symbols(&table);
    if (!symbols)
        return symbols.takeError();
    auto names = file.getStringTableForSymtab(table);
    if (!names)
        return names.takeError();
    for (const ELF64LE::Sym &symbol : *symbols) {
        auto name = symbol.getName(*names);
        if (!name)
            return name.takeError();
        if (symbol.getType() == ELF::STT_TLS)
            return "'" + name->str() + "' is thread-local";
        if (symbol.getType() == ELF::STT_GNU_IFUNC)
            return "'" + name->str() + "' is an ifunc";
    }
    return "";
}

Expected<std::string> find_special_relocation(const object::ELFFile<ELF64LE> &file,
                                              const ELF64LE::Shdr &section)
{
    auto target = file.getSection(section.sh_info);
    if (!target)
        return target.takeError();
    if (!((*target)->sh_flags & ELF::SHF_ALLOC))
        return "";
    auto relocations = file.relas(section);
    if (!relocations)
        return relocations.takeError();
    for (const ELF64LE::Rela &relocation : *relocations)
        if (!is_known_relocation(relocation.getType(false)))
            return "it has relocations of type " +
                   object::getELFRelocationTypeName(ELF::EM_X86_64, relocation.getType(false))
                       .str();
    return "";
}

Expected<std::string> find_special(const object::ELFFile<ELF64LE> &file)
{
    auto sections = file.sections();
    if (!sections)
        return sections.takeError();
    size_t allocated = 0;
    for (const ELF64LE::Shdr &section : *sections) {
        Expected<std::string> found = "";
        allocated += (section.sh_flags & ELF::SHF_ALLOC) != 0;
        if (section.sh_type == ELF::SHT_SYMTAB)
            found = find_special_symbol(file, section);
        else if (section.sh_type == ELF::SHT_RELA)
            found = find_special_relocation(file, section);
        else if (section.sh_type == ELF::SHT_REL)
            return "it has relocations without addends";
        if (!found || !found->empty())
            return found;
    }
    if (allocated > sections_at_most)
        return "it has " + std::to_string(allocated) + " sections";
    return "";
}

} // namespace

Expected<ObjectVerdict> check_object(MemoryBufferRef object, std::string &reason)
{
    StringRef bytes = object.getBuffer(), name = object.getBufferIdentifier();
    if (bytes.size() < sizeof(ELF64LE::Ehdr) || !bytes.starts_with(StringRef(ELF::ElfMagic, 4)))
        return refuse("'" + name + "' is no object file");
    if (bytes[ELF::EI_CLASS] != ELF::ELFCLASS64 || bytes[ELF::EI_DATA] != ELF::ELFDATA2LSB)
        return refuse("'" + name + "' is made for another processor (not 64 bits, little-endian)");
    auto file = object::ELFFile<ELF64LE>::create(bytes);
    if (!file)
        return refuse("'" + name + "' is damaged: " + toString(file.takeError()));
    if (Error error = check_header(name, *file))
        return error;
    auto special = find_special(*file);
    if (!special)
        return refuse("'" + name + "' is damaged: " + toString(special.takeError()));
    reason = *special;
    return reason.empty() ? ObjectVerdict::Link : ObjectVerdict::Image;
}

} // namespace kiln
