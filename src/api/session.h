/* session.h - the session: what it owns, and what the files of api/ share.
 *
 * Locks, in the order in which they are taken: the list of sessions (session_fork.c), a session's
 * mutex, its compiler's, its store's. The session's mutex guards the registry, the list of
 * libraries with their reference counts, all flights and the loads under way; it is never held
 * while something compiles, is mapped or unmapped, or while a callback runs. */
#ifndef KILN_API_SESSION_H
#define KILN_API_SESSION_H

#include <pthread.h>

#include "api/lending.h"
#include "build/build.h"
#include "load/load.h"
#include "reload/hot.h"

/* A build under way, which other threads that want the same wait for. */
typedef struct flight {
    struct flight *next;
    digest key;
    int64_t begin_ns; /* by os_clock_steady_ns */
    pthread_t builder;
    unsigned waiting; /* threads that still want the result */
    bool done;
    kiln_status status;
    kiln_error *error;
    image *image;
} flight;

struct kiln_library {
    kiln_library *next; /* of the session's list */
    kiln_session *session;
    image *image;
    loaded *loaded;
    unsigned references; /* handed out, and by dependents; guarded by the session's mutex */
    bool global;
    digest lent; /* names and addresses of the host symbols that it took */
    lending *lending;
    char key[digest_hex_size];
    kiln_library **dependencies;
    size_t dependency_count;
    double seconds[KILN_PHASE_COUNT], total_seconds;
    struct hot_library *hot;       /* NULL: it is not hot */
    struct live_library *live;     /* NULL: the image engine has loaded it */
    pthread_mutex_t symbols_mutex; /* guards what follows; nothing is taken under it */
    struct symbol_index *symbols;  /* made at the first need */
};

/* An image that waits to leave, with the host symbols that it has until then. */
typedef struct departure {
    struct departure *next;
    image *image;
    lending *lending;
    const void *pending; /* of a live library: see live_library.h; else NULL */
} departure;

struct kiln_session {
    kiln_session *next; /* of all sessions */
    pthread_mutex_t mutex;
    pthread_cond_t flights_changed;
    kiln_spec **specs; /* the registry, sorted by name */
    size_t spec_count, spec_capacity;
    kiln_library *libraries;
    flight *flights;
    image **
        uncached; /* images that no cache keeps, while a library of theirs may be asked for again */
    size_t uncached_count, uncached_capacity;
    departure *departing; /* closed, but not out of the address space yet */
    struct live_flight *live_flights;
    kiln_load *loads;
    unsigned busy;  /* loads under way, of any kind */
    int descriptor; /* an eventfd: something for kiln_session_dispatch */
    kiln_jit *jit;  /* of live libraries; NULL: none yet */
    compiler *compiler;
    store *store; /* NULL: no cache */
    uint32_t jobs;
    bool trust_system_headers, auto_load;
    kiln_event_callback event_callback;
    void *event_user_data;
    atomic_ulong hits, misses;
};

/* NULL means the default session; NULL comes back only when out of memory. */
kiln_session *session_or_default(kiln_session *session);

/* Every session is known to the handlers of fork. */
void session_fork_register(kiln_session *session);
void session_fork_unregister(kiln_session *session);

/* ---- the registry (registry.c) ---- */

/* A copy of what is registered. dependent: the library that asks for it, or NULL. Errors: NOT_FOUND,
 * NO_MEMORY. */
kiln_status session_find_spec(kiln_session *session, const char *name, const char *dependent,
                              kiln_spec **copy, kiln_error **error);
void session_forget_specs(kiln_session *session);

/* ---- building (resolve.c) ---- */

/* A library of a load: what is to be mapped, dependencies before dependents. */
typedef struct node {
    kiln_spec *spec;
    image *image;
    size_t *dependencies; /* indices of direct ones */
    size_t dependency_count;
    lending *lending;     /* of its host symbols; a reference, or NULL */
    record inputs;        /* of a hot library that the cache had */
    unit_report *reports; /* of a hot library's units */
    size_t report_count;
} node;

typedef struct closure {
    node *nodes; /* the last one is what was asked for */
    size_t count, capacity;
} closure;

/* Build a library and everything it depends on, on this thread. spec is taken over. */
kiln_status session_build(kiln_session *session, kiln_spec *spec, const build_context *context,
                          closure *closure, kiln_error **error);
void closure_destroy(closure *closure);
/* A copy of all but the reports. false when out of memory. */
bool closure_copy(const closure *from, closure *to);
/* While something is being built the compiler process is not to be stopped. */
void session_count_busy(kiln_session *session, int change);
/* What a build is lent by its session. */
build_context session_context(kiln_session *session, event_sink events, hot_mode hot, int cancel);
/* The sink of blocking calls: straight to the callback. */
event_sink session_sink(kiln_session *session);
/* Fill in `build` for a node of a closure whose dependencies are built; the arrays are freed with
 * node_build_end. */
typedef struct node_build {
    build build;
    string_list inherited;
    image **dependencies;
    const kiln_spec **providers;
} node_build;
kiln_status node_build_begin(const closure *closure, const node *node, const build_context *context,
                             node_build *out, kiln_error **error);
void node_build_end(node_build *out);
/* The dependencies of a spec alone, for outputs that are not loaded. builds: with their images; else
 * for what is only compiled. direct: which of the closure it names; malloc'd. */
kiln_status session_find_dependencies(kiln_session *session, const kiln_spec *spec,
                                      const build_context *context, bool builds, closure *closure,
                                      size_t **direct, kiln_error **error);

/* kiln_compile with a context of its own (outputs.c). */
kiln_status session_compile(kiln_session *session, const kiln_spec *spec,
                            const kiln_compile_options *options, const build_context *context,
                            kiln_outputs **outputs, kiln_error **error);
/* How they came to be, for a report of what is made of them. false when out of memory. */
bool outputs_describe(const kiln_outputs *outputs, image *image);

/* ---- libraries (library.c) ---- */

typedef struct bind_options {
    bool global, auto_load;
    bool live, lazy; /* the engine for live code; functions are generated at their first call */
    hot_mode hot;
    bool refuse_unseen; /* hot: layouts of records that no variable holds may not change */
} bind_options;

/* Map a closure; on this thread, constructors included. begin_ns: when the load began. */
kiln_status session_bind(kiln_session *session, const closure *closure, const bind_options *options,
                         int64_t begin_ns, const event_sink *events, kiln_library **library,
                         kiln_error **error);
/* Check and translate the public options. */
kiln_status bind_options_read(const kiln_session *session, const kiln_load_options *options,
                              bind_options *out, kiln_error **error);
kiln_status library_release(kiln_library *library);
void departures_end(departure *first);
/* Forget images that no cache keeps and no library is made of: a load has ended without one. */
void session_forget_unused(kiln_session *session);
/* Let go what has become free since it was closed, and tell of it. */
void session_collect(kiln_session *session);

/* The library of a mapped image, counted once more, or NULL. */
kiln_library *session_find_library(kiln_session *session, const image *image);
/* The image of a hot library that was loaded from the same description, counted, or NULL. */
image *session_find_hot(kiln_session *session, const digest *key);

/* ---- hot libraries (reload_calls.c) ---- */

/* What the libraries of one hot load share: what they were built from. */
typedef struct hot_closure hot_closure;
/* NULL when out of memory. */
hot_closure *hot_closure_create(const closure *closure);
void hot_closure_release(hot_closure *shared);
/* Make a library that was just mapped hot: node `index` of the closure. */
kiln_status library_make_hot(kiln_library *library, hot_closure *shared, size_t index,
                             const closure *closure, const bind_options *options,
                             kiln_error **error);
/* Close a hot library with all of its generations. OK or PENDING. */
kiln_status library_close_hot(kiln_library *library);
/* Forget that it is hot. */
void library_end_hot(kiln_library *library);
/* Bring it up to date, as kiln_library_reload does. */
kiln_status library_reload(kiln_library *library, const kiln_reload_options *options,
                           kiln_reload **report, kiln_error **error);
/* A symbol of a later generation, or NULL. */
void *library_hot_symbol(const kiln_library *library, const char *name, bool function);

/* ---- symbols (symbols.c) ---- */
void symbol_index_destroy(struct symbol_index *index);

/* Copy an option struct of the caller's size into ours: zeros beyond, and an error for fields that
 * we do not know. */
kiln_status options_read(void *ours, size_t our_size, const void *theirs, const char *what,
                         kiln_error **error);
/* Copy our struct into one of the caller's size. */
void result_write(void *theirs, const void *ours, size_t our_size);

#endif
