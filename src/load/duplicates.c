/* duplicates.c - definitions that exist twice: load_find_duplicates of load.h.
 *
 * Each table is looked through once: names of the one that is walked are looked up in the other's
 * hash table. No state; any thread. */
#include "load/load.h"

#include <string.h>

#include "load/elf_file.h"

typedef struct comparison {
    const elf_file *library;
    const loaded *other_library;
    load_duplicate_callback callback;
    void *user_data;
} comparison;

/* The library's own strong definition of a name; NULL where it has none. */
static const Elf64_Sym *strong_definition(const elf_file *file, const char *name)
{
    size_t index;
    if (!elf_file_defines(file, name, NULL, &index))
        return NULL;
    const Elf64_Sym *symbol = &file->dynamic.items[index];
    return ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL ? symbol : NULL;
}

/* Not what is local: static, or hidden in a program that was linked with its symbols exported. */
static bool is_candidate(const Elf64_Sym *symbol, const char *name)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS &&
           ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL && *name &&
           (type == STT_FUNC || elf_symbol_is_variable(symbol));
}

/* Go through one table of the other file. exported: what to report; skipped: a table whose names
 * are left out. */
static void compare(const comparison *c, const elf_file *other, const elf_symbols *symbols,
                    const elf_file *skipped, bool exported)
{
    for (size_t i = 1; i < symbols->count; i++) {
        const Elf64_Sym *theirs = &symbols->items[i];
        const char *name = elf_symbol_name(symbols, i);
        if (!is_candidate(theirs, name))
            continue;
        const Elf64_Sym *ours = strong_definition(c->library, name);
        if (!ours || (skipped && elf_file_defines(skipped, name, NULL, NULL)))
            continue;
        bool variables = elf_symbol_is_variable(ours) && elf_symbol_is_variable(theirs);
        load_duplicate duplicate = {.symbol = name,
                                    .other = c->other_library,
                                    .exported = exported,
                                    .is_variable = elf_symbol_is_variable(ours),
                                    .is_state = variables && ours->st_size == theirs->st_size &&
                                                ours->st_size > 0 &&
                                                elf_symbol_is_writable(c->library, ours) &&
                                                elf_symbol_is_writable(other, theirs)};
        c->callback(&duplicate, c->user_data);
    }
}

static void compare_library(const elf_file *library, const loaded *other,
                            load_duplicate_callback callback, void *user_data)
{
    elf_mapping mapping;
    if (!elf_mapping_open(&mapping, load_path(other), -1))
        return;
    const comparison c = {library, other, callback, user_data};
    compare(&c, &mapping.file, &mapping.file.dynamic, NULL, false);
    elf_mapping_close(&mapping);
}

static void compare_host(const elf_file *library, load_duplicate_callback callback, void *user_data)
{
    elf_mapping program;
    if (!elf_mapping_open(&program, "/proc/self/exe", -1))
        return;
    const comparison c = {library, NULL, callback, user_data};
    compare(&c, &program.file, &program.file.dynamic, NULL, true);
    compare(&c, &program.file, &program.file.all, &program.file, false);
    elf_mapping_close(&program);
}

kiln_status load_find_duplicates(const loaded *library, const loaded *const *others,
                                 size_t other_count, bool with_host,
                                 load_duplicate_callback callback, void *user_data,
                                 kiln_error **error)
{
    elf_mapping mapping;
    if (!elf_mapping_open(&mapping, load_path(library), -1))
        return error_set(error, KILN_IO, KILN_PHASE_BIND, "cannot read the image '%s'",
                         load_path(library));
    for (size_t i = 0; i < other_count; i++)
        if (others[i] != library && strcmp(load_path(others[i]), load_path(library)) != 0)
            compare_library(&mapping.file, others[i], callback, user_data);
    if (with_host)
        compare_host(&mapping.file, callback, user_data);
    elf_mapping_close(&mapping);
    return KILN_OK;
}
