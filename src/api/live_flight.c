/* live_flight.c - see live_flight.h. */
#include "api/live_flight.h"

#include <string.h>

#include "api/live_library.h"
#include "api/thread_waits.h"

static kiln_library *find_library(kiln_session *session, const char *id)
{
    kiln_library *found = session->libraries;
    while (found && !(found->live && strcmp(found->image->id, id) == 0))
        found = found->next;
    return found;
}

static struct live_flight *find_flight(kiln_session *session, const char *id)
{
    struct live_flight *found = session->live_flights;
    while (found && strcmp(found->id, id) != 0)
        found = found->next;
    return found;
}

kiln_status live_flight_begin(kiln_session *session, const char *id, struct live_flight *flight,
                              kiln_library **found, kiln_error **error)
{
    kiln_status status = KILN_OK;
    *flight = (struct live_flight){.id = id, .maker = pthread_self()};
    pthread_mutex_lock(&session->mutex);
    while (status == KILN_OK && !(*found = find_library(session, id))) {
        const struct live_flight *other = find_flight(session, id);
        /* Within a link its maker could not go on: then there are two. */
        if (!other || live_is_linking(session)) {
            flight->next = session->live_flights;
            session->live_flights = flight;
            break;
        }
        if (!thread_wait_begin(other->maker, other)) {
            status = error_set(error, KILN_CYCLE, KILN_PHASE_BIND,
                               "its own constructors load it, or those of what it waits for");
            break;
        }
        pthread_cond_wait(&session->flights_changed, &session->mutex);
        thread_wait_end();
    }
    if (*found)
        (*found)->references++;
    pthread_mutex_unlock(&session->mutex);
    return status;
}

void live_flight_end(kiln_session *session, struct live_flight *flight)
{
    pthread_mutex_lock(&session->mutex);
    for (struct live_flight **link = &session->live_flights; *link; link = &(*link)->next)
        if (*link == flight) {
            *link = flight->next;
            break;
        }
    thread_wait_over(flight);
    pthread_cond_broadcast(&session->flights_changed);
    pthread_mutex_unlock(&session->mutex);
}
