/* elf_file.c - what an ELF file says about its symbols: see elf_file.h.
 *
 * Tables are found by section headers, which every linker writes and no strip removes. Nothing is
 * believed: offsets, alignments and string tables are checked here, version records and hash chains
 * where they are walked. */
#include "load/elf_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "load/elf_common.h"
#include "os/os.h"

/* The contents of a section, if it lies within the file, is aligned and consists of whole items. */
static const void *section_items(const elf_file *file, const Elf64_Shdr *section, size_t item_size,
                                 size_t alignment, size_t *count)
{
    *count = 0; /* of two sections of one type the last counts, with its own size */
    if (section->sh_offset > file->size || section->sh_size > file->size - section->sh_offset ||
        section->sh_offset % alignment || section->sh_type == SHT_NOBITS)
        return NULL;
    *count = section->sh_size / item_size;
    return *count ? file->bytes + section->sh_offset : NULL;
}

static const char *linked_strings(const elf_file *file, const Elf64_Shdr *sections, size_t count,
                                  const Elf64_Shdr *section, size_t *size)
{
    if (section->sh_link >= count)
        return NULL;
    const char *strings = section_items(file, &sections[section->sh_link], 1, 1, size);
    return strings && strings[*size - 1] == '\0' ? strings : NULL;
}

static void view_symbols(const elf_file *file, elf_symbols *symbols, const Elf64_Shdr *sections,
                         size_t count, const Elf64_Shdr *section)
{
    elf_symbols view;
    view.items = section_items(file, section, sizeof(Elf64_Sym), 8, &view.count);
    view.strings = linked_strings(file, sections, count, section, &view.strings_size);
    if (view.items && view.strings)
        *symbols = view;
}

static void view_section(elf_file *file, const Elf64_Shdr *sections, size_t count,
                         const Elf64_Shdr *section, size_t *version_count)
{
    switch (section->sh_type) {
    case SHT_DYNSYM:
        view_symbols(file, &file->dynamic, sections, count, section);
        break;
    case SHT_SYMTAB:
        view_symbols(file, &file->all, sections, count, section);
        break;
    case SHT_GNU_versym:
        file->versions = section_items(file, section, sizeof(Elf64_Half), 2, version_count);
        break;
    case SHT_GNU_verneed:
        file->needs = section_items(file, section, 1, 4, &file->needs_size);
        file->need_count = section->sh_info;
        break;
    case SHT_GNU_verdef:
        file->definitions = section_items(file, section, 1, 4, &file->definitions_size);
        file->definition_count = section->sh_info;
        break;
    case SHT_DYNAMIC:
        file->entries = section_items(file, section, sizeof(Elf64_Dyn), 8, &file->entry_count);
        break;
    case SHT_GNU_HASH:
        file->hash = section_items(file, section, sizeof(uint32_t), 8, &file->hash_words);
        break;
    }
}

static void view_segments(elf_file *file, const Elf64_Ehdr *header)
{
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff > file->size ||
        header->e_phoff % 8 ||
        header->e_phnum > (file->size - header->e_phoff) / sizeof(Elf64_Phdr))
        return;
    file->segments = (const Elf64_Phdr *)(file->bytes + header->e_phoff);
    file->segment_count = header->e_phnum;
}

bool elf_file_view(elf_file *file, const void *bytes, size_t size)
{
    const Elf64_Ehdr *header = bytes;
    elf_file view = {.bytes = bytes, .size = size};
    if (size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != elf_machine || header->e_shentsize != sizeof(Elf64_Shdr) ||
        (header->e_type != ET_DYN && header->e_type != ET_EXEC))
        return false;
    size_t count = header->e_shnum;
    if (header->e_shoff > size || header->e_shoff % 8 ||
        count > (size - header->e_shoff) / sizeof(Elf64_Shdr))
        return false;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(view.bytes + header->e_shoff);
    view_segments(&view, header);
    size_t version_count = 0;
    for (size_t i = 0; i < count; i++)
        view_section(&view, sections, count, &sections[i], &version_count);
    if (version_count < view.dynamic.count)
        view.versions = NULL;
    view.sections = sections;
    view.section_count = count;
    view.is_shared = header->e_type == ET_DYN;
    *file = view;
    return true;
}

bool elf_mapping_open(elf_mapping *mapping, const char *path, int fd)
{
    int opened = fd >= 0 ? fd : os_open_read(AT_FDCWD, path);
    os_kind kind;
    os_identity identity;
    bool viewed = false;
    if (opened >= 0 && os_identify_fd(opened, &kind, &identity) == 0 && kind == OS_FILE &&
        os_map_file(opened, identity.size, &mapping->bytes) == 0) {
        mapping->size = identity.size;
        mapping->device = identity.device;
        mapping->inode = identity.inode;
        viewed = elf_file_view(&mapping->file, mapping->bytes, mapping->size);
        if (!viewed)
            os_unmap(mapping->bytes, mapping->size);
    }
    if (opened >= 0 && opened != fd)
        close(opened);
    return viewed;
}

void elf_mapping_close(elf_mapping *mapping)
{
    os_unmap(mapping->bytes, mapping->size);
}

const char *elf_symbol_name(const elf_symbols *symbols, size_t index)
{
    if (index >= symbols->count || symbols->items[index].st_name >= symbols->strings_size)
        return "";
    return symbols->strings + symbols->items[index].st_name;
}

bool elf_symbol_is_variable(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return type == STT_OBJECT || type == STT_TLS || type == STT_COMMON;
}

bool elf_symbol_is_writable(const elf_file *file, const Elf64_Sym *symbol)
{
    /* .data.rel.ro is written by the loader alone, and a segment of its own says so. */
    if (symbol->st_shndx >= file->section_count)
        return false;
    const Elf64_Shdr *section = &file->sections[symbol->st_shndx];
    if (!(section->sh_flags & SHF_WRITE))
        return false;
    for (size_t i = 0; i < file->segment_count; i++) {
        const Elf64_Phdr *segment = &file->segments[i];
        if (segment->p_type == PT_GNU_RELRO && section->sh_addr >= segment->p_vaddr &&
            section->sh_addr - segment->p_vaddr < segment->p_memsz)
            return ELF64_ST_TYPE(symbol->st_info) == STT_TLS;
    }
    return true;
}

static const char *string_at(const elf_symbols *symbols, size_t offset)
{
    return offset < symbols->strings_size ? symbols->strings + offset : "";
}

/* ---- versions ---- */

/* The record at an offset of a version section, if it lies within it. */
static const void *version_record(const uint8_t *section, size_t section_size, size_t at,
                                  size_t size)
{
    return at % 4 == 0 && at <= section_size && size <= section_size - at ? section + at : NULL;
}

const char *elf_reference_version(const elf_file *file, size_t index, const char **library)
{
    if (library)
        *library = NULL;
    if (!file->versions || !file->needs || index >= file->dynamic.count)
        return NULL;
    Elf64_Half wanted = file->versions[index] & 0x7fff;
    size_t at = 0;
    for (size_t i = 0; i < file->need_count; i++) {
        const Elf64_Verneed *need = version_record(file->needs, file->needs_size, at, sizeof *need);
        if (!need)
            return NULL;
        size_t aux_at = at + need->vn_aux;
        for (size_t j = 0; j < need->vn_cnt; j++) {
            const Elf64_Vernaux *aux =
                version_record(file->needs, file->needs_size, aux_at, sizeof *aux);
            if (!aux)
                return NULL;
            if ((aux->vna_other & 0x7fff) == wanted) {
                if (library)
                    *library = string_at(&file->dynamic, need->vn_file);
                return string_at(&file->dynamic, aux->vna_name);
            }
            if (!aux->vna_next)
                break;
            aux_at += aux->vna_next;
        }
        if (!need->vn_next)
            break;
        at += need->vn_next;
    }
    return NULL;
}

/* Whether version number `number` of the file's definitions has this name. */
static bool version_is(const elf_file *file, Elf64_Half number, const char *name)
{
    size_t at = 0;
    for (size_t i = 0; file->definitions && i < file->definition_count; i++) {
        const Elf64_Verdef *definition =
            version_record(file->definitions, file->definitions_size, at, sizeof *definition);
        const Elf64_Verdaux *aux = definition
                                       ? version_record(file->definitions, file->definitions_size,
                                                        at + definition->vd_aux, sizeof *aux)
                                       : NULL;
        if (!aux)
            return false;
        /* The base definition names the file; its number stands for "no version". */
        if (definition->vd_ndx == number && !(definition->vd_flags & VER_FLG_BASE))
            return strcmp(string_at(&file->dynamic, aux->vda_name), name) == 0;
        if (!definition->vd_next)
            return false;
        at += definition->vd_next;
    }
    return false;
}

static bool binds(const elf_file *file, size_t index, const char *name, const char *version)
{
    const Elf64_Sym *symbol = &file->dynamic.items[index];
    if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol->st_info) == STB_LOCAL ||
        strcmp(elf_symbol_name(&file->dynamic, index), name) != 0)
        return false;
    if (!file->versions)
        return true;
    Elf64_Half number = file->versions[index];
    /* An old version (hidden) is found by those only that ask for it. */
    if (!version)
        return !(number & 0x8000);
    return version_is(file, number & 0x7fff, version);
}

/* ---- the hash table ---- */

static bool find_hashed(const elf_file *file, const char *name, const char *version, size_t *index)
{
    const uint32_t *hash = file->hash;
    uint64_t words = file->hash_words;
    uint64_t bucket_count = hash[0], first = hash[1], bloom_count = hash[2];
    if (!bucket_count || !bloom_count || 4 + bloom_count * 2 + bucket_count > words)
        return false;
    const uint64_t *bloom = (const uint64_t *)(hash + 4);
    const uint32_t *buckets = hash + 4 + bloom_count * 2;
    const uint32_t *chain = buckets + bucket_count;
    uint64_t chain_count = words - 4 - bloom_count * 2 - bucket_count;
    uint32_t wanted = elf_gnu_hash(name);
    uint64_t word = bloom[wanted / 64 % bloom_count];
    if (!(word >> wanted % 64 & word >> (wanted >> (hash[3] & 31)) % 64 & 1))
        return false;
    for (uint64_t i = buckets[wanted % bucket_count]; i >= first && i - first < chain_count; i++) {
        uint32_t other = chain[i - first];
        if (i < file->dynamic.count && (other | 1) == (wanted | 1) &&
            binds(file, i, name, version)) {
            *index = i;
            return true;
        }
        if (other & 1)
            break;
    }
    return false;
}

bool elf_file_defines(const elf_file *file, const char *name, const char *version, size_t *index)
{
    size_t found = 0;
    bool defines = false;
    if (file->hash && file->hash_words >= 4)
        defines = find_hashed(file, name, version, &found);
    else
        for (size_t i = 1; i < file->dynamic.count && !defines; i++)
            if ((defines = binds(file, i, name, version)))
                found = i;
    if (defines && index)
        *index = found;
    return defines;
}

const char *elf_file_dynamic_string(const elf_file *file, Elf64_Sxword tag, size_t index)
{
    for (size_t i = 0; i < file->entry_count && file->entries[i].d_tag != DT_NULL; i++)
        if (file->entries[i].d_tag == tag && index-- == 0)
            return string_at(&file->dynamic, file->entries[i].d_un.d_val);
    return NULL;
}
