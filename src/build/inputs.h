/* inputs.h - the set of everything a build has looked at.
 *
 * Every compile and link job reports what it read, listed, and looked for in vain; the set unites
 * the reports, one input a path. Two reports that contradict each other mean that the disk changed
 * during the build: the set remembers the path, and the build's result must not be recorded. One
 * thread at a time. */
#ifndef KILN_BUILD_INPUTS_H
#define KILN_BUILD_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "os/os.h"

/* The numbers stand in records on disk and, alike, in wire.proto. */
typedef enum input_state {
    INPUT_READ = 0,      /* a file whose bytes were used */
    INPUT_ABSENT = 1,    /* looked for and not found */
    INPUT_LISTED = 2,    /* a directory whose entries were read */
    INPUT_EXISTS = 3,    /* a file or directory whose mere existence mattered */
    INPUT_CLOCK = 4,     /* the time of day: holds from identity.ctime_ns until identity.mtime_ns */
    INPUT_TIMESTAMP = 5, /* a file's time of change; in the set: `exact` of the file's entry */
    INPUT_PROCESSOR =
        6, /* what the processor can do: its digest; libkiln's own, no job reports it */
    INPUT_STATE_COUNT
} input_state;

typedef struct input {
    char *path; /* absolute */
    input_state state;
    os_identity identity; /* READ, LISTED, CLOCK */
    digest content;       /* READ; zero: only the identity is known */
    bool exact;           /* the time of its last change went into the result */
} input;

typedef struct input_set {
    input *items;
    size_t count, capacity;
    uint32_t *slots; /* open addressing: index + 1, 0 is empty */
    size_t slot_count;
    char *changed; /* the first path that was reported in two states, or NULL */
} input_set;

/* Add one input; the path is copied. false when out of memory. */
bool input_set_add(input_set *set, const char *path, size_t path_length, input_state state,
                   const os_identity *identity, const digest *content);
bool input_set_add_all(input_set *set, const input_set *from);
const input *input_set_find(const input_set *set, const char *path);
/* Order by directory, then name, as records want it. Lookups end here. */
void input_set_sort(input_set *set);
void input_set_destroy(input_set *set);

#endif
