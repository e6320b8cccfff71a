/* test_build_arguments_carried.c - arguments that come to the front end, LLVM or the linker; values
 * that look like options; and which paths of public arguments stay as they are. */
#include "test_base_fixture.h"

#include "build/arguments.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_refused(const char *const *arguments, long place, size_t span)
{
    const char *reason = NULL;
    size_t taken = 0;
    long found = arguments_find_refused(arguments, &reason, &taken);
    if (found != place || taken != span)
        fail_msg("'%s %s ...': found at %ld, %zu words, not at %ld, %zu words", arguments[0],
                 arguments[1] ? arguments[1] : "", found, taken, place, span);
    assert_true(strlen(reason) > 10);
}

static void check_taken_as_is(const char *const *arguments)
{
    const char *reason = NULL;
    size_t taken;
    long found = arguments_find_refused(arguments, &reason, &taken);
    if (found >= 0)
        fail_msg("'%s' is refused: %s", arguments[found], reason);
}

/* ---- refusals ---- */

static void test_what_is_handed_to_the_linker(void **state)
{
    (void)state;
    static const char *const words[] = {"-o",
                                        "--output",
                                        "-Map",
                                        "--Map",
                                        "--dependency-file",
                                        "--reproduce",
                                        "--why-extract",
                                        "--load-pass-plugin",
                                        "-plugin",
                                        "--error-handling-script",
                                        "--thinlto-distributor",
                                        "--print-archive-stats",
                                        "--time-trace",
                                        "-r",
                                        "--relocatable",
                                        "--out-implib"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char comma[64], first[64];
        snprintf(comma, sizeof comma, "-Wl,-z,now,%s,x", words[i]);
        check_refused(LIST("-O2", comma, "-g"), 1, 1);
        check_refused(LIST("-Xlinker", words[i]), 0, 2);
        snprintf(first, sizeof first, "--for-linker=%s", words[i]);
        check_refused(LIST(first), 0, 1);
    }
    check_refused(LIST("-Wl,-Map=x"), 0, 1);
    check_refused(LIST("-Wl,-ox"), 0, 1);
    check_refused(LIST("-Wl,@x"), 0, 1);
    check_refused(LIST("-g", "-Xlinker", "-Map", "-Xlinker", "x", "-O2"), 1, 4);
    check_refused(LIST("-Wl,-Map", "-Wl,x", "-O2"), 0, 2);
    check_refused(LIST("-Wl,-Map", "-Xlinker", "x", "-O2"), 0, 3);
    check_refused(LIST("-Wl,-Map", "-O2"), 0, 1);
    check_refused(LIST("-Wl,--save-temps"), 0, 1);
    check_taken_as_is(LIST("-Wl,-z,now", "-Wl,-rpath,/x", "-Wl,--as-needed", "-Wl,-omagic",
                           "-Wl,--orphan-handling=warn", "-Wl,-v", "-Wl,--trace", "-Xlinker", "-z",
                           "-Xlinker", "origin", "-Wl,"));
}

static void test_what_is_handed_to_llvm(void **state)
{
    (void)state;
    check_refused(LIST("-mllvm", "-load=x.so"), 0, 2);
    check_refused(LIST("-mllvm", "--load=x.so"), 0, 2);
    check_refused(LIST("-mllvm=-load=x.so"), 0, 1);
    check_refused(LIST("-g", "-mllvm", "-load", "-mllvm", "x.so"), 1, 4);
    check_refused(LIST("-Xclang", "-mllvm", "-Xclang", "-load=x.so"), 0, 4);
    check_refused(LIST("-Wl,-mllvm,-load=x.so"), 0, 1);
    check_refused(LIST("-Wl,-mllvm=-load=x.so"), 0, 1);
    check_refused(LIST("-Wl,--plugin-opt=-load=x.so"), 0, 1);
    check_refused(LIST("-Xlinker", "-mllvm", "-Xlinker", "-load=x.so"), 0, 4);
    check_refused(LIST("-mllvm", "-info-output-file=x"), 0, 2);
    check_refused(LIST("-mllvm", "-exec-on-ir-change=x"), 0, 2);
    check_refused(LIST("-mllvm", "-view-edge-bundles"), 0, 2);
    check_refused(LIST("-mllvm", "-print-changed=diff"), 0, 2);
    check_taken_as_is(LIST("-mllvm", "-load-func-profile-for-cg-matching", "-mllvm",
                           "-inline-threshold=9", "-mllvm"));
    check_taken_as_is(LIST("-mllvm", "-o"));
    check_taken_as_is(LIST("-Wl,--plugin-opt=O3"));
}

static void test_what_is_handed_to_the_preprocessor(void **state)
{
    (void)state;
    check_refused(LIST("-Xpreprocessor", "-MD"), 0, 2);
    check_refused(LIST("-Wp,-DX,-MMD,a.d"), 0, 1);
    check_refused(LIST("-Wp,-load,x.so"), 0, 1);
    check_refused(LIST("-Xarch_host", "-fplugin=x.so"), 0, 2);
    check_taken_as_is(LIST("-Wp,-DX=1,-UY", "-Xpreprocessor", "-DX"));
}

static void test_what_writes_or_runs(void **state)
{
    (void)state;
    static const char *const alone[] = {"--config=x",
                                        "--config-user-dir=x",
                                        "-fproc-stat-report",
                                        "-fproc-stat-report=x",
                                        "-dumpversion",
                                        "-gen-reproducer",
                                        "-gen-reproducer=always",
                                        "-working-directory=x",
                                        "--driver-mode=cl",
                                        "-fcrash-diagnostics-dir=x",
                                        "-foptimization-record-file=x",
                                        "-fmodules-cache-path=x",
                                        "-fmodule-output",
                                        "-fstack-usage",
                                        "-via-file-asm",
                                        "--write-dependencies",
                                        "--emit-static-lib",
                                        "-fthinlto-distributor=x"};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        check_refused(LIST(alone[i], "x"), 0, 1);
    static const char *const with_value[] = {
        "-dependency-file",       "-dependency-dot", "-dumpdir",     "-working-directory",
        "-gen-cdb-fragment-path", "-dsym-dir",       "-ccc-gcc-name"};
    for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++)
        check_refused(LIST("-g", with_value[i], "x", "-O2"), 1, 2);
    static const char *const of_front_end[] = {"-stats-file=x", "-dump-minimization-hints=x",
                                               "-emit-pch", "-fixit", "-emit-llvm-bc"};
    for (size_t i = 0; i < sizeof of_front_end / sizeof *of_front_end; i++)
        check_refused(LIST("-Xclang", of_front_end[i]), 0, 2);
    check_refused(LIST("-Xclang", "-diagnostic-log-file", "-Xclang", "x"), 0, 4);
    check_taken_as_is(LIST("-Xclang", "-emit-llvm-uselists", "-dM", "-fcrash-diagnostics"));
}

/* The value of an option is whatever stands there, for Clang and so here. */
static void test_values_that_look_like_options(void **state)
{
    (void)state;
    static const char *const options[] = {"-D",       "-U",       "-I", "-L", "-l",
                                          "-include", "-isystem", "-x", "-u", "-T"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        check_taken_as_is(LIST(options[i], "-c", "-g"));
        check_taken_as_is(LIST(options[i], "-o", "-g"));
        check_taken_as_is(LIST(options[i], "-Wl,-Map,x"));
        check_taken_as_is(LIST(options[i], "@x"));
        check_taken_as_is(LIST(options[i]));
        check_refused(LIST(options[i], "-c", "-c"), 2, 1);
        check_refused(LIST(options[i], "-Xclang", "-c"), 2, 1);
        check_taken_as_is(LIST("-Xclang", options[i], "-Xclang", "-o"));
    }
    /* What does not come to the front end is no value of its option. */
    check_refused(LIST("-Xclang", "-include", "-o", "x"), 2, 2);
    check_taken_as_is(
        LIST("-Wl,-rpath,-o", "-Wl,-soname,-Map", "-Xlinker", "--defsym", "-Xlinker", "-r"));
    check_refused(LIST("-Wl,-rpath,-o,-o"), 0, 1);
    check_refused(LIST("-DX", "-c"), 1, 1);
}

/* ---- paths ---- */

/* Adds all of `arguments`, as spec_public_arguments does. */
static void check_absolute(const char *const *arguments, const char *const *expected)
{
    string_list list = {0};
    const char *previous = NULL;
    size_t count = 0;
    for (; arguments[count]; previous = arguments[count++])
        assert_true(arguments_add_absolute(&list, previous, arguments[count], fixture_directory));
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list.items[i], expected[i]);
    string_list_destroy(&list);
}

/* The path of a new empty file of the directory. */
static char *make_header(const char *name)
{
    const char *path = scratch("%s", name);
    write_file(path, "");
    return strdup(path);
}

static void test_included_files(void **state)
{
    (void)state;
    char *here = make_header("here.h");
    check_absolute(LIST("-include", "here.h", "-imacros", "here.h"),
                   LIST("-include", here, "-imacros", here));
    char *joined = text_print("-include%s", here);
    check_absolute(LIST("-includehere.h"), LIST(joined));
    /* Found along -I, or not at all. */
    check_absolute(LIST("-include", "else/where.h", "-imacros", "where.h", "-includewhere.h"),
                   LIST("-include", "else/where.h", "-imacros", "where.h", "-includewhere.h"));
    free(joined);
    free(here);
}

static void test_below_the_root(void **state)
{
    (void)state;
    check_absolute(LIST("-I=x", "-L=x", "-isystem=x", "-isystem", "=x", "-iquote", "=y"),
                   LIST("-I=x", "-L=x", "-isystem=x", "-isystem", "=x", "-iquote", "=y"));
    check_absolute(LIST("-iwithsysroot", "x", "-iwithsysroot/x"),
                   LIST("-iwithsysroot", "x", "-iwithsysroot/x"));
}

static void test_prefixes(void **state)
{
    (void)state;
    char *prefix = text_print("%s/in/", fixture_directory);
    check_absolute(LIST("-iprefix", "in/", "-iwithprefix", "clude", "-iwithprefixbefore", "x"),
                   LIST("-iprefix", prefix, "-iwithprefix", "clude", "-iwithprefixbefore", "x"));
    free(prefix);
}

static void test_paths_for_the_front_end(void **state)
{
    (void)state;
    char *here = make_header("front.h");
    char *x = text_print("%s/x", fixture_directory), *with_I = text_print("-I%s", x);
    char *joined = text_print("-Xclang=%s", here);
    check_absolute(LIST("-Xclang", "-include", "-Xclang", "front.h"),
                   LIST("-Xclang", "-include", "-Xclang", here));
    check_absolute(LIST("-Xclang", "-include", "-Xclang", "missing.h"),
                   LIST("-Xclang", "-include", "-Xclang", "missing.h"));
    check_absolute(LIST("-Xclang=-include", "-Xclang=front.h"), LIST("-Xclang=-include", joined));
    check_absolute(LIST("-Xclang", "-Ix", "-Xclang", "-isystem", "-Xclang", "x"),
                   LIST("-Xclang", with_I, "-Xclang", "-isystem", "-Xclang", x));
    check_absolute(LIST("-Xclang", "x"), LIST("-Xclang", "x"));
    free(here);
    free(joined);
    free(with_I);
    free(x);
}

static void test_values_are_no_paths(void **state)
{
    (void)state;
    check_absolute(LIST("-D", "-Ix", "-U", "-Lx"), LIST("-D", "-Ix", "-U", "-Lx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_handed_to_the_linker),
        cmocka_unit_test(test_what_is_handed_to_llvm),
        cmocka_unit_test(test_what_is_handed_to_the_preprocessor),
        cmocka_unit_test(test_what_writes_or_runs),
        cmocka_unit_test(test_values_that_look_like_options),
        cmocka_unit_test(test_included_files),
        cmocka_unit_test(test_below_the_root),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_paths_for_the_front_end),
        cmocka_unit_test(test_values_are_no_paths),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
