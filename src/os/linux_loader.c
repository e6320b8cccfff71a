/* linux_loader.c - glibc's loader: see os.h.
 *
 * A handle is glibc's link_map, which is how an image's own symbol table is found; dlsym would go
 * on into the dependencies. The dynamic section's addresses stand in memory as absolute ones.
 * Tables are those of an image that glibc has accepted, so they are not checked again. No state but
 * glibc's; any thread. */
#include "os/os.h"

#include <assert.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/linux_processor.h"

int os_load(const char *path, bool global, void **handle, char **message)
{
    os_exit_list_enter();
    void *opened = dlopen(path, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    os_exit_list_leave();
    if (opened) {
        *handle = opened;
        return 0;
    }
    const char *words = dlerror();
    *message = strdup(words ? words : "unknown error of the loader");
    errno = EINVAL;
    return -1;
}

void *os_load_again(const char *path, bool global)
{
    return dlopen(path, RTLD_NOW | RTLD_NOLOAD | (global ? RTLD_GLOBAL : RTLD_LOCAL));
}

static int has_path(struct dl_phdr_info *info, size_t size, void *path)
{
    (void)size;
    return strcmp(info->dlpi_name, path) == 0;
}

bool os_is_loaded(const char *path)
{
    return dl_iterate_phdr(has_path, (void *)path) != 0;
}

void os_collect(const char *path)
{
    /* Counted once more and once less: dlclose looks through everything. */
    void *handle = os_load_again(path, false);
    if (handle)
        os_unload(handle, path, NULL);
}

int os_unload(void *handle, const char *path, bool *gone)
{
    os_exit_list_enter();
    int failed = dlclose(handle);
    os_exit_list_leave();
    if (failed) {
        errno = EINVAL;
        return -1;
    }
    if (gone)
        *gone = !os_is_loaded(path);
    return 0;
}

/* ---- symbols ---- */

/* What the dynamic section of a mapped image leads to; NULL or 0 where it has no such entry. */
typedef struct tables {
    uintptr_t base; /* what is added to the file's addresses */
    const uint32_t *gnu_hash;
    const Elf64_Sym *symbols;
    const char *strings;
    const Elf64_Rela *relocations;
    size_t relocation_count;
} tables;

/* Uninstrumented: the loader's own locks order this after
 * its writes, which a thread sanitizer does not see. */
__attribute__((no_sanitize("thread"))) static tables find_tables(const struct link_map *map)
{
    tables t = {.base = map->l_addr};
    for (const Elf64_Dyn *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        const void *address = (const void *)entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_GNU_HASH:
            t.gnu_hash = address;
            break;
        case DT_SYMTAB:
            t.symbols = address;
            break;
        case DT_STRTAB:
            t.strings = address;
            break;
        case DT_RELA:
            t.relocations = address;
            break;
        case DT_RELASZ:
            t.relocation_count = entry->d_un.d_val / sizeof(Elf64_Rela);
            break;
        }
    }
    return t;
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        hash = hash * 33 + *c;
    return hash;
}

/* The definition of `name` in an image's own table; NULL where there is none. */
static const Elf64_Sym *find_definition(const tables *t, const char *name)
{
    if (!t->gnu_hash || !t->symbols || !t->strings)
        return NULL;
    uint32_t bucket_count = t->gnu_hash[0], first_symbol = t->gnu_hash[1];
    uint32_t bloom_count = t->gnu_hash[2], bloom_shift = t->gnu_hash[3];
    const uint64_t *bloom = (const uint64_t *)(t->gnu_hash + 4);
    const uint32_t *buckets = (const uint32_t *)(bloom + bloom_count);
    const uint32_t *chain = buckets + bucket_count;
    uint32_t hash = gnu_hash(name);
    uint64_t word = bloom[hash / 64 % bloom_count];
    if (!(word >> hash % 64 & word >> (hash >> bloom_shift) % 64 & 1) || !bucket_count)
        return NULL;
    uint32_t index = buckets[hash % bucket_count];
    if (index < first_symbol)
        return NULL;
    for (;; index++) {
        uint32_t other = chain[index - first_symbol];
        const Elf64_Sym *symbol = &t->symbols[index];
        if ((other | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
            strcmp(t->strings + symbol->st_name, name) == 0)
            return symbol;
        if (other & 1)
            return NULL;
    }
}

/* Where the image keeps the address of one of its weak variables: the loader may have bound it to
 * the definition of another image, and then its own copy is not the one that its code uses. NULL:
 * its code does not ask. */
static void *find_slot(const tables *t, const Elf64_Sym *symbol, bool (*wanted)(Elf64_Xword info))
{
    uint64_t index = (uint64_t)(symbol - t->symbols);
    for (size_t i = 0; i < t->relocation_count; i++) {
        const Elf64_Rela *relocation = &t->relocations[i];
        if (ELF64_R_SYM(relocation->r_info) == index && wanted(relocation->r_info))
            return (void *)(t->base + relocation->r_offset);
    }
    return NULL;
}

void *__tls_get_addr(void *module_and_offset);

void *os_lookup(void *handle, const char *name)
{
    tables t = find_tables(handle);
    const Elf64_Sym *symbol = find_definition(&t, name);
    if (!symbol)
        return NULL;
    bool weak = ELF64_ST_BIND(symbol->st_info) == STB_WEAK;
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    if (type == STT_TLS) {
        void *slot = weak ? find_slot(&t, symbol, linux_relocation_is_thread_module) : NULL;
        return slot ? __tls_get_addr(slot) : dlsym(handle, name);
    }
    if (type == STT_GNU_IFUNC)
        return dlsym(handle, name);
    void **slot =
        weak && type != STT_FUNC ? find_slot(&t, symbol, linux_relocation_is_address) : NULL;
    if (slot)
        return *slot;
    return (void *)((symbol->st_shndx == SHN_ABS ? 0 : t.base) + symbol->st_value);
}

void *os_lookup_scope(void *handle, const char *name, const char *version)
{
    /* Not RTLD_DEFAULT: that makes the caller depend on the library that has the symbol, which then
     * never leaves. The program's own scope is the global one. */
    void *program = handle ? NULL : dlopen(NULL, RTLD_NOW);
    void *scope = handle ? handle : program;
    void *address = version ? dlvsym(scope, name, version) : dlsym(scope, name);
    if (program)
        dlclose(program);
    return address;
}

/* The interface is that of the C++ ABI, "Demangler API" (itanium-cxx-abi, section 3.4). */
char *os_demangle(const char *name)
{
    typedef char *demangle(const char *name, char *buffer, size_t *length, int *status);
    if (strncmp(name, "_Z", 2) != 0)
        return NULL;
    void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
    demangle *function = library ? (demangle *)(uintptr_t)dlsym(library, "__cxa_demangle") : NULL;
    int status;
    char *demangled = function ? function(name, NULL, NULL, &status) : NULL;
    if (library)
        dlclose(library);
    return demangled;
}

/* ---- where code came from ---- */

char *os_path_of_address(const void *address)
{
    Dl_info info;
    struct link_map *map;
    if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP)) {
        errno = ENOENT;
        return NULL;
    }
    if (map && map->l_name[0] == '/')
        return strdup(map->l_name);
    /* The program itself has no name there, and dli_fname is what it was called by. */
    return realpath(map && map->l_name[0] ? map->l_name : "/proc/self/exe", NULL);
}
