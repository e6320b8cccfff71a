/* test_cli_options.c - how a command line is read: Kiln's options, Clang's flags, response files,
 * scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "command_line.h"
#include "message.h"
#include "response_file.h"

static const cli_command running = {
    .name = "run",
    .option_groups =
        OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_LOAD | OPTIONS_PROGRAM,
};
static const cli_command building = {
    .name = "build",
    .option_groups = OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_OUTPUT,
};
static const cli_command caching = {
    .name = "cache",
    .option_groups = OPTIONS_COMMON | OPTIONS_JSON | OPTIONS_COLLECT,
};

static cli_options options;
static char said[4096]; /* on standard error by the last read() */

/* Read words and keep what was printed meanwhile. */
static bool read_words(const cli_command *command, char *const *words)
{
    int kept = dup(STDERR_FILENO);
    int memory = memfd_create("stderr", 0);
    cli_options_destroy(&options);
    dup2(memory, STDERR_FILENO);
    bool done = cli_options_read(&options, command, words);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    ssize_t size = pread(memory, said, sizeof said - 1, 0);
    said[size < 0 ? 0 : size] = '\0';
    close(memory);
    close(kept);
    return done;
}
#define READ(command, ...) read_words(&(command), (char *[]){__VA_ARGS__, NULL})

static void expect_words(const word_list *list, const char *const *expected)
{
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        assert_true(count < list->count);
        assert_string_equal(list->items[count], expected[count]);
    }
    assert_int_equal(list->count, count);
}
#define EXPECT_WORDS(list, ...) expect_words(&(list), (const char *const[]){__VA_ARGS__, NULL})

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int enter_scratch(void **state)
{
    char *directory = strdup("/tmp/kiln-options-XXXXXX");
    *state = directory;
    return mkdtemp(directory) != NULL && chdir(directory) == 0 ? 0 : -1;
}

static int leave_scratch(void **state)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    free(*state);
    return system(command) == 0 && chdir("/") == 0 ? 0 : -1;
}

/* ---- Clang's flags ---- */

static void clang_flags_are_kept_in_order(void **state)
{
    (void)state;
    assert_true(READ(running, "-I", "dir", "-Idir2", "-DX=1", "-D", "Y", "a.c", "-O0", "-Wl,-z,now",
                     "-l", "m", "-lz", "-std=c17", "-isystem", "sys", "-include", "x.h", "-Xclang",
                     "-fno-x", "--sysroot", "/r", "--sysroot=/q"));
    EXPECT_WORDS(options.arguments, "-I", "dir", "-Idir2", "-DX=1", "-D", "Y", "-O0", "-Wl,-z,now",
                 "-l", "m", "-lz", "-std=c17", "-isystem", "sys", "-include", "x.h", "-Xclang",
                 "-fno-x", "--sysroot", "/r", "--sysroot=/q");
    assert_int_equal(options.input_count, 1);
    assert_string_equal(options.inputs[0].path, "a.c");
}

static void a_value_that_looks_like_a_flag_is_a_value(void **state)
{
    (void)state;
    assert_true(READ(running, "-Xlinker", "--no-cache", "-u", "-v", "a.c"));
    EXPECT_WORDS(options.arguments, "-Xlinker", "--no-cache", "-u", "-v");
    assert_false(options.session.no_cache);
    assert_false(options.verbose);
}

static void a_flag_without_its_value_is_an_error(void **state)
{
    (void)state;
    assert_false(READ(running, "a.c", "-I"));
    assert_non_null(strstr(said, "'-I' needs a value"));
    assert_false(READ(running, "a.c", "--jobs"));
    assert_non_null(strstr(said, "'--jobs' needs a value: --jobs N"));
}

static void language_holds_for_what_follows(void **state)
{
    (void)state;
    assert_true(READ(running, "a.c", "-x", "c++", "b.txt", "-xc", "c.txt", "-x", "none", "d.c",
                     "--language=assembler", "e"));
    assert_null(options.inputs[0].language);
    assert_string_equal(options.inputs[1].language, "c++");
    assert_string_equal(options.inputs[2].language, "c");
    assert_null(options.inputs[3].language);
    assert_string_equal(options.inputs[4].language, "assembler");
    assert_int_equal(options.arguments.count, 0);
}

static void clang_color_flags_are_kilns(void **state)
{
    (void)state;
    assert_true(READ(running, "-fcolor-diagnostics", "a.c"));
    assert_true(options.color);
    assert_true(READ(running, "-fcolor-diagnostics", "-fdiagnostics-color=never", "a.c"));
    assert_false(options.color);
    assert_int_equal(options.arguments.count, 0);
}

/* ---- Kiln's options ---- */

static void own_options_fill_the_session(void **state)
{
    (void)state;
    assert_true(READ(running, "--no-cache", "--cache-dir", "/c", "--jobs=3", "--compiler", "/k",
                     "--time-limit", "2m", "--memory-limit=1G", "--trust-system-headers",
                     "--auto-load", "--pkg", "zlib", "--pkg=zlib >= 1.2", "--engine=image", "-v",
                     "a.c"));
    assert_true(options.session.no_cache);
    assert_string_equal(options.session.cache_directory, "/c");
    assert_int_equal(options.session.jobs, 3);
    assert_string_equal(options.session.compiler_path, "/k");
    assert_int_equal(options.session.job_seconds, 120);
    assert_int_equal(options.session.job_memory_bytes, 1ull << 30);
    assert_true(options.session.trust_system_headers);
    assert_true(options.session.auto_load);
    assert_string_equal(options.engine, "image");
    assert_true(options.verbose);
    EXPECT_WORDS(options.packages, "zlib", "zlib >= 1.2");
    assert_int_equal(options.session.size, sizeof options.session);
}

static void bad_values_are_named(void **state)
{
    (void)state;
    assert_false(READ(running, "--jobs", "0", "a.c"));
    assert_non_null(strstr(said, "--jobs: '0' is out of range"));
    assert_false(READ(running, "--jobs", "4x", "a.c"));
    assert_non_null(strstr(said, "--jobs takes a number, not '4x'"));
    assert_false(READ(running, "--jobs", "99999999999999999999", "a.c"));
    assert_false(READ(running, "--time-limit", "soon", "a.c"));
    assert_non_null(strstr(said, "--time-limit takes a time such as"));
    assert_false(READ(caching, "gc", "--max-size", "5Q"));
    assert_non_null(strstr(said, "--max-size takes a size such as"));
    assert_false(READ(caching, "gc", "--max-size=0"));
    assert_non_null(
        strstr(said, "--max-size 0 would keep nothing; to remove everything: kiln cache clear"));
    assert_false(READ(caching, "gc", "--max-age", "0d"));
    assert_non_null(strstr(said, "--max-age 0 would keep nothing"));
    assert_false(READ(running, "--memory-limit", "0", "a.c"));
    assert_non_null(strstr(said, "--memory-limit: '0' is out of range"));
    assert_false(READ(running, "--cache-dir=", "a.c"));
    assert_non_null(strstr(said, "--cache-dir takes a directory, not ''"));
    assert_false(READ(running, "--color", "maybe", "a.c"));
    assert_non_null(strstr(said, "auto, always or never"));
    assert_false(READ(running, "--no-cache=1", "a.c"));
    assert_non_null(strstr(said, "--no-cache takes no value"));
}

/* What --json repeats is what was said first. */
static void the_first_error_is_kept(void **state)
{
    (void)state;
    message_forget();
    assert_true(READ(running, "a.c"));
    assert_null(message_first_error()->text);
    assert_false(READ(running, "@missing", "a.c"));
    assert_false(READ(running, "--jobs", "0", "a.c"));
    assert_string_equal(message_first_error()->text,
                        "cannot read '@missing': No such file or directory");
    assert_int_equal(message_first_error()->status, KILN_IO);
    assert_null(message_first_error()->error);
    message_forget();
    assert_null(message_first_error()->text);
    assert_false(READ(running, "--jobs", "0", "a.c"));
    assert_int_equal(message_first_error()->status, KILN_INVALID_ARGUMENT);
    message_forget();
}

static void lines_become_one(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"", ""}, {"a", "a"}, {"a\n", "a"}, {"a b\nc\nd\n", "a b; c; d"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *line = message_line(texts[i][0]);
        assert_string_equal(line, texts[i][1]);
        free(line);
    }
}

static void mistyped_options_get_a_suggestion(void **state)
{
    (void)state;
    assert_false(READ(running, "--no-cahce", "a.c"));
    assert_non_null(strstr(said, "unknown option '--no-cahce'; did you mean '--no-cache'?"));
    assert_false(READ(caching, "stats", "--jsn"));
    assert_non_null(strstr(said, "did you mean '--json'?"));
    assert_false(READ(caching, "stats", "-O2"));
    assert_non_null(strstr(said, "unknown option '-O2'; see 'kiln help cache'"));
}

static void options_of_other_commands_are_refused(void **state)
{
    (void)state;
    assert_false(READ(running, "--json", "a.c"));
    assert_non_null(strstr(said, "'kiln run' has no option '--json'"));
    assert_false(READ(caching, "stats", "--pkg", "x"));
    assert_non_null(strstr(said, "'kiln cache' has no option '--pkg'"));
}

static void output_is_an_option_of_build_alone(void **state)
{
    (void)state;
    assert_true(READ(building, "-o", "x.so", "a.c"));
    assert_string_equal(options.output, "x.so");
    assert_true(READ(building, "-ox.o", "a.c"));
    assert_string_equal(options.output, "x.o");
    assert_true(READ(building, "--output=x.bc", "a.c"));
    assert_string_equal(options.output, "x.bc");
    /* Elsewhere it goes on to libkiln, which refuses it with its reason. */
    assert_true(READ(running, "-o", "x", "a.c"));
    assert_null(options.output);
    EXPECT_WORDS(options.arguments, "-o", "x");
}

static void help_ends_the_reading(void **state)
{
    (void)state;
    assert_true(READ(running, "--help", "--jobs", "nonsense"));
    assert_true(options.help);
    assert_true(READ(running, "a.c", "--", "--help"));
    assert_false(options.help);
}

static void color_follows_option_and_environment(void **state)
{
    (void)state;
    assert_true(READ(running, "a.c"));
    assert_false(options.color); /* standard error is no terminal here */
    assert_true(READ(running, "--color=always", "a.c"));
    assert_true(options.color);
    setenv("NO_COLOR", "1", 1);
    assert_true(READ(running, "--color=always", "a.c"));
    assert_true(options.color); /* asked for by name */
    assert_false(message_terminal_has_color());
    unsetenv("NO_COLOR");
}

/* ---- inputs and the program's arguments ---- */

static void two_dashes_begin_the_programs_arguments(void **state)
{
    (void)state;
    assert_true(READ(running, "a.c", "-O1", "--", "-O2", "--", "@x", "b.c"));
    EXPECT_WORDS(options.program, "-O2", "--", "@x", "b.c");
    EXPECT_WORDS(options.arguments, "-O1");
    assert_int_equal(options.input_count, 1);
    /* A command without a program takes inputs that look like options. */
    assert_true(READ(building, "-o", "x.o", "--", "-weird.c"));
    assert_string_equal(options.inputs[0].path, "-weird.c");
}

static void a_script_takes_the_rest_of_the_line(void **state)
{
    (void)state;
    write_text("script", "#!/usr/bin/env -S kiln run\nint main(void) { return 0; }\n");
    write_text("plain.c", "int x;\n");
    assert_true(READ(running, "plain.c", "-O1", "script", "-O2", "--help", "--", "@nix"));
    assert_true(options.is_script);
    assert_int_equal(options.input_count, 2);
    EXPECT_WORDS(options.program, "-O2", "--help", "--", "@nix");
    EXPECT_WORDS(options.arguments, "-O1");
    /* Only a program has arguments. */
    assert_true(READ(building, "-o", "x.o", "script", "-O2"));
    assert_false(options.is_script);
    EXPECT_WORDS(options.arguments, "-O2");
}

static void standard_input_is_an_input(void **state)
{
    (void)state;
    assert_true(READ(running, "-x", "c++", "-", "--", "a"));
    assert_string_equal(options.inputs[0].path, "-");
    assert_string_equal(options.inputs[0].language, "c++");
    EXPECT_WORDS(options.program, "a");
}

/* ---- response files ---- */

static void response_files_are_read_in_place(void **state)
{
    (void)state;
    write_text("inner", "-DINNER b.c");
    write_text("outer", "-I 'a dir' -DNAME=\"\\\"x y\\\"\"\n@inner -DLAST\\ ONE ''");
    assert_true(READ(running, "-O1", "@outer", "c.c"));
    EXPECT_WORDS(options.arguments, "-O1", "-I", "a dir", "-DNAME=\"x y\"", "-DINNER",
                 "-DLAST ONE");
    assert_int_equal(options.input_count, 3); /* b.c, the empty word, c.c */
    assert_string_equal(options.inputs[0].path, "b.c");
    assert_string_equal(options.inputs[1].path, "");
    assert_string_equal(options.inputs[2].path, "c.c");
}

static void a_flag_at_the_end_of_a_response_file_takes_the_next_word(void **state)
{
    (void)state;
    write_text("half", "-I");
    assert_true(READ(running, "@half", "dir", "a.c"));
    EXPECT_WORDS(options.arguments, "-I", "dir");
}

static void response_files_fail_with_their_name(void **state)
{
    (void)state;
    assert_false(READ(running, "@missing", "a.c"));
    assert_non_null(strstr(said, "cannot read '@missing': No such file or directory"));
    write_text("circle", "@circle");
    assert_false(READ(running, "@circle"));
    assert_non_null(strstr(said, "'@circle' seems to name itself"));
}

static void quoting_is_gnus(void **state)
{
    (void)state;
    static const char text[] = "a\\ b 'c \"d' \"e 'f\" g\\\\h 'i'\"j\"k\r\n\t'' \"x\\\"y\" l\\";
    word_list words = {0};
    response_text_split(text, sizeof text - 1, &words);
    EXPECT_WORDS(words, "a b", "c \"d", "e 'f", "g\\h", "ijk", "", "x\"y", "l\\");
    word_list_destroy(&words);
    response_text_split(" \n ", 3, &words);
    assert_int_equal(words.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clang_flags_are_kept_in_order),
        cmocka_unit_test(a_value_that_looks_like_a_flag_is_a_value),
        cmocka_unit_test(a_flag_without_its_value_is_an_error),
        cmocka_unit_test(language_holds_for_what_follows),
        cmocka_unit_test(clang_color_flags_are_kilns),
        cmocka_unit_test(own_options_fill_the_session),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(the_first_error_is_kept),
        cmocka_unit_test(lines_become_one),
        cmocka_unit_test(mistyped_options_get_a_suggestion),
        cmocka_unit_test(options_of_other_commands_are_refused),
        cmocka_unit_test(output_is_an_option_of_build_alone),
        cmocka_unit_test(help_ends_the_reading),
        cmocka_unit_test(color_follows_option_and_environment),
        cmocka_unit_test(two_dashes_begin_the_programs_arguments),
        cmocka_unit_test(a_script_takes_the_rest_of_the_line),
        cmocka_unit_test(standard_input_is_an_input),
        cmocka_unit_test(response_files_are_read_in_place),
        cmocka_unit_test(a_flag_at_the_end_of_a_response_file_takes_the_next_word),
        cmocka_unit_test(response_files_fail_with_their_name),
        cmocka_unit_test(quoting_is_gnus),
    };
    unsetenv("NO_COLOR");
    int failed = cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
    cli_options_destroy(&options);
    message_forget();
    return failed;
}
