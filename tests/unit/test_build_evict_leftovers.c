/* test_build_evict_leftovers.c - what outlives the entries of a cache: locks, temporary files, notes
 * of use, folders; and how bare a cleared cache is. */
#include "test_base_fixture.h"

#include "build/evict.h"

typedef struct fixture {
    char path[256];
    store *store;
} fixture;

static int setup(void **state)
{
    static int number;
    fixture *f = calloc(1, sizeof *f);
    kiln_error *error = NULL;
    snprintf(f->path, sizeof f->path, "%s", scratch("cache-%d", number++));
    CHECK_OK(store_open(f->path, &f->store, &error), error);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    store_close(f->store);
    free(f);
    return 0;
}

static const char *in_cache(const fixture *f, const char *name)
{
    return scratch("%s/%s", f->path + strlen(fixture_directory) + 1, name);
}

/* A file of the cache that was last written two hours ago. */
static void write_old(const fixture *f, const char *name)
{
    struct timespec then = {.tv_sec = time(NULL) - 2 * 3600};
    write_file(in_cache(f, name), "");
    assert_int_equal(utimensat(AT_FDCWD, in_cache(f, name), (struct timespec[]){then, then}, 0), 0);
}

static digest add_content(fixture *f, store_kind kind, const char *bytes)
{
    os_identity identity;
    digest content = digest_of(bytes, strlen(bytes));
    int fd = os_memfd_with("content", bytes, strlen(bytes), false);
    assert_true(store_add_content(f->store, kind, &content, fd, strlen(bytes), &identity));
    close(fd);
    return content;
}

/* A record that leads to a content, under a name; "" is the compiler's. */
static digest add_record(fixture *f, const char *name, const digest *content)
{
    digest key = digest_of(name, strlen(name));
    record made;
    char *changed;
    input_set set = {0};
    record_entry entry = {.name = name,
                          .host_symbols = "",
                          .fixed = {.content = *content, .name_size = (uint32_t)strlen(name)}};
    assert_true(record_make(&made, NULL, &set, &entry, 0, &changed));
    assert_true(store_write_record(f->store, &key, &made));
    record_destroy(&made);
    return key;
}

static const char *hex_name(const char *format, const digest *value)
{
    static char names[8][160];
    static unsigned turn;
    char hex[digest_hex_size], *name = names[turn++ % 8];
    digest_hex(value, hex);
    snprintf(name, sizeof names[0], format, hex);
    return name;
}

static void sweep(fixture *f)
{
    uint64_t freed = 0;
    cache_sweep(f->store, &freed);
}

static void test_old_locks_go(void **state)
{
    fixture *f = *state;
    write_old(f, "locks/old");
    write_old(f, "locks/held");
    write_file(in_cache(f, "locks/young"), "");
    int held = open(in_cache(f, "locks/held"), O_RDWR | O_CLOEXEC);
    assert_int_equal(os_try_lock(held), 0);
    sweep(f);
    assert_false(exists(in_cache(f, "locks/old")));
    assert_true(exists(in_cache(f, "locks/held")));
    assert_true(exists(in_cache(f, "locks/young")));
    cache_strip(f->store);
    assert_true(exists(in_cache(f, "locks/held")));
    assert_false(exists(in_cache(f, "locks/young")));
    close(held);
    sweep(f);
    assert_false(exists(in_cache(f, "locks/held")));
}

static void test_temporary_files_of_every_folder(void **state)
{
    fixture *f = *state;
    static const char *const folders[] = {"", "images/aa/", "reasons/", "used/", "sources/k/kiln/"};
    char name[64];
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s.tmp-1", folders[i]);
        write_old(f, name);
        snprintf(name, sizeof name, "%s.tmp-2", folders[i]);
        write_file(in_cache(f, name), "");
    }
    sweep(f);
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s.tmp-1", folders[i]);
        assert_false(exists(in_cache(f, name)));
        snprintf(name, sizeof name, "%s.tmp-2", folders[i]);
        assert_true(exists(in_cache(f, name)));
    }
    cache_strip(f->store);
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s.tmp-2", folders[i]);
        assert_false(exists(in_cache(f, name)));
    }
}

/* A damaged content is removed by whoever opens it, its notes are not. */
static void test_notes_of_removed_contents_go(void **state)
{
    fixture *f = *state;
    digest kept = add_content(f, STORE_IMAGE, "kept"), gone = add_content(f, STORE_OBJECT, "gone");
    char name[160];
    store_mark_used(f->store, &kept);
    store_mark_used(f->store, &gone);
    store_add_bytes(f->store, STORE_SYMBOLS, &kept, "s", 1);
    store_add_bytes(f->store, STORE_SYMBOLS, &gone, "s", 1);
    store_name_content(STORE_OBJECT, &gone, name, sizeof name);
    assert_int_equal(unlink(in_cache(f, name)), 0);
    write_file(in_cache(f, "used/README"), "");
    sweep(f);
    assert_true(exists(in_cache(f, hex_name("used/%s", &kept))));
    assert_false(exists(in_cache(f, hex_name("used/%s", &gone))));
    assert_true(exists(in_cache(f, "used/README")));
    store_name_content(STORE_SYMBOLS, &kept, name, sizeof name);
    assert_true(exists(in_cache(f, name)));
    store_name_content(STORE_SYMBOLS, &gone, name, sizeof name);
    assert_false(exists(in_cache(f, name)));
}

static void test_empty_folders_of_sources_go(void **state)
{
    fixture *f = *state;
    make_directory(in_cache(f, "sources/empty/kiln/lib/deep"));
    write_file(in_cache(f, "sources/full/kiln/lib/a.c"), "");
    make_directory(in_cache(f, "sources/full/kiln/other"));
    sweep(f);
    assert_false(exists(in_cache(f, "sources/empty")));
    assert_true(exists(in_cache(f, "sources/full/kiln/lib/a.c")));
    assert_false(exists(in_cache(f, "sources/full/kiln/other")));
}

/* Nothing is in use: only what says that this is a cache, and the counters, stay. */
static void test_a_cleared_cache_is_bare(void **state)
{
    fixture *f = *state;
    static const char *const files[] = {"reasons/lib",
                                        "reasons/lib.key",
                                        "last-miss",
                                        "locks/x",
                                        "sources/unknown/kiln/lib/a.c",
                                        "records/aa/damaged"};
    static const char *const folders[] = {"records", "images", "objects", "symbols",
                                          "sources", "used",   "locks",   "reasons"};
    digest none = {0}, content = add_content(f, STORE_IMAGE, "a");
    digest compiler = add_record(f, "", &none);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_file(in_cache(f, files[i]), "text");
    store_mark_used(f->store, &content);
    store_count(f->store, 1, 2);
    cache_entry entry = {.kind = STORE_IMAGE, .content = content};
    assert_true(cache_remove(f->store, &entry));
    cache_strip(f->store);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_false(exists(in_cache(f, files[i])));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (exists(in_cache(f, folders[i])))
            fail_msg("%s is still there", folders[i]);
    record record;
    assert_false(store_read_record(f->store, &compiler, &record));
    assert_true(exists(in_cache(f, "CACHEDIR.TAG")));
    uint64_t hits, misses;
    store_counters(f->store, &hits, &misses);
    assert_int_equal(hits, 1);
    assert_int_equal(misses, 2);
    /* And it works on. */
    content = add_content(f, STORE_IMAGE, "again");
    store_mark_used(f->store, &content);
    int lock = store_open_lock(f->store, &content);
    assert_true(lock >= 0);
    close(lock);
}

static void test_what_is_in_use_keeps_what_belongs_to_it(void **state)
{
    fixture *f = *state;
    os_identity identity = {0};
    bool refreshed;
    digest content = add_content(f, STORE_IMAGE, "a"), key = add_record(f, "lib", &content);
    write_file(in_cache(f, "sources/00000000000000000000000000000001/kiln/lib/a.c"), "int x;");
    write_file(in_cache(f, hex_name("debug/%s", &content)), "00000000000000000000000000000001\n");
    store_mark_used(f->store, &content);
    store_add_bytes(f->store, STORE_SYMBOLS, &content, "s", 1);
    int fd = store_open_content(f->store, STORE_IMAGE, &content, &identity, &refreshed);
    assert_true(fd >= 0);
    cache_entry entry = {.kind = STORE_IMAGE, .content = content};
    assert_false(cache_remove(f->store, &entry));
    cache_strip(f->store);
    record record;
    assert_true(store_read_record(f->store, &key, &record));
    record_destroy(&record);
    assert_true(exists(in_cache(f, "sources/00000000000000000000000000000001/kiln/lib/a.c")));
    assert_true(exists(in_cache(f, hex_name("used/%s", &content))));
    char name[160];
    store_name_content(STORE_SYMBOLS, &content, name, sizeof name);
    assert_true(exists(in_cache(f, name)));
    close(fd);
}

static void test_links_are_not_followed(void **state)
{
    fixture *f = *state;
    write_file(scratch("outside/locks/x"), "");
    make_directory(scratch("outside/empty"));
    assert_int_equal(symlink(scratch("outside/locks"), in_cache(f, "locks")), 0);
    assert_int_equal(symlink(scratch("outside"), in_cache(f, "sources")), 0);
    make_directory(in_cache(f, "reasons"));
    assert_int_equal(symlink(scratch("outside"), in_cache(f, "reasons/link")), 0);
    cache_strip(f->store);
    assert_true(exists(scratch("outside/locks/x")));
    assert_true(exists(scratch("outside/empty")));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_old_locks_go),
        WITH_STORE(test_temporary_files_of_every_folder),
        WITH_STORE(test_notes_of_removed_contents_go),
        WITH_STORE(test_empty_folders_of_sources_go),
        WITH_STORE(test_a_cleared_cache_is_bare),
        WITH_STORE(test_what_is_in_use_keeps_what_belongs_to_it),
        WITH_STORE(test_links_are_not_followed),
    };
    umask(077);
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
