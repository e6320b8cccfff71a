/* elf_writer.c - small shared objects without code: see elf_writer.h.
 *
 * The file is one segment that is mapped as it is, readable and writable (the loader writes
 * addresses into .dynamic), never executable:
 *
 *     headers | .dynsym | .gnu.hash | .dynamic | .dynstr | .shstrtab, section headers
 *
 * Sections are there for debuggers and readelf. Symbols are STT_NOTYPE in SHN_ABS: the loader takes
 * their value as it is, for calls and for data, and no debugger takes them for the name of the code
 * at that address. */
#include "load/elf_writer.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "load/elf_common.h"

enum {
    bloom_shift = 26,
    bloom_bits_per_symbol =
        12,                  /* as linkers choose it: about one in a hundred absent names passes */
    dynamic_fixed_count = 8, /* entries beside DT_NEEDED */
    segment_count = 3
};

enum section {
    SECTION_NONE,
    SECTION_SYMBOLS,
    SECTION_HASH,
    SECTION_DYNAMIC,
    SECTION_STRINGS,
    SECTION_NAMES,
    SECTION_COUNT
};

static const char section_names[] = "\0.dynsym\0.gnu.hash\0.dynamic\0.dynstr\0.shstrtab";

/* Where everything stands; sizes in bytes. */
typedef struct layout {
    size_t bucket_count, bloom_count;
    size_t symbols_at, hash_at, dynamic_at, strings_at, names_at, sections_at;
    size_t symbols_size, hash_size, dynamic_size, strings_size;
    size_t size;
} layout;

typedef struct hashed {
    const elf_address *address;
    uint32_t hash;
    uint32_t bucket;
} hashed;

static size_t align8(size_t at)
{
    return (at + 7) & ~(size_t)7;
}

static size_t strings_size(const elf_description *d)
{
    size_t size = 1 + strlen(d->soname) + 1;
    for (size_t i = 0; i < d->needed_count; i++)
        size += strlen(d->needed[i]) + 1;
    for (size_t i = 0; i < d->address_count; i++)
        size += strlen(d->addresses[i].name) + 1;
    return size;
}

static layout plan(const elf_description *d)
{
    layout l = {.bucket_count = d->address_count / 2 + 1, .bloom_count = 1};
    while (l.bloom_count * 64 < d->address_count * bloom_bits_per_symbol)
        l.bloom_count *= 2;
    l.symbols_size = (d->address_count + 1) * sizeof(Elf64_Sym);
    l.hash_size = 4 * sizeof(uint32_t) + l.bloom_count * sizeof(uint64_t) +
                  (l.bucket_count + d->address_count) * sizeof(uint32_t);
    l.dynamic_size = (d->needed_count + dynamic_fixed_count) * sizeof(Elf64_Dyn);
    l.strings_size = strings_size(d);
    l.symbols_at = align8(sizeof(Elf64_Ehdr) + segment_count * sizeof(Elf64_Phdr));
    l.hash_at = align8(l.symbols_at + l.symbols_size);
    l.dynamic_at = align8(l.hash_at + l.hash_size);
    l.strings_at = l.dynamic_at + l.dynamic_size;
    l.names_at = l.strings_at + l.strings_size;
    l.sections_at = align8(l.names_at + sizeof section_names);
    l.size = l.sections_at + SECTION_COUNT * sizeof(Elf64_Shdr);
    return l;
}

static void write_headers(uint8_t *bytes, const layout *l)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
    *header = (Elf64_Ehdr){.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                       EV_CURRENT, ELFOSABI_SYSV},
                           .e_type = ET_DYN,
                           .e_machine = elf_machine,
                           .e_version = EV_CURRENT,
                           .e_phoff = sizeof *header,
                           .e_shoff = l->sections_at,
                           .e_ehsize = sizeof *header,
                           .e_phentsize = sizeof(Elf64_Phdr),
                           .e_phnum = segment_count,
                           .e_shentsize = sizeof(Elf64_Shdr),
                           .e_shnum = SECTION_COUNT,
                           .e_shstrndx = SECTION_NAMES};
    Elf64_Phdr *segments = (Elf64_Phdr *)(header + 1);
    segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_flags = PF_R | PF_W,
                               .p_filesz = l->size,
                               .p_memsz = l->size,
                               .p_align = elf_page_size};
    segments[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
                               .p_flags = PF_R | PF_W,
                               .p_offset = l->dynamic_at,
                               .p_vaddr = l->dynamic_at,
                               .p_paddr = l->dynamic_at,
                               .p_filesz = l->dynamic_size,
                               .p_memsz = l->dynamic_size,
                               .p_align = 8};
    segments[2] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16};
}

/* Their names stand in section_names in the order of the enum. */
static void write_sections(uint8_t *bytes, const layout *l)
{
    Elf64_Shdr *sections = (Elf64_Shdr *)(bytes + l->sections_at);
    sections[SECTION_SYMBOLS] = (Elf64_Shdr){.sh_type = SHT_DYNSYM,
                                             .sh_flags = SHF_ALLOC,
                                             .sh_addr = l->symbols_at,
                                             .sh_offset = l->symbols_at,
                                             .sh_size = l->symbols_size,
                                             .sh_link = SECTION_STRINGS,
                                             .sh_info = 1,
                                             .sh_addralign = 8,
                                             .sh_entsize = sizeof(Elf64_Sym)};
    sections[SECTION_HASH] = (Elf64_Shdr){.sh_type = SHT_GNU_HASH,
                                          .sh_flags = SHF_ALLOC,
                                          .sh_addr = l->hash_at,
                                          .sh_offset = l->hash_at,
                                          .sh_size = l->hash_size,
                                          .sh_link = SECTION_SYMBOLS,
                                          .sh_addralign = 8};
    sections[SECTION_DYNAMIC] = (Elf64_Shdr){.sh_type = SHT_DYNAMIC,
                                             .sh_flags = SHF_ALLOC | SHF_WRITE,
                                             .sh_addr = l->dynamic_at,
                                             .sh_offset = l->dynamic_at,
                                             .sh_size = l->dynamic_size,
                                             .sh_link = SECTION_STRINGS,
                                             .sh_addralign = 8,
                                             .sh_entsize = sizeof(Elf64_Dyn)};
    sections[SECTION_STRINGS] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                             .sh_flags = SHF_ALLOC,
                                             .sh_addr = l->strings_at,
                                             .sh_offset = l->strings_at,
                                             .sh_size = l->strings_size,
                                             .sh_addralign = 1};
    sections[SECTION_NAMES] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
                                           .sh_offset = l->names_at,
                                           .sh_size = sizeof section_names,
                                           .sh_addralign = 1};
    memcpy(bytes + l->names_at, section_names, sizeof section_names);
    uint32_t name = 1;
    for (int i = SECTION_SYMBOLS; i < SECTION_COUNT; i++) {
        sections[i].sh_name = name;
        name += (uint32_t)strlen(section_names + name) + 1;
    }
}

/* Append a string to the string table; its offset there. */
static uint32_t write_string(uint8_t *strings, size_t *used, const char *string)
{
    size_t length = strlen(string) + 1, at = *used;
    memcpy(strings + at, string, length);
    *used = at + length;
    return (uint32_t)at;
}

static void write_dynamic(uint8_t *bytes, const layout *l, const elf_description *d,
                          size_t *strings_used)
{
    uint8_t *strings = bytes + l->strings_at;
    Elf64_Dyn *entry = (Elf64_Dyn *)(bytes + l->dynamic_at);
    for (size_t i = 0; i < d->needed_count; i++)
        *entry++ = (Elf64_Dyn){DT_NEEDED, {write_string(strings, strings_used, d->needed[i])}};
    *entry++ = (Elf64_Dyn){DT_SONAME, {write_string(strings, strings_used, d->soname)}};
    *entry++ = (Elf64_Dyn){DT_GNU_HASH, {l->hash_at}};
    *entry++ = (Elf64_Dyn){DT_STRTAB, {l->strings_at}};
    *entry++ = (Elf64_Dyn){DT_SYMTAB, {l->symbols_at}};
    *entry++ = (Elf64_Dyn){DT_STRSZ, {l->strings_size}};
    *entry++ = (Elf64_Dyn){DT_SYMENT, {sizeof(Elf64_Sym)}};
    *entry++ = (Elf64_Dyn){DT_FLAGS, {DF_BIND_NOW}};
    *entry++ = (Elf64_Dyn){DT_NULL, {0}};
    assert((uint8_t *)entry == bytes + l->dynamic_at + l->dynamic_size);
}

/* By bucket, as the table wants it; in order of description
 * within one, so that the first of a name is found. */
static int compare_hashed(const void *a, const void *b)
{
    const hashed *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return x->address < y->address ? -1 : 1;
}

static void write_symbols(uint8_t *bytes, const layout *l, const hashed *symbols, size_t count,
                          size_t *strings_used)
{
    Elf64_Sym *table = (Elf64_Sym *)(bytes + l->symbols_at);
    uint32_t *head = (uint32_t *)(bytes + l->hash_at);
    uint64_t *bloom = (uint64_t *)(head + 4);
    uint32_t *buckets = (uint32_t *)(bloom + l->bloom_count);
    uint32_t *chain = buckets + l->bucket_count;
    head[0] = (uint32_t)l->bucket_count;
    head[1] = 1; /* the first symbol that is hashed */
    head[2] = (uint32_t)l->bloom_count;
    head[3] = bloom_shift;
    for (size_t i = 0; i < count; i++) {
        const hashed *s = &symbols[i];
        table[i + 1] = (Elf64_Sym){
            .st_name = write_string(bytes + l->strings_at, strings_used, s->address->name),
            .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
            .st_other = STV_DEFAULT,
            .st_shndx = SHN_ABS,
            .st_value = s->address->value};
        bloom[s->hash / 64 % l->bloom_count] |=
            UINT64_C(1) << s->hash % 64 | UINT64_C(1) << (s->hash >> bloom_shift) % 64;
        if (!buckets[s->bucket])
            buckets[s->bucket] = (uint32_t)i + 1;
        bool last = i + 1 == count || symbols[i + 1].bucket != s->bucket;
        chain[i] = last ? s->hash | 1 : s->hash & ~UINT32_C(1);
    }
}

/* The symbols with their hashes, sorted by bucket; NULL when out of memory. */
static hashed *hash_symbols(const elf_description *d, const layout *l)
{
    hashed *symbols = calloc(d->address_count + 1, sizeof *symbols);
    if (!symbols)
        return NULL;
    for (size_t i = 0; i < d->address_count; i++) {
        assert(d->addresses[i].name[0]);
        uint32_t hash = elf_gnu_hash(d->addresses[i].name);
        symbols[i] = (hashed){&d->addresses[i], hash, hash % (uint32_t)l->bucket_count};
    }
    qsort(symbols, d->address_count, sizeof *symbols, compare_hashed);
    return symbols;
}

int elf_write(const elf_description *description, uint8_t **bytes, size_t *size)
{
    layout l = plan(description);
    if (l.size > UINT32_MAX) {
        errno = EOVERFLOW;
        return -1;
    }
    uint8_t *file = calloc(1, l.size);
    hashed *symbols = hash_symbols(description, &l);
    if (!file || !symbols) {
        free(file);
        free(symbols);
        errno = ENOMEM;
        return -1;
    }
    size_t strings_used = 1;
    write_headers(file, &l);
    write_sections(file, &l);
    write_dynamic(file, &l, description, &strings_used);
    write_symbols(file, &l, symbols, description->address_count, &strings_used);
    assert(strings_used == l.strings_size);
    free(symbols);
    *bytes = file;
    *size = l.size;
    return 0;
}
