/* load_calls.h - loads that were begun: see kiln.h, "Loads under way". */
#ifndef KILN_API_LOAD_CALLS_H
#define KILN_API_LOAD_CALLS_H

#include "api/session.h"

/* The session's descriptor, made if need be; -1 where none can be had. */
int session_descriptor(kiln_session *session);
/* Make it readable: there is something to dispatch. Any thread. */
void session_wake(kiln_session *session);

/* Make an eventfd readable; -1 is fine. */
void raise_flag(int eventfd);
void lower_flag(int eventfd);
/* Start a thread that no signal is delivered to. 0 or an error number. */
int start_quiet_thread(pthread_t *thread, void *(*function)(void *), void *data);

/* Cancel all loads under way and wait until their threads have ended. */
void session_end_loads(kiln_session *session);
/* The handlers of fork; the session's mutex is held. */
void session_loads_before_fork(kiln_session *session);
void session_loads_after_fork(kiln_session *session, bool in_child);

#endif
