/* test_load_names.c - whose definition a reference is
 * bound to, in a host that exports clashing names.
 *
 * This program exports functions and data under the names that the images use (it is linked with
 * its symbols exported), and so does a shared library that it has loaded globally. */
#include "test_load_fixture.h"

/* What the host exports: every answer is negative. */
#define EXPORTED __attribute__((visibility("default"), used))
EXPORTED int clash_function(void);
EXPORTED int clash_weak(void);
EXPORTED int clash_lent(void);
EXPORTED int clash_data = -1;
EXPORTED __thread int clash_tls = -2;

int clash_function(void)
{
    return -3;
}

int clash_weak(void)
{
    return -4;
}

int clash_lent(void)
{
    return -5;
}

static int lent_one(void)
{
    return 51;
}

static int lent_two(void)
{
    return 52;
}

static const char own_source[] = "int clash_data = 1; __thread int clash_tls = 2;\n"
                                 "int clash_function(void) { return 3; }\n"
                                 "__attribute__((weak)) int clash_weak(void) { return 4; }\n"
                                 "int own_data(void) { return clash_data; }\n"
                                 "int own_tls(void) { return clash_tls; }\n"
                                 "int own_function(void) { return clash_function(); }\n"
                                 "int own_weak(void) { return clash_weak(); }\n"
                                 "int (*own_pointer(void))(void) { return clash_function; }\n";

static const char user_source[] = "extern int clash_data; extern __thread int clash_tls; int "
                                  "clash_function(void); int clash_weak(void);\n"
                                  "int use_data(void) { return clash_data; }\n"
                                  "int use_tls(void) { return clash_tls; }\n"
                                  "int use_function(void) { return clash_function(); }\n"
                                  "int use_weak(void) { return clash_weak(); }\n"
                                  "static int (*table[])(void) = {clash_function};\n"
                                  "int use_table(void) { return table[0](); }\n";

static const char lent_source[] =
    "int clash_lent(void); int use_lent(void) { return clash_lent(); }\n"
    "int (*pointer)(void) = clash_lent; int use_pointer(void) { return pointer(); }\n";

static int setup(void **state)
{
    (void)state;
    make_image("own", "c", own_source, "");
    make_image("user", "c", user_source, "--dep @/own.so");
    return 0;
}

/* Without this the tests below would pass for want of a clash. */
static void test_host_exports(void **state)
{
    (void)state;
    if (!dlsym(RTLD_DEFAULT, "clash_function")) {
        print_message(
            "skipped: this program is not linked with its symbols exported (ENABLE_EXPORTS)\n");
        exit(77);
    }
    write_source("plain.c", user_source);
    char command[1024];
    snprintf(command, sizeof command, "clang-22 -shared -fPIC -o %s %s", scratch("plain.so"),
             scratch("plain.c"));
    assert_int_equal(system(command), 0);
    void *plain = dlopen(scratch("plain.so"), RTLD_NOW);
    assert_non_null(plain);
    assert_int_equal(((int (*)(void))dlsym(plain, "use_function"))(), -3);
    dlclose(plain);
}

static void test_own_definitions_win(void **state)
{
    (void)state;
    loaded *own = open_named("own", NULL);
    assert_int_equal(call(own, "own_data"), 1);
    assert_int_equal(call(own, "own_tls"), 2);
    assert_int_equal(call(own, "own_function"), 3);
    assert_int_equal(call(own, "own_weak"), 4);
    assert_int_equal(call(own, "clash_function"), 3);
    int (*(*pointer)(void))(void) = (int (*(*)(void))(void))load_symbol_address(own, "own_pointer");
    assert_ptr_equal(pointer(), load_symbol_address(own, "clash_function"));
    assert_int_equal(load_close(own), KILN_OK);
}

static void check_user(const loaded *user, int sign)
{
    assert_int_equal(call(user, "use_data"), 1 * sign);
    assert_int_equal(call(user, "use_tls"), 2 * sign);
    assert_int_equal(call(user, "use_function"), 3 * sign);
    assert_int_equal(call(user, "use_weak"), 4 * sign);
    assert_int_equal(call(user, "use_table"), 3 * sign);
}

static void test_dependencies_win(void **state)
{
    (void)state;
    loaded *user = open_named("own", "user", NULL);
    check_user(user, 1);
    assert_int_equal(load_close(user), KILN_OK);
}

/* The hidden bit in the references' versions is what does it: without it glibc takes the host's. */
static void test_dependencies_win_by_their_version(void **state)
{
    (void)state;
    setenv("IMAGE_LEAVE_VERSIONS", "1", 1);
    make_image("careless", "c", user_source, "--dep @/own.so");
    unsetenv("IMAGE_LEAVE_VERSIONS");
    loaded *careless = open_named("own", "careless", NULL);
    check_user(careless, -1);
    assert_int_equal(load_close(careless), KILN_OK);
}

/* What a global library exports is in the same scope as the host's exports. */
static void test_dependencies_win_over_global_libraries(void **state)
{
    (void)state;
    write_source("other.c",
                 "#include <stdio.h>\n int clash_function(void) { return -puts(\"\"); }");
    char command[1024];
    snprintf(command, sizeof command, "clang-22 -shared -fPIC -o %s %s", scratch("other.so"),
             scratch("other.c"));
    assert_int_equal(system(command), 0);
    void *other = dlopen(scratch("other.so"), RTLD_NOW | RTLD_GLOBAL);
    assert_non_null(other);
    test_dependencies_win(state);
    dlclose(other);
}

static void test_chain_of_three(void **state)
{
    (void)state;
    make_image("bottom", "c", "int clash_function(void) { return 10; } int clash_data = 7;", "");
    make_image("middle", "c",
               "int clash_function(void); extern int clash_data;\n"
               "int clash_weak(void) { return clash_function() + clash_data; }",
               "--dep @/bottom.so");
    make_image("top", "c",
               "int clash_weak(void); int clash_function(void) { return 1000; }\n"
               "int clash_data = 3; int use(void) { return clash_function() + clash_weak() + "
               "clash_data; }",
               "--dep @/middle.so");
    loaded *top = open_named("bottom", "middle", "top", NULL);
    assert_int_equal(call(top, "use"), 1000 + 10 + 7 + 3);
    /* Not in its dependencies. */
    assert_null(load_symbol_address(top, "clash_weak"));
    assert_null(load_symbol_address(top, "puts"));
    assert_int_equal(load_close(top), KILN_OK);
}

static void test_two_versions_side_by_side(void **state)
{
    (void)state;
    make_image(
        "v1", "c",
        "static int n; int clash_data = 1; int version(void) { n++; return clash_data + n - n; }",
        "");
    make_image(
        "v2", "c",
        "static int n; int clash_data = 2; int version(void) { n++; return clash_data + n - n; }",
        "");
    make_image("user1", "c", "int version(void); int use(void) { return version() * 10; }",
               "--dep @/v1.so");
    make_image("user2", "c", "int version(void); int use(void) { return version() * 10; }",
               "--dep @/v2.so");
    for (int visibility = KILN_LOCAL; visibility <= KILN_GLOBAL; visibility++) {
        load_image first[] = {image_of("v1"), image_of("user1")};
        load_image second[] = {image_of("v2"), image_of("user2")};
        loaded *one = open_request(&(load_request){first, 2, visibility, false});
        loaded *two = open_request(&(load_request){second, 2, visibility, false});
        assert_int_equal(call(one, "use"), 10);
        assert_int_equal(call(two, "use"), 20);
        assert_int_equal(load_close(one), KILN_OK);
        assert_int_equal(load_close(two), KILN_OK);
    }
}

/* ---- host symbols ---- */

static loaded *open_lent(const char *name, int (*lent)(void))
{
    load_symbol symbol = {"clash_lent", (const void *)lent};
    load_image image = image_of(name);
    image.host_symbols = &symbol;
    image.host_symbol_count = 1;
    return open_images(&image, 1);
}

static void test_host_symbol_wins_over_exports(void **state)
{
    (void)state;
    make_image("lent", "c", lent_source, "--host clash_lent");
    loaded *lent = open_lent("lent", lent_one);
    assert_int_equal(call(lent, "use_lent"), 51);
    assert_int_equal(call(lent, "use_pointer"), 51);
    assert_int_equal(load_close(lent), KILN_OK);
    /* The next load may lend something else. */
    lent = open_lent("lent", lent_two);
    assert_int_equal(call(lent, "use_lent"), 52);
    assert_int_equal(load_close(lent), KILN_OK);
}

static void test_host_data(void **state)
{
    (void)state;
    static int numbers[3] = {1, 2, 3};
    make_image(
        "data", "c",
        "extern int numbers[3]; int use(void) { numbers[0] += 4; return numbers[0] + numbers[2]; }",
        "--host numbers");
    load_symbol symbol = {"numbers", numbers};
    load_image image = image_of("data");
    image.host_symbols = &symbol;
    image.host_symbol_count = 1;
    loaded *data = open_images(&image, 1);
    assert_int_equal(call(data, "use"), 8);
    assert_int_equal(numbers[0], 5);
    assert_int_equal(load_close(data), KILN_OK);
}

static void test_many_host_symbols(void **state)
{
    (void)state;
    enum { count = 3000 };
    static char names[count][16];
    static load_symbol symbols[count];
    FILE *source = fopen(scratch("many.txt"), "w+");
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "lent_%d", i);
        symbols[i] = (load_symbol){names[i], (const void *)(intptr_t)(i + 1)};
        fprintf(source, "extern char lent_%d[];\n", i);
    }
    fprintf(source, "long use(void) { long n = 0;\n");
    for (int i = 0; i < count; i++)
        fprintf(source, "n += (long)lent_%d == %d;\n", i, i + 1);
    fprintf(source, "return n; }\n");
    fclose(source);
    uint8_t *text;
    size_t size;
    assert_int_equal(os_read_file(AT_FDCWD, scratch("many.txt"), &text, &size), 0);
    /* helper_image takes a few names only: let the whole list be marked by a response in the
     * environment. */
    setenv("IMAGE_HOST_PREFIX", "lent_", 1);
    make_image("many", "c", (char *)text, "");
    unsetenv("IMAGE_HOST_PREFIX");
    free(text);
    load_image image = image_of("many");
    image.host_symbols = symbols;
    image.host_symbol_count = count;
    loaded *many = open_images(&image, 1);
    long (*use)(void) = (long (*)(void))load_symbol_address(many, "use");
    assert_int_equal(use(), count);
    assert_int_equal(load_close(many), KILN_OK);
}

static void test_one_name_lent_twice(void **state)
{
    (void)state;
    make_image("lender", "c", "int clash_lent(void); int low(void) { return clash_lent(); }",
               "--host clash_lent");
    make_image("borrower", "c",
               "int low(void); int clash_lent(void); int both(void) { return low() * 100 + "
               "clash_lent(); }",
               "--host clash_lent --dep @/lender.so");
    load_symbol one = {"clash_lent", (const void *)lent_one},
                two = {"clash_lent", (const void *)lent_two};
    load_image images[] = {image_of("lender"), image_of("borrower")};
    images[0].host_symbols = &one;
    images[1].host_symbols = &two;
    images[0].host_symbol_count = images[1].host_symbol_count = 1;
    loaded *borrower = open_images(images, 2);
    assert_int_equal(call(borrower, "both"), 5152);
    assert_int_equal(load_close(borrower), KILN_OK);
    assert_false(is_mapped("lender.so"));
}

static void test_other_addresses_are_refused(void **state)
{
    (void)state;
    loaded *lent = open_lent("lent", lent_one);
    loaded *again = open_lent("lent", lent_one);
    load_symbol symbol = {"clash_lent", (const void *)lent_two};
    load_image image = image_of("lent");
    image.host_symbols = &symbol;
    image.host_symbol_count = 1;
    loaded *other = NULL;
    kiln_error *error = NULL;
    assert_int_equal(load_open(&(load_request){&image, 1, KILN_LOCAL, false}, &other, &error),
                     KILN_BIND);
    assert_non_null(strstr(kiln_error_message(error), "host symbols"));
    kiln_error_destroy(error);
    assert_int_equal(load_close(lent), KILN_OK);
    assert_int_equal(call(again, "use_lent"), 51);
    assert_int_equal(load_close(again), KILN_OK);
}

/* ---- visibility ---- */

/* dlsym(RTLD_DEFAULT) would do, but makes this program depend on the library for good. */
static void *find_global(const char *name)
{
    return os_lookup_scope(NULL, name, NULL);
}

static void test_visibility(void **state)
{
    (void)state;
    make_image("below", "c", "int below_function(void) { return 8; }", "");
    make_image(
        "above", "c",
        "int below_function(void); int above_function(void) { return below_function() + 1; }",
        "--dep @/below.so");
    loaded *local = open_named("below", "above", NULL);
    assert_null(find_global("above_function"));
    /* A second load makes the image that is there already visible. */
    load_image images[] = {image_of("below"), image_of("above")};
    loaded *global = open_request(&(load_request){images, 2, KILN_GLOBAL, false});
    assert_ptr_equal(find_global("above_function"), load_symbol_address(local, "above_function"));
    assert_non_null(find_global("below_function"));
    assert_int_equal(load_close(global), KILN_OK);
    assert_int_equal(load_close(local), KILN_OK);
    assert_null(find_global("above_function"));
    /* Later, and for one image that is opened as it is. */
    local = open_named("below", NULL);
    assert_null(find_global("below_function"));
    assert_int_equal(load_make_global(local, NULL), KILN_OK);
    assert_non_null(find_global("below_function"));
    assert_int_equal(load_close(local), KILN_OK);
    assert_false(is_mapped("below.so"));
}

/* Whoever finds a symbol with RTLD_DEFAULT keeps its
 * library: glibc notes a dependency of the caller. */
static void default_lookup_part(void)
{
    load_image image = image_of("below");
    loaded *below = open_request(&(load_request){&image, 1, KILN_GLOBAL, false});
    if (!dlsym(RTLD_DEFAULT, "below_function") || load_close(below) != KILN_PENDING ||
        !is_mapped("below.so"))
        _exit(1);
}

static void test_default_lookup_keeps_a_library(void **state)
{
    (void)state;
    in_child(default_lookup_part);
}

/* A global library's host symbols are not in the global scope: another library lends its own. */
static void test_host_symbols_stay_private(void **state)
{
    (void)state;
    make_image("lent2", "c", lent_source, "--host clash_lent");
    load_symbol symbol = {"clash_lent", (const void *)lent_one};
    load_image image = image_of("lent");
    image.host_symbols = &symbol;
    image.host_symbol_count = 1;
    loaded *global = open_request(&(load_request){&image, 1, KILN_GLOBAL, false});
    assert_non_null(find_global("use_lent"));
    loaded *other = open_lent("lent2", lent_two);
    assert_int_equal(call(global, "use_lent"), 51);
    assert_int_equal(call(other, "use_lent"), 52);
    assert_int_equal(load_close(global), KILN_OK);
    assert_int_equal(load_close(other), KILN_OK);
}

int main(void)
{
    fixture_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_exports),
        cmocka_unit_test(test_own_definitions_win),
        cmocka_unit_test(test_dependencies_win),
        cmocka_unit_test(test_dependencies_win_by_their_version),
        cmocka_unit_test(test_dependencies_win_over_global_libraries),
        cmocka_unit_test(test_chain_of_three),
        cmocka_unit_test(test_two_versions_side_by_side),
        cmocka_unit_test(test_host_symbol_wins_over_exports),
        cmocka_unit_test(test_host_data),
        cmocka_unit_test(test_many_host_symbols),
        cmocka_unit_test(test_one_name_lent_twice),
        cmocka_unit_test(test_other_addresses_are_refused),
        cmocka_unit_test(test_visibility),
        cmocka_unit_test(test_default_lookup_keeps_a_library),
        cmocka_unit_test(test_host_symbols_stay_private),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
