/* reload_message.c - see reload_message.h. */
#include "reload_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

enum { functions_told = 6 };

static void tell_functions(FILE *stream, const kiln_reload *report)
{
    size_t count = kiln_reload_function_count(report);
    for (size_t i = 0; i < count && i < functions_told; i++)
        fprintf(stream, "%s%s", i ? ", " : ": ", kiln_reload_function(report, i));
    if (count > functions_told)
        fprintf(stream, " and %zu more", count - functions_told);
}

static void tell_notices(const kiln_reload *report)
{
    for (size_t i = 0; i < kiln_reload_notice_count(report); i++) {
        kiln_notice notice = {.size = sizeof notice};
        if (kiln_reload_notice(report, i, &notice) != KILN_OK)
            continue;
        message_warning("%s: %s%s%s%s", notice.display, notice.detail,
                        *notice.variable ? " (the variable '" : "", notice.variable,
                        *notice.variable ? "' holds it)" : "");
    }
}

static void tell(kiln_library *library, const kiln_reload *report, const kiln_error *error,
                 void *user_data)
{
    char *text = NULL;
    size_t size = 0;
    (void)library, (void)user_data;
    if (error) {
        message_show(error);
        return;
    }
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return;
    fprintf(stream, "generation %u, %.1f ms", (unsigned)kiln_reload_generation(report),
            kiln_reload_seconds(report) * 1e3);
    tell_functions(stream, report);
    if (kiln_reload_moved_count(report))
        fprintf(stream, "%s %zu %s at the lines where the source has them now",
                kiln_reload_function_count(report) ? ";" : ":", kiln_reload_moved_count(report),
                kiln_reload_moved_count(report) == 1 ? "function is" : "functions are");
    fclose(stream);
    message_note("%s", text);
    tell_notices(report);
    free(text);
}

bool reload_message_watch(kiln_library *library, const cli_options *options, bool at_once)
{
    const kiln_watch_options how = {.size = sizeof how,
                                    .publish_at_once = at_once,
                                    .callback = tell,
                                    .no_follow_up = options->no_follow_up};
    kiln_error *error = NULL;
    if (kiln_library_watch(library, &how, &error) == KILN_OK)
        return true;
    message_report(error);
    return false;
}
