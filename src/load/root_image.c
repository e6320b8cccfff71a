/* root_image.c - the images that Kiln writes for one load: see root_image.h.
 *
 * The host symbols are not exported by the root itself: an image keeps the image that it is bound
 * to alive, and a root would keep its whole load alive on behalf of one shared dependency. Sonames
 * are unique by a number of the process. */
#include "load/root_image.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/elf_writer.h"

static kiln_status write_image(const char *what, const elf_description *description,
                               mapped_image **entry, kiln_error **error)
{
    static atomic_uint written_count;
    char soname[64];
    snprintf(soname, sizeof soname, "%s-%u", what, atomic_fetch_add(&written_count, 1));
    elf_description named = *description;
    named.soname = soname;
    uint8_t *bytes;
    size_t size;
    if (elf_write(&named, &bytes, &size)) {
        if (errno == ENOMEM)
            return error_no_memory(error);
        return error_set_errno(error, KILN_INVALID_ARGUMENT, KILN_PHASE_BIND, errno,
                               "cannot write an image of the host symbols");
    }
    kiln_status status = mapped_image_create(soname, bytes, size, entry, error);
    free(bytes);
    return status;
}

kiln_status root_image_write(const char *const *paths, size_t count, mapped_image **entry,
                             kiln_error **error)
{
    const elf_description description = {.needed = paths, .needed_count = count};
    return write_image("kiln-root", &description, entry, error);
}

/* The names with their high bit, in one block that
 * `addresses` points into; NULL when out of memory. */
static char *mark_names(const load_image *images, size_t count, elf_address *addresses)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < images[i].host_symbol_count; j++)
            size += strlen(images[i].host_symbols[j].name) + 1;
    char *names = malloc(size), *at = names;
    for (size_t i = 0; names && i < count; i++) {
        for (size_t j = 0; j < images[i].host_symbol_count; j++) {
            const load_symbol *symbol = &images[i].host_symbols[j];
            *addresses++ = (elf_address){at, (uintptr_t)symbol->address};
            char *end = stpcpy(at, symbol->name) + 1;
            *at |= (char)root_image_host_bit;
            at = end;
        }
    }
    return names;
}

kiln_status root_image_write_host(const load_image *images, size_t count, mapped_image **entry,
                                  kiln_error **error)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += images[i].host_symbol_count;
    if (total == 0) {
        *entry = NULL;
        return KILN_OK;
    }
    elf_address *addresses = calloc(total, sizeof *addresses);
    char *names = addresses ? mark_names(images, count, addresses) : NULL;
    kiln_status status = KILN_NO_MEMORY;
    if (names) {
        const elf_description description = {.addresses = addresses, .address_count = total};
        status = write_image("kiln-host", &description, entry, error);
    } else {
        error_no_memory(error);
    }
    free(names);
    free(addresses);
    return status;
}

/* ---- images that lend one name for different addresses ---- */

typedef struct lent {
    const load_symbol *symbol;
    size_t image;
} lent;

static int compare_lent(const void *a, const void *b)
{
    const lent *x = a, *y = b;
    int order = strcmp(x->symbol->name, y->symbol->name);
    if (order)
        return order;
    return x->image < y->image ? -1 : x->image > y->image;
}

/* The first image that disagrees with an earlier one;
 * `count` where none does. lent_count symbols, sorted. */
static size_t first_disagreeing(const lent *all, size_t lent_count, size_t count)
{
    size_t first = count, run = 0;
    for (size_t i = 1; i < lent_count; i++) {
        if (strcmp(all[run].symbol->name, all[i].symbol->name) != 0)
            run = i;
        else if (all[i].symbol->address != all[run].symbol->address &&
                 all[i].image > all[run].image && all[i].image < first)
            first = all[i].image;
    }
    return first;
}

kiln_status root_image_agreeing(const load_image *images, size_t count, size_t *agreeing,
                                kiln_error **error)
{
    size_t lent_count = 0, lenders = 0;
    for (size_t i = 0; i < count; i++) {
        lent_count += images[i].host_symbol_count;
        lenders += images[i].host_symbol_count > 0;
    }
    *agreeing = count;
    if (lenders < 2)
        return KILN_OK;
    lent *all = calloc(lent_count, sizeof *all), *at = all;
    if (!all)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < images[i].host_symbol_count; j++)
            *at++ = (lent){&images[i].host_symbols[j], i};
    qsort(all, lent_count, sizeof *all, compare_lent);
    *agreeing = first_disagreeing(all, lent_count, count);
    free(all);
    return KILN_OK;
}
