/* output.h - standard output, and whether it took what was printed.
 *
 * Commands print by stdio and look at no result; what failed is kept, and said once at the end. For
 * the main thread. */
#ifndef KILN_CLI_OUTPUT_H
#define KILN_CLI_OUTPUT_H

#include <stdbool.h>

/* Before anything else: no file that is opened from here on takes the place of a standard stream that
 * is closed. */
void output_begin(void);

/* Write out what was printed so far, before somebody else writes; false where that failed. */
bool output_flush(void);

/* At the end: whether all that was printed has arrived. false after the reason was said. */
bool output_finish(void);

#endif
