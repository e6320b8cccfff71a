/* evict.c - looking through the cache as a whole: see evict.h. */
#include "build/evict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/path.h"
#include "build/sources.h"
#include "os/os.h"

/* ---- walking ---- */

typedef bool (*visit_file)(int directory, const char *name, const struct stat *status, void *data);

/* Every file below `folder` of the cache, to any depth; directories are visited by nobody. */
static bool walk(int parent, const char *folder, visit_file visit, void *data)
{
    int directory = openat(parent, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (directory < 0)
        return errno == ENOENT || errno == ENOTDIR;
    DIR *stream = fdopendir(directory);
    if (!stream) {
        close(directory);
        return false;
    }
    bool more = true;
    for (struct dirent *entry; more && (entry = readdir(stream));) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
            continue;
        more = S_ISDIR(status.st_mode) ? walk(directory, entry->d_name, visit, data)
                                       : visit(directory, entry->d_name, &status, data);
    }
    closedir(stream);
    return more;
}

/* ---- listing ---- */

typedef struct lister {
    store *store;
    cache_listing *listing;
    store_kind kind;
    bool failed;
} lister;

static int64_t last_use(const store *store, const digest *content)
{
    char hex[digest_hex_size], name[128];
    struct stat status;
    digest_hex(content, hex);
    snprintf(name, sizeof name, "used/%s", hex);
    if (fstatat(store_directory(store), name, &status, 0))
        return 0;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

static bool is_in_use(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool in_use = os_try_lock(fd) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return in_use;
}

static bool list_content(int directory, const char *name, const struct stat *status, void *data)
{
    lister *lister = data;
    char hex[digest_hex_size] = "";
    digest content;
    if (strlen(name) < digest_hex_size - 1)
        return true;
    memcpy(hex, name, digest_hex_size - 1);
    if (!digest_from_hex(hex, &content))
        return true;
    cache_entry *entry = array_add((void **)&lister->listing->items, &lister->listing->count,
                                   &lister->listing->capacity, sizeof *entry);
    char *no_name = strdup("");
    if (!entry || !no_name) {
        free(no_name);
        lister->failed = true;
        return false;
    }
    *entry = (cache_entry){.kind = lister->kind,
                           .content = content,
                           .name = no_name,
                           .total_bytes = (uint64_t)status->st_size,
                           .last_used_ns = last_use(lister->store, &content),
                           .in_use = is_in_use(directory, name)};
    if (entry->last_used_ns == 0)
        entry->last_used_ns =
            (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
    return true;
}

static bool add_size(int directory, const char *name, const struct stat *status, void *data)
{
    (void)directory;
    (void)name;
    *(uint64_t *)data += (uint64_t)status->st_size;
    return true;
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(((const cache_entry *)a)->content.bytes, ((const cache_entry *)b)->content.bytes,
                  digest_size);
}

static int compare_use(const void *a, const void *b)
{
    int64_t left = ((const cache_entry *)a)->last_used_ns;
    int64_t right = ((const cache_entry *)b)->last_used_ns;
    return left > right ? -1 : left < right;
}

static bool read_record_at(int directory, const char *name, record *record)
{
    uint8_t *bytes;
    size_t size;
    return os_read_file(directory, name, &bytes, &size) == 0 && record_open(record, bytes, size);
}

/* Records know the names of what they lead to. The listing is sorted by digest while this runs. */
static bool name_contents(int directory, const char *name, const struct stat *status, void *data)
{
    lister *lister = data;
    record record;
    (void)status;
    if (!read_record_at(directory, name, &record))
        return true;
    for (uint32_t i = 0; i < record.result_count; i++) {
        record_entry result = record_result(&record, i);
        cache_entry wanted = {.content = result.fixed.content};
        cache_entry *entry = lister->listing->count
                                 ? bsearch(&wanted, lister->listing->items, lister->listing->count,
                                           sizeof wanted, compare_digests)
                                 : NULL;
        char *copy = entry && !*entry->name ? strdup(result.name) : NULL;
        if (copy) {
            free(entry->name);
            entry->name = copy;
        }
    }
    record_destroy(&record);
    return true;
}

kiln_status cache_list(store *store, cache_listing *listing, kiln_error **error)
{
    lister lister = {.store = store, .listing = listing};
    int root = store_directory(store);
    *listing = (cache_listing){0};
    lister.kind = STORE_IMAGE;
    walk(root, "images", list_content, &lister);
    lister.kind = STORE_OBJECT;
    walk(root, "objects", list_content, &lister);
    walk(root, ".", add_size, &listing->total_bytes);
    if (lister.failed) {
        cache_listing_destroy(listing);
        return error_no_memory(error);
    }
    if (listing->count > 1)
        qsort(listing->items, listing->count, sizeof *listing->items, compare_digests);
    walk(root, "records", name_contents, &lister);
    if (listing->count > 1)
        qsort(listing->items, listing->count, sizeof *listing->items, compare_use);
    return KILN_OK;
}

void cache_listing_destroy(cache_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->items[i].name);
    free(listing->items);
    *listing = (cache_listing){0};
}

/* ---- checking and removing ---- */

bool cache_entry_is_whole(store *store, const cache_entry *entry)
{
    char name[128];
    uint8_t *bytes;
    size_t size;
    store_name_content(entry->kind, &entry->content, name, sizeof name);
    if (!store_read_file(store, name, &bytes, &size))
        return false;
    digest actual = digest_of(bytes, size);
    free(bytes);
    return digest_equal(&actual, &entry->content);
}

static void remove_named(store *store, const char *name)
{
    unlinkat(store_directory(store), name, 0);
}

bool cache_remove(store *store, const cache_entry *entry)
{
    char name[128], hex[digest_hex_size];
    store_name_content(entry->kind, &entry->content, name, sizeof name);
    int fd = openat(store_directory(store), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return true;
    /* The exclusive lock is held while the name goes: a loader that comes now finds it taken, and
     * builds anew. */
    if (os_try_lock(fd) != 0) {
        close(fd);
        return false;
    }
    bool gone = unlinkat(store_directory(store), name, 0) == 0 || errno == ENOENT;
    close(fd);
    if (!gone)
        return false;
    digest_hex(&entry->content, hex);
    snprintf(name, sizeof name, "used/%s", hex);
    remove_named(store, name);
    store_name_content(STORE_SYMBOLS, &entry->content, name, sizeof name);
    remove_named(store, name);
    return true;
}

typedef struct sweeper {
    store *store;
    bool all; /* what is young too, and what a new load would make again */
    uint64_t removed, freed_bytes;
} sweeper;

static bool content_exists(const store *store, const digest *content)
{
    char name[128];
    for (int kind = STORE_IMAGE; kind <= STORE_OBJECT; kind++) {
        store_name_content((store_kind)kind, content, name, sizeof name);
        if (faccessat(store_directory(store), name, F_OK, 0) == 0)
            return true;
    }
    return false;
}

static bool leads_somewhere(const sweeper *sweeper, const record *record)
{
    for (uint32_t i = 0; i < record->result_count; i++) {
        record_entry result = record_result(record, i);
        /* A record without a name is the compiler's identity, which has no content. */
        bool is_identity = !*result.name;
        if (is_identity ? !sweeper->all : content_exists(sweeper->store, &result.fixed.content))
            return true;
    }
    return false;
}

static bool sweep_record(int directory, const char *name, const struct stat *status, void *data)
{
    sweeper *sweeper = data;
    record record;
    if (name[0] == '.')
        return true; /* a writer's temporary file */
    bool whole = read_record_at(directory, name, &record);
    bool useful = whole && leads_somewhere(sweeper, &record);
    if (whole)
        record_destroy(&record);
    if (useful || unlinkat(directory, name, 0))
        return true;
    sweeper->removed++;
    sweeper->freed_bytes += (uint64_t)status->st_size;
    return true;
}

static bool remove_file(int directory, const char *name, const struct stat *status, void *data)
{
    sweeper *sweeper = data;
    if (unlinkat(directory, name, 0) == 0)
        sweeper->freed_bytes += (uint64_t)status->st_size;
    return true;
}

static bool is_old(const struct stat *status)
{
    const int64_t hour_ns = INT64_C(3600) * 1000000000;
    return os_clock_file_ns() - (int64_t)status->st_mtim.tv_sec * 1000000000 > hour_ns;
}

/* What a writer that was killed has left behind; one that is at work needs no hour. */
static bool sweep_temporary(int directory, const char *name, const struct stat *status, void *data)
{
    static const char prefix[] = ".tmp-";
    sweeper *sweeper = data;
    if (strncmp(name, prefix, sizeof prefix - 1) == 0 && (sweeper->all || is_old(status)))
        remove_file(directory, name, status, data);
    return true;
}

/* Whoever opens a lock, but does not hold it yet when its name goes, builds without the others
 * knowing: work done twice, and nothing worse. */
static bool sweep_lock(int directory, const char *name, const struct stat *status, void *data)
{
    sweeper *sweeper = data;
    if ((sweeper->all || is_old(status)) && !is_in_use(directory, name))
        remove_file(directory, name, status, data);
    return true;
}

/* What is noted of contents by their name, and outlived them: used/ and symbols/. */
static bool sweep_note(int directory, const char *name, const struct stat *status, void *data)
{
    sweeper *sweeper = data;
    digest content;
    if (digest_from_hex(name, &content) && !content_exists(sweeper->store, &content))
        remove_file(directory, name, status, data);
    return true;
}

/* Remove empty folders below `folder`, and it too if `itself` is set. */
static void remove_empty(int parent, const char *folder, bool itself)
{
    int directory = openat(parent, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *stream = directory < 0 ? NULL : fdopendir(directory);
    if (!stream) {
        if (directory >= 0)
            close(directory);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
            remove_empty(directory, entry->d_name, true);
    closedir(stream);
    if (itself)
        unlinkat(parent, folder, AT_REMOVEDIR); /* fails where something is left */
}

/* Which kept sources the images that are left name, as 32 digits and a newline each. */
static bool gather_names(int directory, const char *name, const struct stat *status, void *data)
{
    text *names = data;
    (void)status;
    uint8_t *bytes;
    size_t size;
    if (os_read_file(directory, name, &bytes, &size) == 0) {
        text_add(names, bytes, size);
        free(bytes);
    } else {
        names->failed = true;
    }
    return !names->failed;
}

/* One that is young may belong to an image that is being published. */
static bool is_swept(const sweeper *sweeper, int sources, const char *name, const text *named)
{
    char line[sources_id_size + 1];
    struct stat status;
    snprintf(line, sizeof line, "%.32s\n", name);
    return !memmem(text_string(named), named->length, line, strlen(line)) &&
           fstatat(sources, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           (sweeper->all || is_old(&status));
}

static void sweep_sources(sweeper *sweeper)
{
    int root = store_directory(sweeper->store);
    text named = {0};
    int directory = openat(root, "sources", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    bool known = directory >= 0 && walk(root, "debug", gather_names, &named) && !named.failed;
    DIR *stream = known ? fdopendir(directory) : NULL;
    if (!stream && directory >= 0)
        close(directory);
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (entry->d_name[0] != '.' && is_swept(sweeper, directory, entry->d_name, &named))
            walk(directory, entry->d_name, remove_file, sweeper);
    if (stream)
        closedir(stream);
    text_destroy(&named);
    remove_empty(root, "sources", false);
}

static void sweep(sweeper *sweeper)
{
    int root = store_directory(sweeper->store);
    walk(root, "records", sweep_record, sweeper);
    walk(root, ".", sweep_temporary, sweeper);
    walk(root, "locks", sweep_lock, sweeper);
    walk(root, "used", sweep_note, sweeper);
    walk(root, "symbols", sweep_note, sweeper);
    walk(root, "debug", sweep_note, sweeper);
    sweep_sources(sweeper);
}

uint64_t cache_sweep(store *store, uint64_t *freed_bytes)
{
    sweeper sweeper = {.store = store};
    sweep(&sweeper);
    *freed_bytes += sweeper.freed_bytes;
    return sweeper.removed;
}

static bool find_any(int directory, const char *name, const struct stat *status, void *data)
{
    (void)directory;
    (void)status;
    *(bool *)data |= name[0] != '.';
    return !*(bool *)data;
}

void cache_strip(store *store)
{
    static const char *const folders[] = {"records", "images", "objects", "symbols", "sources",
                                          "debug",   "used",   "locks",   "reasons"};
    sweeper sweeper = {.store = store, .all = true};
    int root = store_directory(store);
    bool left = false;
    sweep(&sweeper);
    walk(root, "reasons", remove_file, &sweeper);
    unlinkat(root, "last-miss", 0);
    walk(root, "images", find_any, &left);
    walk(root, "objects", find_any, &left);
    if (!left)
        walk(root, "sources", remove_file, &sweeper);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        remove_empty(root, folders[i], true);
}
