/* command_why.c - `kiln why`: which input made the last load a miss.
 *
 * libkiln keeps the reason with the cache, so it can be asked for by another process than the one that loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "input_set.h"
#include "message.h"

/* A word is a name, or a file that was loaded by itself: one that is there, or was. */
static kiln_status explain_word(kiln_session *session, const char *word, char **text,
                                kiln_error **error)
{
    bool is_file = access(word, F_OK) == 0;
    char *name = input_library_name(word);
    kiln_status status = kiln_cache_explain(session, is_file ? name : word, text, error);
    if (status == KILN_NOT_FOUND &&
        kiln_cache_explain(session, is_file ? word : name, text, NULL) == KILN_OK) {
        kiln_error_destroy(*error);
        *error = NULL;
        status = KILN_OK;
    }
    free(name);
    return status;
}

/* word: NULL for the last miss of any library. */
static int explain(kiln_session *session, const char *word)
{
    char *text = NULL;
    kiln_error *error = NULL;
    kiln_status status = word != NULL ? explain_word(session, word, &text, &error)
                                      : kiln_cache_explain(session, NULL, &text, &error);
    if (status != KILN_OK) {
        message_report(error);
        return status == KILN_NOT_FOUND ? CLI_NO : CLI_FAILURE;
    }
    size_t length = strlen(text);
    fputs(text, stdout);
    if (length == 0 || text[length - 1] != '\n')
        putchar('\n');
    kiln_string_destroy(text);
    return CLI_OK;
}

static int run(const cli_options *options)
{
    if (options->words.count > 1) {
        message_error("'kiln why' takes one library, not '%s' as well", options->words.items[1]);
        return CLI_FAILURE;
    }
    kiln_session *session = cli_session_open(options);
    if (session == NULL)
        return CLI_FAILURE;
    int code = explain(session, options->words.count > 0 ? options->words.items[0] : NULL);
    kiln_session_destroy(session);
    return code;
}

const cli_command command_why = {
    .name = "why",
    .summary = "say which input made the last load a miss",
    .synopsis = "[option ...] [NAME|FILE]",
    .description = "Tells why the cache did not have a library when it was last loaded: which "
                   "source, header, flag,\n"
                   "environment variable or tool was another one. Without a name: the last miss of "
                   "any library. Exits 1\n"
                   "where no miss is recorded.\n",
    .examples = "  kiln load app.c; kiln why\n"
                "  kiln why app.c\n",
    .option_groups = OPTIONS_COMMON,
    .run = run,
};
