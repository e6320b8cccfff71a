/* build_miss.c - the work of a miss, from the plan to the published image.
 *
 * A result is recorded only if the disk still is as the build saw it; a source that changes
 * meanwhile makes the build start over, a few times. What cannot be published (a full disk, a
 * read-only cache) is loaded from memory all the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build_link.h"
#include "build/sources.h"
#include "os/os.h"

enum { max_attempts = 4 };

/* ---- publishing ---- */

static void add_record(miss *miss, image *image, const os_identity *identity, char **changed)
{
    build *build = miss->build;
    store *store = build->context->store;
    text symbols = {0};
    for (size_t i = 0; i < image->host_symbols.count; i++)
        text_add(&symbols, image->host_symbols.items[i], strlen(image->host_symbols.items[i]) + 1);
    record_entry entry = {.name = image->name,
                          .host_symbols = text_string(&symbols),
                          .fixed = {.content = image->content,
                                    .content_identity = *identity,
                                    .content_size = identity->size,
                                    .unit_count = (uint32_t)image->unit_count,
                                    .symbol_count = (uint32_t)image->symbol_count,
                                    .name_size = (uint32_t)strlen(image->name),
                                    .host_symbols_size = (uint32_t)symbols.length}};
    memcpy(entry.fixed.image_id, image->id, sizeof entry.fixed.image_id);
    record made = {0};
    *changed = NULL;
    if (!symbols.failed && build_pack_warnings(miss, &entry) &&
        record_make(&made, &build->record, &miss->inputs, &entry, miss->begun_file_ns, changed)) {
        if (store && image->in_cache) {
            store_write_record(store, &build->key, &made);
            record_destroy(&made);
        } else {
            image->record = made;
        }
    }
    free((void *)entry.diagnostics);
    text_destroy(&symbols);
}

/* The warnings go into the record, so that a hit can repeat them. */
static void pack_diagnostics(const kiln_diagnostic *items, size_t count,
                             Kiln__Wire__Diagnostic ***pointers, size_t *pointer_count,
                             string_list *arena, bool *failed);

static ProtobufCBinaryData bytes_or_none(const char *string)
{
    return string ? wire_bytes(string) : (ProtobufCBinaryData){0};
}

static void *keep(string_list *arena, size_t size, bool *failed)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory || !string_list_take(arena, memory)) {
        *failed = true;
        return NULL;
    }
    return memory;
}

static void pack_fixits(const kiln_diagnostic *from, Kiln__Wire__Diagnostic *to, string_list *arena,
                        bool *failed)
{
    to->fixits = keep(arena, from->fixit_count * sizeof *to->fixits, failed);
    for (size_t i = 0; !*failed && i < from->fixit_count; i++) {
        Kiln__Wire__Fixit *fixit = keep(arena, sizeof *fixit, failed);
        if (*failed)
            return;
        kiln__wire__fixit__init(fixit);
        fixit->file = wire_bytes(from->fixits[i].file);
        fixit->line = from->fixits[i].line;
        fixit->column = from->fixits[i].column;
        fixit->end_line = from->fixits[i].end_line;
        fixit->end_column = from->fixits[i].end_column;
        fixit->replacement = wire_bytes(from->fixits[i].replacement);
        to->fixits[to->n_fixits++] = fixit;
    }
}

static void pack_diagnostics(const kiln_diagnostic *items, size_t count,
                             Kiln__Wire__Diagnostic ***pointers, size_t *pointer_count,
                             string_list *arena, bool *failed)
{
    *pointers = keep(arena, count * sizeof **pointers, failed);
    for (size_t i = 0; !*failed && i < count; i++) {
        Kiln__Wire__Diagnostic *to = keep(arena, sizeof *to, failed);
        if (*failed)
            return;
        kiln__wire__diagnostic__init(to);
        to->severity = items[i].severity;
        to->file = bytes_or_none(items[i].file);
        to->line = items[i].line;
        to->column = items[i].column;
        to->end_line = items[i].end_line;
        to->end_column = items[i].end_column;
        to->message = bytes_or_none(items[i].message);
        to->option = bytes_or_none(items[i].option);
        to->rendered = bytes_or_none(items[i].rendered);
        pack_diagnostics(items[i].notes, items[i].note_count, &to->notes, &to->n_notes, arena,
                         failed);
        pack_fixits(&items[i], to, arena, failed);
        (*pointers)[(*pointer_count)++] = to;
    }
}

bool build_pack_warnings(const miss *miss, record_entry *entry)
{
    if (miss->warnings.count == 0)
        return true;
    Kiln__Wire__DiagnosticList list = KILN__WIRE__DIAGNOSTIC_LIST__INIT;
    string_list arena = {0};
    bool failed = false;
    pack_diagnostics(miss->warnings.items, miss->warnings.count, &list.diagnostics,
                     &list.n_diagnostics, &arena, &failed);
    size_t size = failed ? 0 : kiln__wire__diagnostic_list__get_packed_size(&list);
    uint8_t *bytes = failed ? NULL : malloc(size + 1);
    if (bytes) {
        kiln__wire__diagnostic_list__pack(&list, bytes);
        entry->diagnostics = bytes;
        entry->fixed.diagnostics_size = (uint32_t)size;
    }
    string_list_destroy(&arena);
    return bytes != NULL;
}

static void keep_reasons(const build *build)
{
    store *store = build->context->store;
    char name[512];
    char *printed = ingredients_print(&build->ingredients);
    snprintf(name, sizeof name, "reasons/%s.key", build->spec->name);
    if (printed)
        store_write_file(store, name, printed, strlen(printed));
    free(printed);
    snprintf(name, sizeof name, "reasons/%s", build->spec->name);
    if (build->miss_reason)
        store_write_file(store, name, build->miss_reason, strlen(build->miss_reason));
    store_write_file(store, "last-miss", build->spec->name, strlen(build->spec->name));
}

/* Where the image comes to lie: the cache, or the memory in which it was linked. */
static kiln_status place_image(miss *miss, link_output *output, image *image, os_identity *identity,
                               kiln_error **error)
{
    store *store = miss->build->context->store;
    /* The image last: an entry never lacks its table. */
    if (store &&
        image_write_symbols(store, &output->content, output->symbol_table,
                            output->symbol_table_size) &&
        store_add_content(store, STORE_IMAGE, &output->content, output->fd, (size_t)output->size,
                          identity)) {
        bool refreshed;
        sources_keep(miss->build, &output->content);
        image->in_cache = true;
        if (store_is_executable(store)) {
            image_take_fd(image, store_open_content(store, STORE_IMAGE, &output->content, identity,
                                                    &refreshed));
            image->path = store_content_path(store, STORE_IMAGE, &output->content);
            if (!image->path)
                return error_no_memory(error);
            if (image->fd >= 0) {
                store_mark_used(store, &output->content);
                return KILN_OK;
            }
        }
    } else if (store) {
        build_emit(miss->build,
                   &(kiln_event){.kind = KILN_EVENT_WARNING,
                                 .text = "the cache cannot be written to (full, read-only, or "
                                         "gone): the library is loaded from memory, and compiled "
                                         "again next time"});
    }
    char path[64];
    image_take_fd(image, output->fd);
    output->fd = -1;
    os_fd_path(image->fd, path, sizeof path);
    free(image->path);
    image->path = strdup(path);
    image->symbol_table = output->symbol_table;
    image->symbol_table_size = output->symbol_table_size;
    output->symbol_table = NULL;
    return image->path ? KILN_OK : error_no_memory(error);
}

static kiln_status publish(miss *miss, link_output *output, const char *id, image **out,
                           char **changed, kiln_error **error)
{
    build *build = miss->build;
    int64_t begin = os_clock_steady_ns();
    os_identity identity = {.size = output->size};
    image *image = image_create(build->spec->name, &build->key);
    if (!image)
        return error_no_memory(error);
    memcpy(image->id, id, sizeof image->id);
    image->content = output->content;
    image->unit_count = build->units.count;
    image->symbol_count = output->symbol_count;
    image->host_symbols = output->host_symbols;
    output->host_symbols = (string_list){0};
    kiln_status status = place_image(miss, output, image, &identity, error);
    if (status != KILN_OK) {
        image_release(image);
        return status;
    }
    input_set_sort(&miss->inputs);
    image->input_count = miss->inputs.count;
    add_record(miss, image, &identity, changed);
    if (build->context->store)
        keep_reasons(build);
    build->seconds[KILN_PHASE_PUBLISH] += build_seconds_since(begin);
    memcpy(image->seconds, build->seconds, sizeof image->seconds);
    image->miss_reason = build->miss_reason;
    build->miss_reason = NULL;
    *out = image;
    return KILN_OK;
}

/* ---- the whole ---- */

bool miss_begin(miss *miss, build *build)
{
    *miss = (struct miss){.build = build, .lead = {.socket = -1, .cancel = -1}};
    miss->begun_file_ns = os_clock_file_ns();
    miss->unit_count = build->units.count;
    miss->results = calloc(build->units.count + 1, sizeof *miss->results);
    miss->source_arguments = calloc(build->units.count + 1, sizeof *miss->source_arguments);
    for (size_t i = 0; miss->results && i < build->units.count; i++)
        miss->results[i].fd = -1;
    return miss->results && miss->source_arguments;
}

void miss_destroy(miss *miss)
{
    job_close(&miss->lead);
    for (size_t i = 0; i < miss->unit_count; i++) {
        if (miss->results)
            unit_result_destroy(&miss->results[i]);
        if (miss->source_arguments)
            string_list_destroy(&miss->source_arguments[i]);
    }
    free(miss->results);
    free(miss->source_arguments);
    string_list_destroy(&miss->package_compile);
    string_list_destroy(&miss->package_link);
    input_set_destroy(&miss->inputs);
    diagnostic_list_destroy(&miss->warnings);
}

kiln_status build_check_compiler(build *build, bool *replaced, kiln_error **error)
{
    digest identity;
    kiln_status status = compiler_identify(build->context->compiler, build->context->store,
                                           build->context->cancel, &identity, error);
    *replaced = status == KILN_OK && !digest_equal(&identity, &build->compiler_identity);
    if (!*replaced)
        return status;
    char *reason = build->miss_reason;
    build->miss_reason = NULL;
    build_end(build);
    status = build_begin(build, error);
    build->miss_reason = reason;
    return status;
}

/* *changed: an input changed meanwhile; what was built, if anything, is handed out, but not
 * recorded. */
static kiln_status attempt(build *build, image **out, char **changed, kiln_error **error)
{
    miss miss;
    link_output output = {.fd = -1};
    char id[record_image_id_size] = "";
    kiln_status status = miss_begin(&miss, build) ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK)
        status = build_plan(&miss, error);
    miss.links = true;
    bool replaced = false;
    if (status == KILN_OK)
        status = build_check_compiler(build, &replaced, error);
    if (replaced) {
        *changed = strdup("kiln-compiler");
        goto cleanup;
    }
    if (status == KILN_OK) {
        /* Somebody else may have built it before the lock was ours. */
        char *reason = build->miss_reason;
        build->miss_reason = NULL;
        *out = build_lookup(build);
        free(build->miss_reason);
        build->miss_reason = reason;
        if (*out)
            goto cleanup;
        status = build_units(&miss, error);
    }
    if (status == KILN_OK) {
        link_name_image(&miss, id);
        status = build_link(&miss, id, KILN__WIRE__OUTPUT_KIND__IMAGE, &output, error);
    }
    if (status == KILN_OK)
        status = publish(&miss, &output, id, out, changed, error);
cleanup:
    link_output_destroy(&output);
    miss_destroy(&miss);
    return status;
}

kiln_status build_finish(build *build, image **out, kiln_error **error)
{
    build_emit(build,
               &(kiln_event){
                   .kind = KILN_EVENT_LOOKUP_MISS,
                   .text = build->miss_reason ? build->miss_reason : "this session has no cache",
                   .seconds = build->seconds[KILN_PHASE_SPEC] + build->seconds[KILN_PHASE_LOOKUP]});
    for (int i = 1;; i++) {
        char *changed = NULL;
        image *image = NULL;
        kiln_status status = attempt(build, &image, &changed, error);
        if (status != KILN_OK || !changed || i == max_attempts) {
            if (status == KILN_OK && changed)
                build_emit(build, &(kiln_event){.kind = KILN_EVENT_WARNING,
                                                .unit = changed,
                                                .text = "a source keeps changing while it is "
                                                        "compiled: the result is not cached"});
            free(changed);
            if (status == KILN_OK && !image)
                return error_set(error, KILN_COMPILER, KILN_PHASE_PLAN,
                                 "kiln-compiler keeps being replaced while it is used");
            *out = image;
            return status;
        }
        free(changed);
        if (image && !build->miss_reason) {
            build->miss_reason = image->miss_reason;
            image->miss_reason = NULL;
        }
        image_release(image);
    }
}
