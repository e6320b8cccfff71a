/* message.h - what `kiln` says on standard error, apart from progress.
 *
 * One state a process: whether to colour. Every message first takes the progress line away, so that
 * the two never mix. For the main thread. */
#ifndef KILN_CLI_MESSAGE_H
#define KILN_CLI_MESSAGE_H

#include <stdbool.h>

#include "kiln.h"

/* Whether standard error is a terminal that shows colours and nobody asked for none (NO_COLOR). */
bool message_terminal_has_color(void);

/* Colour what follows, or not. Before this is called: as the terminal allows. */
void message_set_color(bool color);

/* "kiln: error: ..."; messages start in lower case and have no final period. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A plain line "kiln: ...", for --verbose. */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An error of libkiln: the compiler's diagnostics, then its own message. Frees it. error may be
 * NULL where memory ran out. */
void message_report(kiln_error *error);

/* A diagnostic of a load that went well. */
void message_diagnostic(const kiln_diagnostic *diagnostic);

#endif
