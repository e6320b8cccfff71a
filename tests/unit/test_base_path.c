/* test_base_path.c - paths by their text alone. */
#include "test_base_fixture.h"

#include "base/path.h"

static void check_taken(char *actual, const char *expected)
{
    assert_string_equal(actual, expected);
    free(actual);
}

static void test_join(void **state)
{
    (void)state;
    check_taken(path_join("/a", "b"), "/a/b");
    check_taken(path_join("/a/", "b"), "/a/b");
    check_taken(path_join("/", "b"), "/b");
    check_taken(path_join("/a", "/b"), "/b");
    check_taken(path_join("", "b"), "b");
    check_taken(path_join("/a b\xff", "c\xfe"), "/a b\xff/c\xfe");
}

static void test_parent(void **state)
{
    (void)state;
    check_taken(path_parent("/a/b"), "/a");
    check_taken(path_parent("/a"), "/");
    check_taken(path_parent("a/b"), "a");
    check_taken(path_parent("a"), ".");
}

static void test_name_and_extension(void **state)
{
    (void)state;
    assert_string_equal(path_name("/a/b.c"), "b.c");
    assert_string_equal(path_name("b.c"), "b.c");
    assert_string_equal(path_name("/a/"), "");
    assert_string_equal(path_extension("/a/b.c"), ".c");
    assert_string_equal(path_extension("b.tar.gz"), ".gz");
    assert_string_equal(path_extension("/a.d/b"), "");
    assert_string_equal(path_extension("/a/.bashrc"), "");
    assert_string_equal(path_extension("/a/b."), ".");
}

static void test_pattern(void **state)
{
    (void)state;
    assert_true(path_is_pattern("*.c"));
    assert_true(path_is_pattern("a?.c"));
    assert_true(path_is_pattern("[ab].c"));
    assert_false(path_is_pattern("a b].c"));
}

static void test_below(void **state)
{
    (void)state;
    assert_true(path_is_below("a.c"));
    assert_true(path_is_below("a/b.c"));
    assert_true(path_is_below("a/..b/c..d/...e"));
    assert_false(path_is_below(""));
    assert_false(path_is_below("/a"));
    assert_false(path_is_below(".."));
    assert_false(path_is_below("../a"));
    assert_false(path_is_below("a/.."));
    assert_false(path_is_below("a/../b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_name_and_extension),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
