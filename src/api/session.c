/* session.c - sessions: their options, their making and their end. See session.h. */
#include "api/session.h"
#include "api/live_library.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/load_calls.h"
#include "base/path.h"
#include "os/os.h"

enum { default_job_seconds = 600, max_jobs = 4095 };

/* Options of the environment hold only where the host left them open, and not in a setuid program.
 */
static const char *from_environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

static bool is_set(const char *name)
{
    const char *value = from_environment(name);
    return value && strcmp(value, "0") != 0;
}

/* malloc'd and absolute; NULL where no place can be told: errno tells why, where one was named. */
static char *cache_directory(const kiln_session_options *options)
{
    const char *chosen =
        options->cache_directory ? options->cache_directory : from_environment("KILN_CACHE_DIR");
    if (chosen) {
        char *current = chosen[0] == '/' ? strdup("/") : getcwd(NULL, 0);
        char *path = current ? path_join(current, chosen) : NULL;
        free(current);
        return path;
    }
    const char *base = from_environment("XDG_CACHE_HOME");
    if (base && base[0] == '/')
        return path_join(base, "kiln");
    const char *home = from_environment("HOME");
    return home && home[0] == '/' ? path_join(home, ".cache/kiln") : NULL;
}

/* *jobs: 0 for what the machine allows, found out when something is to be compiled. */
static kiln_status job_count(const kiln_session_options *options, uint32_t *jobs,
                             kiln_error **error)
{
    const char *value = options->jobs ? NULL : from_environment("KILN_JOBS");
    *jobs = options->jobs;
    if (!value)
        return KILN_OK;
    unsigned long number = strtoul(value, NULL, 10);
    if (value[strspn(value, "0123456789")] || number == 0 || number > max_jobs)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "KILN_JOBS is '%s': set it to a number from 1 to %d", value, max_jobs);
    *jobs = (uint32_t)number;
    return KILN_OK;
}

/* A cache that cannot be had is an error where the host named it, and done without where it is only
 * the default. */
static kiln_status open_store(kiln_session *session, const kiln_session_options *options,
                              kiln_error **error)
{
    if (options->no_cache || (!options->cache_directory && is_set("KILN_NO_CACHE")))
        return KILN_OK;
    bool named = options->cache_directory || from_environment("KILN_CACHE_DIR");
    char *path = cache_directory(options);
    if (!path && !named)
        return KILN_OK;
    if (!path)
        return errno == ENOMEM
                   ? error_no_memory(error)
                   : error_set_errno(error, KILN_IO, KILN_PHASE_LOOKUP, errno,
                                     "cannot tell the working directory, which the cache "
                                     "directory is relative to");
    kiln_status status = store_open(path, &session->store, named ? error : NULL);
    free(path);
    return named ? status : KILN_OK;
}

static kiln_status create(const kiln_session_options *options, kiln_session *session,
                          kiln_error **error)
{
    struct compiler_options compiler = {
        .path = options->compiler_path,
        .job_seconds = options->job_seconds ? options->job_seconds : default_job_seconds,
        .job_memory_bytes = options->job_memory_bytes,
    };
    kiln_status status = compiler_create(&compiler, &session->compiler, error);
    if (status == KILN_OK)
        status = job_count(options, &session->jobs, error);
    if (status == KILN_OK)
        status = open_store(session, options, error);
    session->trust_system_headers = options->trust_system_headers;
    session->auto_load = options->auto_load;
    session->event_callback = options->event_callback;
    session->event_user_data = options->event_user_data;
    return status;
}

kiln_status kiln_session_create(const kiln_session_options *options, kiln_session **out,
                                kiln_error **error)
{
    kiln_session_options ours;
    if (error)
        *error = NULL;
    if (!out)
        return error_null(error, "session");
    kiln_status status = options_read(&ours, sizeof ours, options, "session", error);
    if (status != KILN_OK)
        return status;
    if (ours.cache_directory && !*ours.cache_directory)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "the cache directory is '': name one, or set no_cache");
    kiln_session *session = calloc(1, sizeof *session);
    if (!session)
        return error_no_memory(error);
    pthread_mutex_init(&session->mutex, NULL);
    pthread_cond_init(&session->flights_changed, NULL);
    session->descriptor = -1;
    status = create(&ours, session, error);
    if (status != KILN_OK) {
        compiler_destroy(session->compiler);
        store_close(session->store);
        free(session);
        return status;
    }
    session_fork_register(session);
    *out = session;
    return KILN_OK;
}

/* The counters in the cache get what has come since they did last. */
static void count_lookups(kiln_session *session)
{
    if (session->store)
        store_count(session->store, atomic_exchange(&session->hits, 0),
                    atomic_exchange(&session->misses, 0));
}

void kiln_session_destroy(kiln_session *session)
{
    if (!session)
        return;
    session_fork_unregister(session);
    session_end_loads(session);
    /* The JIT holds libraries, too. */
    for (kiln_library *library = session->libraries; library;) {
        bool is_live = library->live != NULL;
        if (is_live) {
            library->references = 1;
            library_release(library);
        }
        library = is_live ? session->libraries : library->next;
    }
    live_end(session);
    /* Dependents stand before their dependencies: each release takes the head until none is left.
     */
    while (session->libraries) {
        session->libraries->references = 1;
        library_release(session->libraries);
    }
    session_collect(session);
    departures_end(session->departing);
    for (size_t i = 0; i < session->uncached_count; i++)
        image_release(session->uncached[i]);
    free(session->uncached);
    session_forget_specs(session);
    compiler_destroy(session->compiler);
    count_lookups(session);
    store_close(session->store);
    if (session->descriptor >= 0)
        close(session->descriptor);
    pthread_cond_destroy(&session->flights_changed);
    pthread_mutex_destroy(&session->mutex);
    free(session);
}

static kiln_session *default_session;
static pthread_mutex_t default_mutex = PTHREAD_MUTEX_INITIALIZER;

kiln_session *kiln_session_default(void)
{
    pthread_mutex_lock(&default_mutex);
    /* Without a cache directory that can be used, or with a KILN_JOBS that is no number, it still
     * works, only slower. */
    const kiln_session_options choices[] = {
        {.size = sizeof *choices},
        {.size = sizeof *choices, .no_cache = true},
        {.size = sizeof *choices, .jobs = 1},
        {.size = sizeof *choices, .no_cache = true, .jobs = 1},
    };
    for (size_t i = 0; !default_session && i < sizeof choices / sizeof *choices; i++)
        kiln_session_create(&choices[i], &default_session, NULL);
    kiln_session *session = default_session;
    pthread_mutex_unlock(&default_mutex);
    return session;
}

kiln_session *session_or_default(kiln_session *session)
{
    return session ? session : kiln_session_default();
}

const char *kiln_session_cache_directory(const kiln_session *session)
{
    session = session_or_default((kiln_session *)session);
    return session && session->store ? store_path(session->store) : NULL;
}

kiln_status kiln_session_stop_compiler(kiln_session *session)
{
    session = session_or_default(session);
    if (!session)
        return KILN_NO_MEMORY;
    pthread_mutex_lock(&session->mutex);
    bool busy = session->busy > 0;
    pthread_mutex_unlock(&session->mutex);
    if (busy)
        return KILN_PENDING;
    compiler_stop(session->compiler);
    count_lookups(session);
    return KILN_OK;
}

const char *kiln_version(void)
{
    return KILN_VERSION_STRING;
}

/* ---- what a build is lent ---- */

static void call_back(void *data, const kiln_event *event)
{
    kiln_session *session = data;
    session->event_callback(event, session->event_user_data);
}

event_sink session_sink(kiln_session *session)
{
    return (event_sink){.emit = session->event_callback ? call_back : NULL, .data = session};
}

build_context session_context(kiln_session *session, event_sink events, hot_mode hot, int cancel)
{
    return (build_context){.compiler = session->compiler,
                           .store = session->store,
                           .jobs = session->jobs,
                           .trust_system = session->trust_system_headers,
                           .hot = hot,
                           .cancel = cancel,
                           .events = events};
}
