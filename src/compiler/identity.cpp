// identity.cpp - the build id and the resource directory. See identity.h.
#include "compiler/identity.h"
#include "compiler/compiler_config.h"
#include "compiler/driver.h"

#include "clang/Basic/Version.h"
#include "llvm/ADT/StringExtras.h"

#include <climits>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kiln
{
namespace
{

// Find the note that the linker put into this program: the first object that the loader lists.
int find_build_id(dl_phdr_info *info, size_t, void *data)
{
    auto &build_id = *static_cast<std::string *>(data);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &segment = info->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE)
            continue;
        const char *at = reinterpret_cast<const char *>(info->dlpi_addr + segment.p_vaddr);
        const char *end = at + segment.p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            auto *note = reinterpret_cast<const ElfW(Nhdr) *>(at);
            const char *name = at + sizeof *note;
            const char *content = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID &&
                llvm::StringRef(name, note->n_namesz) == llvm::StringRef("GNU", 4))
                build_id.assign(content, note->n_descsz);
            at = content + ((note->n_descsz + 3) & ~3u);
        }
    }
    return 1;
}

std::string program_path()
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    return length > 0 ? std::string(path, size_t(length)) : std::string();
}

} // namespace

CompilerIdentity compiler_identity()
{
    CompilerIdentity identity;
    std::string described;
    dl_iterate_phdr(find_build_id, &described);
    described += resource_directory();
    struct stat status;
    if (stat(resource_directory().c_str(), &status) == 0)
        described += "," + llvm::utostr(uint64_t(identity_of(status).mtime_ns));
    identity.digest = digest_of(described);
    identity.files = {program_path(), resource_directory()};
    identity.version = "clang version " CLANG_VERSION_STRING;
    return identity;
}

} // namespace kiln
