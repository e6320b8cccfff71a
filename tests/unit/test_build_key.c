/* test_build_key.c - what names a build: every ingredient changes the key, nothing else does, and
 * the reasons of a miss are read from the ingredients' text. */
#include "test_base_fixture.h"

#include "build/key.h"
#include "build/spec.h"

/* A spec with one of everything, and what a key needs beside it. */
typedef struct fixture {
    kiln_spec *spec, *provider;
    const kiln_spec *providers[1];
    unit_list units;
    digest compiler;
    string_list environment, inherited, dependency_ids, packages, extra;
    key_context context;
} fixture;

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static kiln_spec *make_spec(void)
{
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_set_directory(spec, "/dir");
    kiln_spec_add_source(spec, "a.c", LIST("-DA"));
    kiln_spec_add_memory_source(spec, "m.c", "int m;", 6, NULL);
    kiln_spec_add_memory_header(spec, "m.h", "#define M", 9);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, LIST("-O1", "-DX"));
    kiln_spec_set_standard(spec, "c17");
    kiln_spec_add_package(spec, "zlib");
    kiln_spec_add_dependency(spec, "dep");
    kiln_spec_add_host_symbol(spec, "host", &spec);
    return spec;
}

static void begin(fixture *f)
{
    kiln_error *error = NULL;
    *f = (fixture){.spec = make_spec(), .provider = kiln_spec_create("dep")};
    kiln_spec_add_memory_header(f->provider, "d.h", "#define D", 9);
    f->providers[0] = f->provider;
    f->compiler = digest_of("compiler", 8);
    string_list_add(&f->environment, "CPATH=/include");
    string_list_add(&f->inherited, "-DPUBLIC");
    string_list_add(&f->dependency_ids, "dep kiln-0123");
    string_list_add(&f->packages, "-DPACKAGE");
    string_list_add(&f->extra, "-DEXTRA");
    f->context = (key_context){.compiler = &f->compiler,
                               .environment = &f->environment,
                               .inherited = &f->inherited,
                               .dependency_ids = &f->dependency_ids,
                               .providers = f->providers,
                               .provider_count = 1,
                               .output = 5,
                               .codegen_units = 4};
    CHECK_OK(spec_check(f->spec, &error), error);
    CHECK_OK(units_resolve(f->spec, &f->units, &error), error);
}

static void end(fixture *f)
{
    unit_list_destroy(&f->units);
    kiln_spec_destroy(f->spec);
    kiln_spec_destroy(f->provider);
    string_list_destroy(&f->environment);
    string_list_destroy(&f->inherited);
    string_list_destroy(&f->dependency_ids);
    string_list_destroy(&f->packages);
    string_list_destroy(&f->extra);
}

static ingredients library_ingredients(fixture *f)
{
    ingredients list = {0};
    unit_list units;
    kiln_error *error = NULL;
    CHECK_OK(units_resolve(f->spec, &units, &error), error);
    key_of_library(f->spec, &units, &f->context, &list);
    assert_false(list.failed);
    unit_list_destroy(&units);
    return list;
}

static digest library_key(fixture *f)
{
    ingredients list = library_ingredients(f);
    digest key = ingredients_digest(&list);
    ingredients_destroy(&list);
    return key;
}

static digest unit_key(fixture *f, size_t index)
{
    ingredients list = {0};
    unit_list units;
    kiln_error *error = NULL;
    CHECK_OK(units_resolve(f->spec, &units, &error), error);
    key_context context = f->context;
    context.package_arguments = &f->packages;
    key_of_unit(f->spec, &units.items[index], &f->extra, &context, &list);
    assert_false(list.failed);
    digest key = ingredients_digest(&list);
    ingredients_destroy(&list);
    unit_list_destroy(&units);
    return key;
}

static void replace(string_list *list, const char *string)
{
    string_list_destroy(list);
    string_list_add(list, string);
}

static void replace_string(char **place, const char *string)
{
    free(*place);
    *place = strdup(string);
}

/* ---- changes, each of one ingredient ---- */

static void change_compiler(fixture *f)
{
    f->compiler.bytes[7] ^= 1;
}
static void change_environment(fixture *f)
{
    replace(&f->environment, "CPATH=/other");
}
static void add_environment(fixture *f)
{
    string_list_add(&f->environment, "SDKROOT=/");
}
static void change_directory(fixture *f)
{
    kiln_spec_set_directory(f->spec, "/other");
}
static void change_output(fixture *f)
{
    f->context.output = 1;
}
static void change_pieces(fixture *f)
{
    f->context.codegen_units = 1;
}

static void change_lending(fixture *f)
{
    f->context.lending_number = 1;
}
static void change_merge(fixture *f)
{
    f->context.merge = true;
}
static void change_inherited(fixture *f)
{
    replace(&f->inherited, "-DPUBLIC=2");
}
static void change_standard(fixture *f)
{
    kiln_spec_set_standard(f->spec, "c11");
}
static void change_language(fixture *f)
{
    kiln_spec_set_language(f->spec, "c++", false);
}
static void force_language(fixture *f)
{
    f->spec->force_language = true;
}
static void change_own_header(fixture *f)
{
    f->spec->headers[0].bytes[1] = 'D';
}
static void rename_own_header(fixture *f)
{
    replace_string(&f->spec->headers[0].path, "n.h");
}
static void change_lent_header(fixture *f)
{
    f->provider->headers[0].bytes[1] = 'X';
}
static void change_name(fixture *f)
{
    replace_string(&f->spec->name, "bil");
}
static void change_memory_source(fixture *f)
{
    f->spec->sources[1].bytes[4] = 'n';
}
static void change_source_arguments(fixture *f)
{
    replace(&f->spec->sources[0].arguments, "-DB");
    replace(&f->spec->sources[1].arguments, "-DB");
}
static void change_source_path(fixture *f)
{
    replace_string(&f->spec->sources[0].path, "b.c");
    replace_string(&f->spec->sources[1].path, "b.c");
}
static void add_argument(fixture *f)
{
    kiln_spec_add_arguments(f->spec, KILN_PRIVATE, LIST("-DY"));
}
static void swap_arguments(fixture *f)
{
    spec_argument first = f->spec->arguments[0];
    f->spec->arguments[0] = f->spec->arguments[1];
    f->spec->arguments[1] = first;
}
/* "-O1" "-DX" to "-O1-" "DX": the same text, cut elsewhere. */
static void cut_arguments(fixture *f)
{
    replace_string(&f->spec->arguments[0].text, "-O1-");
    replace_string(&f->spec->arguments[1].text, "DX");
}
static void move_argument_to_inherited(fixture *f)
{
    string_list_add(&f->inherited, f->spec->arguments[0].text);
    replace_string(&f->spec->arguments[0].text, f->spec->arguments[1].text);
    free(f->spec->arguments[--f->spec->argument_count].text);
}
static void swap_sources(fixture *f)
{
    spec_source first = f->spec->sources[0];
    f->spec->sources[0] = f->spec->sources[1];
    f->spec->sources[1] = first;
}
static void add_source(fixture *f)
{
    kiln_spec_add_source(f->spec, "c.c", NULL);
}
static void change_dependency(fixture *f)
{
    replace(&f->dependency_ids, "dep kiln-4567");
}
static void drop_dependency(fixture *f)
{
    string_list_destroy(&f->dependency_ids);
}
static void change_package(fixture *f)
{
    replace(&f->spec->packages, "zlib >= 1.2");
}
static void rename_host_symbol(fixture *f)
{
    replace_string(&f->spec->host_symbols[0].name, "guest");
}
static void change_package_arguments(fixture *f)
{
    replace(&f->packages, "-DOTHER");
}
static void change_extra(fixture *f)
{
    replace(&f->extra, "-DOTHER");
}
/* What a package brings stands behind, what the source's comment brings before. */
static void move_extra_to_packages(fixture *f)
{
    string_list_add(&f->packages, "-DEXTRA");
    string_list_destroy(&f->extra);
}

typedef struct change {
    const char *name;
    void (*make)(fixture *f);
    bool of_library, of_unit; /* whose keys it changes */
} change;

#define NAMED(function) .name = #function, .make = (function)

static const change changes[] = {
    {NAMED(change_compiler), .of_library = true, .of_unit = true},
    {NAMED(change_environment), .of_library = true, .of_unit = true},
    {NAMED(add_environment), .of_library = true, .of_unit = true},
    {NAMED(change_directory), .of_library = true, .of_unit = true},
    {NAMED(change_output), .of_library = true, .of_unit = true},
    {NAMED(change_pieces), .of_library = true, .of_unit = true},
    {NAMED(change_lending), .of_library = true, .of_unit = false},
    {NAMED(change_merge), .of_library = true, .of_unit = true},
    {NAMED(change_inherited), .of_library = true, .of_unit = true},
    {NAMED(change_standard), .of_library = true, .of_unit = true},
    {NAMED(change_language), .of_library = true, .of_unit = true},
    {NAMED(force_language), .of_library = true, .of_unit = true},
    {NAMED(change_own_header), .of_library = true, .of_unit = true},
    {NAMED(rename_own_header), .of_library = true, .of_unit = true},
    {NAMED(change_lent_header), .of_library = true, .of_unit = true},
    {NAMED(change_name), .of_library = true, .of_unit = true},
    {NAMED(change_memory_source), .of_library = true, .of_unit = true},
    {NAMED(change_source_arguments), .of_library = true, .of_unit = true},
    {NAMED(change_source_path), .of_library = true, .of_unit = true},
    {NAMED(add_argument), .of_library = true, .of_unit = true},
    {NAMED(swap_arguments), .of_library = true, .of_unit = true},
    {NAMED(cut_arguments), .of_library = true, .of_unit = true},
    {NAMED(move_argument_to_inherited), .of_library = true, .of_unit = true},
    {NAMED(swap_sources), .of_library = true, .of_unit = true},
    {NAMED(add_source), .of_library = true, .of_unit = false},
    {NAMED(change_dependency), .of_library = true, .of_unit = false},
    {NAMED(drop_dependency), .of_library = true, .of_unit = false},
    {NAMED(change_package), .of_library = true, .of_unit = false},
    {NAMED(rename_host_symbol), .of_library = true, .of_unit = false},
    {NAMED(change_package_arguments), .of_library = false, .of_unit = true},
    {NAMED(change_extra), .of_library = false, .of_unit = true},
    {NAMED(move_extra_to_packages), .of_library = false, .of_unit = true},
};

/* Every change of an ingredient gives another key, and no two changes the same one. */
static void test_every_ingredient_counts(void **state)
{
    (void)state;
    enum { count = sizeof changes / sizeof *changes };
    digest library_keys[count + 1], unit_keys[count + 1];
    for (size_t i = 0; i <= count; i++) {
        fixture f;
        begin(&f);
        if (i < count)
            changes[i].make(&f);
        library_keys[i] = library_key(&f);
        /* The memory source: it is in its own key. */
        unit_keys[i] = unit_key(&f, 1);
        end(&f);
    }
    for (size_t i = 0; i < count; i++) {
        if (digest_equal(&library_keys[i], &library_keys[count]) == changes[i].of_library)
            fail_msg("%s and the library's key", changes[i].name);
        if (digest_equal(&unit_keys[i], &unit_keys[count]) == changes[i].of_unit)
            fail_msg("%s and the unit's key", changes[i].name);
        for (size_t k = 0; k < i; k++)
            if ((changes[i].of_library && changes[k].of_library &&
                 digest_equal(&library_keys[i], &library_keys[k])) ||
                (changes[i].of_unit && changes[k].of_unit &&
                 digest_equal(&unit_keys[i], &unit_keys[k])))
                fail_msg("%s gives the same key as %s", changes[i].name, changes[k].name);
    }
}

static void test_keys_are_the_same_again(void **state)
{
    (void)state;
    fixture a, b;
    begin(&a);
    begin(&b);
    /* A host symbol's address is lent at the load. */
    b.spec->host_symbols[0].address = &b;
    /* A public argument means the same to the library itself. */
    b.spec->arguments[0].scope = KILN_PUBLIC;
    digest first = library_key(&a), second = library_key(&b);
    assert_true(digest_equal(&first, &second));
    first = unit_key(&a, 0);
    second = unit_key(&b, 0);
    assert_true(digest_equal(&first, &second));
    end(&a);
    end(&b);
}

/* A file's unit without memory files is the same in another library. */
static void test_units_are_shared_between_libraries(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    kiln_spec *one = kiln_spec_create("one"), *two = kiln_spec_create("two");
    digest keys[2];
    kiln_spec *specs[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        kiln_spec_set_directory(specs[i], "/dir");
        kiln_spec_add_source(specs[i], "a.c", NULL);
        kiln_spec *own = f.spec;
        f.spec = specs[i];
        keys[i] = unit_key(&f, 0);
        f.spec = own;
    }
    assert_true(digest_equal(&keys[0], &keys[1]));
    kiln_spec_destroy(one);
    kiln_spec_destroy(two);
    end(&f);
}

/* Only what asks for this machine's processor depends on it. */
static void test_processor(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    ingredients list = library_ingredients(&f);
    for (size_t i = 0; i < list.count; i++)
        assert_string_not_equal(list.items[i].label, "processor");
    ingredients_destroy(&list);
    for (int where = 0; where < 3; where++) {
        end(&f);
        begin(&f);
        if (where == 0)
            kiln_spec_add_arguments(f.spec, KILN_PRIVATE, LIST("-march=native"));
        else if (where == 1)
            string_list_add(&f.inherited, "-march=native");
        else
            string_list_add(&f.spec->sources[0].arguments, "-mtune=native");
        list = library_ingredients(&f);
        bool found = false;
        for (size_t i = 0; i < list.count; i++)
            found |= strcmp(list.items[i].label, "processor") == 0;
        assert_true(found);
        ingredients_destroy(&list);
    }
    end(&f);
}

/* ---- reasons ---- */

static void check_reasons(void (*make)(fixture *f), const char *expected)
{
    fixture f;
    begin(&f);
    ingredients before = library_ingredients(&f);
    char *printed = ingredients_print(&before);
    if (make)
        make(&f);
    ingredients after = library_ingredients(&f);
    char *reasons = ingredients_compare(&after, printed);
    assert_string_equal(reasons, expected);
    free(reasons);
    free(printed);
    ingredients_destroy(&before);
    ingredients_destroy(&after);
    end(&f);
}

static void change_two_things(fixture *f)
{
    change_compiler(f);
    add_argument(f);
}
static void change_argument(fixture *f)
{
    replace_string(&f->spec->arguments[0].text, "-O2");
}
static void add_valued_arguments(fixture *f)
{
    kiln_spec_add_arguments(f->spec, KILN_PRIVATE,
                            LIST("-I", "dir", "-Xclang", "-fx", "-mllvm", "-y", "-Wl,-z", "last"));
}
static void add_same_argument(fixture *f)
{
    kiln_spec_add_arguments(f->spec, KILN_PRIVATE, LIST("-DX"));
}
static void add_odd_argument(fixture *f)
{
    kiln_spec_add_arguments(f->spec, KILN_PRIVATE, LIST("-DA=\"\n= x\t\""));
}
static void swap_many(fixture *f)
{
    kiln_spec_add_source(f->spec, "c.c", NULL);
    swap_sources(f);
}

static void test_reasons(void **state)
{
    (void)state;
    check_reasons(NULL, "");
    check_reasons(change_compiler, "compiler has changed\n");
    check_reasons(change_directory, "directory has changed\n");
    check_reasons(change_environment, "environment variable CPATH has changed\n");
    check_reasons(add_environment, "environment variable SDKROOT is new\n");
    check_reasons(add_argument, "argument -DY is new\n");
    check_reasons(add_same_argument, "argument -DX is new\n");
    check_reasons(add_odd_argument, "argument -DA=\"?= x?\" is new\n");
    check_reasons(add_valued_arguments, "argument -I dir is new\n"
                                        "argument -Xclang -fx is new\n"
                                        "argument -mllvm -y is new\n"
                                        "argument -Wl,-z is new\n"
                                        "argument last is new\n");
    check_reasons(change_argument, "argument -O2 is new\nargument -O1 is gone\n");
    check_reasons(swap_arguments, "argument -O1 comes in another order\n");
    check_reasons(move_argument_to_inherited,
                  "inherited argument -O1 is new\nargument -O1 is gone\n");
    check_reasons(change_inherited,
                  "inherited argument -DPUBLIC=2 is new\ninherited argument -DPUBLIC is gone\n");
    check_reasons(change_standard, "standard c11 is new\nstandard c17 is gone\n");
    check_reasons(change_language, "language c++ is new\n");
    check_reasons(change_source_arguments, "a.c's argument -DB is new\n"
                                           "/kiln/lib/m.c's argument -DB is new\n"
                                           "a.c's argument -DA is gone\n");
    check_reasons(change_memory_source, "memory source /kiln/lib/m.c has changed\n");
    check_reasons(change_own_header, "memory header lib/m.h has changed\n");
    check_reasons(change_lent_header, "memory header dep/d.h has changed\n");
    check_reasons(change_dependency, "dependency dep has changed\n");
    check_reasons(drop_dependency, "dependency dep is gone\n");
    check_reasons(add_source, "C source c.c is new\n");
    check_reasons(swap_sources, "C source a.c comes in another order\n");
    check_reasons(swap_many, "C source c.c is new\nC source a.c comes in another order\n");
    check_reasons(change_package, "package zlib >= 1.2 is new\npackage zlib is gone\n");
    check_reasons(rename_host_symbol, "host symbol guest is new\nhost symbol host is gone\n");
    check_reasons(change_output, "kind of output has changed\n");
    check_reasons(change_merge, "kind of output has changed\n");
    check_reasons(change_pieces, "");
    check_reasons(change_two_things, "compiler has changed\nargument -DY is new\n");
}

/* What is beyond what is kept of an argument cannot be told apart, but the list that it is in can. */
static void test_reasons_of_long_arguments(void **state)
{
    (void)state;
    fixture f;
    char argument[2000];
    char *texts[2];
    begin(&f);
    memset(argument, 'x', sizeof argument - 1);
    argument[sizeof argument - 1] = '\0';
    kiln_spec_add_arguments(f.spec, KILN_PRIVATE, LIST(argument));
    ingredients list = library_ingredients(&f);
    texts[0] = ingredients_print(&list);
    assert_true(strlen(texts[0]) < sizeof argument);
    ingredients_destroy(&list);
    f.spec->arguments[2].text[sizeof argument - 2] = 'y';
    list = library_ingredients(&f);
    texts[1] = ingredients_compare(&list, texts[0]);
    assert_string_equal(texts[1], "argument list has changed\n");
    free(texts[0]);
    free(texts[1]);
    ingredients_destroy(&list);
    end(&f);
}

/* Every reason is found again, however many there are. */
static void test_reasons_of_many_arguments(void **state)
{
    (void)state;
    enum { count = 3000 };
    fixture f;
    begin(&f);
    ingredients list = library_ingredients(&f);
    char *printed = ingredients_print(&list);
    ingredients_destroy(&list);
    for (int i = 0; i < count; i++) {
        char argument[32];
        snprintf(argument, sizeof argument, "-DN%d", i);
        kiln_spec_add_arguments(f.spec, KILN_PRIVATE, LIST(argument));
    }
    list = library_ingredients(&f);
    char *reasons = ingredients_compare(&list, printed);
    size_t lines = 0;
    for (const char *at = reasons; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, count);
    free(reasons);
    free(printed);
    ingredients_destroy(&list);
    end(&f);
}

/* The text of an earlier build may be anything. What is no text of this version tells nothing. */
static void test_reasons_from_damaged_text(void **state)
{
    (void)state;
    static const char header[] = "kiln ingredients 1\n";
    static const char *const texts[] = {
        "",
        "\n",
        "x",
        "\n\n\n",
        "= 0123 x\n",
        "= compiler\n",
        "-",
        "- ",
        "+ ",
        "= 0000000000000000000000000000000000000000000000000000000000000000",
        "= 0000000000000000000000000000000000000000000000000000000000000000 "};
    fixture f;
    begin(&f);
    ingredients list = library_ingredients(&f);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (int known = 0; known < 2; known++) {
            /* A copy of exactly this size: a read beyond it is seen by a sanitizer. */
            char *copy = malloc(sizeof header + strlen(texts[i]));
            sprintf(copy, "%s%s", known ? header : "", texts[i]);
            char *reasons = ingredients_compare(&list, copy);
            if (known)
                assert_non_null(strstr(reasons, "compiler is new\n"));
            else
                assert_string_equal(reasons, "what it was built of before is not known\n");
            free(reasons);
            free(copy);
        }
    }
    ingredients_destroy(&list);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_ingredient_counts),
        cmocka_unit_test(test_keys_are_the_same_again),
        cmocka_unit_test(test_units_are_shared_between_libraries),
        cmocka_unit_test(test_processor),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_reasons_of_long_arguments),
        cmocka_unit_test(test_reasons_of_many_arguments),
        cmocka_unit_test(test_reasons_from_damaged_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
