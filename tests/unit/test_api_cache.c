/* test_api_cache.c - the cache as hosts see it: statistics, listing, verifying, collecting,
 * clearing, explaining. The entries are made by hand. */
#include "test_base_fixture.h"

#include "api/session.h"
#include "build/evict.h"

typedef struct fixture {
    char path[256];
    kiln_session *session;
} fixture;

static void open_session(fixture *f)
{
    kiln_error *error = NULL;
    kiln_session_options options = {.size = sizeof options, .cache_directory = f->path};
    kiln_session_destroy(f->session);
    f->session = NULL;
    CHECK_OK(kiln_session_create(&options, &f->session, &error), error);
}

static int setup(void **state)
{
    static int number;
    fixture *f = calloc(1, sizeof *f);
    snprintf(f->path, sizeof f->path, "%s", scratch("cache-%d", number++));
    open_session(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    kiln_session_destroy(f->session);
    free(f);
    return 0;
}

/* An entry with a record of this name, last used so many seconds ago. */
static digest add_entry(fixture *f, store_kind kind, const char *name, const char *bytes, int age)
{
    store *store = f->session->store;
    digest content = digest_of(bytes, strlen(bytes)), key = digest_of(name, strlen(name));
    os_identity identity;
    int fd = os_memfd_with("content", bytes, strlen(bytes), false);
    assert_true(store_add_content(store, kind, &content, fd, strlen(bytes), &identity));
    close(fd);
    record record;
    char *changed, hex[digest_hex_size];
    input_set set = {0};
    record_entry entry = {.name = name,
                          .host_symbols = "",
                          .fixed = {.content = content, .name_size = (uint32_t)strlen(name)}};
    assert_true(record_make(&record, NULL, &set, &entry, 0, &changed));
    assert_true(store_write_record(store, &key, &record));
    record_destroy(&record);
    store_mark_used(store, &content);
    digest_hex(&content, hex);
    struct timespec times[] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    const char *used = scratch("%s/used/%s", f->path + strlen(fixture_directory) + 1, hex);
    assert_int_equal(utimensat(AT_FDCWD, used, times, 0), 0);
    return content;
}

static void damage(fixture *f, store_kind kind, const digest *content)
{
    char *path = store_content_path(f->session->store, kind, content);
    write_file(path, "damaged");
    free(path);
}

typedef struct seen {
    text names;
    size_t most;
} seen;

static bool see(const kiln_cache_entry *entry, void *data)
{
    seen *s = data;
    assert_int_equal(entry->size, sizeof *entry);
    assert_int_equal(strlen(entry->key), 64);
    text_format(&s->names, "%s:%s:%llu%s ", entry->name, entry->kind,
                (unsigned long long)entry->total_bytes, entry->in_use ? ":used" : "");
    return --s->most > 0;
}

static void check_listing(fixture *f, size_t most, const char *expected)
{
    seen s = {.most = most};
    kiln_error *error = NULL;
    CHECK_OK(kiln_cache_list(f->session, see, &s, &error), error);
    assert_string_equal(text_string(&s.names), expected);
    text_destroy(&s.names);
}

static void test_listing(void **state)
{
    fixture *f = *state;
    check_listing(f, 99, "");
    add_entry(f, STORE_IMAGE, "old", "123", 3000);
    add_entry(f, STORE_OBJECT, "src/new.c", "1234", 10);
    digest used = add_entry(f, STORE_IMAGE, "middle", "12345", 500);
    os_identity identity = {0};
    bool refreshed;
    int fd = store_open_content(f->session->store, STORE_IMAGE, &used, &identity, &refreshed);
    check_listing(f, 99, "src/new.c:object:4 middle:image:5:used old:image:3 ");
    check_listing(f, 1, "src/new.c:object:4 ");
    close(fd);
}

static void test_statistics(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    add_entry(f, STORE_IMAGE, "a", "123", 0);
    add_entry(f, STORE_OBJECT, "b", "1234", 0);
    f->session->hits = 5;
    f->session->misses = 2;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kiln_cache_statistics_read(f->session, &statistics, &error), error);
        assert_int_equal(statistics.entry_count, 2);
        assert_true(statistics.total_bytes > 7);
        assert_int_equal(statistics.in_use_count, 0);
        assert_int_equal(statistics.hits, 5);
        assert_int_equal(statistics.misses, 2);
        /* Counted at the session's end, they are read again by the next. */
        if (i == 0)
            open_session(f);
    }
    statistics.size = 0;
    assert_int_equal(kiln_cache_statistics_read(f->session, &statistics, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "size");
}

static void test_verify(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    uint64_t checked = 0, removed = 0;
    add_entry(f, STORE_IMAGE, "whole", "123", 0);
    digest object = add_entry(f, STORE_OBJECT, "bad.c", "456", 0);
    CHECK_OK(kiln_cache_verify(f->session, &checked, &removed, &error), error);
    assert_int_equal(checked, 2);
    assert_int_equal(removed, 0);
    damage(f, STORE_OBJECT, &object);
    CHECK_OK(kiln_cache_verify(f->session, &checked, &removed, &error), error);
    assert_int_equal(checked, 2);
    assert_int_equal(removed, 1);
    check_listing(f, 99, "whole:image:3 ");
    CHECK_OK(kiln_cache_verify(f->session, NULL, NULL, &error), error);
}

static void check_collect(fixture *f, uint64_t bytes, uint64_t seconds, uint64_t expected,
                          const char *left)
{
    kiln_error *error = NULL;
    uint64_t removed = 99, freed = 99;
    CHECK_OK(kiln_cache_collect(f->session, bytes, seconds, &removed, &freed, &error), error);
    assert_int_equal(removed, expected);
    assert_true((freed > 0) == (expected > 0));
    check_listing(f, 99, left);
    CHECK_OK(kiln_cache_collect(f->session, bytes, seconds, NULL, NULL, &error), error);
    check_listing(f, 99, left);
}

static void test_collect_by_age(void **state)
{
    fixture *f = *state;
    add_entry(f, STORE_IMAGE, "day", "1", 86400);
    add_entry(f, STORE_IMAGE, "hour", "12", 3600);
    add_entry(f, STORE_IMAGE, "now", "123", 0);
    check_collect(f, 0, 0, 0, "now:image:3 hour:image:2 day:image:1 ");
    check_collect(f, 0, 7200, 1, "now:image:3 hour:image:2 ");
    check_collect(f, 0, 60, 1, "now:image:3 ");
}

static uint64_t total_bytes(fixture *f)
{
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    assert_int_equal(kiln_cache_statistics_read(f->session, &statistics, NULL), KILN_OK);
    return statistics.total_bytes;
}

/* The least recently used go first, and no more than need be. */
static void test_collect_by_size(void **state)
{
    fixture *f = *state;
    static char large[100001];
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        memset(large, names[i][0], sizeof large - 1);
        add_entry(f, STORE_IMAGE, names[i], large, 1000 - i);
    }
    uint64_t total = total_bytes(f);
    check_collect(f, total, 0, 0, "d:image:100000 c:image:100000 b:image:100000 a:image:100000 ");
    check_collect(f, total - 1, 0, 1, "d:image:100000 c:image:100000 b:image:100000 ");
    check_collect(f, 150000, 0, 2, "d:image:100000 ");
    check_collect(f, 1, 0, 1, "");
}

static void test_clear(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    uint64_t removed = 0;
    add_entry(f, STORE_IMAGE, "a", "1", 0);
    add_entry(f, STORE_OBJECT, "b", "2", 0);
    digest used = add_entry(f, STORE_IMAGE, "used", "3", 0);
    os_identity identity = {0};
    bool refreshed;
    int fd = store_open_content(f->session->store, STORE_IMAGE, &used, &identity, &refreshed);
    CHECK_OK(kiln_cache_clear(f->session, &removed, &error), error);
    assert_int_equal(removed, 2);
    check_listing(f, 99, "used:image:1:used ");
    close(fd);
    CHECK_OK(kiln_cache_clear(f->session, &removed, &error), error);
    assert_int_equal(removed, 1);
    check_listing(f, 99, "");
}

static void check_explained(fixture *f, const char *library, const char *expected)
{
    kiln_error *error = NULL;
    char *explanation = NULL;
    CHECK_OK(kiln_cache_explain(f->session, library, &explanation, &error), error);
    assert_string_equal(explanation, expected);
    kiln_string_destroy(explanation);
}

static void check_unexplained(fixture *f, const char *library, const char *part)
{
    kiln_error *error = NULL;
    char *explanation = NULL;
    assert_int_equal(kiln_cache_explain(f->session, library, &explanation, &error), KILN_NOT_FOUND);
    check_error(error, KILN_NOT_FOUND, part);
    assert_null(explanation);
}

static void test_explain(void **state)
{
    fixture *f = *state;
    check_unexplained(f, NULL, "no miss is recorded in this cache");
    check_unexplained(f, "lib", "no miss of 'lib' is recorded in this cache");
    store_write_file(f->session->store, "reasons/lib", "'/a.h' has changed", 18);
    store_write_file(f->session->store, "reasons/other", "compiler has changed", 20);
    store_write_file(f->session->store, "last-miss", "other", 5);
    check_explained(f, "lib", "lib was not in the cache:\n'/a.h' has changed\n");
    check_explained(f, NULL, "other was not in the cache:\ncompiler has changed\n");
    check_unexplained(f, "../last-miss", "no miss of");
    check_unexplained(f, "", "no miss of ''");
}

static void test_without_a_cache(void **state)
{
    (void)state;
    kiln_session *session;
    kiln_error *error = NULL;
    kiln_session_options options = {.size = sizeof options, .no_cache = true};
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    char *explanation;
    uint64_t count;
    CHECK_OK(kiln_session_create(&options, &session, &error), error);
    kiln_status statuses[] = {kiln_cache_statistics_read(session, &statistics, NULL),
                              kiln_cache_list(session, see, NULL, NULL),
                              kiln_cache_verify(session, &count, &count, NULL),
                              kiln_cache_collect(session, 1, 1, &count, &count, NULL),
                              kiln_cache_clear(session, &count, NULL),
                              kiln_cache_explain(session, NULL, &explanation, NULL)};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_int_equal(statuses[i], KILN_NOT_FOUND);
    assert_int_equal(kiln_cache_clear(session, NULL, &error), KILN_NOT_FOUND);
    check_error(error, KILN_NOT_FOUND, "this session works without a cache");
    kiln_session_destroy(session);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CACHE(test_listing),         WITH_CACHE(test_statistics),
        WITH_CACHE(test_verify),          WITH_CACHE(test_collect_by_age),
        WITH_CACHE(test_collect_by_size), WITH_CACHE(test_clear),
        WITH_CACHE(test_explain),         cmocka_unit_test(test_without_a_cache),
    };
    umask(077);
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
