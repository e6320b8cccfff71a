/* environment.h - the environment variables that a compilation depends on.
 *
 * They are part of every key, and the only ones that a job gets to see. */
#ifndef KILN_BUILD_ENVIRONMENT_H
#define KILN_BUILD_ENVIRONMENT_H

#include "base/text.h"

/* "NAME=value" of each that is set, in a fixed order. false when out of memory. */
bool environment_collect(string_list *list);

/* What the compiler process starts with: the environment of this one, but for what asks the loader to
 * bring something in. A sanitizer's run time or a profiler that was preloaded into the host would run
 * in the compiler as well, and use up its limits. NULL when out of memory. The caller frees the
 * array; its strings are the environment's own. */
char **environment_for_compiler(void);

#endif
