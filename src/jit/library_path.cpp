// library_path.cpp - see library_path.h.
#include "jit/library_path.h"
#include "jit/addresses.h"
#include "jit/processor_stubs.h"

#include "llvm/Object/ELF.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"

#include <dirent.h>
#include <dlfcn.h>
#include <set>
#include <sys/stat.h>

namespace kiln
{

using namespace llvm;

namespace
{

using File = object::ELFFile<object::ELF64LE>;

// "libNAME.so", "libNAME.so.6"
bool is_library_name(StringRef name)
{
    return name.ends_with(".so") || name.contains(".so.");
}

std::vector<std::string> names_in(const std::string &directory)
{
    std::vector<std::string> names;
    DIR *stream = opendir(directory.c_str());
    if (!stream)
        return names;
    while (const dirent *entry = readdir(stream))
        if (is_library_name(entry->d_name))
            names.push_back(entry->d_name);
    closedir(stream);
    llvm::sort(names);
    return names;
}

std::string state_of(const std::string &directory)
{
    struct stat state;
    if (stat(directory.c_str(), &state))
        return "none";
    return std::to_string(state.st_dev) + "." + std::to_string(state.st_ino) + "." +
           std::to_string(state.st_mtim.tv_sec) + "." + std::to_string(state.st_mtim.tv_nsec);
}

bool is_export(const object::ELF64LE::Sym &symbol)
{
    unsigned visibility = symbol.getVisibility();
    return symbol.st_shndx != ELF::SHN_UNDEF && symbol.getBinding() != ELF::STB_LOCAL &&
           (visibility == ELF::STV_DEFAULT || visibility == ELF::STV_PROTECTED);
}

// What is no shared library of this processor, or damaged, has none.
void visit_exports(StringRef bytes, function_ref<void(StringRef name)> visit)
{
    auto file = File::create(bytes);
    if (!file)
        return consumeError(file.takeError());
    if (file->getHeader().e_type != ELF::ET_DYN ||
        file->getHeader().e_machine != processor_of_objects)
        return;
    auto sections = file->sections();
    if (!sections)
        return consumeError(sections.takeError());
    for (const auto &section : *sections) {
        if (section.sh_type != ELF::SHT_DYNSYM)
            continue;
        auto symbols = file->symbols(&section);
        auto names = file->getStringTableForSymtab(section);
        if (!symbols || !names)
            return consumeError(joinErrors(symbols.takeError(), names.takeError()));
        for (const auto &symbol : *symbols) {
            auto name = symbol.getName(*names);
            if (!name)
                consumeError(name.takeError());
            else if (is_export(symbol))
                visit(*name);
        }
    }
}

} // namespace

bool LibraryPath::have_changed()
{
    std::vector<std::string> now;
    for (const std::string &directory : directories_)
        now.push_back(state_of(directory));
    if (now == states_)
        return false;
    states_ = std::move(now);
    return true;
}

void LibraryPath::read_library(const std::string &path)
{
    auto bytes = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!bytes || !(*bytes)->getBuffer().starts_with(StringRef(ELF::ElfMagic, 4)))
        return; // a script of linkers
    auto number = uint32_t(libraries_.size());
    size_t before = exports_.size();
    visit_exports((*bytes)->getBuffer(),
                  [&](StringRef name) { exports_.push_back({xxh3_64bits(name), number}); });
    if (exports_.size() > before)
        libraries_.push_back({path});
}

void LibraryPath::read()
{
    std::set<std::pair<dev_t, ino_t>> seen; // most have several names
    libraries_.clear();
    exports_.clear();
    for (const std::string &directory : directories_)
        for (const std::string &name : names_in(directory)) {
            std::string path = directory + "/" + name;
            struct stat state;
            if (stat(path.c_str(), &state) == 0 && S_ISREG(state.st_mode) &&
                seen.insert({state.st_dev, state.st_ino}).second)
                read_library(path);
        }
    llvm::sort(exports_, [](const Export &a, const Export &b) {
        return std::tie(a.name, a.library) < std::tie(b.name, b.library);
    });
    exports_.shrink_to_fit();
}

void *LibraryPath::find_known(const char *name)
{
    uint64_t digest = xxh3_64bits(StringRef(name));
    auto found = llvm::lower_bound(
        exports_, digest, [](const Export &item, uint64_t name) { return item.name < name; });
    std::string complaints;
    for (; found != exports_.end() && found->name == digest; ++found) {
        Library &library = libraries_[found->library];
        if (!library.handle)
            library.handle = dlopen(library.path.c_str(), RTLD_NOW | RTLD_LOCAL);
        void *address = library.handle ? find_in_library(library.handle, name) : nullptr;
        if (address)
            return address;
        if (!library.handle)
            complaints += std::string(complaints.empty() ? "" : "\n") + "'" + library.path +
                          "' has the symbol '" + name + "', but cannot be loaded: " + dlerror();
    }
    if (!complaints.empty())
        complain_(complaints);
    return nullptr;
}

void *LibraryPath::find(const char *name)
{
    if (void *address = find_known(name))
        return address;
    if (!have_changed())
        return nullptr;
    read();
    return find_known(name);
}

} // namespace kiln
