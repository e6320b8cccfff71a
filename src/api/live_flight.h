/* live_flight.h - live libraries that are being made: each by one thread, for which others wait. */
#ifndef KILN_API_LIVE_FLIGHT_H
#define KILN_API_LIVE_FLIGHT_H

#include "api/session.h"

struct live_flight {
    struct live_flight *next;
    const char *id;
    pthread_t maker;
};

/* The library of that id, counted once more; or NULL, and the caller makes it: then *flight is in the
 * session's list until live_flight_end. Waits for a thread that is making it, but not within a link, which
 * that thread may need to end: then each makes one. Errors: CYCLE: that thread waits for the caller, or
 * is the caller, in constructors. */
kiln_status live_flight_begin(kiln_session *session, const char *id, struct live_flight *flight,
                              kiln_library **found, kiln_error **error);
void live_flight_end(kiln_session *session, struct live_flight *flight);

#endif
