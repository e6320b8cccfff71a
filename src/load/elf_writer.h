/* elf_writer.h - small shared objects without code: a list of needed libraries, and symbols that
 * stand for addresses.
 *
 * A pure function from a description to bytes. */
#ifndef KILN_LOAD_ELF_WRITER_H
#define KILN_LOAD_ELF_WRITER_H

#include <stddef.h>
#include <stdint.h>

/* A symbol whose value is an address of the process, not
 * relative to the object. Functions and data alike. */
typedef struct elf_address {
    const char *name; /* not empty; the first of two with one name counts */
    uint64_t value;
} elf_address;

typedef struct elf_description {
    const char *soname;
    const char *const *needed; /* in order */
    size_t needed_count;
    const elf_address *addresses;
    size_t address_count;
} elf_description;

/* Make the file: *bytes is malloc'd. 0, or -1 with
 * errno: ENOMEM, EOVERFLOW (names beyond 4 GiB). */
int elf_write(const elf_description *description, uint8_t **bytes, size_t *size);

#endif
