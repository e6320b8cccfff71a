/* hot_compile.c - from sources that may have been edited to the image of a generation: see hot.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "os/os.h"
#include "reload/hot_state.h"

/* ---- finding edits ---- */

static bool add_files(hot_edit *edit, const string_list *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        if (!string_list_contains(&edit->files, paths->items[i]) &&
            !string_list_add(&edit->files, paths->items[i]))
            return false;
    return true;
}

/* Whether one file differs, and is the unit's source. */
static bool is_only_source(const string_list *differences, const build *build, const unit *unit)
{
    if (differences->count != 1)
        return false;
    char *source = path_join(build->spec->directory, unit->path);
    bool is_source = source && strcmp(source, differences->items[0]) == 0;
    free(source);
    return is_source;
}

static bool check(hot *hot, record *inputs, bool trust_system, string_list *differences)
{
    const record_check_options options = {.trust_system = trust_system, .differences = differences};
    record_check_report report = {0};
    pthread_mutex_lock(&hot->inputs_mutex);
    bool holds = record_check(inputs, 0, &options, &report);
    pthread_mutex_unlock(&hot->inputs_mutex);
    free(report.mismatch);
    return holds;
}

/* Whether the inputs of a unit, or of the whole library, are as they were; what differs is added to
 * the edit's files. *no_memory: it could not be. */
static bool inputs_hold(hot *hot, record *inputs, const build *build, hot_edit *edit,
                        const unit *unit, bool *only_source, bool *no_memory)
{
    string_list differences = {0};
    bool holds = check(hot, inputs, build->context->trust_system, &differences);
    *no_memory |= !add_files(edit, &differences);
    if (unit)
        *only_source = is_only_source(&differences, build, unit);
    string_list_destroy(&differences);
    return holds;
}

static kiln_status find_stale(hot *hot, const build *build, hot_edit *edit, kiln_error **error)
{
    bool no_memory = false, only_source;
    for (size_t i = 0; i < edit->unit_count; i++) {
        hot_unit *unit = *edit->reports[i].id ? hot_find_unit(hot, edit->reports[i].id) : NULL;
        if (!unit || !unit->is_stale || unit->is_forgotten || !unit->inputs.result_count)
            continue;
        edit->edited[i] =
            inputs_hold(hot, &unit->inputs, build, edit, NULL, &only_source, &no_memory);
        edit->edited_count += edit->edited[i];
    }
    string_list_destroy(&edit->files);
    return no_memory ? error_no_memory(error) : KILN_OK;
}

kiln_status hot_find_edits(hot *hot, build *build, hot_edit *edit, kiln_error **error)
{
    size_t count = build->units.count;
    edit->edited = calloc(count + 1, sizeof *edit->edited);
    edit->unknown = calloc(count + 1, sizeof *edit->unknown);
    edit->only_source = calloc(count + 1, sizeof *edit->only_source);
    edit->reports = unit_reports_create(&build->units);
    edit->tables = calloc(count + 1, sizeof *edit->tables);
    if (!edit->edited || !edit->unknown || !edit->only_source || !edit->reports || !edit->tables)
        return error_no_memory(error);
    edit->unit_count = count;
    bool no_memory = false;
    if (edit->follow_up)
        return find_stale(hot, build, edit, error);
    /* Of units that came from the cache as one image nothing is known but what they read together. */
    bool whole_is_known = hot->first_inputs.result_count && hot->generation_count == 1;
    bool whole_holds =
        whole_is_known && inputs_hold(hot, &hot->first_inputs, build, edit, NULL, NULL, &no_memory);
    for (size_t i = 0; i < count; i++) {
        if (!*edit->reports[i].id)
            continue;
        hot_unit *unit = hot_find_unit(hot, edit->reports[i].id);
        if (!unit)
            edit->edited[i] = true;
        else if (unit->is_forgotten)
            edit->edited[i] = true;
        else if (unit->inputs.result_count)
            edit->edited[i] = !inputs_hold(hot, &unit->inputs, build, edit, &build->units.items[i],
                                           &edit->only_source[i], &no_memory);
        else {
            edit->edited[i] = edit->unknown[i] = !whole_holds;
            /* Only a whole that was checked has told all of its differences. */
            edit->only_source[i] = whole_is_known && !whole_holds &&
                                   is_only_source(&edit->files, build, &build->units.items[i]);
        }
        edit->edited_count += edit->edited[i];
    }
    return no_memory ? error_no_memory(error) : KILN_OK;
}

bool hot_fails_still(hot *hot, bool trust_system)
{
    size_t known = 0, same = 0;
    for (size_t i = 0; i < hot->failed_count; i++) {
        if (!hot->failed[i].inputs.result_count)
            continue;
        known++;
        same += check(hot, &hot->failed[i].inputs, trust_system, NULL);
    }
    return known > 0 && same == known;
}

/* ---- compiling ---- */

static int write_baseline(const hot *hot)
{
    Kiln__Wire__HotBaseline message = KILN__WIRE__HOT_BASELINE__INIT;
    ProtobufCBinaryData *units = calloc(hot->unit_count + 1, sizeof *units);
    if (!units)
        return -1;
    for (size_t i = 0; i < hot->unit_count; i++)
        if (hot->units[i].table)
            units[message.n_units++] =
                (ProtobufCBinaryData){.len = hot->units[i].table_size, .data = hot->units[i].table};
    message.units = units;
    size_t size = kiln__wire__hot_baseline__get_packed_size(&message);
    uint8_t *bytes = malloc(size + 1);
    if (bytes)
        kiln__wire__hot_baseline__pack(&message, bytes);
    free(units);
    int fd = bytes ? os_memfd_with("kiln-baseline", bytes, size, false) : -1;
    free(bytes);
    return fd;
}

static bool unpack_tables(hot_edit *edit)
{
    for (size_t i = 0; i < edit->unit_count; i++) {
        if (!edit->edited[i] || !edit->reports[i].table)
            continue;
        edit->tables[i] =
            kiln__wire__hot_unit__unpack(NULL, edit->reports[i].table_size, edit->reports[i].table);
        if (!edit->tables[i])
            return false;
    }
    return true;
}

static bool is_refused(const Kiln__Wire__HotNotice *notice, const hot_policy *policy)
{
    switch (notice->kind) {
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_AMBIGUOUS:
        return true;
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_TYPE_CHANGED:
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_LAYOUT_CHANGED:
        return !policy->accept_layouts && !policy->migrate;
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_LAYOUT_UNSEEN:
        return policy->refuse_unseen && !policy->accept_layouts && !policy->migrate;
    default:
        return false;
    }
}

/* Layouts and types that existing data does not fit. */
static kiln_status check_notices(const hot_edit *edit, const char *name, const hot_policy *policy,
                                 kiln_error **error)
{
    enum { told_at_most = 16 };
    text words = {0};
    size_t refused = 0;
    for (size_t i = 0; i < edit->unit_count; i++) {
        const Kiln__Wire__HotUnit *table = edit->tables[i];
        for (size_t k = 0; table && k < table->n_notices; k++) {
            const Kiln__Wire__HotNotice *notice = table->notices[k];
            if (!is_refused(notice, policy) || ++refused > told_at_most)
                continue;
            text_format(&words, "\n  %s: %s", notice->display, notice->detail);
            if (*notice->variable)
                text_format(&words, " (the variable '%s' holds it)", notice->variable);
        }
    }
    if (refused > told_at_most)
        text_format(&words, "\n  and %zu more", refused - told_at_most);
    kiln_status status = KILN_OK;
    if (words.failed)
        status = error_no_memory(error);
    else if (words.length)
        status = error_set(error, KILN_REFUSED, KILN_PHASE_BIND,
                           "the edit of library '%s' does not fit the data that exists; load it "
                           "anew, or accept that:%s",
                           name, text_string(&words));
    text_destroy(&words);
    return status;
}

/* An edit that fails may be mended by a file that is not among the inputs of what runs. */
void hot_keep_failed(hot *hot, hot_edit *edit)
{
    pthread_mutex_lock(&hot->inputs_mutex);
    pthread_mutex_lock(&hot->mutex);
    unit_reports_destroy(hot->failed, hot->failed_count);
    hot->failed = edit->reports;
    hot->failed_count = edit->unit_count;
    edit->reports = NULL;
    pthread_mutex_unlock(&hot->mutex);
    pthread_mutex_unlock(&hot->inputs_mutex);
}

kiln_status hot_compile(hot *hot, build *build, const hot_policy *policy, hot_edit *edit,
                        kiln_error **error)
{
    image **earlier = calloc(hot->generation_count + 1, sizeof *earlier);
    int baseline = write_baseline(hot);
    edit->policy = *policy;
    kiln_status status = earlier && baseline >= 0 ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK) {
        for (size_t i = 0; i < hot->generation_count; i++)
            earlier[i] = hot->generations[i].image;
        generation_request request = {.number = (uint32_t)hot->generation_count + 1,
                                      .baseline_fd = baseline,
                                      .edited = edit->edited,
                                      .unknown = edit->unknown,
                                      .changed = &edit->files,
                                      .only_source = edit->only_source,
                                      .follow_up = edit->follow_up,
                                      .earlier = earlier};
        build->generation = &request;
        build->unit_reports = edit->reports;
        build->unit_report_count = edit->unit_count;
        status = build_generation(build, &edit->image, error);
        build->generation = NULL;
        build->unit_reports = NULL;
        build->unit_report_count = 0;
    }
    if (status == KILN_OK && !unpack_tables(edit))
        status = error_no_memory(error);
    if (status == KILN_OK)
        status = check_notices(edit, build->spec->name, policy, error);
    if (status != KILN_OK && !edit->follow_up)
        hot_keep_failed(hot, edit);
    if (baseline >= 0)
        close(baseline);
    free(earlier);
    return status;
}
