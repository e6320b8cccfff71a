/* fuzz_elf.c - any bytes as an ELF file whose symbols are read. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "load/elf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static size_t walk(const elf_file *file, const elf_symbols *symbols)
{
    size_t seen = 0;
    for (size_t i = 0; i < symbols->count; i++) {
        seen += strlen(elf_symbol_name(symbols, i)) + elf_symbol_is_variable(&symbols->items[i]) +
                elf_symbol_is_writable(file, &symbols->items[i]);
        if (symbols != &file->dynamic)
            continue;
        const char *library = NULL, *version = elf_reference_version(file, i, &library);
        size_t index;
        seen += elf_file_defines(file, elf_symbol_name(symbols, i), version, &index);
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static volatile size_t seen;
    elf_file file;
    void *copy = aligned_alloc(8, (size + 8) & ~(size_t)7);
    assert(copy);
    memcpy(copy, bytes, size);
    if (elf_file_view(&file, copy, size)) {
        seen += walk(&file, &file.dynamic) + walk(&file, &file.all);
        for (size_t i = 0; elf_file_dynamic_string(&file, DT_NEEDED, i); i++)
            seen++;
        elf_file_dynamic_string(&file, DT_SONAME, 0);
        elf_file_defines(&file, "main", NULL, NULL);
        elf_file_defines(&file, "main", "VERSION", NULL);
    }
    free(copy);
    return 0;
}
