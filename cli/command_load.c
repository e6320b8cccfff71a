/* command_load.c - `kiln load`: load the inputs and report how that went.
 *
 * The JSON object is an interface for programs: members may be added, never renamed or removed. */
#include <stdio.h>
#include <stdlib.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "input_set.h"
#include "json_text.h"
#include "message.h"
#include "output.h"

/* The phases that took time, in the order in which they happen. */
static void print_phases(const kiln_report *report)
{
    char time[UNIT_TEXT_CAPACITY];
    const char *before = "  (";
    printf("time      %s", format_seconds(report->total_seconds, time));
    for (int phase = 0; phase < KILN_PHASE_COUNT; phase++) {
        if (report->seconds[phase] <= 0)
            continue;
        printf("%s%s %s", before, kiln_phase_name((kiln_phase)phase),
               format_seconds(report->seconds[phase], time));
        before = ", ";
    }
    puts(before[0] == ',' ? ")" : "");
}

static void print_report(const kiln_report *report)
{
    printf("library   %s\n", report->name);
    printf("engine    %s\n", report->engine);
    char *reason = message_line(report->miss_reason != NULL ? report->miss_reason : "");
    printf("cache     %s%s%s\n", report->hit ? "hit" : "miss", reason[0] != '\0' ? ": " : "",
           reason);
    free(reason);
    print_phases(report);
    printf("image     %s\n", report->image);
    printf("inputs    %zu\n", report->input_count);
    printf("units     %zu\n", report->unit_count);
    printf("symbols   %zu\n", report->symbol_count);
}

static struct json_object *json_report(const kiln_report *report, struct json_object *diagnostics)
{
    struct json_object *object = own(json_object_new_object());
    struct json_object *seconds = own(json_object_new_object());
    for (int phase = 0; phase < KILN_PHASE_COUNT; phase++)
        json_set(seconds, kiln_phase_name((kiln_phase)phase),
                 json_object_new_double(report->seconds[phase]));
    json_set(seconds, "total", json_object_new_double(report->total_seconds));
    json_set(object, "name", json_text(report->name));
    json_set(object, "engine", json_text(report->engine));
    json_set(object, "hit", json_object_new_boolean(report->hit));
    json_set(object, "seconds", seconds);
    json_set(object, "image", json_text(report->image));
    json_set(object, "key", json_text(report->key));
    json_set(object, "inputs", json_object_new_int64((int64_t)report->input_count));
    json_set(object, "unit_count", json_object_new_int64((int64_t)report->unit_count));
    json_set(object, "symbol_count", json_object_new_int64((int64_t)report->symbol_count));
    json_set(object, "miss_reason", json_text(report->miss_reason));
    json_set(object, "diagnostics", diagnostics);
    return object;
}

/* Print what the load came to, before the library's destructors print. diagnostics: taken over. */
static bool print_outcome(const kiln_library *library, const cli_options *options,
                          struct json_object *diagnostics)
{
    kiln_report report = {.size = sizeof report};
    if (kiln_library_report(library, &report) != KILN_OK) {
        json_object_put(diagnostics);
        message_failure(KILN_NOT_FOUND, "there is no report of the load");
        return false;
    }
    if (options->json)
        json_print(json_report(&report, diagnostics));
    else
        print_report(&report);
    return output_flush();
}

static int run(const cli_options *options)
{
    input_set inputs = {0};
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    int code = CLI_FAILURE;
    struct json_object *diagnostics = options->json ? own(json_object_new_array()) : NULL;
    kiln_session *session = cli_session_open(options);
    if (session == NULL || !input_set_make(&inputs, session, options))
        goto cleanup;
    cli_session_collect(diagnostics);
    kiln_status status = cli_session_load(session, options, &inputs, &library, &error);
    cli_session_collect(NULL);
    if (status != KILN_OK) {
        message_report(error);
        goto cleanup;
    }
    if (print_outcome(library, options, diagnostics))
        code = CLI_OK;
    diagnostics = NULL;
    kiln_library_close(library);
cleanup:
    json_object_put(diagnostics);
    input_set_destroy(&inputs);
    kiln_session_destroy(session);
    return code;
}

const cli_command command_load = {
    .name = "load",
    .summary = "load sources and report how that went",
    .synopsis = "[option ...] INPUT ...",
    .description =
        "Loads the INPUTs as one library, runs its constructors, reports the engine, whether the "
        "cache had\n"
        "it, the time of each phase, the image, and how many inputs were recorded and symbols "
        "defined; then\n"
        "closes it. With --json: one object with name, engine, hit, seconds (by phase, and total), "
        "image,\n"
        "key, inputs, unit_count, symbol_count, miss_reason and diagnostics; or one with error.\n"
        "INPUT and Clang's flags are as in 'kiln help run'.\n",
    .examples = "  kiln load sqlite3.c\n"
                "  kiln load --json -O3 -Iinclude src/*.cpp\n"
                "  kiln load --commands build mytarget\n",
    .option_groups =
        OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_LOAD | OPTIONS_JSON,
    .run = run,
};
