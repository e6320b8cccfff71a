/* live_library.h - libraries that the engine for live code has loaded: kiln_load_options.engine "jit".
 *
 * Each is a dylib of its session's JIT, as its dependencies are. What needs a linker - objects, archives
 * and shared libraries among its sources, -l and packages, global visibility, hot loads, with `lazy`
 * assembly, too - goes to the image engine, and its report says so. */
#ifndef KILN_API_LIVE_LIBRARY_H
#define KILN_API_LIVE_LIBRARY_H

#include "api/session.h"

/* Whether the engine for live code can load it. */
bool live_is_possible(const kiln_spec *spec, const bind_options *options);
/* Compile it, to one output; any thread. lazy: for functions that are generated at their first call. */
kiln_status live_compile(kiln_session *session, const kiln_spec *spec, bool lazy,
                         const build_context *context, kiln_outputs **outputs, kiln_error **error);
/* Compile what it depends on, so that live_load, which begins with that, finds it in the session's cache;
 * nothing if that has none. Silent but for errors. Any thread. */
kiln_status live_compile_dependencies(kiln_session *session, const kiln_spec *spec,
                                      const bind_options *options, const build_context *context,
                                      kiln_error **error);
/* Load it, on this thread, constructors included. spec is copied; outputs are taken over. */
kiln_status live_load(kiln_session *session, const kiln_spec *spec, const bind_options *options,
                      kiln_outputs *outputs, int64_t begin_ns, const event_sink *events,
                      kiln_library **library, kiln_error **error);
/* Add that output to a dylib; what the spec lends, behind all definitions. */
kiln_status live_add_output(kiln_jit_dylib *dylib, const kiln_spec *spec, bool lazy,
                            const kiln_outputs *outputs, kiln_jit_code **code, kiln_error **error);
kiln_status live_add_host_symbols(kiln_jit_dylib *dylib, const kiln_spec *spec,
                                  kiln_jit_code **code, kiln_error **error);
/* Its own definition of that linker's name; NULL: none. Thread-local variables have none of their own. */
void *live_definition(const kiln_library *library, const char *name);
/* The same, and of a thread-local variable the calling thread's. */
void *live_address(const kiln_library *library, const char *name);
/* Remove its code. PENDING: as kiln_jit_remove; *pending is for live_has_departed. */
kiln_status live_close(kiln_library *library, const void **pending);
bool live_has_departed(kiln_session *session, const void *pending);
/* Whether the calling thread is within a link of the session's JIT, as an image's constructors are. The
 * session's mutex is held. */
bool live_is_linking(const kiln_session *session);
/* The session's JIT, after all of its libraries are closed. */
void live_end(kiln_session *session);

#endif
