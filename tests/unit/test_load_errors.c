/* test_load_errors.c - what a failed load says: all that is missing, who needs it, who has it;
 * auto-load; duplicates. */
#include "test_load_fixture.h"

/* In this program's symbol table; exported or not as the linking of the tests has it. */
int host_has_this(void);
__attribute__((visibility("default"), used)) int host_state = 1;

__attribute__((visibility("hidden"), used)) int host_has_this(void)
{
    return 1;
}

static kiln_error *open_and_fail(const load_image *images, size_t count, bool auto_load)
{
    loaded *library = NULL;
    kiln_error *error = NULL;
    assert_int_equal(
        load_open(&(load_request){images, count, KILN_LOCAL, auto_load}, &library, &error),
        KILN_BIND);
    assert_null(library);
    assert_int_equal(kiln_error_code(error), KILN_BIND);
    assert_int_equal(kiln_error_phase(error), KILN_PHASE_BIND);
    return error;
}

static void check_says(const kiln_error *error, const char *part)
{
    if (!strstr(kiln_error_message(error), part))
        fail_msg("'%s' does not say '%s'", kiln_error_message(error), part);
}

static const kiln_missing_symbol *find_missing(const kiln_error *error, const char *name)
{
    for (size_t i = 0; i < kiln_error_missing_symbol_count(error); i++)
        if (strcmp(kiln_error_missing_symbol(error, i)->name, name) == 0)
            return kiln_error_missing_symbol(error, i);
    return NULL;
}

/* An installed library that this test can count on: made here, on the loader's path through
 * LD_LIBRARY_PATH (which main sets before it starts this program again). */
static void make_installed(void)
{
    char command[1024];
    write_source("provider.c",
                 "int provider_a(void) { return 41; } int provider_b;"
                 "__attribute__((constructor)) static void begin(void) { provider_b = 1; }");
    write_source("fat.c", "int provider_a(void) { return -1; } int fat1, fat2, fat3, fat4;");
    snprintf(command, sizeof command,
             "cd %s && mkdir -p installed && clang-22 -shared -fPIC -Wl,-soname,libkilntest.so.1 "
             "-o installed/libkilntest.so.1.0 provider.c && ln -s libkilntest.so.1.0 "
             "installed/libkilntest.so.1 && "
             "clang-22 -shared -fPIC -o installed/libkilnfat.so fat.c",
             fixture_directory);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    (void)state;
    make_image("base", "c", "int base(void) { return 1; }", "");
    make_installed();
    return 0;
}

static void test_all_missing_symbols(void **state)
{
    (void)state;
    make_image("low", "c", "int gone_low(void); int low(void) { return gone_low(); }", "");
    make_image("high", "c",
               "int low(void); int gone_high(void); extern int gone_data; __attribute__((weak)) "
               "int gone_weak(void);\n"
               "int puts(const char *); int high(void) { return low() + gone_high() + gone_data + "
               "(gone_weak ? 1 : 0) + puts(\"\"); }",
               "--dep @/low.so");
    load_image images[] = {image_of("low"), image_of("high")};
    kiln_error *error = open_and_fail(images, 2, false);
    assert_int_equal(kiln_error_missing_symbol_count(error), 3);
    assert_string_equal(find_missing(error, "gone_low")->needed_by, "low");
    assert_string_equal(find_missing(error, "gone_high")->needed_by, "high");
    assert_string_equal(find_missing(error, "gone_data")->needed_by, "high");
    assert_null(find_missing(error, "gone_data")->provider);
    check_says(error, "cannot bind library 'high': 3 symbols are missing");
    check_says(error, "gone_low, needed by 'low'");
    check_says(error, "nothing that is installed defines it");
    kiln_error_destroy(error);
}

static void test_provider_is_named(void **state)
{
    (void)state;
    make_image("asks", "c",
               "int provider_a(void); extern int provider_b; static int at_start;\n"
               "__attribute__((constructor)) static void begin(void) { at_start = provider_b; }\n"
               "int asks(void) { return provider_a() + at_start; }",
               "");
    load_image image = image_of("asks");
    kiln_error *error = open_and_fail(&image, 1, false);
    assert_string_equal(find_missing(error, "provider_a")->provider,
                        scratch("installed/libkilntest.so.1"));
    assert_string_equal(find_missing(error, "provider_b")->provider,
                        scratch("installed/libkilntest.so.1"));
    check_says(error, "libkilntest.so.1 defines it");
    kiln_error_destroy(error);
}

static void test_auto_load(void **state)
{
    (void)state;
    load_image image = image_of("asks");
    loaded *library = NULL;
    assert_int_equal(load_open(&(load_request){&image, 1, KILN_LOCAL, true}, &library, NULL),
                     KILN_OK);
    assert_int_equal(call(library, "asks"), 42);
    const char *const *found = load_auto_loaded(library);
    assert_string_equal(found[0], scratch("installed/libkilntest.so.1"));
    assert_null(found[1]);
    /* Nobody else sees it. */
    assert_null(os_lookup_scope(NULL, "provider_a", NULL));
    assert_int_equal(load_close(library), KILN_OK);
    assert_false(is_mapped("libkilntest"));
    assert_int_equal(load_open(&(load_request){&image, 1, KILN_LOCAL, false}, &library, NULL),
                     KILN_BIND);
}

static void test_auto_load_does_not_load_in_vain(void **state)
{
    (void)state;
    make_image(
        "half", "c",
        "int provider_a(void); int gone(void); int half(void) { return provider_a() + gone(); }",
        "");
    load_image image = image_of("half");
    kiln_error *error = open_and_fail(&image, 1, true);
    assert_int_equal(kiln_error_missing_symbol_count(error), 2);
    assert_false(is_mapped("libkilntest"));
    kiln_error_destroy(error);
}

static void test_missing_library(void **state)
{
    (void)state;
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && mkdir -p away && clang-22 -shared -fPIC -o away/libkilnaway.so provider.c",
             fixture_directory);
    assert_int_equal(system(command), 0);
    make_image("away", "c", "int provider_a(void); int away(void) { return provider_a(); }",
               "-L@/away -lkilnaway");
    load_image image = image_of("away");
    kiln_error *error = open_and_fail(&image, 1, false);
    check_says(error, "libkilnaway.so, needed by 'away': not found");
    kiln_error_destroy(error);
    make_image("found", "c", "int provider_a(void); int found(void) { return provider_a(); }",
               "-L@/away -lkilnaway '-Wl,-rpath,$ORIGIN/away'");
    loaded *found = open_named("found", NULL);
    assert_int_equal(load_close(found), KILN_OK);
    /* The run path counts in the report too: there only the symbol is missing. */
    make_image(
        "found2", "c",
        "int provider_a(void); int gone(void); int found2(void) { return provider_a() + gone(); }",
        "-L@/away -lkilnaway '-Wl,-rpath,$ORIGIN/away'");
    image = image_of("found2");
    error = open_and_fail(&image, 1, false);
    assert_int_equal(kiln_error_missing_symbol_count(error), 1);
    assert_non_null(find_missing(error, "gone"));
    kiln_error_destroy(error);
}

static void test_missing_version(void **state)
{
    (void)state;
    char command[2048];
    write_source("v.c", "int versioned(void) { return 1; }");
    snprintf(command, sizeof command,
             "cd %s && mkdir -p v && echo 'V_1 { global: *; }; V_2 { global: versioned; } V_1;' > "
             "v2.map && "
             "echo 'V_1 { global: *; };' > v1.map && "
             "clang-22 -shared -fPIC --ld-path=/usr/bin/ld.lld-22 "
             "-Wl,-soname,libkilnv.so,--version-script=v2.map -o v/libkilnv.so v.c",
             fixture_directory);
    assert_int_equal(system(command), 0);
    make_image("newer", "c", "int versioned(void); int newer(void) { return versioned(); }",
               "-L@/v -lkilnv '-Wl,-rpath,$ORIGIN/v'");
    snprintf(command, sizeof command,
             "cd %s && clang-22 -shared -fPIC --ld-path=/usr/bin/ld.lld-22 "
             "-Wl,-soname,libkilnv.so,--version-script=v1.map -o v/libkilnv.so v.c",
             fixture_directory);
    assert_int_equal(system(command), 0);
    load_image image = image_of("newer");
    kiln_error *error = open_and_fail(&image, 1, false);
    check_says(error, "versioned (version V_2), needed by 'newer'");
    kiln_error_destroy(error);
}

static void test_undeclared_dependency(void **state)
{
    (void)state;
    loaded *base = open_named("base", NULL);
    make_image("careless", "c", "int base(void); int careless(void) { return base(); }", "");
    load_image image = image_of("careless");
    kiln_error *error = open_and_fail(&image, 1, false);
    check_says(error, "the loaded library 'base' defines it: declare that as a dependency");
    kiln_error_destroy(error);
    assert_int_equal(load_close(base), KILN_OK);
}

static void test_unexported_by_the_host(void **state)
{
    (void)state;
    make_image("guest", "c", "int host_has_this(void); int guest(void) { return host_has_this(); }",
               "");
    load_image image = image_of("guest");
    kiln_error *error = open_and_fail(&image, 1, false);
    check_says(error, "the host program defines it but does not export it");
    check_says(error, "-rdynamic");
    kiln_error_destroy(error);
}

static void test_host_symbol_not_lent(void **state)
{
    (void)state;
    make_image("needy", "c", "int lent(void); int needy(void) { return lent(); }", "--host lent");
    load_image image = image_of("needy");
    kiln_error *error = open_and_fail(&image, 1, true);
    assert_string_equal(kiln_error_missing_symbol(error, 0)->name, "lent");
    check_says(error, "lend it as a host symbol");
    kiln_error_destroy(error);
}

static void test_no_image_at_all(void **state)
{
    (void)state;
    write_source("garbage.so", "this is no image");
    load_image image = image_of("garbage");
    kiln_error *error = open_and_fail(&image, 1, true);
    check_says(error, "cannot bind library 'garbage': ");
    kiln_error_destroy(error);
    image = image_of("nowhere");
    error = open_and_fail(&image, 1, true);
    check_says(error, "No such file or directory");
    kiln_error_destroy(error);
    /* A dependency that the request forgets. */
    make_image("on_base", "c", "int base(void); int on_base(void) { return base(); }",
               "--dep @/base.so");
    image = image_of("on_base");
    error = open_and_fail(&image, 1, false);
    check_says(error, "kiln-base, needed by 'on_base'");
    kiln_error_destroy(error);
}

/* ---- duplicates ---- */

typedef struct seen {
    char text[512];
} seen;

static void note_duplicate(const load_duplicate *duplicate, void *user_data)
{
    seen *s = user_data;
    size_t length = strlen(s->text);
    snprintf(s->text + length, sizeof s->text - length, "%s%s%s%s%s ", duplicate->symbol,
             duplicate->other ? "@" : "", !duplicate->other && duplicate->exported ? "^" : "",
             duplicate->is_variable ? "v" : "f", duplicate->is_state ? "!" : "");
}

static void test_duplicates(void **state)
{
    (void)state;
    make_image("twin1", "c",
               "int state = 1; int other_size; const int table[2] = {1, 2}; int helper(void) { "
               "return state + other_size; }\n"
               "__attribute__((weak)) int weak(void) { return 1; }",
               "");
    make_image("twin2", "c",
               "int state = 2; char other_size; const int table[2] = {1, 2}; int helper(void) { "
               "return state + other_size; }\n"
               "__attribute__((weak)) int weak(void) { return 1; } int host_state = 3, "
               "hidden_state = 4;",
               "");
    loaded *twin1 = open_named("twin1", NULL), *twin2 = open_named("twin2", NULL);
    const loaded *others[] = {twin2, twin1};
    seen s = {""};
    assert_int_equal(load_find_duplicates(twin2, others, 2, false, note_duplicate, &s, NULL),
                     KILN_OK);
    assert_non_null(strstr(s.text, "state@v! "));
    assert_non_null(strstr(s.text, "other_size@v "));
    assert_non_null(strstr(s.text, "table@v "));
    assert_non_null(strstr(s.text, "helper@f "));
    assert_null(strstr(s.text, "weak"));
    s.text[0] = '\0';
    assert_int_equal(load_find_duplicates(twin2, NULL, 0, true, note_duplicate, &s, NULL), KILN_OK);
    bool exported = dlsym(RTLD_DEFAULT, "host_state") != NULL;
    assert_non_null(strstr(s.text, exported ? "host_state^v! " : "host_statev! "));
    assert_int_equal(load_close(twin1), KILN_OK);
    assert_int_equal(load_close(twin2), KILN_OK);
}

int main(int argc, char **argv)
{
    /* The loader reads LD_LIBRARY_PATH once, at the start. */
    static char installed[] = "/tmp/kiln-load-XXXXXX/installed";
    (void)argc;
    if (!getenv("ERRORS_DIRECTORY")) {
        fixture_start();
        snprintf(installed, sizeof installed, "%s/installed", fixture_directory);
        setenv("ERRORS_DIRECTORY", fixture_directory, 1);
        setenv("LD_LIBRARY_PATH", installed, 1);
        execv("/proc/self/exe", argv);
        return 1;
    }
    fixture_resume(getenv("ERRORS_DIRECTORY"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_missing_symbols),
        cmocka_unit_test(test_provider_is_named),
        cmocka_unit_test(test_auto_load),
        cmocka_unit_test(test_auto_load_does_not_load_in_vain),
        cmocka_unit_test(test_missing_library),
        cmocka_unit_test(test_missing_version),
        cmocka_unit_test(test_undeclared_dependency),
        cmocka_unit_test(test_unexported_by_the_host),
        cmocka_unit_test(test_host_symbol_not_lent),
        cmocka_unit_test(test_no_image_at_all),
        cmocka_unit_test(test_duplicates),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
