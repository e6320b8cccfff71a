/* watch_calls.c - hot libraries whose sources are watched: see kiln.h.
 *
 * A watch has a thread, with every signal blocked. It makes a watch of everything that the library
 * and its hot dependencies have read and looked for, looks at these once, and then waits for a
 * change and looks again; after that the watch is made anew, since inputs may be others by then. What it
 * compiles it publishes itself, or leaves to kiln_session_dispatch and waits until that is done.
 * When edits pause, a follow-up may run (follow_up.h). */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/follow_up.h"
#include "api/load_calls.h"
#include "api/reload_calls.h"
#include "os/os.h"
#include "reload/watch.h"

struct library_watch {
    kiln_library *library;
    kiln_watch_options options;
    follow_up follow_up;
    int stop;         /* an eventfd: readable when the thread is to end */
    bool ends;        /* the same; guarded by the session's mutex */
    unsigned holders; /* guarded by the session's mutex */
    bool is_orphaned; /* after a fork: there is no thread */
    char *told;       /* the error that was told last, as text; NULL: none since then */
    pthread_t thread;
};

const kiln_library *watch_library(const library_watch *watch)
{
    return watch->library;
}

void watch_hold(library_watch *watch)
{
    watch->holders++;
}

void watch_let_go(library_watch *watch)
{
    watch->holders--;
    pthread_cond_broadcast(&watch->library->session->flights_changed);
}

void watch_tell(library_watch *watch, const kiln_reload *report, const kiln_error *error)
{
    if (watch->options.callback)
        watch->options.callback(watch->library, report, error, watch->options.user_data);
}

/* ---- what is watched ---- */

static bool add_inputs(const kiln_library *library, input_set *inputs, string_list *directories)
{
    const struct hot_library *own = library->hot;
    const kiln_spec *spec = own->shared->closure.nodes[own->index].spec;
    bool done = hot_inputs(own->hot, inputs) && units_pattern_directories(spec, directories);
    for (size_t i = 0; done && i < library->dependency_count; i++)
        if (library->dependencies[i]->hot)
            done = add_inputs(library->dependencies[i], inputs, directories);
    return done;
}

/* last: see watch_open. */
static kiln_status open_watch(const library_watch *watch, struct watch *last, struct watch **out,
                              bool *noticed, kiln_error **error)
{
    input_set inputs = {0};
    string_list directories = {0};
    kiln_status status =
        add_inputs(watch->library, &inputs, &directories) ? KILN_OK : error_no_memory(error);
    input_set_sort(&inputs);
    if (status == KILN_OK)
        status = watch_open(last, &inputs, &directories, out, noticed, error);
    else
        watch_close(last);
    input_set_destroy(&inputs);
    string_list_destroy(&directories);
    return status;
}

/* ---- the thread ---- */

/* Until it was published, or dropped by a reload; how that ended. */
static kiln_status await_publication(library_watch *watch, const kiln_library *prepared)
{
    kiln_session *session = watch->library->session;
    session_wake(session);
    pthread_mutex_lock(&session->mutex);
    while (prepared->hot->is_prepared && !watch->ends)
        pthread_cond_wait(&session->flights_changed, &session->mutex);
    kiln_status status = prepared->hot->published;
    pthread_mutex_unlock(&session->mutex);
    return status;
}

static void forget_told(library_watch *watch)
{
    free(watch->told);
    watch->told = NULL;
}

/* An error that was told is not told again until something has happened. */
static void tell_error(library_watch *watch, const kiln_error *error)
{
    const char *text = kiln_error_rendered(error);
    if (watch->told && strcmp(watch->told, text) == 0)
        return;
    forget_told(watch);
    watch->told = strdup(text);
    watch_tell(watch, NULL, error);
}

/* Look at everything; whether inputs may be others now, so that there is to be another watch of
 * them. noticed: something has happened since the look before, which came to *outcome. */
static bool look(library_watch *watch, bool noticed, kiln_status *outcome)
{
    const kiln_reload_options options = {.size = sizeof options,
                                         .accept_layouts = watch->options.accept_layouts,
                                         .migrate = watch->options.migrate,
                                         .migrate_data = watch->options.migrate_data};
    kiln_error *error = NULL;
    kiln_reload *report = NULL;
    kiln_library *prepared = NULL;
    bool compiled = false;
    kiln_status status;
    /* After a failure the watch is made anew, for what the failed compilation looked for. */
    if (*outcome != KILN_OK && !noticed && library_fails_still(watch->library))
        return false;
    if (watch->options.publish_at_once)
        status = library_reload_quietly(watch->library, &options, -1, &report, &error);
    else
        status = library_prepare(watch->library, watch, &options, -1, &prepared, &compiled, &error);
    if (report && kiln_reload_changed(report))
        watch_tell(watch, report, NULL);
    if (status == KILN_PENDING)
        status = await_publication(watch, prepared);
    else if (status != KILN_OK)
        tell_error(watch, error);
    if (status == KILN_OK)
        forget_told(watch);
    compiled |= report && reload_compiled(report);
    if (compiled)
        follow_up_note_edit(&watch->follow_up);
    bool again = compiled || (status != KILN_OK && (noticed || *outcome == KILN_OK));
    *outcome = status;
    kiln_reload_destroy(report);
    kiln_error_destroy(error);
    return again;
}

/* Wait for a change of an input; false: the thread is to end. watch NULL: there is none to be had,
 * so look every now and then. */
static bool await_change(library_watch *watch, struct watch *files, kiln_status outcome)
{
    int look_every_ms = outcome == KILN_OK ? 500 : 5000;
    for (;;) {
        struct pollfd polled[] = {
            {.fd = watch->stop, .events = POLLIN},
            {.fd = files ? watch_descriptor(files) : -1, .events = POLLIN},
            {.fd = follow_up_descriptor(&watch->follow_up), .events = POLLIN}};
        int ready = poll(polled, 3, files ? follow_up_delay_ms(&watch->follow_up) : look_every_ms);
        if (ready < 0 && errno != EINTR)
            return false;
        if (polled[0].revents)
            return false;
        if (!files || (polled[1].revents && watch_take(files)))
            return true;
        if (polled[2].revents)
            follow_up_stop(&watch->follow_up);
        else if (ready == 0)
            follow_up_start(&watch->follow_up);
    }
}

static void *run(void *data)
{
    library_watch *watch = data;
    struct watch *files = NULL;
    kiln_status outcome = KILN_OK;
    bool is_blind = false;
    for (bool goes_on = true; goes_on;) {
        struct watch *last = files;
        kiln_error *error = NULL;
        bool noticed = true;
        files = NULL;
        if (open_watch(watch, last, &files, &noticed, &error) != KILN_OK) {
            noticed = false;
            if (!is_blind)
                watch_tell(watch, NULL, error);
        }
        is_blind = !files;
        kiln_error_destroy(error);
        if (!look(watch, noticed, &outcome)) {
            goes_on = await_change(watch, files, outcome);
            follow_up_stop(&watch->follow_up);
            if (goes_on && files)
                forget_told(watch);
            /* The watch that there is will do for that; what the look finds may need another. */
            if (goes_on)
                look(watch, true, &outcome);
        }
        struct pollfd stop = {.fd = watch->stop, .events = POLLIN};
        goes_on = goes_on && poll(&stop, 1, 0) <= 0;
    }
    watch_close(files);
    return NULL;
}

/* ---- the calls ---- */

static void watch_free(library_watch *watch)
{
    if (watch->stop >= 0)
        close(watch->stop);
    follow_up_destroy(&watch->follow_up);
    free(watch->told);
    free(watch);
}

/* The library's only watch; false: it has one. */
static bool enter(kiln_library *library, library_watch *watch)
{
    pthread_mutex_lock(&library->session->mutex);
    bool is_free = !library->hot->watch;
    if (is_free)
        library->hot->watch = watch;
    pthread_mutex_unlock(&library->session->mutex);
    return is_free;
}

static void leave(kiln_library *library)
{
    pthread_mutex_lock(&library->session->mutex);
    library->hot->watch = NULL;
    pthread_mutex_unlock(&library->session->mutex);
}

kiln_status kiln_library_watch(kiln_library *library, const kiln_watch_options *options,
                               kiln_error **error)
{
    kiln_watch_options ours;
    if (error)
        *error = NULL;
    if (!library)
        return error_null(error, "library");
    kiln_status status = library_check_hot(library, error);
    if (status == KILN_OK)
        status = options_read(&ours, sizeof ours, options, "watch", error);
    if (status != KILN_OK)
        return status;
    library_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return error_no_memory(error);
    *watch = (library_watch){.library = library, .options = ours};
    bool made = follow_up_create(&watch->follow_up, watch, library, &watch->options);
    watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!made || watch->stop < 0 || session_descriptor(library->session) < 0) {
        int failed = errno;
        watch_free(watch);
        return error_set_errno(error, KILN_IO, KILN_PHASE_SPEC, failed, "cannot watch");
    }
    if (!enter(library, watch)) {
        watch_free(watch);
        return error_set(error, KILN_ALREADY_EXISTS, KILN_PHASE_SPEC,
                         "library '%s' is watched already", library->image->name);
    }
    int failed = start_quiet_thread(&watch->thread, run, watch);
    if (!failed)
        return KILN_OK;
    leave(library);
    watch_free(watch);
    return error_set_errno(error, KILN_IO, KILN_PHASE_SPEC, failed, "cannot watch");
}

void kiln_library_unwatch(kiln_library *library)
{
    if (!library || !library->hot || !library->hot->watch)
        return;
    library_watch *watch = library->hot->watch;
    kiln_session *session = library->session;
    pthread_mutex_lock(&session->mutex);
    watch->ends = true;
    pthread_cond_broadcast(&session->flights_changed);
    pthread_mutex_unlock(&session->mutex);
    raise_flag(watch->stop);
    if (!watch->is_orphaned)
        pthread_join(watch->thread, NULL);
    pthread_mutex_lock(&session->mutex);
    /* Nobody is left to be told of what waits; who is being told is heard out. */
    for (kiln_library *other = session->libraries; other; other = other->next)
        if (other->hot && other->hot->waiter == watch)
            other->hot->is_prepared = false;
    library->hot->is_prepared = false;
    while (watch->holders && !watch->is_orphaned)
        pthread_cond_wait(&session->flights_changed, &session->mutex);
    pthread_mutex_unlock(&session->mutex);
    leave(library);
    watch_free(watch);
}

void session_watches_after_fork(kiln_session *session)
{
    for (kiln_library *library = session->libraries; library; library = library->next) {
        if (!library->hot)
            continue;
        library->hot->busy = library->hot->is_prepared = false;
        library->hot->gives_way = -1;
        hot_after_fork(library->hot->hot);
        if (library->hot->watch)
            library->hot->watch->is_orphaned = true;
    }
}
