/* follow_up.h - the follow-ups of a watch: in the background, when edits have paused.
 *
 * A follow-up (kiln_reload_options.follow_up) compiles whole sources, so that it has a thread of its
 * own, which gives up as soon as the watch wants to look at an edit, or any call wants its turn with the library.
 * All calls are for the watch's thread. */
#ifndef KILN_API_FOLLOW_UP_H
#define KILN_API_FOLLOW_UP_H

#include "api/reload_calls.h"

typedef struct follow_up {
    library_watch *watch;
    kiln_library *library;
    const kiln_watch_options *options;
    int give_up, ended; /* eventfds */
    bool is_due;        /* something was compiled since the last one */
    bool runs;          /* there is a thread, maybe at its end */
    pthread_t thread;
    int64_t began_ms;
    int pause_ms; /* without edits, before the next one */
} follow_up;

/* Everything is borrowed. false: errno tells. */
bool follow_up_create(follow_up *follow_up, library_watch *watch, kiln_library *library,
                      const kiln_watch_options *options);
void follow_up_destroy(follow_up *follow_up); /* none runs */

/* The watch has compiled an edit. */
void follow_up_note_edit(follow_up *follow_up);
/* After how many milliseconds without an edit the next one is to be started; -1: never. */
int follow_up_delay_ms(follow_up *follow_up);
void follow_up_start(follow_up *follow_up);
/* Readable when the one that runs has ended, and follow_up_stop does not block. */
int follow_up_descriptor(const follow_up *follow_up);
/* Give up the one that runs, if any. */
void follow_up_stop(follow_up *follow_up);

#endif
