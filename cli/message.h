/* message.h - what `kiln` says on standard error, apart from progress.
 *
 * One state a process: whether to colour, and the first error that was said, which --json prints
 * again. Every message first takes the progress line away, so that the two never mix. For one thread
 * at a time. */
#ifndef KILN_CLI_MESSAGE_H
#define KILN_CLI_MESSAGE_H

#include <stdbool.h>

#include "kiln.h"

/* Whether standard error is a terminal that shows colours and nobody asked for none (NO_COLOR). */
bool message_terminal_has_color(void);

/* Colour what follows, or not. Before this is called: as the terminal allows. */
void message_set_color(bool color);

/* "kiln: error: ..."; messages start in lower case and have no final period. Of a command line that
 * makes no sense, and of anything else that failed. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_failure(kiln_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A plain line "kiln: ...", for --verbose. */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An error of libkiln: the compiler's diagnostics, then its own message. Takes it over. error may be
 * NULL where memory ran out. */
void message_report(kiln_error *error);

/* The same of an error that stays the caller's, and does not end the command. */
void message_show(const kiln_error *error);

/* The first error that was said: libkiln's, or the status and text of the command's own; both are NULL
 * where there was none. It lives until message_forget. */
typedef struct said_error {
    kiln_error *error;
    kiln_status status;
    char *text;
} said_error;
const said_error *message_first_error(void);
void message_forget(void);

/* The lines of a text as one, with "; " between them. The caller frees it. */
char *message_line(const char *lines);

/* A diagnostic of a load that went well. */
void message_diagnostic(const kiln_diagnostic *diagnostic);

#endif
