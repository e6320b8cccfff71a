/* render.h - the compiler's text in colour.
 *
 * Diagnostics come as plain text, as they are cached. This puts Clang's own colours on it: bold
 * locations and messages, red errors, magenta warnings, cyan notes, green carets. Works line by
 * line, keeps no state, changes no byte of the text. */
#ifndef KILN_CLI_RENDER_H
#define KILN_CLI_RENDER_H

#include <stdbool.h>
#include <stdio.h>

/* Print diagnostics, coloured or as they are. */
void render_diagnostics(FILE *stream, const char *text, bool color);

/* Print "kiln: SEVERITY: message\n"; severity is "error", "warning" or "note". */
void render_message(FILE *stream, const char *severity, const char *message, bool color);

#endif
