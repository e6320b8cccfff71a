/* progress.h - the line that shows how far a build is.
 *
 * One line on standard error, redrawn in place: units done of all, the current one, the time. It
 * appears when a build has taken half a second, and leaves no trace. Where standard error is no
 * terminal there is none.
 *
 * Events set the state, ticks draw it. Ticks may come from another thread than events
 * (progress_ticker_start); one lock guards state and terminal, and is never held while Kiln is
 * called. */
#ifndef KILN_CLI_PROGRESS_H
#define KILN_CLI_PROGRESS_H

#include <stdbool.h>

#include "kiln.h"

/* How often somebody should tick while a build is under way. */
#define PROGRESS_TICK_MS 100

/* A build begins. */
void progress_begin(void);
/* Whether ticks have any effect: between begin and end, on a terminal. */
bool progress_is_on(void);
/* What libkiln reports. After a hit or a link the line is away until more is to be built: constructors may run. */
void progress_event(const kiln_event *event);
void progress_tick(void);
/* Take the line away, until the next tick. */
void progress_clear(void);
/* The build has ended, or its code is about to run: take the line away for good. */
void progress_end(void);

/* Tick from a thread, during a call that does not come back in between; stop waits for its end. */
void progress_ticker_start(void);
void progress_ticker_stop(void);

#endif
