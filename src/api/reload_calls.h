/* reload_calls.h - hot libraries: what reloads and watches share.
 *
 * One thread at a time works on a hot library, the one whose turn it is. `busy`, `gives_way`
 * and `prepared` are guarded by the session's mutex; whoever waits for a change of them waits on its condition. */
#ifndef KILN_API_RELOAD_CALLS_H
#define KILN_API_RELOAD_CALLS_H

#include "api/session.h"

typedef struct library_watch library_watch;

struct hot_library {
    hot *hot;
    hot_closure *shared;
    size_t index; /* which node of the closure it is */
    hot_mode mode;
    bool refuses_unseen; /* kiln_load_options.refuse_unseen_layouts */
    bool busy;           /* it is somebody's turn */
    int gives_way;       /* an eventfd: raised, it makes who has the turn give up; -1: none */
    bool is_prepared;    /* `prepared` was compiled, and waits to be published */
    hot_edit prepared;   /* belongs to whose turn it is, as does the next */
    double prepare_seconds;
    kiln_status published; /* how the last publication of what was prepared ended */
    library_watch *watch;  /* NULL: nobody watches it */
    library_watch *waiter; /* the watch that has prepared it */
    kiln_reload_hook before, after;
    void *hook_data;
};

struct hot_closure {
    atomic_uint references;
    closure closure;
};

/* INVALID_ARGUMENT where it is not hot. */
kiln_status library_check_hot(const kiln_library *library, kiln_error **error);
/* Compile what was edited of a library or, before that, of one of its dependencies, and leave it to
 * session_publish_prepared: PENDING. cancel: an eventfd that makes it give up; -1: none. OK: nothing is edited that makes other code. *compiled: something was
 * compiled, so that inputs may be others now. */
kiln_status library_prepare(kiln_library *library, library_watch *watch,
                            const kiln_reload_options *options, int cancel, kiln_library **prepared,
                            bool *compiled, kiln_error **error);
/* Whether compiling or publishing the library, or one of its dependencies, failed the last time, and
 * what that had read is as it was. */
bool library_fails_still(kiln_library *library);
/* Publish what is prepared, on this thread; whether there was anything. *watched: some library is
 * watched. */
bool session_publish_prepared(kiln_session *session, bool *watched);
/* Add notices of libraries that are not reached by reloads of `library`, but were built from the
 * report's files. false when out of memory. */
bool reload_note_others(const kiln_library *library, hot_report *report);
const kiln_library *watch_library(const library_watch *watch);
/* A watch does not end while somebody holds it. Under the session's mutex. */
void watch_hold(library_watch *watch);
void watch_let_go(library_watch *watch);
/* Tell whoever watches. */
void watch_tell(library_watch *watch, const kiln_reload *report, const kiln_error *error);
/* *report: also after an error, where something was published before. Events of reloads that a watch's thread makes go nowhere: callbacks belong to calls. */
kiln_status library_reload_quietly(kiln_library *library, const kiln_reload_options *options,
                                   int cancel, kiln_reload **report, kiln_error **error);
/* Whether a reload has compiled anything. */
bool reload_compiled(const kiln_reload *report);
/* The child has none of the threads. */
void session_watches_after_fork(kiln_session *session);

#endif
