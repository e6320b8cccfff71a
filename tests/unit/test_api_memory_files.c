/* test_api_memory_files.c - what a memory file may be called and be, refused arguments by their
 * whole name, and the one status of spec texts. */
#include "test_base_fixture.h"

#include "build/spec.h"

static void check_failure(const kiln_spec *spec, kiln_status code, const char *part)
{
    kiln_error *error = NULL;
    assert_int_equal(spec_check(spec, &error), code);
    check_error(error, code, part);
}

static void test_paths_have_one_form(void **state)
{
    (void)state;
    static const char *const bad[] = {"./x.h", "a/./x.h", "a//x.h", "a/", ".", "x.h/.", "a/x.h//"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kiln_spec *spec = kiln_spec_create("lib");
        assert_int_equal(kiln_spec_add_memory_header(spec, bad[i], "", 0), KILN_INVALID_ARGUMENT);
        assert_int_equal(kiln_spec_add_memory_source(spec, bad[i], "", 0, NULL),
                         KILN_INVALID_ARGUMENT);
        check_failure(spec, KILN_INVALID_ARGUMENT, bad[i]);
        kiln_spec_destroy(spec);
    }
    static const char *const good[] = {".x.h", "a.b/.c/x", "..x", "a/...", "x."};
    kiln_spec *spec = kiln_spec_create("lib");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(kiln_spec_add_memory_header(spec, good[i], "", 0), KILN_OK);
    kiln_spec_destroy(spec);
}

static void test_a_source_and_a_header_of_one_path(void **state)
{
    (void)state;
    for (int source_first = 0; source_first < 2; source_first++) {
        kiln_spec *spec = kiln_spec_create("lib");
        kiln_status first = source_first ? kiln_spec_add_memory_source(spec, "x.h", "1", 1, NULL)
                                         : kiln_spec_add_memory_header(spec, "x.h", "1", 1);
        kiln_status second = source_first ? kiln_spec_add_memory_header(spec, "x.h", "2", 1)
                                          : kiln_spec_add_memory_source(spec, "x.h", "2", 1, NULL);
        assert_int_equal(first, KILN_OK);
        assert_int_equal(second, KILN_ALREADY_EXISTS);
        check_failure(spec, KILN_ALREADY_EXISTS, "'x.h'");
        assert_int_equal(spec->source_count + spec->header_count, 1);
        kiln_spec_destroy(spec);
    }
}

static void test_shared_libraries_are_files(void **state)
{
    (void)state;
    static const char *const names[] = {"libx.so", "deep/libx.so.3"};
    for (size_t i = 0; i < 2; i++) {
        kiln_spec *spec = kiln_spec_create("lib");
        assert_int_equal(kiln_spec_add_memory_source(spec, names[i], "ELF", 3, NULL), KILN_SPEC);
        check_failure(spec, KILN_SPEC, "must be a file");
        kiln_spec_destroy(spec);
        spec = kiln_spec_create("lib");
        assert_int_equal(kiln_spec_add_source(spec, names[i], NULL), KILN_OK);
        kiln_spec_destroy(spec);
    }
}

static void test_refused_by_the_whole_name(void **state)
{
    (void)state;
    static const char *const lists[][5] = {
        {"-Xclang", "-load", "-Xclang", "x.so"}, {"-mllvm", "-load=x.so"}, {"-Xlinker", "-Map=x"}};
    static const char *const names[] = {"'-Xclang -load -Xclang x.so'", "'-mllvm -load=x.so'",
                                        "'-Xlinker -Map=x'"};
    for (size_t i = 0; i < 3; i++) {
        kiln_spec *spec = kiln_spec_create("lib");
        assert_int_equal(kiln_spec_add_arguments(spec, KILN_PRIVATE, lists[i]), KILN_SPEC);
        check_failure(spec, KILN_SPEC, names[i]);
        kiln_spec_destroy(spec);
    }
}

/* Whatever the adder calls it that met it. */
static void test_wrong_texts_are_wrong_specs(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "name: 'a b'\nsources: [a.c]\n", "name: x\nsources: [a.c]\narguments: [-o, out]\n",
        "name: x\nsources: [a.c]\ndirectory: ''\n", "name: x\nsources: ['']\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        kiln_spec *spec = NULL;
        kiln_error *error;
        kiln_status status = kiln_spec_parse(texts[i], strlen(texts[i]), "text", &spec, &error);
        if (status != KILN_SPEC)
            fail_msg("%s: %s", texts[i], kiln_status_name(status));
        check_error(error, KILN_SPEC, "text");
        assert_int_equal(kiln_spec_parse(texts[i], strlen(texts[i]), "text", &spec, NULL),
                         KILN_SPEC);
        assert_null(spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_have_one_form),
        cmocka_unit_test(test_a_source_and_a_header_of_one_path),
        cmocka_unit_test(test_shared_libraries_are_files),
        cmocka_unit_test(test_refused_by_the_whole_name),
        cmocka_unit_test(test_wrong_texts_are_wrong_specs),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
