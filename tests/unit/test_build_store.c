/* test_build_store.c - the cache directory: publishing and reading back, what is refused, what is
 * damaged, moved or deleted, locks and counters.
 *
 * The system's flock is replaced by one that a test can disturb. What needs another user is
 * skipped where this is not root. */
#include "test_base_fixture.h"

#include <sys/file.h>
#include <sys/syscall.h>

#include "build/record_format.h"
#include "build/store.h"

/* ---- flock ---- */

static int busy_locks;               /* so many calls find the lock taken */
static int failing_locks_errno;      /* every call fails so */
static const char *removed_by_lock;  /* a file that goes before the lock is granted */
static const char *replaced_by_lock; /* a file that makes way for another with the same bytes */

int flock(int fd, int operation)
{
    if (removed_by_lock)
        unlink(removed_by_lock);
    removed_by_lock = NULL;
    if (replaced_by_lock) {
        size_t size;
        uint8_t *bytes = read_whole(replaced_by_lock, &size);
        unlink(replaced_by_lock);
        write_bytes(replaced_by_lock, bytes, size);
        free(bytes);
    }
    replaced_by_lock = NULL;
    if (busy_locks > 0) {
        busy_locks--;
        errno = EWOULDBLOCK;
        return -1;
    }
    if (failing_locks_errno) {
        errno = failing_locks_errno;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

/* ---- a store for each test ---- */

typedef struct fixture {
    char path[256];
    store *store;
} fixture;

static int setup(void **state)
{
    static int number;
    fixture *f = calloc(1, sizeof *f);
    kiln_error *error = NULL;
    snprintf(f->path, sizeof f->path, "%s", scratch("cache-%d/kiln", number++));
    CHECK_OK(store_open(f->path, &f->store, &error), error);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    store_close(f->store);
    free(f);
    busy_locks = failing_locks_errno = 0;
    return 0;
}

static void reopen(fixture *f)
{
    kiln_error *error = NULL;
    store_close(f->store);
    CHECK_OK(store_open(f->path, &f->store, &error), error);
}

static const char *in_cache(const fixture *f, const char *name)
{
    return scratch("%s/%s", f->path + strlen(fixture_directory) + 1, name);
}

/* Publish text as a content of a kind; its digest. */
static digest add(fixture *f, store_kind kind, const char *bytes, os_identity *identity)
{
    digest content = digest_of(bytes, strlen(bytes));
    int fd = os_memfd_with("content", bytes, strlen(bytes), false);
    assert_true(fd >= 0);
    assert_true(store_add_content(f->store, kind, &content, fd, strlen(bytes), identity));
    close(fd);
    return content;
}

static const char *path_of_content(const fixture *f, store_kind kind, const digest *content)
{
    char *path = store_content_path(f->store, kind, content);
    const char *copy = scratch("%s", path + strlen(fixture_directory) + 1);
    free(path);
    return copy;
}

/* Open a content as it was published; whether it was there. */
static bool opens(fixture *f, store_kind kind, const digest *content, os_identity *identity,
                  bool *refreshed)
{
    *refreshed = false;
    int fd = store_open_content(f->store, kind, content, identity, refreshed);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static record make_record(const char *name)
{
    record made;
    char *changed;
    input_set set = {0};
    record_entry entry = {
        .name = name, .host_symbols = "", .fixed.name_size = (uint32_t)strlen(name)};
    assert_true(record_make(&made, NULL, &set, &entry, 0, &changed));
    return made;
}

/* ---- opening ---- */

static void test_a_new_cache(void **state)
{
    fixture *f = *state;
    struct stat status;
    assert_string_equal(store_path(f->store), f->path);
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_true(store_is_executable(f->store));
    uint8_t *tag = read_whole(in_cache(f, "CACHEDIR.TAG"), NULL);
    assert_memory_equal(tag, "Signature: 8a477f597d28d172789f06886806bc55\n", 44);
    free(tag);
}

static void check_refused(const char *path, const char *part)
{
    store *store = NULL;
    kiln_error *error = NULL;
    int descriptors = count_descriptors();
    assert_int_equal(store_open(path, &store, &error), KILN_IO);
    assert_null(store);
    assert_int_equal(count_descriptors(), descriptors);
    assert_non_null(strstr(kiln_error_message(error), path));
    check_error(error, KILN_IO, part);
}

static void test_what_others_could_write_is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(chmod(f->path, 0770), 0);
    check_refused(f->path, "could have been written by another user");
    assert_int_equal(chmod(f->path, 0702), 0);
    check_refused(f->path, "chmod 700");
    assert_int_equal(chmod(f->path, 0755), 0);
    reopen(f);
}

static void test_what_belongs_to_others_is_refused(void **state)
{
    fixture *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: only root can make a directory of another user\n");
        skip();
    }
    assert_int_equal(chown(f->path, 12345, 12345), 0);
    check_refused(f->path, "could have been written by another user");
}

static void test_what_is_no_directory_is_refused(void **state)
{
    fixture *f = *state;
    write_file(in_cache(f, "file"), "");
    check_refused(in_cache(f, "file"), "cannot use the cache directory");
    check_refused(in_cache(f, "file"), "Not a directory");
    check_refused(in_cache(f, "file/below"), "Not a directory");
}

/* ---- records ---- */

static void test_records(void **state)
{
    fixture *f = *state;
    digest key = digest_of("key", 3), other = digest_of("other", 5);
    record written = make_record("lib"), read;
    assert_false(store_read_record(f->store, &key, &read));
    assert_true(store_write_record(f->store, &key, &written));
    assert_false(store_read_record(f->store, &other, &read));
    assert_true(store_read_record(f->store, &key, &read));
    assert_int_equal(read.size, written.size);
    assert_memory_equal(read.bytes, written.bytes, read.size);
    record_destroy(&read);
    record_destroy(&written);
}

static void test_damaged_records_are_missing(void **state)
{
    fixture *f = *state;
    digest key = digest_of("key", 3);
    record written = make_record("lib"), read;
    assert_true(store_write_record(f->store, &key, &written));
    char hex[digest_hex_size];
    digest_hex(&key, hex);
    const char *path =
        scratch("%s/records/%.2s/%s", f->path + strlen(fixture_directory) + 1, hex, hex);
    assert_true(exists(path));
    assert_int_equal(truncate(path, (off_t)written.size - 8), 0);
    assert_false(store_read_record(f->store, &key, &read));
    /* It is written anew over the damage. */
    assert_true(store_write_record(f->store, &key, &written));
    assert_true(store_read_record(f->store, &key, &read));
    record_destroy(&read);
    record_destroy(&written);
}

static void test_records_of_others_are_missing(void **state)
{
    fixture *f = *state;
    digest key = digest_of("key", 3);
    record written = make_record("lib"), read;
    char hex[digest_hex_size];
    digest_hex(&key, hex);
    assert_true(store_write_record(f->store, &key, &written));
    const char *path =
        scratch("%s/records/%.2s/%s", f->path + strlen(fixture_directory) + 1, hex, hex);
    assert_int_equal(chmod(path, 0620), 0);
    assert_false(store_read_record(f->store, &key, &read));
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(store_read_record(f->store, &key, &read));
    record_destroy(&read);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_false(store_read_record(f->store, &key, &read));
    }
    /* A link leads anywhere. */
    assert_int_equal(rename(path, scratch("elsewhere")), 0);
    assert_int_equal(chown(scratch("elsewhere"), geteuid(), getegid()), 0);
    assert_int_equal(symlink(scratch("elsewhere"), path), 0);
    assert_false(store_read_record(f->store, &key, &read));
    record_destroy(&written);
}

/* ---- contents ---- */

static void test_contents(void **state)
{
    fixture *f = *state;
    static const store_kind kinds[] = {STORE_IMAGE, STORE_OBJECT};
    for (size_t i = 0; i < 2; i++) {
        os_identity identity, published;
        bool refreshed;
        digest content = add(f, kinds[i], "the bytes", &identity);
        published = identity;
        assert_true(opens(f, kinds[i], &content, &identity, &refreshed));
        assert_false(refreshed);
        assert_true(os_identity_equal(&identity, &published));
        os_identity actual = identity_of(path_of_content(f, kinds[i], &content));
        assert_true(os_identity_equal(&identity, &actual));
        uint8_t *bytes = read_whole(path_of_content(f, kinds[i], &content), NULL);
        assert_string_equal((char *)bytes, "the bytes");
        free(bytes);
    }
}

static void test_names_of_contents(void **state)
{
    fixture *f = *state;
    digest content = digest_of("", 0);
    char name[128], *path = store_content_path(f->store, STORE_IMAGE, &content);
    store_name_content(STORE_OBJECT, &content, name, sizeof name);
    assert_string_equal(
        name, "objects/0e/0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8.o");
    store_name_content(STORE_SYMBOLS, &content, name, sizeof name);
    assert_string_equal(
        name, "symbols/0e/0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    assert_string_equal(path + strlen(path) - 3, ".so");
    assert_memory_equal(path, f->path, strlen(f->path));
    free(path);
}

/* The same content again: the file stays, and with it the identity that records know. */
static void test_a_content_that_is_there_stays(void **state)
{
    fixture *f = *state;
    os_identity first, second;
    add(f, STORE_IMAGE, "again", &first);
    add(f, STORE_IMAGE, "again", &second);
    assert_true(os_identity_equal(&first, &second));
}

static void test_a_damaged_content_is_published_anew(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "again", &identity);
    write_file(path_of_content(f, STORE_IMAGE, &content), "agaim");
    add(f, STORE_IMAGE, "again", &identity);
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_false(refreshed);
}

static void test_missing_contents(void **state)
{
    fixture *f = *state;
    os_identity identity = {0};
    bool refreshed;
    digest content = digest_of("never", 5);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    content = add(f, STORE_OBJECT, "an object", &identity);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

/* Torn, truncated, altered: the content is as good as missing, and goes. */
static void test_damaged_contents_go(void **state)
{
    fixture *f = *state;
    static const char *const damage[] = {"", "the byt", "the bytez", "the bytes and more"};
    for (size_t i = 0; i < 4; i++) {
        os_identity identity;
        bool refreshed;
        digest content = add(f, STORE_IMAGE, "the bytes", &identity);
        const char *path = path_of_content(f, STORE_IMAGE, &content);
        write_file(path, damage[i]);
        assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
        assert_false(refreshed);
        assert_false(exists(path));
    }
}

static void test_contents_of_others_are_missing(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    const char *path = path_of_content(f, STORE_IMAGE, &content);
    assert_int_equal(chmod(path, 0666), 0);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    /* It is not removed, but replaced when the build is published. */
    assert_true(exists(path));
    add(f, STORE_IMAGE, "the bytes", &identity);
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

/* A record of one content as a build made it: identity and run of the system. */
static record record_of(const digest *content, const os_identity *identity)
{
    record made;
    char *changed;
    input_set set = {0};
    record_entry entry = {.name = "lib",
                          .host_symbols = "",
                          .fixed = {.name_size = 3,
                                    .content = *content,
                                    .content_identity = *identity,
                                    .content_size = identity->size}};
    assert_true(record_make(&made, NULL, &set, &entry, 0, &changed));
    return made;
}

static record_payload *payload_of(const record *record)
{
    return (record_payload *)record_view(record, 0).payload;
}

/* A file that was never flushed can have lost its bytes, but not its size and times, in a power
 * failure. */
static void test_contents_of_another_run_of_the_system_are_digested(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed = false;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    record record = record_of(&content, &identity);
    int fd = store_open_result(f->store, STORE_IMAGE, &record, 0, &identity, &refreshed);
    assert_true(fd >= 0 && !refreshed);
    close(fd);

    payload_of(&record)->boot[0] ^= 1;
    fd = store_open_result(f->store, STORE_IMAGE, &record, 0, &identity, &refreshed);
    assert_true(fd >= 0 && refreshed);
    close(fd);
    uint8_t flushed[os_boot_id_size] = {0};
    assert_memory_equal(payload_of(&record)->boot, flushed, sizeof flushed);

    /* The same with its bytes lost: what `identity` says is all that is left. */
    payload_of(&record)->boot[0] ^= 1;
    write_file(path_of_content(f, STORE_IMAGE, &content), "nothings!");
    os_kind kind;
    assert_int_equal(os_identify(AT_FDCWD, path_of_content(f, STORE_IMAGE, &content), &kind,
                                 &payload_of(&record)->content_identity),
                     0);
    reopen(f);
    assert_int_equal(store_open_result(f->store, STORE_IMAGE, &record, 0, &identity, &refreshed),
                     -1);
    assert_false(exists(path_of_content(f, STORE_IMAGE, &content)));
    record_destroy(&record);
}

/* After a minute the system has written it by itself: nothing needs to be asked from then on. */
static void test_a_content_that_is_old_enough_counts_as_flushed(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed = false;
    uint8_t flushed[os_boot_id_size] = {0};
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    os_kind kind;
    const char *path = path_of_content(f, STORE_IMAGE, &content);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(os_identify(AT_FDCWD, path, &kind, &identity), 0);
    record record = record_of(&content, &identity);
    int fd = store_open_result(f->store, STORE_IMAGE, &record, 0, &identity, &refreshed);
    assert_true(fd >= 0 && refreshed);
    assert_memory_equal(payload_of(&record)->boot, flushed, sizeof flushed);
    close(fd);
    record_destroy(&record);
}

static void test_a_directory_in_the_place_of_a_content(void **state)
{
    fixture *f = *state;
    os_identity identity = {0};
    bool refreshed;
    digest content = digest_of("the bytes", 9);
    make_directory(path_of_content(f, STORE_IMAGE, &content));
    assert_int_equal(chmod(path_of_content(f, STORE_IMAGE, &content), 0700), 0);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

/* A cache that was copied: identities differ, the digest is asked for once a process. */
static void test_a_moved_cache_is_digested_once(void **state)
{
    fixture *f = *state;
    os_identity published, identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &published);
    const char *path = path_of_content(f, STORE_IMAGE, &content);
    assert_int_equal(unlink(path), 0);
    write_file(path, "the bytes");
    assert_int_equal(chmod(path, 0600), 0);
    identity = published;
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_true(refreshed);
    os_identity actual = identity_of(path);
    assert_true(os_identity_equal(&identity, &actual));
    /* As if the record could not be refreshed: the old identity again. */
    identity = published;
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_false(refreshed);
    assert_true(os_identity_equal(&identity, &actual));
    /* Another process begins anew. */
    reopen(f);
    identity = published;
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_true(refreshed);
    /* What was digested once is not believed when it has changed since. */
    write_file(path, "the bytez");
    identity = published;
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

static void test_an_open_content_is_marked(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed = false;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    int held = store_open_content(f->store, STORE_IMAGE, &content, &identity, &refreshed);
    int other = open(path_of_content(f, STORE_IMAGE, &content), O_RDONLY | O_CLOEXEC);
    assert_int_equal(os_try_lock(other), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(held);
    assert_int_equal(os_try_lock(other), 0);
    close(other);
}

/* Who looks whether an entry is in use holds it for a moment: that must not make a miss. */
static void test_a_momentary_lock_is_waited_for(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    busy_locks = 3;
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_int_equal(busy_locks, 0);
    busy_locks = 1000;
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

static void test_a_file_system_without_locks(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    failing_locks_errno = ENOLCK;
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

/* Removed between its opening and its lock: the loader could not find it by its name. */
static void test_a_content_that_is_removed_meanwhile_is_missing(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity);
    removed_by_lock = path_of_content(f, STORE_IMAGE, &content);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_null(removed_by_lock);
    content = add(f, STORE_IMAGE, "the bytes", &identity);
    replaced_by_lock = path_of_content(f, STORE_IMAGE, &content);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_null(replaced_by_lock);
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
}

static void test_bytes(void **state)
{
    fixture *f = *state;
    digest image = digest_of("image", 5);
    char name[128];
    uint8_t *bytes;
    size_t size;
    assert_true(store_add_bytes(f->store, STORE_SYMBOLS, &image, "a\0b", 3));
    store_name_content(STORE_SYMBOLS, &image, name, sizeof name);
    assert_true(store_read_file(f->store, name, &bytes, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "a\0b", 4);
    free(bytes);
}

/* ---- small files ---- */

static void test_files(void **state)
{
    fixture *f = *state;
    uint8_t *bytes;
    size_t size;
    assert_false(store_read_file(f->store, "deep/down/file", &bytes, &size));
    assert_true(store_write_file(f->store, "deep/down/file", "one", 3));
    assert_true(store_write_file(f->store, "deep/down/file", "two", 3));
    assert_true(store_read_file(f->store, "deep/down/file", &bytes, &size));
    assert_string_equal((char *)bytes, "two");
    free(bytes);
    struct stat status;
    assert_int_equal(stat(in_cache(f, "deep/down/file"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(in_cache(f, "deep/down"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    /* A file in the place of a directory. */
    assert_false(store_write_file(f->store, "deep/down/file/below", "x", 1));
    assert_true(store_write_file(f->store, "empty", "", 0));
    assert_true(store_read_file(f->store, "empty", &bytes, &size));
    assert_int_equal(size, 0);
    free(bytes);
}

static void test_nothing_is_left_beside_what_is_published(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++)
        assert_true(store_write_file(f->store, "folder/file", "x", 1));
    char command[512];
    snprintf(command, sizeof command, "test \"$(find '%s/folder' -type f | wc -l)\" = 1", f->path);
    assert_int_equal(system(command), 0);
}

/* ---- a cache that goes away ---- */

/* A host that closes what is not its own, and opens something else under the number. */
static void test_a_root_whose_number_was_taken(void **state)
{
    fixture *f = *state;
    uint64_t hits, misses;
    store_count(f->store, 1, 0);
    int number = store_directory(f->store);
    make_directory(scratch("the-hosts"));
    int theirs = open(scratch("the-hosts"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(dup2(theirs, number), number);
    store_count(f->store, 1, 0);
    store_counters(f->store, &hits, &misses);
    assert_int_equal(hits, 2);
    assert_false(exists(scratch("the-hosts/statistics")));
    assert_int_not_equal(store_directory(f->store), number);
    store_close(f->store);
    f->store = NULL;
    assert_true(fcntl(number, F_GETFD) >= 0);
    close(number);
    close(theirs);
}

static void test_a_deleted_root_is_restored(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity), key = digest_of("key", 3);
    int directory = store_directory(f->store);
    char parent[256];
    snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(f->path, '/') - f->path), f->path);
    remove_tree(parent);
    assert_false(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    content = add(f, STORE_IMAGE, "the bytes", &identity);
    assert_int_equal(store_directory(f->store), directory);
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_true(exists(path_of_content(f, STORE_IMAGE, &content)));
    assert_true(exists(in_cache(f, "CACHEDIR.TAG")));
    remove_tree(f->path);
    int lock = store_open_lock(f->store, &key);
    assert_true(lock >= 0);
    close(lock);
    remove_tree(f->path);
    store_mark_used(f->store, &content);
    assert_true(exists(in_cache(f, "used")));
}

/* Made again by somebody else meanwhile, and not for us alone. */
static void test_a_root_that_others_have_restored_is_not_used(void **state)
{
    fixture *f = *state;
    remove_tree(f->path);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(chmod(f->path, 0777), 0);
    assert_false(store_write_file(f->store, "file", "x", 1));
    assert_false(exists(in_cache(f, "file")));
    assert_int_equal(chmod(f->path, 0700), 0);
    assert_true(store_write_file(f->store, "file", "x", 1));
    assert_true(exists(in_cache(f, "file")));
}

/* For root nothing is read-only: it becomes somebody else, to whom the cache belongs then. */
static int give_to_somebody_else(const char *path, const struct stat *status, int kind,
                                 struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return lchown(path, 65534, 65534);
}

/* A cache that may be read alone: nothing is published, nothing breaks. */
static void test_a_read_only_cache(void **state)
{
    fixture *f = *state;
    os_identity identity;
    bool refreshed;
    digest content = add(f, STORE_IMAGE, "the bytes", &identity), key = digest_of("key", 3);
    bool is_root = geteuid() == 0;
    if (is_root) {
        assert_int_equal(chmod(fixture_directory, 0755), 0);
        char parent[256];
        snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(f->path, '/') - f->path), f->path);
        assert_int_equal(chmod(parent, 0755), 0);
        assert_int_equal(nftw(f->path, give_to_somebody_else, 16, FTW_PHYS), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    assert_int_equal(chmod(f->path, 0500), 0);
    reopen(f);
    assert_true(opens(f, STORE_IMAGE, &content, &identity, &refreshed));
    assert_false(store_write_file(f->store, "new/file", "x", 1));
    assert_int_equal(store_open_lock(f->store, &key), -1);
    store_mark_used(f->store, &content);
    store_count(f->store, 1, 1);
    assert_int_equal(chmod(f->path, 0700), 0);
    assert_false(exists(in_cache(f, "new")) || exists(in_cache(f, "statistics")));
    if (is_root)
        assert_int_equal(seteuid(0), 0);
}

/* ---- locks, use, counters ---- */

static void test_the_lock_of_a_key(void **state)
{
    fixture *f = *state;
    digest key = digest_of("key", 3), other = digest_of("other", 5);
    int first = store_open_lock(f->store, &key), second = store_open_lock(f->store, &key);
    int another = store_open_lock(f->store, &other);
    assert_true(first >= 0 && second >= 0 && another >= 0);
    assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
    assert_int_equal(os_try_lock(first), 0);
    assert_int_equal(os_try_lock(second), -1);
    assert_int_equal(os_try_lock(another), 0);
    close(first);
    assert_int_equal(os_try_lock(second), 0);
    close(second);
    close(another);
}

static void test_last_use(void **state)
{
    fixture *f = *state;
    digest content = digest_of("x", 1);
    char hex[digest_hex_size];
    digest_hex(&content, hex);
    const char *path = scratch("%s/used/%s", f->path + strlen(fixture_directory) + 1, hex);
    store_mark_used(f->store, &content);
    os_identity first = identity_of(path);
    settle();
    store_mark_used(f->store, &content);
    os_identity second = identity_of(path);
    assert_int_equal(first.inode, second.inode);
    assert_true(second.mtime_ns > first.mtime_ns);
}

static void check_counters(fixture *f, uint64_t hits, uint64_t misses)
{
    uint64_t actual_hits = 99, actual_misses = 99;
    store_counters(f->store, &actual_hits, &actual_misses);
    assert_int_equal(actual_hits, hits);
    assert_int_equal(actual_misses, misses);
}

static void test_counters(void **state)
{
    fixture *f = *state;
    check_counters(f, 0, 0);
    store_count(f->store, 0, 0);
    assert_false(exists(in_cache(f, "statistics")));
    store_count(f->store, 3, 1);
    store_count(f->store, 10, 0);
    check_counters(f, 13, 1);
    reopen(f);
    check_counters(f, 13, 1);
    write_file(in_cache(f, "statistics"), "hits many\n");
    assert_int_equal(chmod(in_cache(f, "statistics"), 0600), 0);
    check_counters(f, 0, 0);
    store_count(f->store, 1, 1);
    check_counters(f, 1, 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_a_new_cache),
        WITH_STORE(test_what_others_could_write_is_refused),
        WITH_STORE(test_what_belongs_to_others_is_refused),
        WITH_STORE(test_what_is_no_directory_is_refused),
        WITH_STORE(test_records),
        WITH_STORE(test_damaged_records_are_missing),
        WITH_STORE(test_records_of_others_are_missing),
        WITH_STORE(test_contents),
        WITH_STORE(test_names_of_contents),
        WITH_STORE(test_a_content_that_is_there_stays),
        WITH_STORE(test_a_damaged_content_is_published_anew),
        WITH_STORE(test_missing_contents),
        WITH_STORE(test_damaged_contents_go),
        WITH_STORE(test_contents_of_others_are_missing),
        WITH_STORE(test_contents_of_another_run_of_the_system_are_digested),
        WITH_STORE(test_a_content_that_is_old_enough_counts_as_flushed),
        WITH_STORE(test_a_directory_in_the_place_of_a_content),
        WITH_STORE(test_a_moved_cache_is_digested_once),
        WITH_STORE(test_an_open_content_is_marked),
        WITH_STORE(test_a_momentary_lock_is_waited_for),
        WITH_STORE(test_a_file_system_without_locks),
        WITH_STORE(test_a_content_that_is_removed_meanwhile_is_missing),
        WITH_STORE(test_bytes),
        WITH_STORE(test_files),
        WITH_STORE(test_nothing_is_left_beside_what_is_published),
        WITH_STORE(test_a_root_whose_number_was_taken),
        WITH_STORE(test_a_deleted_root_is_restored),
        WITH_STORE(test_a_root_that_others_have_restored_is_not_used),
        WITH_STORE(test_a_read_only_cache),
        WITH_STORE(test_the_lock_of_a_key),
        WITH_STORE(test_last_use),
        WITH_STORE(test_counters),
    };
    umask(077);
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
