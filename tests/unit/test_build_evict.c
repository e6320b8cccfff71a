/* test_build_evict.c - the cache as a whole: listing, names, what is in use, removing, sweeping. */
#include "test_base_fixture.h"

#include "build/evict.h"

typedef struct fixture {
    char path[256];
    store *store;
    cache_listing listing;
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
    cache_listing_destroy(&f->listing);
    store_close(f->store);
    free(f);
    return 0;
}

static const char *in_cache(const fixture *f, const char *name)
{
    return scratch("%s/%s", f->path + strlen(fixture_directory) + 1, name);
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

/* A record of a key that leads to the contents, the last one first. Each has an input of its own. */
static digest add_record(fixture *f, const char *key_text, const char *name,
                         const digest *const *contents)
{
    digest key = digest_of(key_text, strlen(key_text));
    record record = {0};
    for (; *contents; contents++) {
        struct record made;
        char *changed;
        input_set set = {0};
        char hex[digest_hex_size], path[128];
        digest_hex(*contents, hex);
        snprintf(path, sizeof path, "/no-such-directory/%s", hex);
        assert_true(input_set_add(&set, path, strlen(path), INPUT_ABSENT, NULL, NULL));
        record_entry entry = {
            .name = name,
            .host_symbols = "",
            .fixed = {.content = **contents, .name_size = (uint32_t)strlen(name)}};
        assert_true(record_make(&made, &record, &set, &entry, 0, &changed));
        input_set_destroy(&set);
        record_destroy(&record);
        record = made;
    }
    assert_true(store_write_record(f->store, &key, &record));
    record_destroy(&record);
    return key;
}

#define CONTENTS(...) ((const digest *const[]){__VA_ARGS__, NULL})

static void list(fixture *f)
{
    kiln_error *error = NULL;
    cache_listing_destroy(&f->listing);
    CHECK_OK(cache_list(f->store, &f->listing, &error), error);
}

static cache_entry *find(const fixture *f, const digest *content)
{
    for (size_t i = 0; i < f->listing.count; i++)
        if (digest_equal(&f->listing.items[i].content, content))
            return &f->listing.items[i];
    return NULL;
}

static bool has_record(fixture *f, const digest *key)
{
    record record;
    bool found = store_read_record(f->store, key, &record);
    if (found)
        record_destroy(&record);
    return found;
}

static uint64_t sweep(fixture *f)
{
    uint64_t freed = 0;
    return cache_sweep(f->store, &freed);
}

/* ---- listing ---- */

static void test_an_empty_cache(void **state)
{
    fixture *f = *state;
    list(f);
    assert_int_equal(f->listing.count, 0);
    assert_int_equal(sweep(f), 0);
}

static void test_entries_have_kinds_sizes_and_names(void **state)
{
    fixture *f = *state;
    digest image = add_content(f, STORE_IMAGE, "an image"), orphan;
    digest object = add_content(f, STORE_OBJECT, "an object!");
    orphan = add_content(f, STORE_OBJECT, "orphan");
    add_record(f, "library", "sqlite", CONTENTS(&image));
    add_record(f, "unit", "src/sqlite3.c", CONTENTS(&object));
    list(f);
    assert_int_equal(f->listing.count, 3);
    assert_string_equal(find(f, &image)->name, "sqlite");
    assert_int_equal(find(f, &image)->kind, STORE_IMAGE);
    assert_int_equal(find(f, &image)->total_bytes, 8);
    assert_string_equal(find(f, &object)->name, "src/sqlite3.c");
    assert_int_equal(find(f, &object)->kind, STORE_OBJECT);
    assert_int_equal(find(f, &object)->total_bytes, 10);
    assert_string_equal(find(f, &orphan)->name, "");
    assert_true(f->listing.total_bytes > 24);
}

static void test_every_result_of_a_record_is_named(void **state)
{
    fixture *f = *state;
    digest one = add_content(f, STORE_IMAGE, "1"), two = add_content(f, STORE_IMAGE, "2");
    add_record(f, "key", "lib", CONTENTS(&one, &two));
    list(f);
    assert_string_equal(find(f, &one)->name, "lib");
    assert_string_equal(find(f, &two)->name, "lib");
}

static void test_the_most_recently_used_comes_first(void **state)
{
    fixture *f = *state;
    static const char *const texts[] = {"a", "b", "c", "d"};
    digest contents[4];
    for (size_t i = 0; i < 4; i++)
        contents[i] = add_content(f, STORE_IMAGE, texts[i]);
    static const size_t order[] = {2, 0, 3, 1};
    for (size_t i = 0; i < 4; i++) {
        char hex[digest_hex_size];
        digest_hex(&contents[order[i]], hex);
        store_mark_used(f->store, &contents[order[i]]);
        struct timespec times[] = {{.tv_sec = 1000 + (long)i}, {.tv_sec = 1000 + (long)i}};
        assert_int_equal(
            utimensat(AT_FDCWD, scratch("%s/used/%s", f->path + strlen(fixture_directory) + 1, hex),
                      times, 0),
            0);
    }
    list(f);
    for (size_t i = 0; i < 4; i++) {
        assert_true(digest_equal(&f->listing.items[i].content, &contents[order[3 - i]]));
        assert_int_equal(f->listing.items[i].last_used_ns,
                         (1000 + 3 - (int64_t)i) * INT64_C(1000000000));
    }
}

/* Where no use was noted, the time of publication stands. */
static void test_never_used(void **state)
{
    fixture *f = *state;
    digest content = add_content(f, STORE_IMAGE, "a");
    list(f);
    int64_t age = os_clock_file_ns() - find(f, &content)->last_used_ns;
    assert_in_range(age + INT64_C(1000000000), 0, INT64_C(200000000000));
}

static void test_foreign_files_are_passed_over(void **state)
{
    fixture *f = *state;
    add_content(f, STORE_IMAGE, "a");
    write_file(in_cache(f, "images/README"), "");
    write_file(in_cache(f, "images/aa/.tmp-0123456789abcdef0123456789abcdef0123456789abcdef01234567"
                           "89abcdef"),
               "");
    write_file(in_cache(f, "images/deep/er/and/deeper/x"), "");
    write_file(in_cache(f, "objects"), "a file in the place of a folder");
    write_file(in_cache(f, "records/aa/not-a-record"), "text");
    list(f);
    assert_int_equal(f->listing.count, 1);
}

static void test_what_is_in_use(void **state)
{
    fixture *f = *state;
    os_identity identity = {0};
    bool refreshed;
    digest used = add_content(f, STORE_IMAGE, "a"), idle = add_content(f, STORE_IMAGE, "b");
    int held = store_open_content(f->store, STORE_IMAGE, &used, &identity, &refreshed);
    list(f);
    assert_true(find(f, &used)->in_use);
    assert_false(find(f, &idle)->in_use);
    close(held);
    list(f);
    assert_false(find(f, &used)->in_use);
}

/* ---- checking and removing ---- */

static void test_whole(void **state)
{
    fixture *f = *state;
    digest content = add_content(f, STORE_IMAGE, "the bytes");
    list(f);
    assert_true(cache_entry_is_whole(f->store, find(f, &content)));
    char *path = store_content_path(f->store, STORE_IMAGE, &content);
    write_file(path, "the bytez");
    assert_false(cache_entry_is_whole(f->store, find(f, &content)));
    unlink(path);
    assert_false(cache_entry_is_whole(f->store, find(f, &content)));
    free(path);
}

static void test_removing(void **state)
{
    fixture *f = *state;
    digest content = add_content(f, STORE_IMAGE, "a"), other = add_content(f, STORE_IMAGE, "b");
    char hex[digest_hex_size], symbols[128];
    digest_hex(&content, hex);
    store_mark_used(f->store, &content);
    store_add_bytes(f->store, STORE_SYMBOLS, &content, "table", 5);
    store_name_content(STORE_SYMBOLS, &content, symbols, sizeof symbols);
    assert_true(exists(in_cache(f, symbols)));
    list(f);
    assert_true(cache_remove(f->store, find(f, &content)));
    assert_false(exists(in_cache(f, symbols)));
    assert_false(exists(scratch("%s/used/%s", f->path + strlen(fixture_directory) + 1, hex)));
    /* Gone already is as good. */
    assert_true(cache_remove(f->store, find(f, &content)));
    list(f);
    assert_int_equal(f->listing.count, 1);
    assert_non_null(find(f, &other));
}

static void test_what_is_in_use_stays(void **state)
{
    fixture *f = *state;
    os_identity identity = {0};
    bool refreshed;
    digest content = add_content(f, STORE_IMAGE, "a");
    int held = store_open_content(f->store, STORE_IMAGE, &content, &identity, &refreshed);
    list(f);
    assert_false(cache_remove(f->store, find(f, &content)));
    close(held);
    assert_true(cache_remove(f->store, find(f, &content)));
}

/* ---- sweeping ---- */

static void test_records_that_lead_nowhere_go(void **state)
{
    fixture *f = *state;
    digest one = add_content(f, STORE_IMAGE, "1"), two = add_content(f, STORE_OBJECT, "2");
    digest live = add_record(f, "live", "lib", CONTENTS(&one));
    digest half = add_record(f, "half", "lib", CONTENTS(&one, &two));
    digest dead = add_record(f, "dead", "lib", CONTENTS(&two));
    list(f);
    assert_true(cache_remove(f->store, find(f, &two)));
    assert_int_equal(sweep(f), 1);
    assert_true(has_record(f, &live));
    assert_true(has_record(f, &half));
    assert_false(has_record(f, &dead));
    assert_int_equal(sweep(f), 0);
}

/* Memory sources are kept for debuggers as long as an image names them. */
static void test_sources_go_with_the_last_image_that_names_them(void **state)
{
    fixture *f = *state;
    static const char *const ids[] = {"00000000000000000000000000000001",
                                      "00000000000000000000000000000002",
                                      "00000000000000000000000000000003"};
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    digest live = add_content(f, STORE_IMAGE, "1"), lost = digest_of("lost", 4);
    char hex[digest_hex_size], name[256], note[128];
    digest_hex(&live, hex);
    snprintf(name, sizeof name, "debug/%s", hex);
    snprintf(note, sizeof note, "%s\n", ids[0]);
    assert_true(store_write_file(f->store, name, note, strlen(note)));
    digest_hex(&lost, hex);
    snprintf(name, sizeof name, "debug/%s", hex);
    snprintf(note, sizeof note, "%s\n%s\n", ids[0], ids[1]);
    assert_true(store_write_file(f->store, name, note, strlen(note)));
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "sources/%s/kiln/lib/sub/a.c", ids[i]);
        assert_true(store_write_file(f->store, name, "int x;", 6));
        snprintf(name, sizeof name, "sources/%s", ids[i]);
        if (i < 2) /* the third is that of an image that is about to be published */
            assert_int_equal(utimensat(AT_FDCWD, in_cache(f, name), old, 0), 0);
    }
    sweep(f);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "sources/%s/kiln/lib/sub/a.c", ids[i]);
        assert_int_equal(exists(in_cache(f, name)), i != 1);
    }
    snprintf(name, sizeof name, "debug/%s", hex);
    assert_false(exists(in_cache(f, name)));
}

/* The compiler's identity is kept as a record without a name, which leads to no content. */
static void test_the_compilers_record_stays(void **state)
{
    fixture *f = *state;
    digest identity = digest_of("identity", 8);
    digest key = add_record(f, "compiler", "", CONTENTS(&identity));
    assert_int_equal(sweep(f), 0);
    assert_true(has_record(f, &key));
}

static void test_damaged_records_go(void **state)
{
    fixture *f = *state;
    write_file(in_cache(f,
                        "records/00/0000000000000000000000000000000000000000000000000000000000000"
                        "000"),
               "no record");
    assert_int_equal(sweep(f), 1);
    assert_int_equal(sweep(f), 0);
}

/* What killed writers have left goes, unless it is so young that one may still be writing it. */
static void test_old_temporary_files_go(void **state)
{
    fixture *f = *state;
    static const char *const folders[] = {"images/aa", "records/aa", "used", "sources/x/y"};
    for (size_t i = 0; i < 4; i++)
        for (int old = 0; old < 2; old++) {
            const char *path =
                scratch("%s/%s/.tmp-%d", f->path + strlen(fixture_directory) + 1, folders[i], old);
            write_file(path, "half");
            struct timespec times[] = {{.tv_sec = time(NULL) - 7200},
                                       {.tv_sec = time(NULL) - 7200}};
            if (old)
                assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        }
    uint64_t freed = 0;
    assert_int_equal(cache_sweep(f->store, &freed), 0);
    assert_int_equal(freed, 16);
    for (size_t i = 0; i < 4; i++) {
        const char *folder = in_cache(f, folders[i]);
        assert_true(exists(scratch("%s/.tmp-0", folder + strlen(fixture_directory) + 1)));
        assert_false(exists(scratch("%s/.tmp-1", folder + strlen(fixture_directory) + 1)));
    }
}

/* A link in the cache leads out of it: what it leads to is not the cache's to remove. */
static void test_links_are_not_followed(void **state)
{
    fixture *f = *state;
    write_file(scratch("outside/precious"), "x");
    make_directory(in_cache(f, "records"));
    assert_int_equal(symlink(scratch("outside"), in_cache(f, "records/aa")), 0);
    sweep(f);
    list(f);
    assert_true(exists(scratch("outside/precious")));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_an_empty_cache),
        WITH_STORE(test_entries_have_kinds_sizes_and_names),
        WITH_STORE(test_every_result_of_a_record_is_named),
        WITH_STORE(test_the_most_recently_used_comes_first),
        WITH_STORE(test_never_used),
        WITH_STORE(test_foreign_files_are_passed_over),
        WITH_STORE(test_what_is_in_use),
        WITH_STORE(test_whole),
        WITH_STORE(test_removing),
        WITH_STORE(test_what_is_in_use_stays),
        WITH_STORE(test_records_that_lead_nowhere_go),
        WITH_STORE(test_sources_go_with_the_last_image_that_names_them),
        WITH_STORE(test_the_compilers_record_stays),
        WITH_STORE(test_damaged_records_go),
        WITH_STORE(test_old_temporary_files_go),
        WITH_STORE(test_links_are_not_followed),
    };
    umask(077);
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
