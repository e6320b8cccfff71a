/* store.c - the cache directory: see store.h. */
#include "build/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/path.h"
#include "os/os.h"

typedef struct verified {
    digest content;
    os_identity identity;
} verified;

struct store {
    char *path;
    atomic_int directory;
    os_identity root; /* what `directory` is; guarded by the mutex */
    bool executable;
    pthread_mutex_t mutex; /* guards the list below; no other lock is taken under it */
    verified *verified;    /* contents that this process has digested */
    size_t verified_count, verified_capacity;
};

static const char cache_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                "# This directory is a cache of Kiln;.\n";

enum { name_size = 128 };

/* ---- opening ---- */

static kiln_status refuse(kiln_error **error, const char *path, int errno_value)
{
    if (errno_value)
        return error_set_errno(error, KILN_IO, KILN_PHASE_LOOKUP, errno_value,
                               "cannot use the cache directory '%s'", path);
    return error_set(error, KILN_IO, KILN_PHASE_LOOKUP,
                     "the cache directory '%s' could have been written by another user: make it "
                     "yours alone (chown, chmod 700) or choose another (KILN_CACHE_DIR)",
                     path);
}

static void write_tag(const store *store)
{
    if (faccessat(store->directory, "CACHEDIR.TAG", F_OK, 0) != 0)
        os_publish_file(store->directory, "CACHEDIR.TAG", cache_tag, -1, sizeof cache_tag - 1, 0600,
                        NULL);
}

static bool is_directory(int fd, os_identity *identity)
{
    os_kind kind;
    if (os_identify_fd(fd, &kind, identity))
        return false;
    errno = ENOTDIR;
    return kind == OS_DIRECTORY;
}

kiln_status store_open(const char *path, store **out, kiln_error **error)
{
    assert(path[0] == '/');
    int directory = os_open_read(AT_FDCWD, path);
    bool made = directory < 0 && errno == ENOENT;
    if (made) {
        if (os_make_directories(path))
            return refuse(error, path, errno);
        directory = os_open_read(AT_FDCWD, path);
    }
    if (directory < 0)
        return refuse(error, path, errno);
    os_identity root;
    if (!is_directory(directory, &root) || !os_is_private_fd(directory)) {
        int errno_value = errno;
        close(directory);
        return refuse(error, path, errno_value);
    }
    store *store = calloc(1, sizeof *store);
    char *copy = strdup(path);
    if (!store || !copy) {
        free(store);
        free(copy);
        close(directory);
        return error_no_memory(error);
    }
    store->path = copy;
    store->directory = directory;
    store->root = root;
    store->executable = os_may_execute_fd(directory);
    pthread_mutex_init(&store->mutex, NULL);
    if (made)
        write_tag(store);
    *out = store;
    return KILN_OK;
}

void store_close(store *store)
{
    if (!store)
        return;
    if (os_is_same_file(store->directory, &store->root))
        close(store->directory);
    pthread_mutex_destroy(&store->mutex);
    free(store->verified);
    free(store->path);
    free(store);
}

void store_check_root(store *store)
{
    pthread_mutex_lock(&store->mutex);
    if (!os_is_same_file(store->directory, &store->root)) {
        /* The number may be the host's by now: it is left alone. */
        int directory = os_open_read(AT_FDCWD, store->path);
        if (directory >= 0 && !os_is_private_fd(directory)) {
            close(directory);
            directory = -1;
        }
        if (directory >= 0)
            os_identify_fd(directory, &(os_kind){OS_DIRECTORY}, &store->root);
        store->directory = directory;
    }
    pthread_mutex_unlock(&store->mutex);
}

const char *store_path(const store *store)
{
    return store->path;
}

int store_directory(const store *store)
{
    return store->directory;
}

bool store_is_executable(const store *store)
{
    return store->executable;
}

/* ---- names ---- */

static void name_key(const char *folder, const digest *key, char name[name_size])
{
    char hex[digest_hex_size];
    digest_hex(key, hex);
    snprintf(name, name_size, "%s/%.2s/%s", folder, hex, hex);
}

void store_name_content(store_kind kind, const digest *content, char *name, size_t capacity)
{
    static const struct {
        const char *folder, *extension;
    } kinds[STORE_KIND_COUNT] = {
        [STORE_IMAGE] = {"images", ".so"},
        [STORE_OBJECT] = {"objects", ".o"},
        [STORE_SYMBOLS] = {"symbols", ""},
    };
    char hex[digest_hex_size];
    digest_hex(content, hex);
    snprintf(name, capacity, "%s/%.2s/%s%s", kinds[kind].folder, hex, hex, kinds[kind].extension);
}

char *store_content_path(const store *store, store_kind kind, const digest *content)
{
    char name[name_size];
    store_name_content(kind, content, name, sizeof name);
    return text_print("%s/%s", store->path, name);
}

/* ---- writing ---- */

/* The root may have been deleted under us: it is made again at its path, and the descriptor
 * follows. */
static bool restore_root(store *store)
{
    if (os_is_linked_fd(store->directory))
        return true;
    if (os_make_directories(store->path))
        return false;
    int directory = os_open_read(AT_FDCWD, store->path);
    if (directory < 0 || !os_is_private_fd(directory)) {
        if (directory >= 0)
            close(directory);
        return false;
    }
    /* The number stays, so that other threads can go on using it. */
    pthread_mutex_lock(&store->mutex);
    bool done = os_is_same_file(store->directory, &store->root) &&
                dup3(directory, store->directory, O_CLOEXEC) >= 0 &&
                os_identify_fd(directory, &(os_kind){OS_DIRECTORY}, &store->root) == 0;
    pthread_mutex_unlock(&store->mutex);
    close(directory);
    if (done)
        write_tag(store);
    return done;
}

static bool make_parents(store *store, const char *name)
{
    if (!restore_root(store))
        return false;
    char part[4096];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        if ((size_t)(slash - name) >= sizeof part)
            return false;
        memcpy(part, name, (size_t)(slash - name));
        part[slash - name] = '\0';
        if (mkdirat(store->directory, part, 0700) && errno != EEXIST)
            return false;
    }
    return true;
}

static bool publish(store *store, const char *name, const void *bytes, int from_fd, size_t size,
                    os_identity *identity)
{
    if (os_publish_file(store->directory, name, bytes, from_fd, size, 0600, identity) == 0)
        return true;
    if (errno != ENOENT || !make_parents(store, name))
        return false;
    return os_publish_file(store->directory, name, bytes, from_fd, size, 0600, identity) == 0;
}

bool store_write_file(store *store, const char *name, const void *bytes, size_t size)
{
    return publish(store, name, bytes, -1, size, NULL);
}

/* ---- reading ---- */

static int open_private(const store *store, const char *name, os_identity *identity)
{
    /* Not blocking, in case it is no file but a FIFO. */
    int fd = openat(store->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    os_kind kind;
    if (fd < 0)
        return -1;
    if (!os_is_private_fd(fd) || os_identify_fd(fd, &kind, identity) || kind != OS_FILE) {
        close(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

bool store_read_file(store *store, const char *name, uint8_t **bytes, size_t *size)
{
    os_identity identity;
    int fd = open_private(store, name, &identity);
    if (fd < 0)
        return false;
    int failed = os_read_fd(fd, bytes, size);
    close(fd);
    return !failed;
}

bool store_read_record(store *store, const digest *key, record *record)
{
    char name[name_size];
    os_identity identity;
    name_key("records", key, name);
    int fd = open_private(store, name, &identity);
    if (fd < 0)
        return false;
    bool whole = record_open_fd(record, fd, identity.size);
    close(fd);
    if (!whole)
        return false;
    if (record_has_key(record, key))
        return true;
    record_destroy(record); /* another key's, put in its place */
    return false;
}

bool store_write_record(store *store, const digest *key, record *record)
{
    record_set_key(record, key);
    char name[name_size];
    name_key("records", key, name);
    return publish(store, name, record->bytes, -1, record->size, NULL);
}

/* ---- contents ---- */

static bool was_verified(store *store, const digest *content, const os_identity *identity)
{
    bool found = false;
    pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < store->verified_count && !found; i++)
        found = digest_equal(&store->verified[i].content, content) &&
                os_identity_equal(&store->verified[i].identity, identity);
    pthread_mutex_unlock(&store->mutex);
    return found;
}

static void remember_verified(store *store, const digest *content, const os_identity *identity)
{
    pthread_mutex_lock(&store->mutex);
    verified *entry = array_add((void **)&store->verified, &store->verified_count,
                                &store->verified_capacity, sizeof *entry);
    if (entry)
        *entry = (verified){.content = *content, .identity = *identity};
    pthread_mutex_unlock(&store->mutex);
}

static bool digest_is_right(int fd, size_t size, const digest *content)
{
    const void *bytes;
    if (os_map_file(fd, size, &bytes))
        return false;
    digest actual = digest_of(bytes, size);
    os_unmap(bytes, size);
    return digest_equal(&actual, content);
}

/* The shared lock that marks a content as being in use. Whoever looks for that mark, or removes the
 * content, holds an exclusive one, but only for a moment. false: it stays taken. */
static bool mark_in_use(int fd)
{
    enum { attempts = 20 };
    static const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < attempts; i++) {
        /* A file system without locks has no marks; its contents are good all the same. */
        if (os_try_lock_shared(fd) == 0 || errno != EWOULDBLOCK)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

int store_open_content(store *store, store_kind kind, const digest *content, os_identity *identity,
                       bool *refreshed)
{
    char name[name_size];
    store_name_content(kind, content, name, sizeof name);
    os_identity actual;
    int fd = open_private(store, name, &actual);
    if (fd < 0)
        return -1;
    /* Until it was marked as being in use, it could be removed. */
    if (!mark_in_use(fd) || !os_is_linked_fd(fd)) {
        close(fd);
        return -1;
    }
    if (os_identity_equal(identity, &actual))
        return fd;
    if (!was_verified(store, content, &actual)) {
        if (!digest_is_right(fd, actual.size, content)) {
            unlinkat(store->directory, name, 0);
            close(fd);
            return -1;
        }
        remember_verified(store, content, &actual);
        *refreshed = true;
    }
    *identity = actual;
    return fd;
}

static bool has_reached_disk(const record_entry *entry)
{
    static const uint8_t zero[os_boot_id_size];
    return memcmp(entry->fixed.boot, zero, sizeof zero) == 0;
}

/* Contents are published without waiting for the disk. Until one is known to have reached it, its
 * record names the run of the system that wrote it: for another run, which a power failure may stand
 * before, its digest decides. */
static bool may_be_torn(const record_entry *entry)
{
    uint8_t boot[os_boot_id_size];
    if (has_reached_disk(entry))
        return false;
    os_boot_id(boot);
    return memcmp(entry->fixed.boot, boot, sizeof boot) != 0;
}

/* The system has written it by itself since, so that to flush it costs nothing. */
static bool is_cheap_to_flush(const record_entry *entry)
{
    const int64_t old_enough_ns = 60 * INT64_C(1000000000);
    return !has_reached_disk(entry) &&
           os_clock_file_ns() - entry->fixed.content_identity.mtime_ns > old_enough_ns;
}

int store_open_result(store *store, store_kind kind, record *record, uint32_t index,
                      os_identity *identity, bool *refreshed)
{
    record_entry entry = record_result(record, index);
    bool digested = false;
    *identity = may_be_torn(&entry) ? (os_identity){0} : entry.fixed.content_identity;
    int fd = store_open_content(store, kind, &entry.fixed.content, identity, &digested);
    bool flushed = fd >= 0 && (digested || is_cheap_to_flush(&entry)) && os_flush_fd(fd) == 0;
    if (digested || flushed) {
        record_set_identity(record, index, identity, flushed);
        *refreshed = true;
    }
    return fd;
}

/* What stands there already under this name is taken if it is whole, so that records which know its
 * identity stay good. */
static bool is_there(store *store, const char *name, const digest *content, size_t size,
                     os_identity *identity)
{
    int fd = open_private(store, name, identity);
    bool whole = fd >= 0 && identity->size == size && digest_is_right(fd, size, content);
    if (fd >= 0)
        close(fd);
    return whole;
}

bool store_add_content(store *store, store_kind kind, const digest *content, int fd, size_t size,
                       os_identity *identity)
{
    char name[name_size];
    store_name_content(kind, content, name, sizeof name);
    return is_there(store, name, content, size, identity) ||
           publish(store, name, NULL, fd, size, identity);
}

bool store_add_bytes(store *store, store_kind kind, const digest *content, const void *bytes,
                     size_t size)
{
    char name[name_size];
    store_name_content(kind, content, name, sizeof name);
    return publish(store, name, bytes, -1, size, NULL);
}

void store_mark_used(store *store, const digest *content)
{
    char hex[digest_hex_size], name[name_size];
    digest_hex(content, hex);
    snprintf(name, sizeof name, "used/%s", hex);
    if (utimensat(store->directory, name, NULL, 0) != 0 && errno == ENOENT)
        store_write_file(store, name, "", 0);
}

int store_open_lock(store *store, const digest *key)
{
    char hex[digest_hex_size], name[name_size];
    digest_hex(key, hex);
    snprintf(name, sizeof name, "locks/%s", hex);
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(store->directory, name, flags, 0600);
    if (fd < 0 && errno == ENOENT && make_parents(store, name))
        fd = openat(store->directory, name, flags, 0600);
    return fd;
}

void store_before_fork(store *store)
{
    if (store)
        pthread_mutex_lock(&store->mutex);
}

void store_after_fork(store *store)
{
    if (store)
        pthread_mutex_unlock(&store->mutex);
}

/* ---- counters ---- */

static const char counters_format[] = "hits %20llu\nmisses %20llu\n";

static void read_counters(int fd, uint64_t *hits, uint64_t *misses)
{
    unsigned long long hit_count, miss_count;
    char line[96];
    ssize_t length = pread(fd, line, sizeof line - 1, 0);
    line[length > 0 ? length : 0] = '\0';
    bool whole = sscanf(line, "hits %llu\nmisses %llu", &hit_count, &miss_count) == 2;
    *hits = whole ? hit_count : 0;
    *misses = whole ? miss_count : 0;
}

void store_counters(store *store, uint64_t *hits, uint64_t *misses)
{
    os_identity identity;
    int fd = open_private(store, "statistics", &identity);
    *hits = *misses = 0;
    if (fd < 0)
        return;
    read_counters(fd, hits, misses);
    close(fd);
}

/* Written in place, padded to one length: counting happens after every load, and a file published
 * anew costs ten times as much. Lost when two processes count at the same moment and one cannot
 * take the lock: statistics may be. */
void store_count(store *store, uint64_t hits, uint64_t misses)
{
    if (hits == 0 && misses == 0)
        return;
    store_check_root(store);
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = openat(store->directory, "statistics", flags, 0600);
    if (fd < 0)
        return;
    if (os_is_private_fd(fd) && os_try_lock(fd) == 0) {
        uint64_t old_hits, old_misses;
        read_counters(fd, &old_hits, &old_misses);
        char line[96];
        int length =
            snprintf(line, sizeof line, counters_format, (unsigned long long)(old_hits + hits),
                     (unsigned long long)(old_misses + misses));
        if (os_write_all(fd, line, (size_t)length))
            (void)!ftruncate(fd, 0);
    }
    close(fd);
}
