/* build_report.c - what a build tells: events, warnings, and errors made of diagnostics. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "build/build_steps.h"

void build_emit(const build *build, const kiln_event *event)
{
    if (!build->context->events.emit)
        return;
    kiln_event complete = *event;
    complete.size = sizeof complete;
    complete.library = build->spec->name;
    event_sink_emit(&build->context->events, &complete);
}

void build_emit_hit(const build *build)
{
    build_emit(build, &(kiln_event){.kind = KILN_EVENT_LOOKUP_HIT,
                                    .hit = true,
                                    .seconds = build->seconds[KILN_PHASE_SPEC] +
                                               build->seconds[KILN_PHASE_LOOKUP]});
}

kiln_status build_failed(kiln_status code, kiln_phase phase, const char *what,
                         const Kiln__Wire__DiagnosticList *list, kiln_error **error)
{
    diagnostic_list diagnostics;
    if (!job_diagnostics(list, &diagnostics)) {
        diagnostic_list_destroy(&diagnostics);
        return error_no_memory(error);
    }
    kiln_status status = error_set(error, code, phase, "%s", what);
    char *summary = list && list->summary.len
                        ? strndup((const char *)list->summary.data, list->summary.len)
                        : NULL;
    if (error)
        error_add_diagnostics(*error, &diagnostics, summary);
    else
        diagnostic_list_destroy(&diagnostics);
    free(summary);
    return status;
}

/* Move the diagnostics of one list to the end of another. */
static bool append(diagnostic_list *to, diagnostic_list *from)
{
    if (from->count == 0)
        return true;
    kiln_diagnostic *items = realloc(to->items, (to->count + from->count) * sizeof *items);
    if (!items)
        return false;
    memcpy(items + to->count, from->items, from->count * sizeof *items);
    to->items = items;
    to->count += from->count;
    free(from->items);
    *from = (diagnostic_list){0};
    return true;
}

bool build_keep_warnings(build *build, const Kiln__Wire__DiagnosticList *list,
                         diagnostic_list *kept)
{
    diagnostic_list fresh;
    bool done = job_diagnostics(list, &fresh);
    for (size_t i = 0; done && i < fresh.count; i++)
        build_emit(build, &(kiln_event){.kind = KILN_EVENT_DIAGNOSTIC,
                                        .diagnostic = &fresh.items[i],
                                        .text = fresh.items[i].rendered});
    done = done && (!kept || append(kept, &fresh));
    diagnostic_list_destroy(&fresh);
    return done;
}

bool build_repeat_warnings(build *build, const record_entry *entry, diagnostic_list *kept)
{
    bool wanted = kept || build->context->events.emit;
    if (entry->fixed.diagnostics_size == 0 || !wanted)
        return true;
    Kiln__Wire__DiagnosticList *list = kiln__wire__diagnostic_list__unpack(
        NULL, entry->fixed.diagnostics_size, entry->diagnostics);
    bool done = list && build_keep_warnings(build, list, kept);
    kiln__wire__diagnostic_list__free_unpacked(list, NULL);
    return done;
}
