// object_check.cpp - see object_check.h.
#include "jit/object_check.h"
#include "jit/processor_stubs.h"
#include "jit/refuse.h"
#include "jit/unwind_check.h"

#include "llvm/ADT/StringSet.h"
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
constexpr uint64_t size_at_most = uint64_t(1) << 40, alignment_at_most = 1 << 24;
// Of what JITLink lays out.
constexpr uint64_t alignment_of_pages = 4096;

Error check_header(StringRef name, const object::ELFFile<ELF64LE> &file)
{
    if (file.getHeader().e_type != ELF::ET_REL)
        return refuse("'" + name + "' is a linked file, no object");
    if (file.getHeader().e_machine != processor_of_objects)
        return refuse("'" + name + "' is made for another processor (ELF machine " +
                      Twine(file.getHeader().e_machine) + ")");
    return Error::success();
}

// JITLink believes what it reads: that everything lies within the file, and within its section.
Error check_sections(const object::ELFFile<ELF64LE> &file, ArrayRef<ELF64LE::Shdr> sections,
                     std::string &special)
{
    for (const ELF64LE::Shdr &section : sections) {
        if (section.sh_size > size_at_most)
            return refuse("a section is larger than memory can be");
        if (section.sh_addralign > alignment_at_most ||
            (section.sh_addralign & (section.sh_addralign - 1)))
            return refuse("a section has an alignment that is no power of two, or too large");
        if (section.sh_addr)
            return refuse("a section has an address already");
        if (section.sh_type == ELF::SHT_NOBITS) {
            // JITLink would copy what it does not have.
            if (!(section.sh_flags & ELF::SHF_ALLOC) || (section.sh_flags & ELF::SHF_EXCLUDE))
                return refuse("a section without content is not loaded");
            continue;
        }
        auto content = file.getSectionContents(section);
        auto name = file.getSectionName(section);
        if (!content || !name)
            return joinErrors(content.takeError(), name.takeError());
        if (*name != ".eh_frame")
            continue;
        if (!(section.sh_flags & ELF::SHF_ALLOC))
            return refuse("its unwind table is not where it could be used");
        if (Error error = check_unwind_records(
                ArrayRef(reinterpret_cast<const char *>(content->data()), content->size()),
                special))
            return error;
    }
    return Error::success();
}

Error check_symbol(const ELF64LE::Sym &symbol, ArrayRef<ELF64LE::Shdr> sections)
{
    unsigned section = symbol.st_shndx;
    if (symbol.getType() == ELF::STT_COMMON && section != ELF::SHN_COMMON)
        return refuse("a common symbol has a section");
    if (section == ELF::SHN_UNDEF || section == ELF::SHN_ABS || section == ELF::SHN_XINDEX)
        return Error::success();
    if (section == ELF::SHN_COMMON)
        return symbol.st_value && !(symbol.st_value & (symbol.st_value - 1)) &&
                       symbol.st_value <= alignment_at_most && symbol.st_size <= size_at_most
                   ? Error::success()
                   : refuse("a common symbol has no alignment, or no size that could be");
    if (section >= sections.size())
        return refuse("a symbol is in a section that is not there");
    uint64_t size = sections[section].sh_size;
    if (symbol.st_value > size || symbol.st_size > size - symbol.st_value)
        return refuse("a symbol lies beyond the end of its section");
    return Error::success();
}

// What a symbol asks for that JITLink cannot do; empty: nothing.
std::string find_special(const ELF64LE::Sym &symbol, StringRef name,
                         ArrayRef<ELF64LE::Shdr> sections)
{
    const auto is = [&](const char *what) { return ("'" + name + "' is " + what).str(); };
    if (symbol.getType() == ELF::STT_TLS)
        return is("thread-local");
    if (symbol.getType() == ELF::STT_GNU_IFUNC)
        return is("an ifunc");
    if (symbol.st_shndx == ELF::SHN_ABS && symbol.getType() != ELF::STT_FILE)
        return is("an absolute symbol");
    if (symbol.st_shndx == ELF::SHN_XINDEX)
        return is("in a section of a high number");
    if (symbol.st_shndx == ELF::SHN_COMMON && symbol.st_value > alignment_of_pages)
        return is("aligned to more than a page");
    if (symbol.getBinding() != ELF::STB_LOCAL && symbol.st_shndx != ELF::SHN_UNDEF &&
        symbol.st_shndx < sections.size() && !(sections[symbol.st_shndx].sh_flags & ELF::SHF_ALLOC))
        return is("in a section that is not loaded");
    // JITLink leaves these out, and then misses them.
    if (symbol.getBinding() != ELF::STB_LOCAL && symbol.getType() > ELF::STT_SECTION &&
        symbol.getType() != ELF::STT_COMMON)
        return is("of a type that is not known");
    if (symbol.getVisibility() == ELF::STV_INTERNAL)
        return is("of internal visibility");
    return "";
}

Expected<std::string> find_special_symbol(const object::ELFFile<ELF64LE> &file,
                                          ArrayRef<ELF64LE::Shdr> sections,
                                          const ELF64LE::Shdr &table)
{
    auto symbols = file.symbols(&table);
    if (!symbols)
        return symbols.takeError();
    auto names = file.getStringTableForSymtab(table);
    if (!names)
        return names.takeError();
    std::string special;
    StringSet<> globals;
    if (names->empty() || names->front() != '\0')
        return refuse("its names do not begin with an empty one");
    if (!symbols->empty() &&
        any_of(ArrayRef(reinterpret_cast<const char *>(symbols->data()), sizeof(ELF64LE::Sym)),
               [](char c) { return c != 0; }))
        return refuse("its first symbol is not empty");
    for (const ELF64LE::Sym &symbol : *symbols) {
        auto name = symbol.getName(*names);
        if (!name)
            return name.takeError();
        if (Error error = check_symbol(symbol, sections))
            return error;
        if (symbol.getBinding() != ELF::STB_LOCAL && name->empty())
            return refuse("a symbol that others can see has no name");
        std::string found = find_special(symbol, *name, sections);
        if (!found.empty())
            special = found;
        if (symbol.getBinding() != ELF::STB_LOCAL && !globals.insert(*name).second)
            special = "two symbols have the name '" + name->str() + "'";
    }
    return special;
}

Expected<std::string> find_special_relocation(const object::ELFFile<ELF64LE> &file,
                                              const ELF64LE::Shdr &section)
{
    auto target = file.getSection(section.sh_info);
    auto table = file.getSection(section.sh_link);
    if (!target || !table)
        return joinErrors(target.takeError(), table.takeError());
    if ((*table)->sh_type != ELF::SHT_SYMTAB)
        return refuse("relocations belong to no table of symbols");
    if ((*target)->sh_flags & ELF::SHF_COMPRESSED)
        return "it has compressed sections";
    auto symbols = file.symbols(*table);
    auto relocations = file.relas(section);
    if (!symbols || !relocations)
        return joinErrors(symbols.takeError(), relocations.takeError());
    bool is_allocated = (*target)->sh_flags & ELF::SHF_ALLOC;
    std::string special;
    for (const ELF64LE::Rela &relocation : *relocations) {
        unsigned type = relocation.getType(false), width = relocation_width(type);
        uint64_t size = (*target)->sh_type == ELF::SHT_NOBITS ? 0 : (*target)->sh_size;
        if (relocation.r_offset > size || width > size - relocation.r_offset)
            return refuse("a relocation lies beyond the end of its section");
        if (relocation.getSymbol(false) >= symbols->size())
            return refuse("a relocation is for a symbol that is not there");
        if (is_allocated && !is_known_relocation(type, relocation.r_addend))
            special = "it has relocations of type " +
                      object::getELFRelocationTypeName(processor_of_objects, type).str() +
                      " and addend " + std::to_string(relocation.r_addend);
    }
    return special;
}

Expected<std::string> find_special(const object::ELFFile<ELF64LE> &file)
{
    auto sections = file.sections();
    if (!sections)
        return sections.takeError();
    size_t allocated = 0;
    std::string special;
    if (Error error = check_sections(file, *sections, special))
        return error;
    for (const ELF64LE::Shdr &section : *sections) {
        Expected<std::string> found = "";
        allocated += (section.sh_flags & ELF::SHF_ALLOC) != 0;
        if (section.sh_type == ELF::SHT_SYMTAB)
            found = find_special_symbol(file, *sections, section);
        else if (section.sh_type == ELF::SHT_RELA)
            found = find_special_relocation(file, section);
        else if (section.sh_type == ELF::SHT_REL)
            return "it has relocations without addends";
        else if (section.sh_type == ELF::SHT_CREL)
            return "it has compact relocations";
        if ((section.sh_flags & ELF::SHF_ALLOC) && section.sh_addralign > alignment_of_pages)
            special = "a section is aligned to more than a page";
        if (!found)
            return found;
        if (!found->empty())
            special = *found;
    }
    if (!special.empty())
        return special;
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
