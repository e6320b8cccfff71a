/* root_image.h - the images that Kiln writes for one load: the root, and the host's symbols.
 *
 * The loader resolves an image's references in the scope of what was opened, in breadth-first
 * order. The root is what is opened: it needs the host symbols, then the images in the order of the
 * request, so that dependencies come before dependents and weak variables of all are one. */
#ifndef KILN_LOAD_ROOT_IMAGE_H
#define KILN_LOAD_ROOT_IMAGE_H

#include "load/load.h"
#include "load/mapped_image.h"

/* Write the image that exports the host symbols of `count` images; *entry NULL where they have
 * none. Two images that ask for different addresses under one name must not come together: see
 * root_image_agreeing. */
kiln_status root_image_write_host(const load_image *images, size_t count, mapped_image **entry,
                                  kiln_error **error);

/* Write a root that needs the paths in order. */
kiln_status root_image_write(const char *const *paths, size_t count, mapped_image **entry,
                             kiln_error **error);

/* How many of the images, from the first on, agree about
 * the addresses of their host symbols; at least 1. */
kiln_status root_image_agreeing(const load_image *images, size_t count, size_t *agreeing,
                                kiln_error **error);

/* Host symbols are exported, and referred to, under their name with the high bit of its first byte
 * set: so neither the host's own exports nor another library's definitions come between. */
enum { root_image_host_bit = 0x80 };

#endif
