/* lending.h - which host symbols libraries are lent at the moment.
 *
 * A mapped image has one set of host symbols. So that a process can lend one library different
 * addresses at a time (a plugin for each of several interpreters, say), each further set has a
 * number, which goes into the library's key: the image is linked once more under another id, from
 * the same objects. Process-wide, as images are; any thread. */
#ifndef KILN_API_LENDING_H
#define KILN_API_LENDING_H

#include <stdbool.h>

#include "build/spec.h"

typedef struct lending lending;

/* Take a reference to the lending of a spec's host symbols: *out is NULL for a spec without any.
 * false when out of memory. */
bool lending_acquire(const kiln_spec *spec, lending **out);
lending *lending_retain(lending *lending);
void lending_release(lending *lending);
/* 0 for the first set of a library's name, and for NULL. */
unsigned lending_number(const lending *lending);

/* The fork handlers. */
void lending_before_fork(void);
void lending_after_fork(void);

#endif
