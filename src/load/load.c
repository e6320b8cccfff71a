/* load.c - map a library, give out its symbols, let it go: see load.h.
 *
 * A load is a transaction: on failure everything that it opened is closed again. One image without
 * host symbols is opened as it is. Otherwise a root is written that needs them all (root_image.h),
 * is opened, and the library is counted once more by itself, for a handle of its own. The root is
 * always opened locally: visible globally, its host symbols would be found by other libraries'
 * references. */
#include "load/load.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "load/bind_report.h"
#include "load/mapped_image.h"
#include "load/root_image.h"
#include "os/os.h"

/* A root that was opened. Libraries that lend one name for different addresses need one each. */
typedef struct stage {
    void *handle;
    mapped_image *root;
    mapped_image *host; /* NULL: no host symbols */
} stage;

struct loaded {
    stage *stages;
    size_t stage_count;
    string_list auto_loaded;
    void **handles; /* one an image; NULL where the roots count it, but for the library's */
    size_t image_count;
    mapped_image *images[]; /* the last is the library's */
};

static const char *library_path(const loaded *library)
{
    return mapped_image_path(library->images[library->image_count - 1]);
}

static void *library_handle(const loaded *library)
{
    return library->handles[library->image_count - 1];
}

static void close_handles(loaded *library)
{
    for (size_t i = library->image_count; i-- > 0;) {
        if (library->handles[i])
            os_unload(library->handles[i], mapped_image_path(library->images[i]), NULL);
        library->handles[i] = NULL;
    }
}

/* Tell the loader, dependents first; what is mapped then, is still needed. Entries are released by
 * the caller. */
static void unload(loaded *library)
{
    close_handles(library);
    for (size_t i = library->stage_count; i-- > 0;)
        if (library->stages[i].handle)
            os_unload(library->stages[i].handle, mapped_image_path(library->stages[i].root), NULL);
    for (size_t i = library->stage_count; i-- > 0;) {
        mapped_image_release(library->stages[i].root);
        mapped_image_release(library->stages[i].host);
    }
    free(library->stages);
    library->stages = NULL;
    library->stage_count = 0;
}

static bool release_images(loaded *library)
{
    bool waits = false;
    for (size_t i = library->image_count; i-- > 0;)
        waits |= mapped_image_release(library->images[i]);
    return waits;
}

static void destroy(loaded *library)
{
    string_list_destroy(&library->auto_loaded);
    free(library->stages);
    free(library->handles);
    free(library);
}

/* ---- opening ---- */

/* The paths that the root of the first `count` images needs, in order; shared libraries that were
 * found for missing symbols come last, where they are searched last. */
static const char **root_paths(const loaded *library, const mapped_image *host, size_t count,
                               size_t *path_count)
{
    const char **paths = calloc(1 + count + library->auto_loaded.count, sizeof *paths);
    size_t at = 0;
    if (!paths)
        return NULL;
    if (host)
        paths[at++] = mapped_image_path(host);
    for (size_t i = 0; i < count; i++)
        paths[at++] = mapped_image_path(library->images[i]);
    for (size_t i = 0; i < library->auto_loaded.count; i++)
        paths[at++] = library->auto_loaded.items[i];
    *path_count = at;
    return paths;
}

/* Open the images up to `end` by one root, which brings the host symbols of those from `begin` on.
 * *words: the loader's, where it refuses (BIND without an error). */
static kiln_status open_stage(loaded *library, const load_request *request, size_t begin,
                              size_t end, char **words, kiln_error **error)
{
    stage *s = &library->stages[library->stage_count++];
    kiln_status status =
        root_image_write_host(request->images + begin, end - begin, &s->host, error);
    if (status != KILN_OK)
        return status;
    size_t path_count;
    const char **paths = root_paths(library, s->host, end, &path_count);
    if (!paths)
        return error_no_memory(error);
    status = root_image_write(paths, path_count, &s->root, error);
    free(paths);
    if (status == KILN_OK && os_load(mapped_image_path(s->root), false, &s->handle, words))
        status = KILN_BIND;
    return status;
}

static kiln_status open_by_roots(loaded *library, const load_request *request, char **words,
                                 kiln_error **error)
{
    library->stages = calloc(request->count, sizeof *library->stages);
    if (!library->stages)
        return error_no_memory(error);
    for (size_t begin = 0; begin < request->count;) {
        size_t agreeing;
        kiln_status status =
            root_image_agreeing(request->images + begin, request->count - begin, &agreeing, error);
        if (status == KILN_OK)
            status = open_stage(library, request, begin, begin + agreeing, words, error);
        if (status != KILN_OK)
            return status;
        begin += agreeing;
    }
    void **handle = &library->handles[request->count - 1];
    *handle = os_load_again(library_path(library), request->visibility == KILN_GLOBAL);
    /* It is mapped: only memory can be wanting. */
    return *handle ? KILN_OK : error_no_memory(error);
}

/* Count images that are mapped already: they are bound, so no root is needed. false: one of them is
 * not there (any more). */
static bool count_again(loaded *library, const load_request *request)
{
    for (size_t i = request->count; i-- > 0;) {
        bool global = request->visibility == KILN_GLOBAL && i + 1 == request->count;
        library->handles[i] = os_load_again(mapped_image_path(library->images[i]), global);
        if (!library->handles[i]) {
            close_handles(library);
            return false;
        }
    }
    return true;
}

static kiln_status open_images(loaded *library, const load_request *request, char **words,
                               kiln_error **error)
{
    if (request->count > 1 || request->images[0].host_symbol_count || library->auto_loaded.count)
        return open_by_roots(library, request, words, error);
    return os_load(library_path(library), request->visibility == KILN_GLOBAL, library->handles,
                   words)
               ? KILN_BIND
               : KILN_OK;
}

/* The loader has refused: find out why, and where installed
 * libraries can help and may, try again with them. */
static kiln_status open_after_refusal(loaded *library, const load_request *request,
                                      const char *words, kiln_error **error)
{
    bind_report *report;
    char *second_words = NULL;
    kiln_status status = bind_report_create(request, library->images, &report, error);
    if (status != KILN_OK)
        return status;
    if (request->auto_load && bind_report_providers(report, &library->auto_loaded)) {
        status = open_images(library, request, &second_words, error);
        if (status == KILN_BIND)
            status = error_set(
                error, KILN_BIND, KILN_PHASE_BIND,
                "cannot bind library '%s', not even with %s, which auto-load has found: %s",
                request->images[request->count - 1].name, library->auto_loaded.items[0],
                second_words ? second_words : "the system's loader refuses it");
    } else {
        status = bind_report_error(report, words, error);
    }
    free(second_words);
    bind_report_destroy(report);
    return status;
}

/* *all_known: each image was acquired before, so that it may be mapped. */
static kiln_status acquire_images(loaded *library, const load_request *request, bool *all_known,
                                  kiln_error **error)
{
    *all_known = true;
    for (size_t i = 0; i < request->count; i++) {
        bool is_new;
        kiln_status status =
            mapped_image_acquire(&request->images[i], &library->images[i], &is_new, error);
        if (status != KILN_OK)
            return status;
        library->image_count++;
        *all_known &= !is_new;
    }
    return KILN_OK;
}

static loaded *create(size_t image_count)
{
    loaded *made = calloc(1, sizeof *made + image_count * sizeof made->images[0]);
    if (made)
        made->handles = calloc(image_count, sizeof *made->handles);
    if (made && !made->handles) {
        free(made);
        return NULL;
    }
    return made;
}

kiln_status load_open(const load_request *request, loaded **library, kiln_error **error)
{
    assert(request->count > 0);
    load_collect();
    loaded *made = create(request->count);
    if (!made)
        return error_no_memory(error);
    char *words = NULL;
    bool all_known;
    kiln_status status = acquire_images(made, request, &all_known, error);
    if (status != KILN_OK || (all_known && count_again(made, request)))
        goto cleanup;
    status = open_images(made, request, &words, error);
    if (status == KILN_BIND) {
        unload(made);
        status = open_after_refusal(made, request, words, error);
    }
cleanup:
    free(words);
    if (status != KILN_OK) {
        unload(made);
        release_images(made);
        destroy(made);
        return status;
    }
    *library = made;
    return KILN_OK;
}

/* ---- using and closing ---- */

kiln_status load_close(loaded *library)
{
    if (!library)
        return KILN_OK;
    unload(library);
    bool waits = release_images(library);
    destroy(library);
    return waits ? KILN_PENDING : KILN_OK;
}

/* A root that needs them all is opened, and closed last: so the loader finds all of them without a
 * use at the same time. Without memory for one they stay mapped, which is better than a crash. */
kiln_status load_close_together(loaded **libraries, size_t count)
{
    const char **paths = calloc(count + 1, sizeof *paths);
    mapped_image *root = NULL;
    void *handle = NULL;
    char *words = NULL;
    size_t path_count = 0;
    for (size_t i = 0; paths && i < count; i++)
        if (libraries[i])
            paths[path_count++] = library_path(libraries[i]);
    bool opened = paths && root_image_write(paths, path_count, &root, NULL) == KILN_OK &&
                  os_load(mapped_image_path(root), false, &handle, &words) == 0;
    free(words);
    free(paths);
    kiln_status status = opened ? KILN_OK : KILN_NO_MEMORY;
    if (!opened)
        mapped_image_release(root);
    for (size_t i = 0; opened && i < count; i++)
        load_close(libraries[i]);
    if (opened) {
        os_unload(handle, mapped_image_path(root), NULL);
        mapped_image_release(root);
        if (load_collect())
            status = KILN_PENDING;
    }
    return status;
}

size_t load_collect(void)
{
    return mapped_image_collect();
}

bool load_is_mapped(const char *id)
{
    return mapped_image_exists(id);
}

bool load_is_shared(const loaded *library)
{
    return mapped_image_is_shared(library->images[library->image_count - 1]);
}

void load_before_fork(void)
{
    mapped_images_before_fork();
}

void load_after_fork(void)
{
    mapped_images_after_fork();
}

/* One use more, which nobody ends. */
void load_keep(const loaded *library)
{
    (void)os_load_again(library_path(library), false);
}

kiln_status load_make_global(loaded *library, kiln_error **error)
{
    void *again = os_load_again(library_path(library), true);
    if (!again)
        return error_set(error, KILN_INTERNAL, KILN_PHASE_BIND,
                         "the loader does not know '%s' any longer", library_path(library));
    /* Only the visibility was wanted: it stays as long as the image. */
    os_unload(again, library_path(library), NULL);
    return KILN_OK;
}

void *load_symbol_address(const loaded *library, const char *name)
{
    return os_lookup(library_handle(library), name);
}

const char *load_path(const loaded *library)
{
    return library_path(library);
}

const char *const *load_auto_loaded(const loaded *library)
{
    return string_list_view(&library->auto_loaded);
}
