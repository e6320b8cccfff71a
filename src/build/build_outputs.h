/* build_outputs.h - compiling without loading: objects, bitcode and the like, one a unit or combined
 * into one, from the cache where it has them. */
#ifndef KILN_BUILD_BUILD_OUTPUTS_H
#define KILN_BUILD_BUILD_OUTPUTS_H

#include "build/build.h"

typedef struct build_output {
    char *source;      /* of a unit its path, of what was combined the library's name */
    const void *bytes; /* mapped */
    size_t size;
    bool hit;
} build_output;

typedef struct build_output_list {
    build_output *items;
    size_t count, capacity;
    size_t input_count;      /* that were recorded */
    const char *miss_reason; /* NULL on a hit */
} build_output_list;

/* Compile every source to build->output, and combine these where `combined` (wire.proto's
 * OutputKind: merged object or bitcode, archive, shared library) is not NULL. build_begin went
 * before. A hit starts no process. outputs: zeroed before; the caller's. *hit: the cache had them
 * all. */
kiln_status build_outputs(build *build, const uint32_t *combined, build_output_list *outputs,
                          bool *hit, kiln_error **error);
void build_output_list_destroy(build_output_list *list);

#endif
