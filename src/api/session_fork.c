/* session_fork.c - the list of all sessions, and what happens to them when the host forks.
 *
 * The fork waits until no lock of ours is held, for those of JITs a second at most
 * (jit/engine_fork.cpp), so that the child finds every structure whole. The child then drops what
 * belongs to the parent: the connection to the compiler process, and builds that other threads had
 * under way. */
#include "api/jit_host.h"
#include "api/load_calls.h"
#include "api/reload_calls.h"
#include "api/session.h"
#include "api/thread_waits.h"
#include "os/os.h"
#include "reload/patch.h"

/* Taken before all locks but the JITs'. */
static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static kiln_session *sessions;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    jit_before_fork();
    pthread_mutex_lock(&list_mutex);
    for (kiln_session *session = sessions; session; session = session->next) {
        pthread_mutex_lock(&session->mutex);
        session_loads_before_fork(session);
        compiler_before_fork(session->compiler);
        store_before_fork(session->store);
    }
    lending_before_fork();
    patch_before_fork();
    os_guard_before_fork();
    thread_waits_before_fork();
    load_before_fork();
}

static void after_fork_in_parent(void)
{
    load_after_fork();
    thread_waits_after_fork(false);
    os_guard_after_fork(false);
    patch_after_fork();
    lending_after_fork();
    for (kiln_session *session = sessions; session; session = session->next) {
        store_after_fork(session->store);
        compiler_after_fork(session->compiler, false);
        session_loads_after_fork(session, false);
        pthread_mutex_unlock(&session->mutex);
    }
    pthread_mutex_unlock(&list_mutex);
    jit_after_fork(false);
}

/* The flights' threads do not exist here; nobody waits for them either. */
static void after_fork_in_child(void)
{
    load_after_fork();
    thread_waits_after_fork(true);
    os_guard_after_fork(true);
    patch_after_fork();
    lending_after_fork();
    for (kiln_session *session = sessions; session; session = session->next) {
        store_after_fork(session->store);
        compiler_after_fork(session->compiler, true);
        session_loads_after_fork(session, true);
        for (kiln_library *library = session->libraries; library; library = library->next)
            pthread_mutex_init(&library->symbols_mutex, NULL);
        session_watches_after_fork(session);
        session->flights = NULL;
        session->live_flights = NULL;
        session->busy = 0;
        pthread_cond_init(&session->flights_changed, NULL);
        pthread_mutex_unlock(&session->mutex);
    }
    pthread_mutex_unlock(&list_mutex);
    jit_after_fork(true);
}

static void install_handlers(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void session_fork_register(kiln_session *session)
{
    pthread_once(&once, install_handlers);
    pthread_mutex_lock(&list_mutex);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&list_mutex);
}

void session_fork_unregister(kiln_session *session)
{
    pthread_mutex_lock(&list_mutex);
    for (kiln_session **link = &sessions; *link; link = &(*link)->next) {
        if (*link == session) {
            *link = session->next;
            break;
        }
    }
    pthread_mutex_unlock(&list_mutex);
}
