/* conformance.h - what the hosts of the conformance suite use: sessions and loads in the mode that
 * run.sh chose.
 *
 * A host describes its libraries with specs, registers them and loads them by name; the mode
 * decides about cache and engine, and each first load of a library is checked to be the hit or the
 * miss that the mode promises. Whatever fails ends the process. Relative paths are those of the
 * program's folder, which is the working directory. */
#ifndef KILN_TESTS_CONFORMANCE_H
#define KILN_TESTS_CONFORMANCE_H

#include "support.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The process's only session, made at first use. */
kiln_session *conformance_session(void);

/* A spec of these sources, ending with NULL. */
kiln_spec *conformance_spec(const char *name, ...) __attribute__((sentinel));

/* A file that the program makes while it runs, below TMPDIR: the same path in each run of one test.
 */
char *conformance_path(const char *name);

/* Whether the mode has a cache that a run before has filled. */
bool conformance_expects_hit(void);

/* What the session's event callback was told so far. */
const event_log *conformance_events(void);

/* Whether an address is mapped at all. */
bool conformance_is_mapped(const void *address);

/* Register the spec and destroy it. */
void conformance_register(kiln_spec *spec);

/* Load a registered library; it comes from the cache or not, as the mode says. */
kiln_library *conformance_load(const char *name);
kiln_library *conformance_load_globally(const char *name);

/* An address in the library; never NULL. */
kiln_function conformance_function(const kiln_library *library, const char *name);
void *conformance_data(const kiln_library *library, const char *name);

/* Close, and check that the image is gone (KILN_OK). */
void conformance_close(kiln_library *library);

#ifdef __cplusplus
}
#endif
#endif
