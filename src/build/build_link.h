/* build_link.h - linking the objects of a library. */
#ifndef KILN_BUILD_BUILD_LINK_H
#define KILN_BUILD_BUILD_LINK_H

#include "build/build_steps.h"

typedef struct link_output {
    int fd; /* a memfd */
    digest content;
    uint64_t size;
    uint8_t *symbol_table; /* packed */
    size_t symbol_table_size, symbol_count;
    string_list host_symbols; /* those that the image refers to */
} link_output;

/* The soname of the image to be, and the version of its symbols. */
void link_name_image(const miss *miss, char id[record_image_id_size]);
/* kind: wire.proto's OutputKind. output->fd must be -1 before. */
kiln_status build_link(miss *miss, const char *image_id, uint32_t kind, link_output *output,
                       kiln_error **error);
void link_output_destroy(link_output *output);

#endif
