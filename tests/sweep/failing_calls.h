/* failing_calls.h - makes the Nth call of a kind fail, and counts what is allocated.
 *
 * The linker routes the calls of Kiln's own objects, and of the archives that they bring, through
 * failing_calls.c (--wrap); what the C library calls itself is not touched. Any thread may call;
 * one sweep at a time. */
#ifndef KILN_TESTS_FAILING_CALLS_H
#define KILN_TESTS_FAILING_CALLS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum call_kind {
    CALLS_MEMORY, /* malloc and what else gives memory: ENOMEM */
    CALLS_FILES   /* open, read, write, rename, flush, lock, map ...: ENOSPC, EMFILE, EIO */
} call_kind;

/* From now on the Nth call (from 1) of a kind fails, and if `persistent`, all after it. */
void failing_begin(call_kind kind, long nth, bool persistent);
/* No call fails any longer; how many of the kind were counted. */
long failing_end(void);
/* Which call was the first to fail, and where: for messages. A static string; "none". */
const char *failing_description(void);

/* Allocations that were made through the wrapped functions and not yet freed. */
size_t failing_live_allocations(void);
/* Print where those were made that are alive now and were not at failing_mark. */
void failing_mark(void);
void failing_print_leaks(void);

#endif
