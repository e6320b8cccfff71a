/* build.h - from a spec to an image.
 *
 *     spec -> key -> record -> hit: image
 *                           -> miss: plan -> compile jobs -> link job -> publish -> image
 *
 * build_begin makes the key and looks into the cache (build_lookup.c); build_finish does the work
 * of a miss (build_miss.c, with its unit jobs in build_units.c). Between the two a session sees to
 * it that one thread builds and others wait. Events go out on the calling thread, under no lock. */
#ifndef KILN_BUILD_BUILD_H
#define KILN_BUILD_BUILD_H

#include "build/compiler.h"
#include "build/image.h"
#include "build/key.h"
#include "build/store.h"
#include "build/units.h"

/* emit: NULL where nobody listens, so that nothing is prepared for it. */
typedef struct event_sink {
    void (*emit)(void *data, const kiln_event *event);
    void *data;
} event_sink;

static inline void event_sink_emit(const event_sink *sink, const kiln_event *event)
{
    if (sink->emit)
        sink->emit(sink->data, event);
}

/* Whether a library is built so that its code can be replaced while it runs (docs/hot-reload.md):
 * each function by itself, or all functions of a unit together. */
typedef enum hot_mode { HOT_OFF, HOT_ISLANDS, HOT_WHOLE } hot_mode;

/* What a session lends to a build. */
typedef struct build_context {
    compiler *compiler;
    store *store;  /* NULL: no cache */
    uint32_t jobs; /* 0: what the machine allows */
    bool trust_system;
    hot_mode hot;
    int cancel; /* a descriptor that becomes readable when the build is to be given up; -1: never */
    event_sink events;
} build_context;

typedef struct generation_request generation_request;
typedef struct unit_report unit_report;

typedef struct build {
    const build_context *context;
    const kiln_spec *spec;
    const string_list *inherited; /* public arguments of dependencies */
    image *const *dependencies;   /* indirect ones too, nearest first */
    size_t dependency_count;
    const kiln_spec *const
        *providers; /* of all dependencies, indirect ones too: they lend their memory headers */
    size_t provider_count;
    uint32_t output; /* wire.proto's OutputKind */
    bool merge;
    unsigned lending_number; /* which set of host symbols it is to be lent: api/lending.h */
    const generation_request *generation; /* build_generation.h: NULL but for a later generation */
    unit_report
        *unit_reports; /* what is found out of each unit that is compiled; NULL: nobody asks */
    size_t unit_report_count;

    unit_list units;
    string_list environment;
    string_list dependency_ids;
    digest compiler_identity;
    ingredients ingredients;
    digest key;
    record record; /* of the key; empty where there is none */
    char *miss_reason;
    int *memory_fds; /* of memory files too large for a frame, in the order of build_setup.c */
    size_t memory_fd_count, memory_fd_capacity;
    double seconds[KILN_PHASE_COUNT];
} build;

/* Fill in the spec's units and the key; then look into the cache. *found: NULL where the cache has
 * nothing that holds, and miss_reason tells why. The fields above the blank line are the caller's.
 * build_end must follow, also after an error. */
kiln_status build_begin(build *build, kiln_error **error);
image *build_lookup(build *build);
/* Tell the session's callback that the cache had it. */
void build_emit_hit(const build *build);
/* Whether a known image, one that no cache keeps, still is what a build would make. */
bool build_image_holds(const build *build, image *image);
kiln_status build_finish(build *build, image **out, kiln_error **error);
void build_end(build *build);

/* One finished compilation. */
typedef struct unit_result {
    int fd;       /* the object, or -1 */
    char *path;   /* of the object in the cache, or NULL */
    bool in_lead; /* the lead job has it, as its descriptor lead_index */
    uint32_t lead_index;
    digest content;
    uint64_t size;
    bool cxx, hit, done;
} unit_result;
void unit_result_destroy(unit_result *result);

#endif
