/* image.h - what a build comes to: a linked image, ready to be mapped.
 *
 * Immutable once built and shared by reference, so that every load of one key in a session gets the
 * same. Thread-safe. */
#ifndef KILN_BUILD_IMAGE_H
#define KILN_BUILD_IMAGE_H

#include <stdatomic.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "build/record.h"
#include "kiln.h"

typedef struct store store;

typedef struct image {
    atomic_uint references;
    char *name; /* of the library */
    char *path; /* what the loader is given */
    int fd; /* open while the image lives: a memfd, or the file in the cache with a shared lock */
    os_identity file; /* what fd is */
    bool hit;
    bool in_cache; /* path is the cache's file */
    char id[record_image_id_size];
    digest key, content;
    size_t input_count, unit_count, symbol_count;
    double seconds[KILN_PHASE_COUNT];
    char *miss_reason;        /* NULL on a hit */
    string_list host_symbols; /* the names that the image takes from the host */
    record record;            /* its inputs, where no cache keeps them; else empty */
    uint8_t *symbol_table;    /* packed; NULL while it rests in the cache */
    size_t symbol_table_size;
} image;

image *image_create(const char *name, const digest *key);
/* Its descriptor, or -1 where the host has closed it, or made something of its own of the number. */
int image_fd(const image *image);
/* Take over the descriptor of the image's file, in place of the one before. */
void image_take_fd(image *image, int fd);
image *image_retain(image *image);
void image_release(image *image);

/* Keep the symbol table of an image in the cache. false: it cannot be kept. */
bool image_write_symbols(store *store, const digest *content, const uint8_t *table, size_t size);

/* The packed symbol table: malloc'd copy, from memory or the cache. false where it cannot be had.
 */
bool image_read_symbols(const image *image, store *store, uint8_t **bytes, size_t *size);

#endif
