/* build_lookup.c - the warm path: from a key to an image that the cache has.
 *
 * A hit costs one read of the record, one look at each input, and the opening of the image. Nothing
 * here starts a process or allocates much. Why a lookup missed is found out here too, since only
 * the checks know. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build_steps.h"
#include "os/os.h"

static bool add_host_symbols(const record_entry *entry, image *image)
{
    const char *name = entry->host_symbols, *end = name + entry->fixed.host_symbols_size;
    for (; name < end; name += strlen(name) + 1)
        if (!string_list_add(&image->host_symbols, name))
            return false;
    return true;
}

/* A cache on a file system from which nothing may be executed still saves the compilation: the
 * image is copied. */
static bool copy_to_memory(image *image, uint64_t size)
{
    int memory = os_memfd_create(image->name, true);
    if (memory < 0)
        return false;
    if (os_copy_fd(memory, image->fd, size)) {
        close(memory);
        return false;
    }
    char path[64];
    os_fd_path(memory, path, sizeof path);
    image_take_fd(image, memory);
    image->in_cache = false;
    free(image->path);
    image->path = strdup(path);
    return image->path != NULL;
}

static image *open_image(build *build, uint32_t index, bool *refreshed)
{
    store *store = build->context->store;
    record_entry entry = record_result(&build->record, index);
    os_identity identity;
    int fd = store_open_result(store, STORE_IMAGE, &build->record, index, &identity, refreshed);
    if (fd < 0)
        return NULL;
    image *image = image_create(build->spec->name, &build->key);
    if (!image) {
        close(fd);
        return NULL;
    }
    image_take_fd(image, fd);
    image->hit = image->in_cache = true;
    image->content = entry.fixed.content;
    memcpy(image->id, entry.fixed.image_id, sizeof image->id);
    image->unit_count = entry.fixed.unit_count;
    image->symbol_count = entry.fixed.symbol_count;
    image->input_count = record_input_count(&build->record, index);
    image->path = store_content_path(store, STORE_IMAGE, &image->content);
    if (!image->path || !add_host_symbols(&entry, image) ||
        (!store_is_executable(store) && !copy_to_memory(image, identity.size)) ||
        !build_repeat_warnings(build, &entry, NULL)) {
        image_release(image);
        return NULL;
    }
    return image;
}

/* Where no record has the key at all, the ingredients of the last build of that name tell what
 * changed. */
static char *compare_with_last(build *build)
{
    char name[512];
    uint8_t *bytes;
    size_t size;
    snprintf(name, sizeof name, "reasons/%s.key", build->spec->name);
    if (!store_read_file(build->context->store, name, &bytes, &size))
        return text_print("'%s' was not built with this cache before", build->spec->name);
    char *reasons = ingredients_compare(&build->ingredients, (const char *)bytes);
    free(bytes);
    if (reasons && !*reasons) {
        free(reasons);
        return text_print("its entry was removed from the cache");
    }
    if (reasons && reasons[strlen(reasons) - 1] == '\n')
        reasons[strlen(reasons) - 1] = '\0';
    return reasons;
}

image *build_lookup(build *build)
{
    const build_context *context = build->context;
    if (!context->store)
        return NULL;
    int64_t begin = os_clock_steady_ns();
    record_check_options options = {.trust_system = context->trust_system};
    char *reason = NULL;
    image *image = NULL;
    record_destroy(&build->record);
    store_read_record(context->store, &build->key, &build->record);
    for (uint32_t i = 0; !image && i < build->record.result_count; i++) {
        record_check_report report;
        if (record_check(&build->record, i, &options, &report)) {
            image = open_image(build, i, &report.refreshed);
            if (image && report.refreshed) {
                record_seal(&build->record);
                store_write_record(context->store, &build->key, &build->record);
            }
            if (!image && !reason)
                reason = text_print("its image was removed from the cache, or damaged");
        }
        if (!reason)
            reason = report.mismatch;
        else
            free(report.mismatch);
    }
    build->seconds[KILN_PHASE_LOOKUP] += build_seconds_since(begin);
    if (image) {
        store_mark_used(context->store, &image->content);
        memcpy(image->seconds, build->seconds, sizeof image->seconds);
        free(reason);
        return image;
    }
    free(build->miss_reason);
    build->miss_reason = reason ? reason : compare_with_last(build);
    return NULL;
}

bool build_image_holds(const build *build, image *image)
{
    record_check_options options = {.trust_system = build->context->trust_system};
    record_check_report report;
    if (image->record.result_count == 0)
        return false;
    bool holds = record_check(&image->record, 0, &options, &report);
    free(report.mismatch);
    return holds;
}
