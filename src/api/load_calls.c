/* load_calls.c - loads that were begun: polling, waiting, cancelling, and the session's dispatch.
 *
 * A load has a thread of its own that plans, compiles and links, with every signal blocked. Its
 * events wait in a queue, and the mapping, which runs constructors, is left to the thread that
 * polls, waits or dispatches: so no code of the host's ever runs on a thread that the host does not
 * know. A load's mutex guards its queue and its state; it is taken after the session's. */
#include "api/load_calls.h"
#include "api/live_library.h"
#include "api/reload_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/os.h"

typedef struct queued_event {
    struct queued_event *next;
    kiln_event event; /* with malloc'd strings */
    kiln_error *diagnostic_owner;
} queued_event;

/* BUILT belongs to whoever makes it BINDING: that thread alone joins, maps, and makes it FINISHED.
 */
typedef enum load_state { BUILDING, BUILT, BINDING, FINISHED } load_state;

struct kiln_load {
    kiln_load *next; /* of the session's */
    kiln_session *session;
    kiln_spec *spec;
    bind_options options;
    int64_t begin_ns;
    int cancel; /* eventfd: readable once cancelled */
    int ready;  /* eventfd: readable when the queue or the state changed */
    pthread_t thread;
    pthread_mutex_t mutex;
    queued_event *first_event, *last_event;
    load_state state;
    kiln_status status; /* of the build, then of the load */
    kiln_error *error;
    closure closure;
    kiln_spec *live; /* of a library for the engine of live code */
    kiln_outputs *outputs;
    bool handed_out, joined;
    kiln_library *library;
    unsigned users; /* dispatching threads that look at it; guarded by the session's mutex */
};

void raise_flag(int eventfd)
{
    uint64_t one = 1;
    while (eventfd >= 0 && write(eventfd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void lower_flag(int eventfd)
{
    uint64_t count;
    while (eventfd >= 0 && read(eventfd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

void session_wake(kiln_session *session)
{
    raise_flag(session->descriptor);
}

/* ---- events of the thread ---- */

static void queued_event_free(queued_event *queued)
{
    free((char *)queued->event.library);
    free((char *)queued->event.unit);
    free((char *)queued->event.text);
    kiln_error_destroy(queued->diagnostic_owner);
    free(queued);
}

/* A deep copy of a diagnostic rides in an error object, which knows how. */
static bool keep_diagnostic(queued_event *queued, const kiln_diagnostic *diagnostic)
{
    if (!diagnostic)
        return true;
    queued->diagnostic_owner =
        error_of_diagnostics(KILN_COMPILE, KILN_PHASE_COMPILE, diagnostic, 1);
    queued->event.diagnostic =
        queued->diagnostic_owner ? kiln_error_diagnostic(queued->diagnostic_owner, 0) : NULL;
    return queued->event.diagnostic != NULL;
}

static bool copy_string(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

/* An event that cannot be kept for want of memory is lost; the outcome of the load is not. */
static void enqueue(void *data, const kiln_event *event)
{
    kiln_load *load = data;
    queued_event *queued = calloc(1, sizeof *queued);
    if (!queued)
        return;
    queued->event = *event;
    bool done = copy_string(&queued->event.library, event->library);
    done &= copy_string(&queued->event.unit, event->unit);
    done &= copy_string(&queued->event.text, event->text);
    if (!done || !keep_diagnostic(queued, event->diagnostic)) {
        queued_event_free(queued);
        return;
    }
    pthread_mutex_lock(&load->mutex);
    if (load->last_event)
        load->last_event->next = queued;
    else
        load->first_event = queued;
    load->last_event = queued;
    pthread_mutex_unlock(&load->mutex);
    raise_flag(load->ready);
    raise_flag(load->session->descriptor);
}

static void deliver_events(kiln_load *load)
{
    pthread_mutex_lock(&load->mutex);
    queued_event *queued = load->first_event;
    load->first_event = load->last_event = NULL;
    pthread_mutex_unlock(&load->mutex);
    while (queued) {
        queued_event *next = queued->next;
        if (load->session->event_callback)
            load->session->event_callback(&queued->event, load->session->event_user_data);
        queued_event_free(queued);
        queued = next;
    }
}

/* ---- the thread ---- */

static kiln_status compile_live(kiln_load *load, const build_context *context, kiln_error **error)
{
    kiln_status status =
        live_compile_dependencies(load->session, load->live, &load->options, context, error);
    return status == KILN_OK ? live_compile(load->session, load->live, load->options.lazy, context,
                                            &load->outputs, error)
                             : status;
}

static void *run(void *data)
{
    kiln_load *load = data;
    event_sink events = {.emit = load->session->event_callback ? enqueue : NULL, .data = load};
    build_context context = session_context(load->session, events, load->options.hot, load->cancel);
    closure closure = {0};
    kiln_error *error = NULL;
    kiln_status status = load->live
                             ? compile_live(load, &context, &error)
                             : session_build(load->session, load->spec, &context, &closure, &error);
    pthread_mutex_lock(&load->mutex);
    load->closure = closure;
    load->status = status;
    load->error = error;
    load->state = BUILT;
    pthread_mutex_unlock(&load->mutex);
    raise_flag(load->ready);
    raise_flag(load->session->descriptor);
    return NULL;
}

int start_quiet_thread(pthread_t *thread, void *(*function)(void *), void *data)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(thread, NULL, function, data);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

/* ---- beginning and ending ---- */

static void load_free(kiln_load *load)
{
    while (load->first_event) {
        queued_event *next = load->first_event->next;
        queued_event_free(load->first_event);
        load->first_event = next;
    }
    if (load->cancel >= 0)
        close(load->cancel);
    if (load->ready >= 0)
        close(load->ready);
    kiln_error_destroy(load->error);
    closure_destroy(&load->closure);
    kiln_outputs_destroy(load->outputs);
    kiln_spec_destroy(load->live);
    pthread_mutex_destroy(&load->mutex);
    free(load);
}

int session_descriptor(kiln_session *session)
{
    pthread_mutex_lock(&session->mutex);
    if (session->descriptor < 0)
        session->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int descriptor = session->descriptor;
    pthread_mutex_unlock(&session->mutex);
    return descriptor;
}

static void leave_load(kiln_load *load);

static void enter_load(kiln_load *load)
{
    kiln_session *session = load->session;
    pthread_mutex_lock(&session->mutex);
    load->next = session->loads;
    session->loads = load;
    pthread_mutex_unlock(&session->mutex);
}

/* Takes the spec over. */
static kiln_status begin(kiln_session *session, kiln_spec *spec, const bind_options *options,
                         kiln_load **out, kiln_error **error)
{
    kiln_load *load = calloc(1, sizeof *load);
    if (!load) {
        kiln_spec_destroy(spec);
        return error_no_memory(error);
    }
    load->session = session;
    load->options = *options;
    if (options->live && live_is_possible(spec, options))
        load->live = spec;
    else
        load->spec = spec;
    load->begin_ns = os_clock_steady_ns();
    pthread_mutex_init(&load->mutex, NULL);
    load->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    load->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = load->cancel < 0 || load->ready < 0 ? errno : 0;
    if (!failed && session_descriptor(session) < 0)
        failed = errno;
    if (!failed) {
        enter_load(load);
        failed = start_quiet_thread(&load->thread, run, load);
        if (failed)
            leave_load(load);
    }
    if (failed) {
        kiln_spec_destroy(load->spec);
        load_free(load);
        return error_set_errno(error, KILN_IO, KILN_PHASE_PLAN, failed, "cannot begin a load");
    }
    *out = load;
    return KILN_OK;
}

kiln_status kiln_load_begin(kiln_session *session, const char *name, const kiln_spec *spec,
                            const kiln_load_options *options, kiln_load **load, kiln_error **error)
{
    bind_options bind;
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!load)
        return error_null(error, "load");
    if (!name == !spec)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "either a name or a spec is to be loaded");
    kiln_status status = bind_options_read(session, options, &bind, error);
    if (status != KILN_OK)
        return status;
    kiln_spec *copy = spec ? spec_copy(spec) : NULL;
    if (spec && !copy)
        return error_no_memory(error);
    if (!spec)
        status = session_find_spec(session, name, NULL, &copy, error);
    return status == KILN_OK ? begin(session, copy, &bind, load, error) : status;
}

/* ---- the outcome ---- */

static bool claim(kiln_load *load)
{
    pthread_mutex_lock(&load->mutex);
    bool mine = load->state == BUILT;
    if (mine)
        load->state = BINDING;
    pthread_mutex_unlock(&load->mutex);
    return mine;
}

static kiln_status finish_live(kiln_load *load, const event_sink *events, kiln_library **library)
{
    kiln_outputs *outputs = load->outputs;
    load->outputs = NULL;
    kiln_status status = live_load(load->session, load->live, &load->options, outputs,
                                   load->begin_ns, events, library, &load->error);
    if (status != KILN_BIND)
        return status;
    /* What it lacks a linker may find. */
    kiln_spec *spec = spec_copy(load->live);
    build_context context =
        session_context(load->session, *events, load->options.hot, load->cancel);
    kiln_error_destroy(load->error);
    load->error = NULL;
    if (!spec)
        return error_no_memory(&load->error);
    status = session_build(load->session, spec, &context, &load->closure, &load->error);
    return status == KILN_OK ? session_bind(load->session, &load->closure, &load->options,
                                            load->begin_ns, events, library, &load->error)
                             : status;
}

/* The mapping, once, on the thread that comes first. */
static void finish(kiln_load *load)
{
    if (!claim(load))
        return;
    if (!load->joined)
        pthread_join(load->thread, NULL);
    load->joined = true;
    deliver_events(load);
    struct pollfd cancel = {.fd = load->cancel, .events = POLLIN};
    kiln_status status = load->status;
    kiln_library *library = NULL;
    if (status == KILN_OK && poll(&cancel, 1, 0) > 0)
        status = error_set(&load->error, KILN_CANCELLED, KILN_PHASE_BIND, "the load was cancelled");
    if (status == KILN_OK) {
        event_sink events = session_sink(load->session);
        if (load->live)
            status = finish_live(load, &events, &library);
        else
            status = session_bind(load->session, &load->closure, &load->options, load->begin_ns,
                                  &events, &library, &load->error);
    }
    closure_destroy(&load->closure);
    if (status != KILN_OK)
        session_forget_unused(load->session);
    pthread_mutex_lock(&load->mutex);
    load->status = status;
    load->library = library;
    load->state = FINISHED;
    pthread_mutex_unlock(&load->mutex);
    raise_flag(load->ready);
}

static kiln_status outcome(kiln_load *load, kiln_library **library, kiln_error **error)
{
    kiln_status status = KILN_PENDING;
    pthread_mutex_lock(&load->mutex);
    if (load->state == FINISHED)
        status = load->status;
    bool again = status == KILN_OK && load->handed_out;
    if (status == KILN_OK)
        load->handed_out = true;
    if (status != KILN_OK && status != KILN_PENDING && error)
        *error = error_copy(load->error);
    pthread_mutex_unlock(&load->mutex);
    if (again)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_BIND,
                         "the load has handed out its library already");
    if (status == KILN_OK)
        *library = load->library;
    return status;
}

static bool is_finished(kiln_load *load)
{
    pthread_mutex_lock(&load->mutex);
    bool finished = load->state == FINISHED;
    pthread_mutex_unlock(&load->mutex);
    return finished;
}

kiln_status kiln_load_poll(kiln_load *load, kiln_library **library, kiln_error **error)
{
    if (error)
        *error = NULL;
    if (!load || !library)
        return error_null(error, load ? "library" : "load");
    deliver_events(load);
    finish(load);
    return outcome(load, library, error);
}

kiln_status kiln_load_wait(kiln_load *load, int timeout_ms, kiln_library **library,
                           kiln_error **error)
{
    int64_t deadline =
        timeout_ms < 0 ? INT64_MAX : os_clock_steady_ns() + (int64_t)timeout_ms * 1000000;
    if (error)
        *error = NULL;
    if (!load || !library)
        return error_null(error, load ? "library" : "load");
    for (;;) {
        lower_flag(load->ready);
        deliver_events(load);
        finish(load);
        int64_t left = deadline == INT64_MAX ? -1 : deadline - os_clock_steady_ns();
        if (is_finished(load) || (deadline != INT64_MAX && left <= 0))
            return outcome(load, library, error);
        struct pollfd ready = {.fd = load->ready, .events = POLLIN};
        poll(&ready, 1, left < 0 ? -1 : (int)((left + 999999) / 1000000));
    }
}

void kiln_load_cancel(kiln_load *load)
{
    if (load)
        raise_flag(load->cancel);
}

/* Whoever dispatches has done with it after this. */
static void leave_load(kiln_load *load)
{
    kiln_session *session = load->session;
    pthread_mutex_lock(&session->mutex);
    for (kiln_load **link = &session->loads; *link; link = &(*link)->next) {
        if (*link == load) {
            *link = load->next;
            break;
        }
    }
    while (load->users > 0)
        pthread_cond_wait(&session->flights_changed, &session->mutex);
    pthread_mutex_unlock(&session->mutex);
}

void kiln_load_destroy(kiln_load *load)
{
    if (!load)
        return;
    if (load->session)
        leave_load(load);
    if (!load->joined) {
        raise_flag(load->cancel);
        pthread_join(load->thread, NULL);
    }
    if (load->library && !load->handed_out)
        library_release(load->library);
    closure_destroy(&load->closure);
    if (load->session)
        session_forget_unused(load->session);
    load_free(load);
}

/* A load that its session leaves behind is an error object for whoever still asks it. */
static void orphan(kiln_load *load)
{
    raise_flag(load->cancel);
    if (!load->joined)
        pthread_join(load->thread, NULL);
    load->joined = true;
    pthread_mutex_lock(&load->mutex);
    if (load->state != FINISHED || (load->status == KILN_OK && !load->handed_out)) {
        kiln_error_destroy(load->error);
        load->error = NULL;
        load->status = error_set(&load->error, KILN_CANCELLED, KILN_PHASE_BIND,
                                 "the load's session has ended");
    }
    closure_destroy(&load->closure);
    load->library = NULL;
    load->state = FINISHED;
    load->session = NULL;
    pthread_mutex_unlock(&load->mutex);
}

void session_end_loads(kiln_session *session)
{
    while (session->loads) {
        kiln_load *load = session->loads;
        session->loads = load->next;
        orphan(load);
    }
}

/* ---- fork ---- */

void session_loads_before_fork(kiln_session *session)
{
    for (kiln_load *load = session->loads; load; load = load->next)
        pthread_mutex_lock(&load->mutex);
}

static void renew_eventfd(int fd)
{
    int fresh = fd >= 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (fresh < 0)
        return;
    dup3(fresh, fd, O_CLOEXEC);
    close(fresh);
}

/* The child has copies of the loads, but none of their threads; and wake-ups that it must not
 * share. */
void session_loads_after_fork(kiln_session *session, bool in_child)
{
    if (in_child)
        renew_eventfd(session->descriptor);
    for (kiln_load *load = session->loads; load; load = load->next) {
        if (in_child) {
            renew_eventfd(load->cancel);
            renew_eventfd(load->ready);
            load->users = 0;
        }
        if (in_child && load->state < BINDING) {
            load->joined = true;
            load->state = FINISHED;
            load->status = error_set(&load->error, KILN_CANCELLED, KILN_PHASE_BIND,
                                     "the load was left behind by a fork: begin it again");
        }
        pthread_mutex_unlock(&load->mutex);
    }
}

/* ---- dispatch ---- */

int kiln_session_descriptor(kiln_session *session)
{
    session = session_or_default(session);
    return session ? session_descriptor(session) : -1;
}

/* A load that has something to do, held for this thread, or NULL. *any: whether loads are under way
 * at all. */
static kiln_load *next_ready(kiln_session *session, bool *any)
{
    kiln_load *found = NULL;
    *any = false;
    pthread_mutex_lock(&session->mutex);
    for (kiln_load *load = session->loads; load && !found; load = load->next) {
        pthread_mutex_lock(&load->mutex);
        *any |= load->state != FINISHED;
        if (load->first_event || load->state == BUILT) {
            found = load;
            load->users++;
        }
        pthread_mutex_unlock(&load->mutex);
    }
    pthread_mutex_unlock(&session->mutex);
    return found;
}

static void let_go(kiln_session *session, kiln_load *load)
{
    pthread_mutex_lock(&session->mutex);
    load->users--;
    pthread_cond_broadcast(&session->flights_changed);
    pthread_mutex_unlock(&session->mutex);
}

kiln_status kiln_session_dispatch(kiln_session *session, int timeout_ms, kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    session_collect(session);
    bool any = false, worked = false;
    for (int round = 0;; round++) {
        lower_flag(session->descriptor);
        for (kiln_load *load; (load = next_ready(session, &any)); worked = true) {
            deliver_events(load);
            finish(load);
            let_go(session, load);
        }
        worked |= session_publish_prepared(session, &any);
        if (worked || !any || round > 0 || timeout_ms == 0)
            return KILN_OK;
        struct pollfd ready = {.fd = session->descriptor, .events = POLLIN};
        poll(&ready, 1, timeout_ms);
    }
}
