// elf_image.cpp - reading and patching of ELF files. See elf_image.h.
#include "compiler/elf_image.h"

#include "llvm/Object/Archive.h"
#include "llvm/Object/ELF.h"
#include "llvm/Object/ELFTypes.h"

#include <algorithm>
#include <map>

namespace kiln
{
namespace
{

using llvm::StringRef;
using llvm::object::ELF64LE;
using ElfFile = llvm::object::ELFFile<ELF64LE>;
using ElfSymbol = ElfFile::Elf_Sym;
using ElfSection = ElfFile::Elf_Shdr;

constexpr uint16_t hidden_version = 0x8000;
constexpr unsigned char host_mark = 0x80;

template <class T> void forget(llvm::Expected<T> &result)
{
    llvm::consumeError(result.takeError());
}

const ElfSection *find_section(const ElfFile &file, unsigned type)
{
    auto sections = file.sections();
    if (!sections) {
        forget(sections);
        return nullptr;
    }
    for (const ElfSection &section : *sections) {
        if (section.sh_type == type)
            return &section;
    }
    return nullptr;
}

struct SymbolTableView {
    ElfFile::Elf_Sym_Range symbols;
    StringRef strings;
};

llvm::Expected<SymbolTableView> symbol_table(const ElfFile &file, unsigned type)
{
    const ElfSection *section = find_section(file, type);
    if (!section)
        return SymbolTableView{};
    auto symbols = file.symbols(section);
    if (!symbols)
        return symbols.takeError();
    auto sections = file.sections();
    if (!sections)
        return sections.takeError();
    auto strings = file.getStringTableForSymtab(*section, *sections);
    if (!strings)
        return strings.takeError();
    return SymbolTableView{*symbols, *strings};
}

// Whether a definition is data: by its type, or, for assembly that gives none, by its section.
bool is_data(const ElfFile &file, const ElfSymbol &symbol)
{
    switch (symbol.getType()) {
    case llvm::ELF::STT_OBJECT:
    case llvm::ELF::STT_TLS:
    case llvm::ELF::STT_COMMON:
        return true;
    case llvm::ELF::STT_NOTYPE:
        break;
    default:
        return false;
    }
    if (symbol.st_shndx >= llvm::ELF::SHN_LORESERVE)
        return false;
    auto section = file.getSection(symbol.st_shndx);
    if (!section) {
        forget(section);
        return false;
    }
    return !((*section)->sh_flags & llvm::ELF::SHF_EXECINSTR);
}

bool is_weak_data(const ElfFile &file, const ElfSymbol &symbol)
{
    bool may_repeat = symbol.getBinding() == llvm::ELF::STB_WEAK ||
                      symbol.getBinding() == llvm::ELF::STB_GNU_UNIQUE;
    bool is_visible = symbol.getVisibility() == llvm::ELF::STV_DEFAULT;
    return may_repeat && is_visible && symbol.isDefined() && is_data(file, symbol);
}

void collect_from_object(StringRef bytes, SymbolNames &names)
{
    auto file = ElfFile::create(bytes);
    if (!file)
        return forget(file);
    auto table = symbol_table(*file, llvm::ELF::SHT_SYMTAB);
    if (!table)
        return forget(table);
    for (const ElfSymbol &symbol : table->symbols) {
        if (!is_weak_data(*file, symbol))
            continue;
        auto name = symbol.getName(table->strings);
        if (name)
            names.insert(name->str());
        else
            forget(name);
    }
}

unsigned kind_of(const ElfSymbol &symbol)
{
    switch (symbol.getType()) {
    case llvm::ELF::STT_FUNC:
    case llvm::ELF::STT_GNU_IFUNC:
        return 0; // KILN_SYMBOL_FUNCTION
    case llvm::ELF::STT_OBJECT:
    case llvm::ELF::STT_COMMON:
        return 1; // KILN_SYMBOL_DATA
    case llvm::ELF::STT_TLS:
        return 2; // KILN_SYMBOL_THREAD_LOCAL
    default:
        return 3; // KILN_SYMBOL_OTHER
    }
}

// The version index of each dynamic symbol; empty where there are no versions.
llvm::Expected<llvm::ArrayRef<ElfFile::Elf_Versym>> version_indices(const ElfFile &file)
{
    const ElfSection *section = find_section(file, llvm::ELF::SHT_GNU_versym);
    if (!section)
        return llvm::ArrayRef<ElfFile::Elf_Versym>();
    return file.getSectionContentsAsArray<ElfFile::Elf_Versym>(*section);
}

// The same bit in the symbols' own entries, which glibc does not read there, but debuggers and
// binutils match with the others.
llvm::Error hide_indices(const ElfFile &file, llvm::MutableArrayRef<char> image,
                         const std::set<uint16_t> &hidden)
{
    auto versions = version_indices(file);
    if (!versions)
        return versions.takeError();
    for (const ElfFile::Elf_Versym &version : *versions) {
        if (!hidden.count(version.vs_index))
            continue;
        size_t offset = size_t(reinterpret_cast<const char *>(&version) - image.data());
        auto *own = reinterpret_cast<ElfFile::Elf_Versym *>(image.data() + offset);
        own->vs_index = own->vs_index | hidden_version;
    }
    return llvm::Error::success();
}

// Set the hidden bit of every version that is needed from a dependency. Offsets were written by LLD
// just now, but are checked all the same.
llvm::Error hide_needed_versions(const ElfFile &file, llvm::MutableArrayRef<char> image,
                                 const llvm::StringSet<> &dependency_ids)
{
    const ElfSection *section = find_section(file, llvm::ELF::SHT_GNU_verneed);
    if (!section)
        return llvm::Error::success();
    auto strings_section = file.getSection(section->sh_link);
    if (!strings_section)
        return strings_section.takeError();
    auto strings = file.getStringTable(**strings_section);
    if (!strings)
        return strings.takeError();

    auto in_section = [&](uint64_t offset, size_t size) {
        return offset + size <= section->sh_size &&
               section->sh_offset + offset + size <= image.size();
    };
    char *base = image.data() + section->sh_offset;
    std::set<uint16_t> hidden;
    uint64_t offset = 0;
    for (unsigned i = 0; i < section->sh_info && in_section(offset, sizeof(ElfFile::Elf_Verneed));
         i++) {
        auto *need = reinterpret_cast<ElfFile::Elf_Verneed *>(base + offset);
        bool is_dependency = need->vn_file < strings->size() &&
                             dependency_ids.contains(StringRef(strings->data() + need->vn_file));
        uint64_t entry = offset + need->vn_aux;
        for (unsigned j = 0; is_dependency && j < need->vn_cnt; j++) {
            if (!in_section(entry, sizeof(ElfFile::Elf_Vernaux)))
                break;
            auto *version = reinterpret_cast<ElfFile::Elf_Vernaux *>(base + entry);
            hidden.insert(version->vna_other & ~hidden_version);
            version->vna_other = version->vna_other | hidden_version;
            entry += version->vna_next;
        }
        offset += need->vn_next;
    }
    return hide_indices(file, image, hidden);
}

// LLD writes R_X86_64_DTPMOD64 with the symbol even where that is the image's own and cannot be
// preempted (its offset is a constant then). glibc would look it up and take the module of a host's
// thread-local of that name: symbol 0 means "this image". Weak variables, which have the shared
// version, are to be looked up.
llvm::Error bind_own_thread_locals(const ElfFile &file, llvm::MutableArrayRef<char> image)
{
    auto table = symbol_table(file, llvm::ELF::SHT_DYNSYM);
    if (!table)
        return table.takeError();
    auto sections = file.sections();
    if (!sections)
        return sections.takeError();
    for (const ElfSection &section : *sections) {
        if (section.sh_type != llvm::ELF::SHT_RELA || !(section.sh_flags & llvm::ELF::SHF_ALLOC))
            continue;
        auto relocations = file.relas(section);
        if (!relocations)
            return relocations.takeError();
        for (const ElfFile::Elf_Rela &relocation : *relocations) {
            uint32_t index = relocation.getSymbol(false);
            if (relocation.getType(false) != llvm::ELF::R_X86_64_DTPMOD64 || index == 0 ||
                index >= table->symbols.size() || table->symbols[index].isUndefined())
                continue;
            if (table->symbols[index].getBinding() != llvm::ELF::STB_GLOBAL)
                continue;
            size_t offset = size_t(reinterpret_cast<const char *>(&relocation) - image.data());
            auto *own = reinterpret_cast<ElfFile::Elf_Rela *>(image.data() + offset);
            own->setSymbolAndType(0, llvm::ELF::R_X86_64_DTPMOD64, false);
        }
    }
    return llvm::Error::success();
}

llvm::Error mark_host_references(const ElfFile &file, llvm::MutableArrayRef<char> image,
                                 const PatchRequest &request, std::vector<std::string> &used)
{
    auto table = symbol_table(file, llvm::ELF::SHT_DYNSYM);
    if (!table)
        return table.takeError();
    auto versions = version_indices(file);
    if (!versions)
        return versions.takeError();
    size_t strings_offset = size_t(table->strings.data() - image.data());
    for (size_t i = 1; i < table->symbols.size(); i++) {
        const ElfSymbol &symbol = table->symbols[i];
        if (!symbol.isUndefined() || symbol.st_name >= table->strings.size())
            continue;
        StringRef name(table->strings.data() + symbol.st_name);
        // A version above 1 was asked from a shared library that defines the symbol.
        bool is_bound = i < versions->size() && (*versions)[i].vs_index > llvm::ELF::VER_NDX_GLOBAL;
        if (name.empty() || is_bound || !request.host_symbols.contains(name) ||
            request.provided.contains(name))
            continue;
        used.push_back(name.str());
        image[strings_offset + symbol.st_name] |= char(host_mark);
    }
    std::sort(used.begin(), used.end());
    return llvm::Error::success();
}

// Names by which generations of a hot library find each other: of nobody else's concern.
bool is_internal_name(StringRef name)
{
    return name.starts_with("kiln.hot.") || name.contains(".kiln.");
}

} // namespace

void collect_weak_data(StringRef bytes, SymbolNames &names)
{
    if (!bytes.starts_with("!<arch>\n"))
        return collect_from_object(bytes, names);
    llvm::Error error = llvm::Error::success();
    llvm::object::Archive archive(llvm::MemoryBufferRef(bytes, ""), error);
    if (error)
        return llvm::consumeError(std::move(error));
    for (const auto &child : archive.children(error)) {
        auto member = child.getBuffer();
        if (member)
            collect_from_object(*member, names);
        else
            forget(member);
    }
    llvm::consumeError(std::move(error));
}

void collect_unversioned(StringRef bytes, llvm::StringSet<> &names)
{
    auto file = ElfFile::create(bytes);
    if (!file)
        return forget(file);
    if (file->getHeader().e_type != llvm::ELF::ET_DYN)
        return;
    auto table = symbol_table(*file, llvm::ELF::SHT_DYNSYM);
    if (!table)
        return forget(table);
    auto versions = version_indices(*file);
    if (!versions)
        return forget(versions);
    for (size_t i = 1; i < table->symbols.size(); i++) {
        const ElfSymbol &symbol = table->symbols[i];
        bool has_version =
            i < versions->size() && (*versions)[i].vs_index > llvm::ELF::VER_NDX_GLOBAL;
        if (symbol.isDefined() && !has_version && symbol.st_name < table->strings.size())
            names.insert(StringRef(table->strings.data() + symbol.st_name));
    }
}

llvm::Expected<ImageContents> read_image(StringRef image)
{
    auto file = ElfFile::create(image);
    if (!file)
        return file.takeError();
    auto table = symbol_table(*file, llvm::ELF::SHT_DYNSYM);
    if (!table)
        return table.takeError();
    ImageContents contents;
    for (const ElfSymbol &symbol : table->symbols) {
        auto name = symbol.getName(table->strings);
        if (!name)
            return name.takeError();
        if (!symbol.isDefined() || name->empty() || symbol.getType() == llvm::ELF::STT_SECTION)
            continue;
        if (!is_internal_name(*name))
            contents.symbols.push_back({name->str(), kind_of(symbol), symbol.st_size,
                                        symbol.getBinding() == llvm::ELF::STB_WEAK});
        if (is_weak_data(*file, symbol))
            contents.weak_data.insert(name->str());
    }
    std::sort(contents.symbols.begin(), contents.symbols.end(),
              [](const ImageSymbol &a, const ImageSymbol &b) { return a.name < b.name; });
    return contents;
}

llvm::Error patch_image(llvm::MutableArrayRef<char> image, const PatchRequest &request,
                        std::vector<std::string> &used_host_symbols)
{
    auto file = ElfFile::create(StringRef(image.data(), image.size()));
    if (!file)
        return file.takeError();
    if (llvm::Error error = hide_needed_versions(*file, image, request.dependency_ids))
        return error;
    if (llvm::Error error = bind_own_thread_locals(*file, image))
        return error;
    return mark_host_references(*file, image, request, used_host_symbols);
}

} // namespace kiln
