/* test_api_spec.c - the adders of a spec: what they copy, what they refuse, and that the first
 * failure stays until the spec is used. */
#include "test_base_fixture.h"

#include "build/spec.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    *state = kiln_spec_create("lib");
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    kiln_spec_destroy(*state);
    return 0;
}

/* The spec is refused by whoever uses it, with this error, again and again. */
static void check_failed(const kiln_spec *spec, kiln_status code, const char *part)
{
    for (int i = 0; i < 2; i++) {
        kiln_error *error = NULL;
        assert_int_equal(spec_check(spec, &error), code);
        check_error(error, code, part);
    }
    assert_int_equal(spec_check(spec, NULL), code);
}

static void check_good(const kiln_spec *spec)
{
    kiln_error *error = NULL;
    CHECK_OK(spec_check(spec, &error), error);
    assert_null(error);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "sqlite3", "a.b", "a-b_c+d", "3d", "_x", "x."};
    static const char *const bad[] = {"",   ".a",   "-a",  "a/b", "a b", "a\n",
                                      "..", "\xff", "a:b", "+-*", "a\\", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        kiln_spec *spec = kiln_spec_create(good[i]);
        check_good(spec);
        assert_string_equal(kiln_spec_name(spec), good[i]);
        kiln_spec_destroy(spec);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kiln_spec *spec = kiln_spec_create(bad[i]);
        check_failed(spec, KILN_INVALID_ARGUMENT, "is no name for a library");
        kiln_spec_destroy(spec);
    }
    kiln_spec *spec = kiln_spec_create(NULL);
    check_failed(spec, KILN_INVALID_ARGUMENT, "'' is no name for a library");
    kiln_spec_destroy(spec);
    kiln_spec_destroy(NULL);
}

static void test_the_directory_is_that_of_the_process(void **state)
{
    (void)state;
    char *before = getcwd(NULL, 0);
    make_directory(scratch("here"));
    assert_int_equal(chdir(scratch("here")), 0);
    kiln_spec *spec = kiln_spec_create("lib");
    assert_int_equal(chdir(before), 0);
    assert_string_equal(spec->directory, scratch("here"));
    assert_int_equal(kiln_spec_set_directory(spec, "sub"), KILN_OK);
    assert_string_equal(spec->directory, scratch("here/sub"));
    assert_int_equal(kiln_spec_set_directory(spec, "/abs"), KILN_OK);
    assert_string_equal(spec->directory, "/abs");
    check_good(spec);
    assert_int_equal(kiln_spec_set_directory(spec, ""), KILN_INVALID_ARGUMENT);
    assert_string_equal(spec->directory, "/abs");
    check_failed(spec, KILN_INVALID_ARGUMENT, "the directory of library 'lib' is empty");
    kiln_spec_destroy(spec);
    free(before);
}

/* Everything is copied before the call returns. */
static void test_what_comes_in_is_copied(void **state)
{
    kiln_spec *spec = *state;
    char path[] = "a.c", argument[] = "-DX", bytes[] = "int x;", header[] = "h.h", name[] = "dep";
    const char *arguments[] = {argument, NULL};
    kiln_spec_add_source(spec, path, arguments);
    kiln_spec_add_memory_source(spec, path, bytes, 6, arguments);
    kiln_spec_add_memory_header(spec, header, bytes, 6);
    kiln_spec_add_arguments(spec, KILN_PUBLIC, arguments);
    kiln_spec_add_dependency(spec, name);
    kiln_spec_add_package(spec, name);
    kiln_spec_add_host_symbol(spec, name, path);
    path[0] = argument[0] = bytes[0] = header[0] = name[0] = '?';
    check_good(spec);
    assert_string_equal(spec->sources[0].path, "a.c");
    assert_null(spec->sources[0].bytes);
    assert_string_equal(spec->sources[0].arguments.items[0], "-DX");
    assert_memory_equal(spec->sources[1].bytes, "int x;", 7);
    assert_string_equal(spec->headers[0].path, "h.h");
    assert_memory_equal(spec->headers[0].bytes, "int x;", 7);
    assert_string_equal(spec->arguments[0].text, "-DX");
    assert_int_equal(spec->arguments[0].scope, KILN_PUBLIC);
    assert_string_equal(spec->dependencies.items[0], "dep");
    assert_string_equal(spec->packages.items[0], "dep");
    assert_string_equal(spec->host_symbols[0].name, "dep");
    assert_ptr_equal(spec->host_symbols[0].address, path);
}

static void test_empty_memory_files(void **state)
{
    kiln_spec *spec = *state;
    assert_int_equal(kiln_spec_add_memory_source(spec, "a.c", NULL, 5, NULL), KILN_OK);
    assert_int_equal(kiln_spec_add_memory_header(spec, "a.h", NULL, 5), KILN_OK);
    assert_non_null(spec->sources[0].bytes);
    assert_int_equal(spec->sources[0].size, 0);
    assert_int_equal(spec->headers[0].size, 0);
}

static void test_sources_without_a_path(void **state)
{
    kiln_spec *spec = *state;
    assert_int_equal(kiln_spec_add_source(spec, NULL, NULL), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_add_source(spec, "", NULL), KILN_INVALID_ARGUMENT);
    check_failed(spec, KILN_INVALID_ARGUMENT, "a source of library 'lib' has no path");
}

static void test_memory_files_stay_below_their_directory(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/etc/x.h", "../x.h", "a/../../x.h", ".."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kiln_spec *spec = kiln_spec_create("lib");
        assert_int_equal(kiln_spec_add_memory_header(spec, bad[i], "", 0), KILN_INVALID_ARGUMENT);
        assert_int_equal(kiln_spec_add_memory_source(spec, bad[i], "", 0, NULL),
                         KILN_INVALID_ARGUMENT);
        check_failed(spec, KILN_INVALID_ARGUMENT, "is no path for a memory file of library 'lib'");
        assert_int_equal(spec->source_count + spec->header_count, 0);
        kiln_spec_destroy(spec);
    }
    kiln_spec *spec = kiln_spec_create("lib");
    assert_int_equal(kiln_spec_add_memory_header(spec, NULL, "", 0), KILN_INVALID_ARGUMENT);
    kiln_spec_destroy(spec);
}

static void test_two_of_one_name(void **state)
{
    kiln_spec *spec = *state;
    kiln_spec_add_memory_source(spec, "a.c", "1", 1, NULL);
    kiln_spec_add_source(spec, "a.c", NULL);
    kiln_spec_add_source(spec, "a.c", NULL);
    kiln_spec_add_memory_header(spec, "a.h", "1", 1);
    kiln_spec_add_host_symbol(spec, "f", spec);
    check_good(spec);
    assert_int_equal(kiln_spec_add_memory_source(spec, "a.c", "2", 1, NULL), KILN_ALREADY_EXISTS);
    assert_int_equal(kiln_spec_add_memory_header(spec, "a.h", "2", 1), KILN_ALREADY_EXISTS);
    assert_int_equal(kiln_spec_add_host_symbol(spec, "f", spec), KILN_ALREADY_EXISTS);
    check_failed(spec, KILN_ALREADY_EXISTS, "two memory sources named 'a.c'");
    assert_int_equal(spec->source_count, 3);
}

/* A dependency or package that is named twice is one. */
static void test_named_twice(void **state)
{
    kiln_spec *spec = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kiln_spec_add_dependency(spec, "a"), KILN_OK);
        assert_int_equal(kiln_spec_add_package(spec, "a"), KILN_OK);
        assert_int_equal(kiln_spec_add_package(spec, "a >= 1"), KILN_OK);
    }
    assert_int_equal(spec->dependencies.count, 1);
    assert_int_equal(spec->packages.count, 2);
}

static void test_without_a_name(void **state)
{
    kiln_spec *spec = *state;
    assert_int_equal(kiln_spec_add_dependency(spec, NULL), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_add_package(spec, ""), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_set_language(spec, NULL, true), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_set_standard(spec, ""), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_add_host_symbol(spec, NULL, spec), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_add_host_symbol(spec, "", spec), KILN_INVALID_ARGUMENT);
    /* The high bit of the first byte marks references to host symbols. */
    assert_int_equal(kiln_spec_add_host_symbol(spec, "\xc3\xa4", spec), KILN_INVALID_ARGUMENT);
    check_failed(spec, KILN_INVALID_ARGUMENT, "a dependency of library 'lib' has no name");
}

static void test_refused_arguments(void **state)
{
    (void)state;
    for (int where = 0; where < 3; where++) {
        kiln_spec *spec = kiln_spec_create("lib");
        kiln_status status =
            where == 0   ? kiln_spec_add_arguments(spec, KILN_PRIVATE, LIST("-O2", "-o", "x"))
            : where == 1 ? kiln_spec_add_source(spec, "a.c", LIST("-O2", "-o", "x"))
                         : kiln_spec_add_memory_source(spec, "a.c", "", 0, LIST("-O2", "-o", "x"));
        assert_int_equal(status, KILN_SPEC);
        check_failed(spec, KILN_SPEC, "the argument '-o' is refused: it chooses an output");
        assert_int_equal(spec->argument_count + spec->source_count, 0);
        kiln_spec_destroy(spec);
    }
}

static void test_scopes(void **state)
{
    kiln_spec *spec = *state;
    assert_int_equal(kiln_spec_add_arguments(spec, KILN_PRIVATE, NULL), KILN_OK);
    check_good(spec);
    assert_int_equal(kiln_spec_add_arguments(spec, (kiln_scope)7, LIST("-O2")),
                     KILN_INVALID_ARGUMENT);
    check_failed(spec, KILN_INVALID_ARGUMENT, "no such scope: 7");
}

static void test_the_first_failure_stays(void **state)
{
    kiln_spec *spec = *state;
    assert_int_equal(kiln_spec_add_source(spec, "", NULL), KILN_INVALID_ARGUMENT);
    assert_int_equal(kiln_spec_add_arguments(spec, KILN_PUBLIC, LIST("-c")), KILN_SPEC);
    assert_int_equal(kiln_spec_add_source(spec, "a.c", NULL), KILN_OK);
    check_failed(spec, KILN_INVALID_ARGUMENT, "has no path");
    kiln_spec *copy = spec_copy(spec);
    check_failed(copy, KILN_INVALID_ARGUMENT, "has no path");
    kiln_spec_destroy(copy);
}

static void test_language_and_standard_are_replaced(void **state)
{
    kiln_spec *spec = *state;
    kiln_spec_set_language(spec, "c", true);
    kiln_spec_set_language(spec, "c++", false);
    kiln_spec_set_standard(spec, "c11");
    kiln_spec_set_standard(spec, "c++20");
    assert_string_equal(spec->language, "c++");
    assert_false(spec->force_language);
    assert_string_equal(spec->standard, "c++20");
}

static void test_public_arguments_mean_the_same_elsewhere(void **state)
{
    kiln_spec *spec = *state;
    static const char *const expected[] = {
        "-I/dir/include", "-isystem", "/dir/sys", "-DP", "-I", "/abs"};
    string_list list = {0};
    kiln_spec_set_directory(spec, "/dir");
    kiln_spec_add_arguments(spec, KILN_PUBLIC, LIST("-Iinclude", "-isystem", "sys"));
    kiln_spec_add_arguments(spec, KILN_PRIVATE, LIST("-Iprivate", "-O3"));
    kiln_spec_add_arguments(spec, KILN_PUBLIC, LIST("-DP", "-I", "/abs"));
    assert_true(spec_public_arguments(spec, &list));
    assert_int_equal(list.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(list.items[i], expected[i]);
    string_list_destroy(&list);
}

static void test_a_copy_is_deep(void **state)
{
    kiln_spec *spec = *state;
    kiln_spec_add_source(spec, "a.c", LIST("-DX"));
    kiln_spec_add_memory_source(spec, "b.c", "\0bytes", 6, NULL);
    kiln_spec_add_memory_header(spec, "b.h", "header", 6);
    kiln_spec_add_arguments(spec, KILN_PUBLIC, LIST("-O1"));
    kiln_spec_set_language(spec, "c", true);
    kiln_spec_set_standard(spec, "c17");
    kiln_spec_add_dependency(spec, "dep");
    kiln_spec_add_package(spec, "pkg");
    kiln_spec_add_host_symbol(spec, "host", &setup);
    kiln_spec *copy = spec_copy(spec), *again;
    teardown(state);
    again = spec_copy(copy);
    kiln_spec_destroy(copy);
    *state = again;
    assert_string_equal(again->name, "lib");
    assert_string_equal(again->sources[0].arguments.items[0], "-DX");
    assert_null(again->sources[0].bytes);
    assert_memory_equal(again->sources[1].bytes, "\0bytes", 7);
    assert_int_equal(again->sources[1].size, 6);
    assert_string_equal(again->headers[0].path, "b.h");
    assert_string_equal(again->arguments[0].text, "-O1");
    assert_int_equal(again->arguments[0].scope, KILN_PUBLIC);
    assert_true(again->force_language);
    assert_string_equal(again->standard, "c17");
    assert_string_equal(again->dependencies.items[0], "dep");
    assert_string_equal(again->packages.items[0], "pkg");
    assert_ptr_equal(again->host_symbols[0].address, &setup);
    check_good(again);
}

#define WITH_SPEC(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_the_directory_is_that_of_the_process),
        WITH_SPEC(test_what_comes_in_is_copied),
        WITH_SPEC(test_empty_memory_files),
        WITH_SPEC(test_sources_without_a_path),
        cmocka_unit_test(test_memory_files_stay_below_their_directory),
        WITH_SPEC(test_two_of_one_name),
        WITH_SPEC(test_named_twice),
        WITH_SPEC(test_without_a_name),
        cmocka_unit_test(test_refused_arguments),
        WITH_SPEC(test_scopes),
        WITH_SPEC(test_the_first_failure_stays),
        WITH_SPEC(test_language_and_standard_are_replaced),
        WITH_SPEC(test_public_arguments_mean_the_same_elsewhere),
        WITH_SPEC(test_a_copy_is_deep),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
