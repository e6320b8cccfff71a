/* support_again.h - for tests that need a second process of their own program: a fresh one, not a
 * fork.
 *
 * The test runs its own program with arguments; the TEST named there finds them in
 * support_arguments. Such a helper is written HELPER(name) rather than TEST(name), so that the
 * build does not register it. */
#ifndef KILN_TESTS_SUPPORT_AGAIN_H
#define KILN_TESTS_SUPPORT_AGAIN_H

#include "support.h"

#define HELPER(name) TEST(name)

/* What stands on the command line after the test's name, ending with NULL. */
extern char **support_arguments;

#define SELF "/proc/self/exe"

#endif
