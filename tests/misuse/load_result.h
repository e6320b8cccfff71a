/* load_result.h - a load in one line, for tests of the cache: what came out, from where, and what
 * it cost.
 *
 * Every load uses a session of its own, so that what it finds is on disk. */
#ifndef KILN_TESTS_LOAD_RESULT_H
#define KILN_TESTS_LOAD_RESULT_H

#include "support.h"

typedef struct load_result {
    kiln_status status;
    bool hit;
    int value;               /* what `int value(void)` returned */
    unsigned units_compiled; /* compiled in this load, not taken from the cache */
    char *miss_reason;       /* "" on a hit */
    char *diagnostics;
    char *error; /* rendered; "" when it worked */
} load_result;

/* Load, call value(), close, destroy the session. Does not fail the test. */
load_result try_load_with(const kiln_session_options *options, const kiln_spec *spec);
load_result try_load(const char *cache_directory, const kiln_spec *spec);
void load_result_free(load_result *result);

/* The same, and check that it worked, that it was a hit or a miss, and the value. */
void expect_load(const char *file, int line, const char *cache_directory, const kiln_spec *spec,
                 bool hit, int value);
#define EXPECT_HIT(cache, spec, value) expect_load(__FILE__, __LINE__, cache, spec, true, value)
#define EXPECT_MISS(cache, spec, value) expect_load(__FILE__, __LINE__, cache, spec, false, value)

#endif
