/* patch.h - changes in code and constants while threads run in them.
 *
 * An entry (compiler/hot_entry.h) is led to another body by one aligned store; a call goes to the
 * old body or to the new one, never to anything between. Publications are made one at a time in a
 * process, since two of them may share a page. Any thread. */
#ifndef KILN_RELOAD_PATCH_H
#define KILN_RELOAD_PATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct patch {
    void *entry;
    const void *target; /* NULL: the entry's own, first body */
} patch;

/* Read-only data that gets other bytes of the same size. */
typedef struct patch_data {
    void *place;
    const void *bytes;
    size_t size;
} patch_data;

/* Whether code of this process may be patched at all; asked of one entry. Errors: UNSUPPORTED (the
 * system does not let code be changed, or this entry has another form). */
kiln_status patch_check(const void *entry, const char *name, kiln_error **error);

/* Write all constants, word by word, then publish all entries, each by itself: a thread that calls two
 * of them meanwhile may meet one of them old and one new. Errors: UNSUPPORTED, NO_MEMORY; then nothing
 * was changed. */
kiln_status patch_publish(const patch *patches, size_t count, const patch_data *constants,
                          size_t constant_count, kiln_error **error);

/* Publish one, without a need for memory. Errors: UNSUPPORTED. */
kiln_status patch_publish_one(void *entry, const void *target, kiln_error **error);

/* Around a fork, so that the child finds no page half patched. */
void patch_before_fork(void);
void patch_after_fork(void);

#endif
