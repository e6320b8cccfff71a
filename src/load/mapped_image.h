/* mapped_image.h - the images that this process has mapped, each once, and what keeps them alive.
 *
 * An entry stands in a process-wide registry from before its image is mapped until after it has
 * left the address space: meanwhile its descriptor stays open, because the loader knows images by
 * name, and /proc/PID/fd/N must not come to name another. Thread-safe; no function calls the loader
 * under the registry's mutex. */
#ifndef KILN_LOAD_MAPPED_IMAGE_H
#define KILN_LOAD_MAPPED_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "load/load.h"

typedef struct mapped_image mapped_image;

/* The entry for an image, made if need be, and counted; *is_new: it was made. BIND where the image
 * is mapped with other addresses of its host symbols: these are bound for good. */
kiln_status mapped_image_acquire(const load_image *image, mapped_image **entry, bool *is_new,
                                 kiln_error **error);

/* An entry for an image that was written in memory: counted, unique, with a name of its own. Takes
 * the bytes' copy to a memfd. */
kiln_status mapped_image_create(const char *what, const void *bytes, size_t size,
                                mapped_image **entry, kiln_error **error);

/* Count once less, after the loader was told. True when nobody holds the entry and the image is
 * still mapped: it waits, and mapped_image_collect lets it go. NULL is false. */
bool mapped_image_release(mapped_image *entry);

/* Let go what waits and can leave now; the number of libraries that cannot yet. */
size_t mapped_image_collect(void);
bool mapped_image_exists(const char *id);

/* Whether another load holds it, too. */
bool mapped_image_is_shared(const mapped_image *entry);

/* What the loader is given; the library's name. They live as long as the entry is held. */
const char *mapped_image_path(const mapped_image *entry);
const char *mapped_image_name(const mapped_image *entry);

/* Call back for each image of a library that is held,
 * until it returns false. Each is held during its call. */
void mapped_image_visit(bool (*visit)(mapped_image *entry, void *user_data), void *user_data);

/* The fork handlers. */
void mapped_images_before_fork(void);
void mapped_images_after_fork(void);

#endif
