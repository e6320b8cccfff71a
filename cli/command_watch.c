/* command_watch.c - `kiln watch`: keep a library loaded and up to date, and say what each edit came
 * to. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "input_set.h"
#include "message.h"
#include "reload_message.h"

static int dispatch(kiln_session *session)
{
    for (;;) {
        struct pollfd ready = {.fd = kiln_session_descriptor(session), .events = POLLIN};
        kiln_error *error = NULL;
        poll(&ready, 1, -1);
        if (kiln_session_dispatch(session, 0, &error) != KILN_OK) {
            message_report(error);
            return CLI_FAILURE;
        }
    }
}

static int watch(const cli_options *options)
{
    cli_options hot = *options;
    input_set inputs = {0};
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    int code = CLI_FAILURE;
    kiln_session *session = cli_session_open(options);
    if (session == NULL || !input_set_make(&inputs, session, options))
        goto cleanup;
    hot.watch = true;
    if (cli_session_load(session, &hot, &inputs, &library, &error) != KILN_OK) {
        message_report(error);
        goto cleanup;
    }
    message_note("watching '%s'; press Ctrl-C to end", inputs.title);
    if (reload_message_watch(library, options, false))
        code = dispatch(session);
cleanup:
    input_set_destroy(&inputs);
    kiln_session_destroy(session);
    return code;
}

const cli_command command_watch = {
    .name = "watch",
    .summary = "keep a library loaded, and publish every edit of it",
    .synopsis = "[option ...] INPUT ...",
    .description =
        "Loads the INPUTs as one library and watches their sources, every header that they read, "
        "and\n"
        "patterns. An edit is compiled and published while the library stays loaded, with its "
        "data; what it\n"
        "came to, or why it could not be, is said on standard error. Ends by Ctrl-C. `kiln run "
        "--watch` does\n"
        "the same for a program that runs.\n",
    .examples = "  kiln watch src/*.c -Iinclude\n"
                "  kiln watch --hot whole engine.cpp\n",
    .option_groups =
        OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_LOAD | OPTIONS_HOT,
    .run = watch,
};
