/* cli_session.c - a session made from a command line: see cli_session.h.
 *
 * Loads are begun and waited for in short steps, so that the clock on the progress line moves while one unit compiles; the
 * library's constructors run in the last step, on the main thread, as in a program of their own. A compilation
 * without a load cannot be waited for in steps, so there a thread moves the clock. */
#include "cli_session.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "json_text.h"
#include "message.h"
#include "progress.h"

/* What the event callback needs to know. */
static struct {
    bool verbose;
    struct json_object *diagnostics;
} surroundings;

/* Tell what happened, for --verbose. */
static void tell(const kiln_event *event)
{
    char time[UNIT_TEXT_CAPACITY];
    char *reason;
    format_seconds(event->seconds, time);
    switch (event->kind) {
    case KILN_EVENT_LOOKUP_HIT:
        message_note("%s: in the cache", event->library);
        break;
    case KILN_EVENT_LOOKUP_MISS:
        reason = message_line(event->text != NULL ? event->text : "unknown");
        message_note("%s: not in the cache: %s", event->library, reason);
        free(reason);
        break;
    case KILN_EVENT_UNIT_FINISHED:
        if (event->hit)
            message_note("%s: %s came from the cache", event->library, event->unit);
        else
            message_note("%s: compiled %s in %s", event->library, event->unit, time);
        break;
    case KILN_EVENT_LINK_FINISHED:
        message_note("%s: linked in %s", event->library, time);
        break;
    case KILN_EVENT_LOADED:
        message_note("%s: loaded in %s", event->library, time);
        break;
    case KILN_EVENT_RELOADED:
        message_note("%s: generation %u", event->library, (unsigned)event->done);
        break;
    case KILN_EVENT_AUTO_LOADED:
        message_note("%s: %s", event->library, event->text);
        break;
    default:
        break;
    }
}

static void on_event(const kiln_event *event, void *user_data)
{
    (void)user_data;
    switch (event->kind) {
    case KILN_EVENT_DIAGNOSTIC:
        message_diagnostic(event->diagnostic);
        if (surroundings.diagnostics != NULL)
            json_object_array_add(surroundings.diagnostics, json_diagnostic(event->diagnostic));
        return;
    case KILN_EVENT_WARNING:
        message_warning("%s", event->text);
        return;
    default:
        break;
    }
    progress_event(event);
    if (surroundings.verbose)
        tell(event);
}

kiln_session *cli_session_open(const cli_options *options)
{
    kiln_session_options chosen = options->session;
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    surroundings.verbose = options->verbose;
    chosen.event_callback = on_event;
    if (kiln_session_create(&chosen, &session, &error) == KILN_OK)
        return session;
    message_report(error);
    return NULL;
}

void cli_session_collect(struct json_object *diagnostics)
{
    surroundings.diagnostics = diagnostics;
}

kiln_status cli_session_load(kiln_session *session, const cli_options *options,
                             const input_set *inputs, kiln_library **library, kiln_error **error)
{
    const kiln_load_options how = {
        .size = sizeof how,
        .engine = options->engine,
        .auto_load = options->session.auto_load,
        .lazy = options->lazy,
        .hot = options->watch && options->hot == KILN_HOT_OFF ? KILN_HOT_ISLANDS : options->hot};
    kiln_load *load = NULL;
    progress_begin();
    kiln_status status = kiln_load_begin(session, inputs->name, inputs->spec, &how, &load, error);
    if (status != KILN_OK)
        goto cleanup;
    do {
        /* Time passes on the line also while one unit compiles and nothing is reported. */
        status = kiln_load_wait(load, progress_is_on() ? PROGRESS_TICK_MS : -1, library, error);
        if (status == KILN_PENDING)
            progress_tick();
    } while (status == KILN_PENDING);
cleanup:
    progress_end();
    kiln_load_destroy(load);
    return status;
}

kiln_status cli_session_compile(kiln_session *session, const input_set *inputs,
                                const kiln_compile_options *what, kiln_outputs **outputs,
                                kiln_error **error)
{
    progress_begin();
    progress_ticker_start();
    kiln_status status = kiln_compile(session, inputs->spec, what, outputs, error);
    progress_ticker_stop();
    progress_end();
    return status;
}
