/* build_outputs.c - compiling without loading: see build_outputs.h.
 *
 * What a compilation came to is a content of the cache: the combined output itself, or the list of
 * the units' outputs, which lie beside it. Its record has the union of all inputs, so that a hit
 * needs no compiler. A list that leads to something lost is a miss. Outputs are mapped, not held
 * open: a thousand units must not cost the host as many descriptors. */
#include "build/build_outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "build/build_link.h"
#include "os/os.h"

enum { max_attempts = 4 };

typedef struct work {
    build *build;
    const uint32_t *combined;
    const char *name; /* of the output of the one unit; NULL: its path */
    build_output_list *outputs;
    char *changed; /* malloc'd: an input that was no longer as the build saw it, or NULL */
} work;

void build_output_list_destroy(build_output_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        os_unmap(list->items[i].bytes, list->items[i].size);
        free(list->items[i].source);
    }
    free(list->items);
    *list = (build_output_list){.miss_reason = list->miss_reason};
}

static bool add_output(build_output_list *list, const char *source, size_t source_length, int fd,
                       size_t size, bool hit)
{
    build_output made = {.source = strndup(source, source_length), .size = size, .hit = hit};
    if (!made.source || os_map_file(fd, size, &made.bytes)) {
        free(made.source);
        return false;
    }
    build_output *place =
        array_add((void **)&list->items, &list->count, &list->capacity, sizeof *place);
    if (!place) {
        os_unmap(made.bytes, made.size);
        free(made.source);
        return false;
    }
    *place = made;
    return true;
}

/* A load and compilations to several kinds of output share the key of the library. */
static digest outputs_key(const work *work)
{
    digest_state state;
    digest_begin(&state);
    digest_string(&state, "outputs");
    digest_add(&state, work->build->key.bytes, digest_size);
    digest_number(&state, work->combined ? (uint64_t)*work->combined + 1 : 0);
    return digest_end(&state);
}

/* ---- the list of units' outputs ----
 *
 *     list_magic | list_item | path | list_item | path | ...
 */

static const char list_magic[8] = {'K', 'I', 'L', 'N', 'O', 'U', 'T', '\n'};

typedef struct list_item {
    digest content;
    uint64_t size;
    uint64_t path_size; /* without a NUL */
} list_item;

static bool open_item(work *work, const list_item *item, const char *path)
{
    store *store = work->build->context->store;
    os_identity identity = {0}; /* not in the list, which is flushed alone: its digest tells */
    bool refreshed;
    int fd = store_open_content(store, STORE_OBJECT, &item->content, &identity, &refreshed);
    if (fd < 0)
        return false;
    bool done = identity.size == item->size &&
                add_output(work->outputs, path, item->path_size, fd, (size_t)item->size, true);
    close(fd);
    if (done)
        store_mark_used(store, &item->content);
    return done;
}

static bool open_listed(work *work, const uint8_t *bytes, size_t size)
{
    size_t offset = sizeof list_magic;
    if (size < offset || memcmp(bytes, list_magic, sizeof list_magic) != 0)
        return false;
    while (offset < size) {
        list_item item;
        if (size - offset < sizeof item)
            return false;
        memcpy(&item, bytes + offset, sizeof item);
        offset += sizeof item;
        if (item.path_size > size - offset || !open_item(work, &item, (const char *)bytes + offset))
            return false;
        offset += item.path_size;
    }
    return true;
}

/* ---- looking ---- */

static bool open_result(work *work, record *record, uint32_t index, bool *refreshed)
{
    build *build = work->build;
    store *store = build->context->store;
    record_entry entry = record_result(record, index);
    os_identity identity;
    bool done;
    int fd = store_open_result(store, STORE_OBJECT, record, index, &identity, refreshed);
    if (fd < 0)
        return false;
    if (work->combined) {
        done = add_output(work->outputs, build->spec->name, strlen(build->spec->name), fd,
                          (size_t)identity.size, true);
    } else {
        uint8_t *bytes = NULL;
        size_t size = 0;
        done = os_read_fd(fd, &bytes, &size) == 0 && open_listed(work, bytes, size);
        free(bytes);
    }
    close(fd);
    if (!done) {
        build_output_list_destroy(work->outputs);
        return false;
    }
    store_mark_used(store, &entry.fixed.content);
    return true;
}

static void tell_hit(const work *work, const record_entry *entry)
{
    size_t count = work->outputs->count;
    build_emit_hit(work->build);
    build_repeat_warnings(work->build, entry, NULL);
    for (size_t i = 0; !work->combined && i < count; i++)
        build_emit(work->build, &(kiln_event){.kind = KILN_EVENT_UNIT_FINISHED,
                                              .unit = work->outputs->items[i].source,
                                              .done = (uint32_t)i + 1,
                                              .total = (uint32_t)count,
                                              .hit = true});
}

static bool look_up(work *work)
{
    build *build = work->build;
    store *store = build->context->store;
    record record;
    digest key = outputs_key(work);
    int64_t begin = os_clock_steady_ns();
    if (!store || !store_read_record(store, &key, &record))
        return false;
    record_check_options options = {.trust_system = build->context->trust_system};
    bool found = false;
    for (uint32_t i = 0; !found && i < record.result_count; i++) {
        record_check_report report;
        found = record_check(&record, i, &options, &report) &&
                open_result(work, &record, i, &report.refreshed);
        if (found && report.refreshed) {
            record_seal(&record);
            store_write_record(store, &key, &record);
        }
        free(report.mismatch);
        if (!found)
            continue;
        build->seconds[KILN_PHASE_LOOKUP] += build_seconds_since(begin);
        record_entry entry = record_result(&record, i);
        work->outputs->input_count = record_input_count(&record, i);
        work->outputs->miss_reason = NULL;
        tell_hit(work, &entry);
    }
    record_destroy(&record);
    return found;
}

/* ---- publishing ---- */

static void publish(work *work, miss *miss, const digest *content, const os_identity *identity)
{
    build *build = work->build;
    store *store = build->context->store;
    digest key = outputs_key(work);
    record old = {0}, made;
    record_entry entry = {.name = build->spec->name,
                          .fixed = {.content = *content,
                                    .content_identity = *identity,
                                    .content_size = identity->size,
                                    .unit_count = (uint32_t)miss->unit_count,
                                    .name_size = (uint32_t)strlen(build->spec->name)}};
    input_set_sort(&miss->inputs);
    store_read_record(store, &key, &old);
    if (build_pack_warnings(miss, &entry) &&
        record_make(&made, &old, &miss->inputs, &entry, miss->begun_file_ns, &work->changed)) {
        store_write_record(store, &key, &made);
        record_destroy(&made);
    }
    store_mark_used(store, content);
    record_destroy(&old);
    free((void *)entry.diagnostics);
}

static void publish_list(work *work, miss *miss, const text *list)
{
    os_identity identity;
    digest content = digest_of(list->bytes, list->length);
    int fd = list->failed
                 ? -1
                 : os_memfd_with(work->build->spec->name, list->bytes, list->length, false);
    if (fd >= 0 && store_add_content(work->build->context->store, STORE_OBJECT, &content, fd,
                                     list->length, &identity))
        publish(work, miss, &content, &identity);
    if (fd >= 0)
        close(fd);
}

/* ---- the work of a miss ---- */

/* An object of the cache may have been evicted since it was found or published; its absence is an
 * error like any other of the disk. What could not be published has a descriptor, and makes the
 * list incomplete. */
static kiln_status take_unit(work *work, const unit_result *result, const char *path, text *list,
                             bool *complete, kiln_error **error)
{
    list_item item = {.content = result->content, .size = result->size, .path_size = strlen(path)};
    os_identity identity = {0};
    bool refreshed;
    int opened = -1, fd = result->fd;
    if (fd < 0 && result->path)
        fd = opened = store_open_content(work->build->context->store, STORE_OBJECT,
                                         &result->content, &identity, &refreshed);
    bool done = fd >= 0 && add_output(work->outputs, path, item.path_size, fd, (size_t)result->size,
                                      result->hit);
    int errno_value = errno;
    if (opened >= 0) {
        text_add(list, &item, sizeof item);
        text_add(list, path, item.path_size);
        close(opened);
    }
    *complete &= opened >= 0;
    if (done)
        return KILN_OK;
    return errno_value == ENOMEM ? error_no_memory(error)
                                 : error_set(error, KILN_IO, KILN_PHASE_COMPILE,
                                             "cannot read the output of '%s': compile again", path);
}

static kiln_status take_units(work *work, miss *miss, kiln_error **error)
{
    kiln_status status = KILN_OK;
    bool complete = work->build->context->store != NULL;
    text list = {0};
    text_add(&list, list_magic, sizeof list_magic);
    for (size_t i = 0; status == KILN_OK && i < miss->unit_count; i++)
        if (miss->results[i].done)
            status = take_unit(work, &miss->results[i],
                               work->name ? work->name : work->build->units.items[i].path, &list,
                               &complete, error);
    if (status == KILN_OK && complete)
        publish_list(work, miss, &list);
    text_destroy(&list);
    return status;
}

static kiln_status combine(work *work, miss *miss, kiln_error **error)
{
    build *build = work->build;
    store *store = build->context->store;
    const char *name = build->spec->name;
    link_output output = {.fd = -1};
    os_identity identity;
    kiln_status status = build_link(miss, "", *work->combined, &output, error);
    if (status == KILN_OK &&
        !add_output(work->outputs, name, strlen(name), output.fd, (size_t)output.size, false))
        status = error_no_memory(error);
    if (status == KILN_OK && store &&
        store_add_content(store, STORE_OBJECT, &output.content, output.fd, (size_t)output.size,
                          &identity))
        publish(work, miss, &output.content, &identity);
    link_output_destroy(&output);
    return status;
}

/* *replaced: the compiler is another one than the key says, and nothing was made. */
static kiln_status attempt(work *work, bool *hit, bool *replaced, kiln_error **error)
{
    miss miss;
    *replaced = false;
    kiln_status status = miss_begin(&miss, work->build) ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK)
        status = build_plan(&miss, error);
    miss.links = work->combined != NULL;
    if (status == KILN_OK)
        status = build_check_compiler(work->build, replaced, error);
    if (status != KILN_OK || *replaced)
        goto cleanup;
    /* Somebody else may have made it before the lock was ours. */
    *hit = look_up(work);
    if (*hit)
        goto cleanup;
    status = build_units(&miss, error);
    if (status == KILN_OK)
        status = work->combined ? combine(work, &miss, error) : take_units(work, &miss, error);
    work->outputs->input_count = miss.inputs.count;
cleanup:
    miss_destroy(&miss);
    return status;
}

static void tell_miss(const work *work)
{
    work->outputs->miss_reason =
        work->build->context->store ? "these outputs are not cached" : "this session has no cache";
    build_emit(work->build, &(kiln_event){.kind = KILN_EVENT_LOOKUP_MISS,
                                          .text = work->outputs->miss_reason,
                                          .seconds = work->build->seconds[KILN_PHASE_SPEC] +
                                                     work->build->seconds[KILN_PHASE_LOOKUP]});
}

/* What was made of sources that changed meanwhile is made again, but not for ever. */
static bool is_to_be_made_again(work *work, int attempts)
{
    if (!work->changed)
        return false;
    bool again = attempts < max_attempts;
    if (again)
        build_output_list_destroy(work->outputs);
    else
        build_emit(work->build, &(kiln_event){.kind = KILN_EVENT_WARNING,
                                              .unit = work->changed,
                                              .text = "a source keeps changing while it is "
                                                      "compiled: the result is not cached"});
    free(work->changed);
    work->changed = NULL;
    return again;
}

/* One module needs no merging. */
static bool is_merged_already(const build *build, uint32_t combined)
{
    bool is_bitcode = combined == KILN__WIRE__OUTPUT_KIND__BITCODE ||
                      combined == KILN__WIRE__OUTPUT_KIND__RAW_BITCODE;
    return is_bitcode && build->units.count == 1 && build_compiles(build, 0);
}

kiln_status build_outputs(build *build, const uint32_t *combined, build_output_list *outputs,
                          bool *hit, kiln_error **error)
{
    work work = {.build = build, .combined = combined, .outputs = outputs};
    if (combined && is_merged_already(build, *combined)) {
        work.combined = NULL;
        work.name = build->spec->name;
    }
    kiln_status status = KILN_OK;
    bool replaced = false, again = true;
    *hit = look_up(&work);
    if (!*hit)
        tell_miss(&work);
    for (int i = 1; !*hit && status == KILN_OK && again && i <= max_attempts; i++) {
        status = attempt(&work, hit, &replaced, error);
        again = replaced || is_to_be_made_again(&work, i);
    }
    free(work.changed);
    if (!*hit && status == KILN_OK && replaced)
        status = error_set(error, KILN_COMPILER, KILN_PHASE_PLAN,
                           "kiln-compiler keeps being replaced while it is used");
    if (status != KILN_OK)
        build_output_list_destroy(outputs);
    return status;
}
