/* clang_flags.h - what must be known of Clang's flags to pass them on: which take the next word as
 * their value.
 *
 * Everything else about them is the business of libkiln, which also refuses those that cannot be,
 * and of Clang. */
#ifndef KILN_CLI_CLANG_FLAGS_H
#define KILN_CLI_CLANG_FLAGS_H

#include <stdbool.h>

/* Whether a flag, as it is spelled, has its value in the next word (`-I` has, `-Idir` has not). */
bool clang_flag_takes_next(const char *flag);

#endif
