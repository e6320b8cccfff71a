/* watch.h - notice that something which a build has read, or looked for, may have changed.
 *
 * The watch is made for a set of inputs, and tells but one thing: look again. What has changed, and
 * whether it matters, is for the records of the inputs to say (hot_find_edits). Whoever makes a new
 * watch looks at the inputs once more after that: so no edit falls between two watches. Events for
 * names that are no inputs are ignored. One thread at a time. */
#ifndef KILN_RELOAD_WATCH_H
#define KILN_RELOAD_WATCH_H

#include "base/error.h"
#include "base/text.h"
#include "build/inputs.h"

typedef struct watch watch;

/* *noticed: something has happened that the last watch did not take, or there was none to take it; it
 * is for the look that follows. last: NULL, or a watch that ends by this call, whatever comes of it: the new one goes on with its
 * descriptor, since it takes the system 18 ms to end one. inputs: files, names that are missing, and directories that were listed. directories: those of
 * which any name counts, as patterns match it. A directory that is not there is watched for from
 * the nearest one above it; where a file is a symbolic link, what it leads to is watched too.
 * Errors: IO (a limit of the system, which is named), NO_MEMORY. */
kiln_status watch_open(watch *last, const input_set *inputs, const string_list *directories,
                       watch **out, bool *noticed, kiln_error **error);
void watch_close(watch *watch); /* NULL is fine */

/* Readable when watch_take has something to take. */
int watch_descriptor(const watch *watch);
/* Take what has happened; whether any of it concerns the inputs. */
bool watch_take(watch *watch);

#endif
