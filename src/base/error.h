/* error.h - the error object, as lower layers make it.
 *
 * A function that can fail takes `kiln_error **error` last (NULL: the caller does not care), fills
 * it with error_set and returns the status that it got back: `return error_set(error, KILN_IO,
 * KILN_PHASE_BIND, "...", ...)`. An error is complete when it is made; adders below enrich it while
 * it has one owner. */
#ifndef KILN_BASE_ERROR_H
#define KILN_BASE_ERROR_H

#include "kiln.h"

/* Make an error with a printf message. If memory runs out, *error is a static out-of-memory error
 * and NO_MEMORY comes back; otherwise `code`. An error that *error already holds is not freed: it
 * must be NULL. */
kiln_status error_set(kiln_error **error, kiln_status code, kiln_phase phase, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));
/* The same, with ": " and the text of errno_value after the message. */
kiln_status error_set_errno(kiln_error **error, kiln_status code, kiln_phase phase, int errno_value,
                            const char *format, ...) __attribute__((format(printf, 5, 6)));
/* INVALID_ARGUMENT: the argument of that name is NULL. */
kiln_status error_null(kiln_error **error, const char *argument);
kiln_status error_no_memory(kiln_error **error);

/* A deep copy, so that two threads that waited for one load both get its error. */
kiln_error *error_copy(const kiln_error *error);

/* Add diagnostics: takes over `diagnostics` (an owned tree, see diagnostic_list below). */
typedef struct diagnostic_list {
    kiln_diagnostic *items; /* malloc'd, with malloc'd strings; notes and fixits likewise */
    size_t count;
} diagnostic_list;

void diagnostic_list_destroy(diagnostic_list *list);
/* An error with deep copies of diagnostics that stay the caller's; NULL when out of memory. */
kiln_error *error_of_diagnostics(kiln_status code, kiln_phase phase, const kiln_diagnostic *items,
                                 size_t count);
void error_add_diagnostics(kiln_error *error, diagnostic_list *list, const char *summary);

/* Add a missing symbol; strings are copied. */
void error_add_missing_symbol(kiln_error *error, const char *name, const char *demangled,
                              const char *needed_by, const char *provider);
#endif
