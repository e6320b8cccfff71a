/* elf_file.h - what an ELF file on disk or in memory says about its symbols.
 *
 * A view of bytes that may be anything: each table is checked when the view is made, each index
 * when it is used, and a file that does not hold together reads as one without symbols. Immutable;
 * any thread. */
#ifndef KILN_LOAD_ELF_FILE_H
#define KILN_LOAD_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table of symbols with its strings. */
typedef struct elf_symbols {
    const Elf64_Sym *items;
    size_t count;
    const char *strings; /* ends with NUL */
    size_t strings_size;
} elf_symbols;

typedef struct elf_file {
    const uint8_t *bytes;
    size_t size;
    elf_symbols dynamic;        /* .dynsym */
    elf_symbols all;            /* .symtab; empty in a stripped file */
    const Elf64_Half *versions; /* .gnu.version, one for each dynamic symbol; NULL: none */
    const uint8_t *needs;       /* .gnu.version_r, .gnu.version_d; NULL: none */
    size_t needs_size, need_count;
    const uint8_t *definitions;
    size_t definitions_size, definition_count;
    const Elf64_Dyn *entries; /* .dynamic */
    size_t entry_count;
    const uint32_t *hash; /* .gnu.hash; NULL: none */
    size_t hash_words;
    const Elf64_Shdr *sections;
    size_t section_count;
    const Elf64_Phdr *segments;
    size_t segment_count;
    bool is_shared; /* ET_DYN */
} elf_file;

/* false: not an ELF file of this processor, or its headers do not hold together. The bytes must
 * outlive the view and be aligned to 8. */
bool elf_file_view(elf_file *file, const void *bytes, size_t size);

/* A mapped file. */
typedef struct elf_mapping {
    elf_file file;
    uint64_t device, inode;
    const void *bytes;
    size_t size;
} elf_mapping;

/* Map a path, or an open descriptor where fd >= 0. false where that fails or it is no ELF file. */
bool elf_mapping_open(elf_mapping *mapping, const char *path, int fd);
void elf_mapping_close(elf_mapping *mapping);

/* A symbol's name; "" where the file lies about it. */
const char *elf_symbol_name(const elf_symbols *symbols, size_t index);

/* Whether a symbol is a variable (thread-local ones
 * too), and whether one that code can write to. */
bool elf_symbol_is_variable(const Elf64_Sym *symbol);
bool elf_symbol_is_writable(const elf_file *file, const Elf64_Sym *symbol);

/* What a reference (an undefined dynamic symbol) asks for. NULL: any version; *library (may be
 * NULL): the soname of the library that is to have it. */
const char *elf_reference_version(const elf_file *file, size_t index, const char **library);

/* Whether the file exports a definition of `name` that a reference to `version` (NULL: none) binds
 * to; *index (may be NULL): which. */
bool elf_file_defines(const elf_file *file, const char *name, const char *version, size_t *index);

/* The strings of the dynamic section with this tag (DT_NEEDED, DT_SONAME, DT_RUNPATH ...), by
 * index; NULL behind the last. */
const char *elf_file_dynamic_string(const elf_file *file, Elf64_Sxword tag, size_t index);

#endif
