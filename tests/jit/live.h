/* live.h - a JIT with one dylib, and code for it. For one thread. */
#ifndef KILN_TESTS_JIT_LIVE_H
#define KILN_TESTS_JIT_LIVE_H

#include "support.h"

typedef struct live {
    kiln_session *session;
    kiln_jit *jit;
    kiln_jit_dylib *dylib; /* "main" */
} live;

void live_begin(live *l);
void live_end(live *l);

/* One output of a source, which lives as long as the session's process; arguments: behind -O1 -fPIC, NULL
 * for none. */
typedef struct made {
    const void *bytes;
    size_t size;
} made;
made live_compile(live *l, kiln_output_kind kind, const char *path, const char *text,
                  const char *const *arguments);

/* Compile to an object, or to bitcode, and add that. */
kiln_jit_code *live_add(live *l, kiln_output_kind kind, const char *path, const char *text);
kiln_jit_code *live_add_to(live *l, kiln_jit_dylib *dylib, kiln_output_kind kind, const char *path,
                           const char *text);
/* What code can call by that name. */
void live_lend(live *l, const char *name, const void *address);
int live_int(const live *l, const char *function); /* call int f(void) */
int live_int_of(kiln_jit_dylib *dylib, const char *function);
void *live_data(const live *l, const char *name);
/* The error's rendered text, malloc'd, of a look-up that fails so. */
char *live_fails(kiln_jit_dylib *dylib, const char *name, kiln_status expected);

#endif
