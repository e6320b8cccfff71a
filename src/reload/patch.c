/* patch.c - see patch.h. */
#include "reload/patch.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "os/os.h"

/* Guards the protection of all pages that are being patched. Nothing is taken under it. */
static pthread_mutex_t publishing = PTHREAD_MUTEX_INITIALIZER;

/* Adjacent pages of one segment that are made writable together. */
typedef struct page_run {
    uintptr_t begin, end;
    bool is_code;
    os_protection protection;
} page_run;

typedef struct page_runs {
    page_run *items;
    size_t count, capacity;
} page_runs;

static kiln_status refuse(int errno_value, kiln_error **error)
{
    if (errno_value == ENOMEM)
        return error_no_memory(error);
    return error_set_errno(error, KILN_UNSUPPORTED, KILN_PHASE_BIND, errno_value,
                           "this system does not let loaded code be changed");
}

static bool add_pages(page_runs *runs, const void *begin, const void *end, bool is_code)
{
    uintptr_t page = os_page_size();
    uintptr_t first = (uintptr_t)begin & ~(page - 1);
    uintptr_t last = ((uintptr_t)end + page - 1) & ~(page - 1);
    page_run *run = runs->count ? &runs->items[runs->count - 1] : NULL;
    if (run && run->is_code == is_code && first >= run->begin && first <= run->end) {
        run->end = last > run->end ? last : run->end;
        return true;
    }
    run = array_add((void **)&runs->items, &runs->count, &runs->capacity, sizeof *run);
    if (run)
        *run = (page_run){.begin = first, .end = last, .is_code = is_code};
    return run != NULL;
}

static void lock_runs(const page_runs *runs, size_t count)
{
    for (size_t i = count; i-- > 0;)
        os_restore_protection((void *)runs->items[i].begin,
                              runs->items[i].end - runs->items[i].begin,
                              &runs->items[i].protection);
}

/* 0, or errno with everything as it was. The protection of a segment is asked for once. */
static int unlock_runs(page_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        page_run *run = &runs->items[i];
        bool asked = i > 0 && run->begin >= runs->items[i - 1].protection.begin &&
                     run->end <= runs->items[i - 1].protection.end;
        if (asked)
            run->protection = runs->items[i - 1].protection;
        if ((!asked && os_protection_of((void *)run->begin, &run->protection)) ||
            os_make_writable((void *)run->begin, run->end - run->begin, &run->protection)) {
            int failed = errno;
            lock_runs(runs, i);
            return failed;
        }
    }
    return 0;
}

/* Between these two, the pages can be written to, by this thread alone. */
static kiln_status begin_writing(page_runs *runs, kiln_error **error)
{
    pthread_mutex_lock(&publishing);
    int failed = unlock_runs(runs);
    if (!failed)
        return KILN_OK;
    pthread_mutex_unlock(&publishing);
    return refuse(failed, error);
}

static void end_writing(const page_runs *runs)
{
    lock_runs(runs, runs->count);
    pthread_mutex_unlock(&publishing);
}

/* Readers may look at the same time: each sees whole words, old or new. */
static void copy_words(void *place, const void *bytes, size_t size)
{
    uint8_t *to = place;
    const uint8_t *from = bytes;
    while (size > 0) {
        uint64_t word;
        if ((uintptr_t)to % sizeof word == 0 && size >= sizeof word) {
            memcpy(&word, from, sizeof word);
            if (*(uint64_t *)to != word)
                __atomic_store_n((uint64_t *)to, word, __ATOMIC_RELAXED);
            to += sizeof word, from += sizeof word, size -= sizeof word;
        } else {
            __atomic_store_n(to++, *from++, __ATOMIC_RELAXED);
            size--;
        }
    }
}

typedef struct extent {
    const void *begin, *end;
    bool is_code;
} extent;

static int compare_extents(const void *a, const void *b)
{
    uintptr_t first = (uintptr_t)((const extent *)a)->begin;
    uintptr_t second = (uintptr_t)((const extent *)b)->begin;
    return (first > second) - (first < second);
}

static kiln_status check_entries(const patch *patches, size_t count, kiln_error **error)
{
    for (size_t i = 0; i < count; i++)
        if (!os_entry_is_patchable(patches[i].entry))
            return error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                             "the entry at %p does not have the form that can be patched",
                             patches[i].entry);
    return KILN_OK;
}

/* All pages that are to be written to, each once: so that their protection is asked for before any of
 * it is changed. */
static bool gather_pages(page_runs *runs, const patch *patches, size_t count,
                         const patch_data *constants, size_t constant_count)
{
    extent *extents = malloc((count + constant_count + 1) * sizeof *extents);
    bool done = extents != NULL;
    for (size_t i = 0; done && i < count; i++) {
        extents[i].is_code = true;
        os_entry_extent(patches[i].entry, &extents[i].begin, &extents[i].end);
    }
    for (size_t i = 0; done && i < constant_count; i++)
        extents[count + i] = (extent){
            constants[i].place, (const uint8_t *)constants[i].place + constants[i].size, false};
    if (done)
        qsort(extents, count + constant_count, sizeof *extents, compare_extents);
    for (size_t i = 0; done && i < count + constant_count; i++)
        done = add_pages(runs, extents[i].begin, extents[i].end, extents[i].is_code);
    free(extents);
    return done;
}

kiln_status patch_publish(const patch *patches, size_t count, const patch_data *constants,
                          size_t constant_count, kiln_error **error)
{
    page_runs runs = {0};
    kiln_status status = check_entries(patches, count, error);
    if (status == KILN_OK && !gather_pages(&runs, patches, count, constants, constant_count))
        status = error_no_memory(error);
    if (status == KILN_OK && runs.count)
        status = begin_writing(&runs, error);
    if (status == KILN_OK && runs.count) {
        for (size_t i = 0; i < constant_count; i++)
            copy_words(constants[i].place, constants[i].bytes, constants[i].size);
        for (size_t i = 0; i < count; i++)
            os_entry_publish(patches[i].entry, patches[i].target);
        end_writing(&runs);
    }
    free(runs.items);
    return status;
}

kiln_status patch_publish_one(void *entry, const void *target, kiln_error **error)
{
    page_run run;
    page_runs runs = {.items = &run, .capacity = 1};
    const patch patch = {.entry = entry, .target = target};
    const void *begin, *end;
    os_entry_extent(entry, &begin, &end);
    add_pages(&runs, begin, end, true);
    kiln_status status = check_entries(&patch, 1, error);
    if (status == KILN_OK)
        status = begin_writing(&runs, error);
    if (status != KILN_OK)
        return status;
    os_entry_publish(entry, target);
    end_writing(&runs);
    return KILN_OK;
}

kiln_status patch_check(const void *entry, const char *name, kiln_error **error)
{
    if (!os_entry_is_patchable(entry))
        return error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                         "the entry of '%s' does not have the form that can be patched", name);
    return patch_publish_one((void *)(uintptr_t)entry, os_entry_target(entry), error);
}

void patch_before_fork(void)
{
    pthread_mutex_lock(&publishing);
}

void patch_after_fork(void)
{
    pthread_mutex_unlock(&publishing);
}
