/* test_build_units.c - from a spec's sources to units: patterns, kinds, languages. */
#include "test_base_fixture.h"

#include "build/units.h"

typedef struct fixture {
    kiln_spec *spec;
    unit_list units;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->spec = kiln_spec_create("lib");
    kiln_spec_set_directory(f->spec, fixture_directory);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unit_list_destroy(&f->units);
    kiln_spec_destroy(f->spec);
    free(f);
    return 0;
}

static void resolve(fixture *f)
{
    kiln_error *error = NULL;
    CHECK_OK(spec_check(f->spec, &error), error);
    CHECK_OK(units_resolve(f->spec, &f->units, &error), error);
}

static void resolve_fails(fixture *f, kiln_status expected, const char *part)
{
    kiln_error *error = NULL;
    assert_int_equal(units_resolve(f->spec, &f->units, &error), expected);
    assert_int_equal(f->units.count, 0);
    check_error(error, expected, part);
}

/* The units' paths, with a blank between them. */
static void check_paths(const fixture *f, const char *expected)
{
    text paths = {0};
    for (size_t i = 0; i < f->units.count; i++)
        text_format(&paths, "%s%s", i ? " " : "", f->units.items[i].path);
    assert_string_equal(text_string(&paths), expected);
    text_destroy(&paths);
}

static void test_plain_names_are_not_looked_for(void **state)
{
    fixture *f = *state;
    kiln_spec_add_source(f->spec, "no/such.c", NULL);
    kiln_spec_add_source(f->spec, "/abs/x.cpp", NULL);
    resolve(f);
    check_paths(f, "no/such.c /abs/x.cpp");
    assert_int_equal(f->units.items[0].kind, INPUT_C);
    assert_int_equal(f->units.items[1].kind, INPUT_CXX);
    assert_ptr_equal(f->units.items[1].source, &f->spec->sources[1]);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        input_kind kind;
    } cases[] = {
        {"a.c", INPUT_C},
        {"a.cc", INPUT_CXX},
        {"a.cpp", INPUT_CXX},
        {"a.cxx", INPUT_CXX},
        {"a.c++", INPUT_CXX},
        {"a.C", INPUT_CXX},
        {"a.s", INPUT_ASSEMBLY},
        {"a.S", INPUT_ASSEMBLY_CPP},
        {"a.ll", INPUT_IR},
        {"a.bc", INPUT_BITCODE},
        {"a.o", INPUT_OBJECT},
        {"a.a", INPUT_ARCHIVE},
        {"a.so", INPUT_SHARED_LIBRARY},
        {"liba.so.1", INPUT_SHARED_LIBRARY},
        {"liba.so.1.2.3", INPUT_SHARED_LIBRARY},
        {"dir.so.1/a.c", INPUT_C},
        {"dir.so.1/a", INPUT_UNKNOWN},
        {"a", INPUT_UNKNOWN},
        {"a.txt", INPUT_UNKNOWN},
        {".c", INPUT_UNKNOWN},
        {"a.h", INPUT_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (input_kind_of(cases[i].path) != cases[i].kind)
            fail_msg("%s", cases[i].path);
    assert_true(input_kind_is_linked(INPUT_OBJECT));
    assert_true(input_kind_is_linked(INPUT_ARCHIVE));
    assert_true(input_kind_is_linked(INPUT_SHARED_LIBRARY));
    assert_false(input_kind_is_linked(INPUT_BITCODE));
    assert_false(input_kind_is_linked(INPUT_C));
}

static void test_matches_are_sorted(void **state)
{
    fixture *f = *state;
    write_file(scratch("sorted/b.c"), "");
    write_file(scratch("sorted/a.c"), "");
    write_file(scratch("sorted/B.c"), "");
    write_file(scratch("sorted/a.h"), "");
    write_file(scratch("sorted/.hidden.c"), "");
    kiln_spec_add_source(f->spec, "sorted/*.c", NULL);
    resolve(f);
    check_paths(f, "sorted/B.c sorted/a.c sorted/b.c");
}

static void test_new_files_are_noticed(void **state)
{
    fixture *f = *state;
    write_file(scratch("new/a.c"), "");
    kiln_spec_add_source(f->spec, "new/?.c", NULL);
    resolve(f);
    check_paths(f, "new/a.c");
    unit_list_destroy(&f->units);
    write_file(scratch("new/b.c"), "");
    resolve(f);
    check_paths(f, "new/a.c new/b.c");
}

static void make_tree(const char *root)
{
    static const char *const files[] = {"a.c",        "x/b.c",        "x/y/c.c",      "x/y/z/d.c",
                                        "x/.git/e.c", "lib1/src/f.c", "lib2/src/g.c", "x/y/c.h"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_file(scratch("%s/%s", root, files[i]), "");
}

static void test_two_stars_stand_for_any_directories(void **state)
{
    fixture *f = *state;
    make_tree("deep");
    kiln_spec_add_source(f->spec, "deep/**/*.c", NULL);
    resolve(f);
    check_paths(f, "deep/a.c deep/lib1/src/f.c deep/lib2/src/g.c deep/x/b.c deep/x/y/c.c "
                   "deep/x/y/z/d.c");
}

static void test_two_stars_twice(void **state)
{
    fixture *f = *state;
    make_tree("twice");
    kiln_spec_add_source(f->spec, "twice/**/y/**/*.c", NULL);
    resolve(f);
    check_paths(f, "twice/x/y/c.c twice/x/y/z/d.c");
}

static void test_two_stars_behind_a_pattern(void **state)
{
    fixture *f = *state;
    make_tree("behind");
    kiln_spec_add_source(f->spec, "behind/lib*/**/*.c", NULL);
    resolve(f);
    check_paths(f, "behind/lib1/src/f.c behind/lib2/src/g.c");
}

static void test_two_stars_from_the_root_of_the_spec(void **state)
{
    fixture *f = *state;
    make_tree("rooted");
    kiln_spec_set_directory(f->spec, "rooted");
    kiln_spec_add_source(f->spec, "**/[cd].c", NULL);
    resolve(f);
    check_paths(f, "x/y/c.c x/y/z/d.c");
}

static void test_two_stars_in_an_absolute_path(void **state)
{
    fixture *f = *state;
    make_tree("absolute");
    kiln_spec_add_source(f->spec, scratch("absolute/x/**/c.c"), NULL);
    resolve(f);
    check_paths(f, scratch("absolute/x/y/c.c"));
}

static void test_loops_of_links_end(void **state)
{
    fixture *f = *state;
    make_tree("loop");
    assert_int_equal(symlink(".", scratch("loop/x/again")), 0);
    kiln_spec_add_source(f->spec, "loop/**/b.c", NULL);
    resolve(f);
    check_paths(f, "loop/x/b.c");
}

/* What is a file's own name is no pattern. */
static void test_literal_names(void **state)
{
    fixture *f = *state;
    write_file(scratch("literal/a[1].c"), "");
    write_file(scratch("literal/a1.c"), "");
    write_file(scratch("literal/what?.c"), "");
    kiln_spec_add_source(f->spec, "literal/a[1].c", NULL);
    kiln_spec_add_source(f->spec, "literal/what?.c", NULL);
    kiln_spec_add_source(f->spec, "literal/a[12].c", NULL);
    resolve(f);
    check_paths(f, "literal/a[1].c literal/what?.c literal/a1.c");
}

/* Nor are the names of directories that a pattern is looked for in. */
static void test_literal_directories(void **state)
{
    fixture *f = *state;
    make_tree("odd [x]*\\?");
    write_file(scratch("odd [x]*\\?/sub[1]/h.c"), "");
    kiln_spec_set_directory(f->spec, "odd [x]*\\?");
    kiln_spec_add_source(f->spec, "*.c", NULL);
    kiln_spec_add_source(f->spec, "**/h.c", NULL);
    resolve(f);
    check_paths(f, "a.c sub[1]/h.c");
}

static void test_names_that_are_no_text(void **state)
{
    fixture *f = *state;
    write_file(scratch("bytes/a \xff\xfe.c"), "");
    write_file(scratch("bytes/new\nline.c"), "");
    kiln_spec_add_source(f->spec, "bytes/*.c", NULL);
    resolve(f);
    check_paths(f, "bytes/a \xff\xfe.c bytes/new\nline.c");
}

static void test_a_pattern_that_matches_nothing(void **state)
{
    fixture *f = *state;
    make_directory(scratch("empty"));
    kiln_spec_add_source(f->spec, "empty/*.c", NULL);
    resolve_fails(f, KILN_NOT_FOUND, "no file matches 'empty/*.c' (library 'lib', directory '");
    unit_list_destroy(&f->units);
}

static void test_a_pattern_in_a_directory_that_is_missing(void **state)
{
    fixture *f = *state;
    kiln_spec_add_source(f->spec, "missing/**/*.c", NULL);
    resolve_fails(f, KILN_NOT_FOUND, "missing/**/*.c");
}

static void test_memory_sources_stand_in_the_virtual_directory(void **state)
{
    fixture *f = *state;
    kiln_spec_add_memory_source(f->spec, "sub/a*.cpp", "int x;", 6, NULL);
    resolve(f);
    check_paths(f, "/kiln/lib/sub/a*.cpp");
    assert_int_equal(f->units.items[0].kind, INPUT_CXX);
    char *directory = units_virtual_directory(f->spec);
    assert_string_equal(directory, "/kiln/lib");
    free(directory);
}

static void test_unknown_language(void **state)
{
    fixture *f = *state;
    kiln_spec_add_source(f->spec, "notes.txt", NULL);
    resolve_fails(f, KILN_SPEC, "cannot tell the language of 'notes.txt' in library 'lib'");
}

static void test_language_for_names_that_do_not_tell(void **state)
{
    fixture *f = *state;
    kiln_spec_add_source(f->spec, "script", NULL);
    kiln_spec_add_source(f->spec, "a.c", NULL);
    kiln_spec_add_source(f->spec, "a.o", NULL);
    kiln_spec_set_language(f->spec, "c++", false);
    resolve(f);
    assert_int_equal(f->units.items[0].kind, INPUT_CXX);
    assert_int_equal(f->units.items[1].kind, INPUT_C);
    assert_int_equal(f->units.items[2].kind, INPUT_OBJECT);
}

static void test_language_for_all(void **state)
{
    fixture *f = *state;
    kiln_spec_add_source(f->spec, "a.c", NULL);
    kiln_spec_add_source(f->spec, "a.o", NULL);
    kiln_spec_set_language(f->spec, "assembler-with-cpp", true);
    resolve(f);
    assert_int_equal(f->units.items[0].kind, INPUT_ASSEMBLY_CPP);
    assert_int_equal(f->units.items[1].kind, INPUT_OBJECT);
}

static void test_languages(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *language;
        input_kind kind;
    } cases[] = {
        {"c", INPUT_C}, {"assembler", INPUT_ASSEMBLY}, {"ir", INPUT_IR}, {"objective-c", INPUT_C}};
    kiln_spec_add_source(f->spec, "script", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kiln_spec_set_language(f->spec, cases[i].language, false);
        resolve(f);
        assert_int_equal(f->units.items[0].kind, cases[i].kind);
        unit_list_destroy(&f->units);
    }
}

static void test_scripts_in_memory_are_c(void **state)
{
    fixture *f = *state;
    kiln_spec_add_memory_source(f->spec, "script", "#!/usr/bin/kiln\nint x;", 23, NULL);
    resolve(f);
    assert_int_equal(f->units.items[0].kind, INPUT_C);
}

static void test_nothing_to_build(void **state)
{
    fixture *f = *state;
    resolve_fails(f, KILN_SPEC, "library 'lib' has no sources");
    /* A library may consist of what it depends on. */
    kiln_spec_add_dependency(f->spec, "other");
    resolve(f);
    assert_int_equal(f->units.count, 0);
}

#define WITH_SPEC(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SPEC(test_plain_names_are_not_looked_for),
        WITH_SPEC(test_kinds),
        WITH_SPEC(test_matches_are_sorted),
        WITH_SPEC(test_new_files_are_noticed),
        WITH_SPEC(test_two_stars_stand_for_any_directories),
        WITH_SPEC(test_two_stars_twice),
        WITH_SPEC(test_two_stars_behind_a_pattern),
        WITH_SPEC(test_two_stars_from_the_root_of_the_spec),
        WITH_SPEC(test_two_stars_in_an_absolute_path),
        WITH_SPEC(test_loops_of_links_end),
        WITH_SPEC(test_literal_names),
        WITH_SPEC(test_literal_directories),
        WITH_SPEC(test_names_that_are_no_text),
        WITH_SPEC(test_a_pattern_that_matches_nothing),
        WITH_SPEC(test_a_pattern_in_a_directory_that_is_missing),
        WITH_SPEC(test_memory_sources_stand_in_the_virtual_directory),
        WITH_SPEC(test_unknown_language),
        WITH_SPEC(test_language_for_names_that_do_not_tell),
        WITH_SPEC(test_language_for_all),
        WITH_SPEC(test_languages),
        WITH_SPEC(test_scripts_in_memory_are_c),
        WITH_SPEC(test_nothing_to_build),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
