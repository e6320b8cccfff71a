/* reload_others.c - libraries that were built from the files of an edit, too, and that a reload does
 * not reach: what they have inlined of a header stays as it was, so that is told. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/reload_calls.h"

static bool is_in_closure(const kiln_library *library, const kiln_library *other)
{
    bool found = library == other;
    for (size_t i = 0; !found && i < library->dependency_count; i++)
        found = is_in_closure(library->dependencies[i], other);
    return found;
}

/* Of one that is not hot: those of the result of its record that is its image. */
static bool add_recorded_inputs(const record *record, const image *image, input_set *inputs)
{
    for (uint32_t i = 0; i < record->result_count; i++)
        if (strcmp(record_result(record, i).fixed.image_id, image->id) == 0)
            return record_add_inputs(record, i, inputs);
    return true;
}

static bool add_inputs(const kiln_library *library, input_set *inputs)
{
    store *store = library->session->store;
    const image *image = library->image;
    record record = {0};
    if (library->hot)
        return hot_inputs(library->hot->hot, inputs);
    if (image->record.result_count)
        return add_recorded_inputs(&image->record, image, inputs);
    if (!store || !store_read_record(store, &image->key, &record))
        return true;
    bool done = add_recorded_inputs(&record, image, inputs);
    record_destroy(&record);
    return done;
}

/* Whether it has read another version of the file than there is now. */
static bool is_behind(const input_set *inputs, const char *path)
{
    const input *input = input_set_find(inputs, path);
    os_identity now;
    os_kind kind;
    return input && input->state == INPUT_READ &&
           (os_identify(AT_FDCWD, path, &kind, &now) != 0 ||
            !os_identity_equal(&input->identity, &now));
}

static bool note_library(const kiln_library *library, hot_report *report)
{
    input_set inputs = {0};
    const char *name = library->image->name, *file = NULL;
    char *detail = NULL;
    bool done = add_inputs(library, &inputs);
    for (size_t i = 0; done && !file && i < report->files.count; i++)
        if (is_behind(&inputs, report->files.items[i]))
            file = report->files.items[i];
    if (file)
        done = asprintf(&detail, "it was built from '%s', too, and what it has of it stays: %s",
                        file, library->hot ? "reload it" : "load it anew") >= 0 &&
               hot_report_add(report, KILN_NOTICE_OTHER_LIBRARY, name, name, detail, "");
    free(detail);
    input_set_destroy(&inputs);
    return done;
}

bool reload_note_others(const kiln_library *library, hot_report *report)
{
    kiln_session *session = library->session;
    bool done = true;
    if (!report->files.count)
        return true;
    pthread_mutex_lock(&session->mutex);
    for (const kiln_library *other = session->libraries; done && other; other = other->next)
        if (!is_in_closure(library, other))
            done = note_library(other, report);
    pthread_mutex_unlock(&session->mutex);
    return done;
}
