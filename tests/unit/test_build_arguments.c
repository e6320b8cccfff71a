/* test_build_arguments.c - which arguments are refused, how many words each refusal spans, and
 * which arguments are made absolute. */
#include "test_base_fixture.h"

#include "build/arguments.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_refused(const char *const *arguments, long place, size_t span)
{
    const char *reason = NULL;
    size_t taken = 0;
    long found = arguments_find_refused(arguments, &reason, &taken);
    if (found != place || taken != span)
        fail_msg("'%s ...': found at %ld, %zu words, not at %ld, %zu words", arguments[0], found,
                 taken, place, span);
    assert_non_null(reason);
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

static void test_what_chooses_outputs(void **state)
{
    (void)state;
    static const char *const alone[] = {
        "-c",
        "--compile",
        "-S",
        "--assemble",
        "-E",
        "-r",
        "--preprocess",
        "-fsyntax-only",
        "-emit-llvm",
        "-shared",
        "-static",
        "-static-pie",
        "-###",
        "--analyze",
        "--precompile",
        "-emit-ast",
        "-M",
        "-MM",
        "-MD",
        "-MMD",
        "-MP",
        "-MG",
        "-MV",
        "--coverage",
        "-ftest-coverage",
        "-oa.out",
        "--output=a.out",
        "-MFa.d",
        "-MTa",
        "-MQa",
        "-MJa.json",
        "-Wp,-MD,a.d",
        "-Wp,-MMD,a.d",
    };
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        check_refused(LIST(alone[i]), 0, 1);
        check_refused(LIST("-O2", "-DX", alone[i], "-g"), 2, 1);
    }
    static const char *const with_value[] = {"-o",
                                             "--output",
                                             "-MF",
                                             "-MT",
                                             "-MQ",
                                             "-MJ",
                                             "-serialize-diagnostics",
                                             "--serialize-diagnostics"};
    for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++) {
        check_refused(LIST(with_value[i], "x"), 0, 2);
        check_refused(LIST("-g", with_value[i], "x", "-O2"), 1, 2);
        /* At the end its value is missing: clang would say so, here it is refused all the same. */
        check_refused(LIST(with_value[i]), 0, 1);
    }
}

/* Clang's other printers need what no job has. */
static void test_what_prints_diagnostics_otherwise(void **state)
{
    (void)state;
    check_refused(LIST("-fdiagnostics-format=sarif"), 0, 1);
    check_refused(LIST("-Xclang", "-fdiagnostics-format", "-Xclang", "sarif"), 0, 4);
    check_refused(LIST("-Xclang=-fdiagnostics-format", "-Xclang=sarif"), 0, 2);
    check_taken_as_is(LIST("-fdiagnostics-show-option", "-fno-diagnostics-fixit-info"));
}

/* LLD prints to standard output, which is where the image goes; LLVM prints and ends the process. */
static void test_what_prints_to_standard_output(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "-Wl,-M",     "-Wl,--print-map", "-Wl,-print-map", "-Wl,--cref",
        "-Wl,--help", "-Wl,--version",   "-Wl,-z,now,-M",  "-Wl,--print-gc-sections"};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        check_refused(LIST(arguments[i]), 0, 1);
    check_refused(LIST("-mllvm", "-help"), 0, 2);
    check_refused(LIST("-mllvm", "--help-hidden"), 0, 2);
    check_refused(LIST("-mllvm", "--version"), 0, 2);
    check_taken_as_is(LIST("-Wl,-v", "-Wl,--verbose", "-Wl,-t"));
}

static void test_what_the_loader_cannot_read(void **state)
{
    (void)state;
    check_refused(LIST("-Wl,--pack-dyn-relocs=android"), 0, 1);
    check_refused(LIST("-Wl,--pack-dyn-relocs=android+relr"), 0, 1);
    check_taken_as_is(LIST("-Wl,--pack-dyn-relocs=relr", "-Wl,-z,pack-relative-relocs"));
}

static void test_what_has_a_value(void **state)
{
    (void)state;
    static const char *const with[] = {"-I",     "-D",       "-include",     "-Xclang",
                                       "-mllvm", "-Xlinker", "-Xarch_x86_64"};
    static const char *const without[] = {"-Idir", "-O2", "-Wl,-z", "-Xclang=-x", "", "-g"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        assert_true(argument_has_value(with[i]));
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(argument_has_value(without[i]));
}

static void test_what_writes_files_beside_the_sources(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "-save-temps",    "-save-temps=obj", "--save-temps",         "-ftime-trace",
        "-ftime-trace=x", "-gsplit-dwarf",   "-gsplit-dwarf=single", "-fsave-optimization-record",
        "-save-stats",    "-save-stats=obj"};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        check_refused(LIST(arguments[i]), 0, 1);
}

static void test_what_runs_other_code(void **state)
{
    (void)state;
    static const char *const alone[] = {
        "-fplugin=x.so", "-fplugin-arg-x-y",   "-fpass-plugin=x.so", "-fuse-ld=gold",
        "--ld-path=/ld", "-fno-integrated-as", "-no-integrated-as",  "-fno-integrated-cc1"};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        check_refused(LIST(alone[i]), 0, 1);
    check_refused(LIST("-wrapper", "time"), 0, 2);
}

/* Whatever stands behind -Xclang goes to the front end, in either form. */
static void test_what_is_handed_to_the_front_end(void **state)
{
    (void)state;
    check_refused(LIST("-Xclang", "-load", "-Xclang", "x.so"), 0, 4);
    check_refused(LIST("-Xclang=-load", "-Xclang=x.so", "-O2"), 0, 2);
    check_refused(LIST("-Xclang=-load", "-Xclang", "x.so"), 0, 3);
    check_refused(LIST("-g", "-Xclang", "-plugin", "-Xclang", "x"), 1, 4);
    check_refused(LIST("-Xclang", "-add-plugin", "-Xclang", "x"), 0, 4);
    check_refused(LIST("-Xclang", "-o", "-Xclang", "x"), 0, 4);
    check_refused(LIST("-Xclang", "-emit-llvm", "-Xclang", "x"), 0, 2);
    check_refused(LIST("-Xclang", "-fpass-plugin=x.so"), 0, 2);
    /* Without a value that it could take, it spans itself alone. */
    check_refused(LIST("-Xclang", "-load", "-O2"), 0, 2);
    check_refused(LIST("-Xclang", "-load"), 0, 2);
    check_taken_as_is(LIST("-Xclang", "-disable-llvm-passes"));
    check_taken_as_is(LIST("-Xclang=-disable-llvm-passes"));
    check_taken_as_is(LIST("-O2", "-Xclang"));
}

static void test_the_first_of_several(void **state)
{
    (void)state;
    check_refused(LIST("-O2", "-c", "-o", "x"), 1, 1);
    check_refused(LIST("-o", "-c", "-S"), 0, 2);
}

static void test_what_is_no_concern(void **state)
{
    (void)state;
    check_taken_as_is(NULL);
    check_taken_as_is((const char *const[]){NULL});
    check_taken_as_is(LIST("-O2", "-Ofast", "-g", "-std=c17", "-Iinclude", "-I", "include", "-DX=1",
                           "-fPIC", "-march=native", "-Wall", "-Wl,-z,now", "-lm", "-L.",
                           "-pthread", "-fopenmp", "-include", "x.h", "-object", "-objcmt-x",
                           "-mavx2", "-Rpass=inline", "-rdynamic", "-ferror-limit=3",
                           "-cxx-isystem", "-fcoverage-mapping", "-Wp,-DX=1"));
}

/* ---- paths ---- */

static void check_absolute(const char *previous, const char *argument, const char *expected)
{
    string_list list = {0};
    assert_true(arguments_add_absolute(&list, previous, argument, "/base"));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0], expected);
    string_list_destroy(&list);
}

static void test_joined_paths(void **state)
{
    (void)state;
    check_absolute(NULL, "-Iinclude", "-I/base/include");
    check_absolute(NULL, "-I.", "-I/base/.");
    check_absolute("-O2", "-I/usr/x", "-I/usr/x");
    check_absolute(NULL, "-Llib", "-L/base/lib");
    check_absolute(NULL, "-isysteminc", "-isystem/base/inc");
    check_absolute(NULL, "-isysrootroot", "-isysroot/base/root");
    check_absolute(NULL, "-isystem-afterinc", "-isystem-after/base/inc");
    check_absolute(NULL, "-iquoteinc", "-iquote/base/inc");
    check_absolute(NULL, "--sysroot=root", "--sysroot=/base/root");
    check_absolute(NULL, "--embed-dir=data", "--embed-dir=/base/data");
}

/* The option itself stays as it is, its value is made absolute. Some are prefixes of others. */
static void test_separate_paths(void **state)
{
    (void)state;
    static const char *const options[] = {
        "-I",        "-L",        "-F",       "-isystem", "-iquote",      "-idirafter",
        "-isysroot", "--sysroot", "-iprefix", "-B",       "-include-pch", "-isystem-after"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        check_absolute(NULL, options[i], options[i]);
        check_absolute(options[i], "x/y", "/base/x/y");
        check_absolute(options[i], "/x/y", "/x/y");
        check_absolute("-O2", options[i], options[i]);
    }
}

static void test_other_arguments_stay(void **state)
{
    (void)state;
    check_absolute(NULL, "-DX=include", "-DX=include");
    check_absolute("-D", "X", "X");
    check_absolute(NULL, "-O2", "-O2");
    check_absolute(NULL, "-lm", "-lm");
    check_absolute("-Iinclude", "-g", "-g");
}

static void test_native(void **state)
{
    (void)state;
    assert_true(argument_is_native("-march=native"));
    assert_true(argument_is_native("-mcpu=native"));
    assert_true(argument_is_native("-mtune=native"));
    assert_false(argument_is_native("-march=x86-64-v3"));
    assert_false(argument_is_native("-march=native2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_chooses_outputs),
        cmocka_unit_test(test_what_prints_diagnostics_otherwise),
        cmocka_unit_test(test_what_prints_to_standard_output),
        cmocka_unit_test(test_what_the_loader_cannot_read),
        cmocka_unit_test(test_what_has_a_value),
        cmocka_unit_test(test_what_writes_files_beside_the_sources),
        cmocka_unit_test(test_what_runs_other_code),
        cmocka_unit_test(test_what_is_handed_to_the_front_end),
        cmocka_unit_test(test_the_first_of_several),
        cmocka_unit_test(test_what_is_no_concern),
        cmocka_unit_test(test_joined_paths),
        cmocka_unit_test(test_separate_paths),
        cmocka_unit_test(test_other_arguments_stay),
        cmocka_unit_test(test_native),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
