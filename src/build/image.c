/* image.c - what a build comes to: see image.h. */
#include "build/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/store.h"
#include "os/os.h"

image *image_create(const char *name, const digest *key)
{
    image *image = calloc(1, sizeof *image);
    char *copy = strdup(name);
    if (!image || !copy) {
        free(image);
        free(copy);
        return NULL;
    }
    atomic_init(&image->references, 1);
    image->name = copy;
    image->fd = -1;
    image->key = *key;
    return image;
}

int image_fd(const image *image)
{
    return image->fd >= 0 && os_is_same_file(image->fd, &image->file) ? image->fd : -1;
}

static void close_fd(image *image)
{
    int fd = image_fd(image);
    if (fd >= 0)
        close(fd);
}

void image_take_fd(image *image, int fd)
{
    os_kind kind;
    close_fd(image);
    image->fd = fd;
    if (fd >= 0)
        os_identify_fd(fd, &kind, &image->file);
}

image *image_retain(image *image)
{
    atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
    return image;
}

void image_release(image *image)
{
    if (!image || atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) != 1)
        return;
    close_fd(image);
    string_list_destroy(&image->host_symbols);
    record_destroy(&image->record);
    free(image->symbol_table);
    free(image->miss_reason);
    free(image->path);
    free(image->name);
    free(image);
}

/* The digest of the table stands before it: what is torn or altered is no table. */
bool image_write_symbols(store *store, const digest *content, const uint8_t *table, size_t size)
{
    digest sum = digest_of(table, size);
    text file = {0};
    text_add(&file, sum.bytes, digest_size);
    text_add(&file, table, size);
    bool done =
        !file.failed && store_add_bytes(store, STORE_SYMBOLS, content, file.bytes, file.length);
    text_destroy(&file);
    return done;
}

static bool take_table(uint8_t *file, size_t file_size, size_t *size)
{
    if (file_size < digest_size)
        return false;
    digest sum = digest_of(file + digest_size, file_size - digest_size);
    if (memcmp(sum.bytes, file, digest_size) != 0)
        return false;
    *size = file_size - digest_size;
    memmove(file, file + digest_size, *size);
    return true;
}

bool image_read_symbols(const image *image, store *store, uint8_t **bytes, size_t *size)
{
    if (image->symbol_table) {
        *bytes = malloc(image->symbol_table_size + 1);
        if (!*bytes)
            return false;
        memcpy(*bytes, image->symbol_table, image->symbol_table_size);
        *size = image->symbol_table_size;
        return true;
    }
    char name[128];
    store_name_content(STORE_SYMBOLS, &image->content, name, sizeof name);
    size_t file_size;
    if (!store || !store_read_file(store, name, bytes, &file_size))
        return false;
    if (take_table(*bytes, file_size, size))
        return true;
    free(*bytes);
    return false;
}
