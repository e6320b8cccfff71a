/* cli_session.h - a session made from a command line, and loads that show their progress.
 *
 * Its events become messages, progress and, where asked for, a list of diagnostics for --json. One
 * session a process. */
#ifndef KILN_CLI_SESSION_H
#define KILN_CLI_SESSION_H

#include "command_line.h"
#include "input_set.h"
#include "kiln.h"

struct json_object;

/* Make the session; NULL after the reason was printed. The caller destroys it. */
kiln_session *cli_session_open(const cli_options *options);

/* Also add the diagnostics of what follows to a JSON array. NULL: no more. */
void cli_session_collect(struct json_object *diagnostics);

/* Load what the inputs say; *error is the caller's. */
kiln_status cli_session_load(kiln_session *session, const cli_options *options,
                             const input_set *inputs, kiln_library **library, kiln_error **error);

/* Compile it without loading. */
kiln_status cli_session_compile(kiln_session *session, const input_set *inputs,
                                const kiln_compile_options *what, kiln_outputs **outputs,
                                kiln_error **error);

#endif
