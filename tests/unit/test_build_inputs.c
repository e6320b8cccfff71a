/* test_build_inputs.c - the set of inputs: one a path, reports united, contradictions found. */
#include "test_base_fixture.h"

#include "build/inputs.h"

static const os_identity first = {.device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};
static const os_identity second = {
    .device = 1, .inode = 9, .size = 3, .mtime_ns = 6, .ctime_ns = 6};

static bool add(input_set *set, const char *path, input_state state, const os_identity *identity,
                const char *content)
{
    digest d = {0};
    if (content)
        d = digest_of(content, strlen(content));
    return input_set_add(set, path, strlen(path), state, identity, &d);
}

static void test_one_input_a_path(void **state)
{
    (void)state;
    input_set set = {0};
    assert_null(input_set_find(&set, "/a"));
    assert_true(add(&set, "/a", INPUT_READ, &first, "x"));
    assert_true(add(&set, "/a", INPUT_READ, &first, "x"));
    assert_true(input_set_add(&set, "/abc", 2, INPUT_READ, &first, NULL));
    assert_true(add(&set, "/ab", INPUT_ABSENT, NULL, NULL));
    assert_true(add(&set, "/ab", INPUT_ABSENT, NULL, NULL));
    assert_int_equal(set.count, 2);
    assert_null(set.changed);
    const input *found = input_set_find(&set, "/a");
    assert_int_equal(found->state, INPUT_READ);
    assert_memory_equal(&found->identity, &first, sizeof first);
    assert_int_equal(input_set_find(&set, "/ab")->state, INPUT_ABSENT);
    assert_null(input_set_find(&set, "/abc"));
    assert_null(input_set_find(&set, ""));
    input_set_destroy(&set);
}

static void test_thousands(void **state)
{
    (void)state;
    input_set set = {0};
    char path[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            snprintf(path, sizeof path, "/usr/include/%d/%d.h", i % 50, i);
            assert_true(add(&set, path, INPUT_READ, &first, NULL));
        }
    assert_int_equal(set.count, 5000);
    for (int i = 0; i < 5000; i += 7) {
        snprintf(path, sizeof path, "/usr/include/%d/%d.h", i % 50, i);
        assert_string_equal(input_set_find(&set, path)->path, path);
    }
    input_set_destroy(&set);
}

/* What says more stays. */
static void test_stronger_reports_win(void **state)
{
    (void)state;
    input_set set = {0};
    digest x = digest_of("x", 1);
    add(&set, "/exists-first", INPUT_EXISTS, NULL, NULL);
    add(&set, "/exists-first", INPUT_READ, &first, "x");
    add(&set, "/exists-last", INPUT_READ, &first, "x");
    add(&set, "/exists-last", INPUT_EXISTS, NULL, NULL);
    add(&set, "/listed", INPUT_EXISTS, NULL, NULL);
    add(&set, "/listed", INPUT_LISTED, &first, NULL);
    add(&set, "/digest-last", INPUT_READ, &first, NULL);
    add(&set, "/digest-last", INPUT_READ, &first, "x");
    assert_null(set.changed);
    static const char *const read[] = {"/exists-first", "/exists-last", "/digest-last"};
    for (size_t i = 0; i < 3; i++) {
        const input *found = input_set_find(&set, read[i]);
        assert_int_equal(found->state, INPUT_READ);
        assert_memory_equal(&found->identity, &first, sizeof first);
        assert_true(digest_equal(&found->content, &x));
    }
    assert_int_equal(input_set_find(&set, "/listed")->state, INPUT_LISTED);
    input_set_destroy(&set);
}

static void check_contradiction(input_state a, const os_identity *a_identity, const char *a_content,
                                input_state b, const os_identity *b_identity, const char *b_content,
                                bool expected)
{
    input_set set = {0};
    add(&set, "/other", INPUT_READ, &first, NULL);
    add(&set, "/x", a, a_identity, a_content);
    assert_true(add(&set, "/x", b, b_identity, b_content));
    if (expected)
        assert_string_equal(set.changed, "/x");
    else
        assert_null(set.changed);
    assert_int_equal(set.count, 2);
    input_set_destroy(&set);
}

static void test_contradictions(void **state)
{
    (void)state;
    check_contradiction(INPUT_READ, &first, "x", INPUT_READ, &second, "y", true);
    check_contradiction(INPUT_READ, &first, "x", INPUT_ABSENT, NULL, NULL, true);
    check_contradiction(INPUT_ABSENT, NULL, NULL, INPUT_READ, &first, "x", true);
    check_contradiction(INPUT_ABSENT, NULL, NULL, INPUT_EXISTS, NULL, NULL, true);
    check_contradiction(INPUT_EXISTS, NULL, NULL, INPUT_ABSENT, NULL, NULL, true);
    check_contradiction(INPUT_LISTED, &first, NULL, INPUT_LISTED, &second, NULL, true);
    check_contradiction(INPUT_LISTED, &first, NULL, INPUT_READ, &first, "x", true);
    check_contradiction(INPUT_READ, &first, NULL, INPUT_READ, &second, NULL, true);
    check_contradiction(INPUT_READ, &first, NULL, INPUT_READ, &second, "x", true);
    /* Touched, but read with the same bytes. */
    check_contradiction(INPUT_READ, &first, "x", INPUT_READ, &second, "x", false);
    check_contradiction(INPUT_EXISTS, &first, NULL, INPUT_EXISTS, &second, NULL, false);
    check_contradiction(INPUT_LISTED, &first, NULL, INPUT_LISTED, &first, NULL, false);
}

static void test_the_first_contradiction_is_kept(void **state)
{
    (void)state;
    input_set set = {0}, all = {0};
    add(&set, "/a", INPUT_READ, &first, "x");
    add(&set, "/b", INPUT_READ, &first, "x");
    add(&set, "/b", INPUT_ABSENT, NULL, NULL);
    add(&set, "/a", INPUT_ABSENT, NULL, NULL);
    assert_string_equal(set.changed, "/b");
    assert_true(input_set_add_all(&all, &set));
    assert_string_equal(all.changed, "/b");
    input_set_destroy(&set);
    input_set_destroy(&all);
}

static void test_union_of_sets(void **state)
{
    (void)state;
    input_set all = {0}, one = {0}, two = {0};
    add(&one, "/a", INPUT_READ, &first, "x");
    add(&one, "/b", INPUT_EXISTS, NULL, NULL);
    add(&two, "/a", INPUT_READ, &first, "x");
    add(&two, "/c", INPUT_ABSENT, NULL, NULL);
    input_set_add(&two, "/a", 2, INPUT_TIMESTAMP, &first, NULL);
    assert_true(input_set_add_all(&all, &one));
    assert_false(input_set_find(&all, "/a")->exact);
    assert_true(input_set_add_all(&all, &two));
    assert_int_equal(all.count, 3);
    assert_null(all.changed);
    assert_true(input_set_find(&all, "/a")->exact);
    assert_false(input_set_find(&all, "/b")->exact);
    input_set_destroy(&all);
    input_set_destroy(&one);
    input_set_destroy(&two);
}

/* The time of a file's change is a mark on the file's own entry, whichever report comes first. */
static void test_time_of_change(void **state)
{
    (void)state;
    input_set set = {0};
    add(&set, "/after", INPUT_READ, &first, "x");
    add(&set, "/after", INPUT_TIMESTAMP, &first, NULL);
    add(&set, "/before", INPUT_TIMESTAMP, &first, NULL);
    add(&set, "/before", INPUT_READ, &first, "x");
    assert_int_equal(set.count, 2);
    assert_null(set.changed);
    static const char *const paths[] = {"/after", "/before"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(input_set_find(&set, paths[i])->state, INPUT_READ);
        assert_true(input_set_find(&set, paths[i])->exact);
    }
    input_set_destroy(&set);
}

/* However many files use the time, it is one input: the interval in which all of them hold. */
static void test_clock(void **state)
{
    (void)state;
    static const os_identity day = {.ctime_ns = 100, .mtime_ns = 900};
    static const os_identity minute = {.ctime_ns = 300, .mtime_ns = 1000};
    input_set set = {0}, all = {0};
    assert_true(input_set_add(&set, "", 0, INPUT_CLOCK, &day, NULL));
    assert_true(input_set_add(&set, "/whatever", 9, INPUT_CLOCK, &minute, NULL));
    assert_int_equal(set.count, 1);
    assert_true(input_set_add(&all, "", 0, INPUT_CLOCK, &day, NULL));
    assert_true(input_set_add_all(&all, &set));
    assert_int_equal(all.count, 1);
    assert_null(all.changed);
    assert_int_equal(all.items[0].state, INPUT_CLOCK);
    assert_int_equal(all.items[0].identity.ctime_ns, 300);
    assert_int_equal(all.items[0].identity.mtime_ns, 900);
    input_set_destroy(&set);
    input_set_destroy(&all);
}

/* The directory of a path, as its length. */
static size_t directory_length(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

static bool is_together(const char *a, const char *b)
{
    return directory_length(a) == directory_length(b) && !strncmp(a, b, directory_length(a));
}

/* By directory, so that a record looks at each but once; within one by name. */
static void test_order(void **state)
{
    (void)state;
    static const char *const paths[] = {"/b/x",   "/a/b/z",   "/a.c",   "/a/x", "/a/b.h",
                                        "/a-b/y", "/a/b/c/d", "/a/b/a", "/",    "/a/b/c/a"};
    enum { count = sizeof paths / sizeof *paths, directories = 6 };
    input_set set = {0};
    size_t begun = 1;
    for (size_t i = 0; i < count; i++)
        add(&set, paths[i], INPUT_EXISTS, NULL, NULL);
    input_set_sort(&set);
    assert_int_equal(set.count, count);
    for (size_t i = 1; i < count; i++) {
        if (is_together(set.items[i - 1].path, set.items[i].path))
            assert_true(strcmp(set.items[i - 1].path, set.items[i].path) < 0);
        else
            begun++;
    }
    assert_int_equal(begun, directories);
    input_set_destroy(&set);
    input_set_sort(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_input_a_path),
        cmocka_unit_test(test_thousands),
        cmocka_unit_test(test_stronger_reports_win),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_the_first_contradiction_is_kept),
        cmocka_unit_test(test_union_of_sets),
        cmocka_unit_test(test_time_of_change),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
