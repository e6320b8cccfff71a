/* elf_common.h - what the reader and the writer of ELF files share: the processor's constants, and
 * the hash of names. */
#ifndef KILN_LOAD_ELF_COMMON_H
#define KILN_LOAD_ELF_COMMON_H

#include <elf.h>
#include <stdint.h>

enum {
#if defined(__x86_64__)
    elf_machine = EM_X86_64,
    elf_page_size =
        4096 /* the largest that the processor's pages may have, for alignment of segments */
#else
#error "no port to this processor: say its ELF machine and largest page size here"
#endif
};

/* The hash of .gnu.hash. */
static inline uint32_t elf_gnu_hash(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        hash = hash * 33 + *c;
    return hash;
}

#endif
