/* test_import.c - importing compile_commands.json: how command lines are read, what is dropped, how
 * targets are told apart, what CMake's File API adds, and what is said of bad databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/import_arguments.h"
#include "api/import_commands.h"
#include "base/text.h"
#include "build/spec.h"

/* ---- helpers ---- */

static char *scratch;

static int make_scratch(void **state)
{
    (void)state;
    char pattern[] = "/tmp/kiln-import-XXXXXX";
    if (!mkdtemp(pattern))
        return -1;
    scratch = realpath(pattern, NULL);
    return scratch ? chdir(scratch) : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    char *command = text_print("rm -rf '%s'", scratch);
    int status = chdir("/") == 0 && command ? system(command) : -1;
    free(command);
    free(scratch);
    return status;
}

/* Write a file below the scratch directory, with the directories above it. In the text, $ stands
 * for the scratch directory. */
static void write_file(const char *path, const char *content)
{
    char *folder = strdup(path);
    for (char *slash = folder; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        assert_true(mkdir(folder, 0755) == 0 || errno == EEXIST);
    }
    free(folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (; *content; content++)
        if (*content == '$')
            fputs(scratch, file);
        else
            fputc(*content, file);
    assert_int_equal(fclose(file), 0);
}

/* A database of one command of one source, of which the words between compiler and source are
 * given. */
static void write_command(const char *words)
{
    char *content = text_print("[{\"directory\": \"$\", \"command\": \"cc %s -o x.o -c a.c\", "
                               "\"file\": \"a.c\"}]",
                               words);
    write_file("a.c", "");
    write_file("compile_commands.json", content);
    free(content);
}

static kiln_spec *import_target(const char *path, const char *target)
{
    kiln_spec *spec = NULL;
    kiln_error *error = NULL;
    kiln_status status = import_commands(path, target, "it", &spec, &error);
    if (status != KILN_OK)
        fail_msg("%s", kiln_error_message(error));
    return spec;
}

static void import_fails(const char *path, const char *target, kiln_status expected,
                         const char *part)
{
    kiln_spec *spec = NULL;
    kiln_error *error = NULL;
    kiln_status status = import_commands(path, target, "it", &spec, &error);
    assert_int_not_equal(status, KILN_OK);
    if (status != expected || !strstr(kiln_error_message(error), part))
        fail_msg("%s: '%s', wanted %s: '%s'", kiln_status_name(status), kiln_error_message(error),
                 kiln_status_name(expected), part);
    assert_null(spec);
    kiln_error_destroy(error);
}

/* Strings joined by " | ", with "$" for the scratch directory. */
static char *joined(const char *const *items)
{
    text found = {0};
    for (size_t i = 0; items[i]; i++) {
        text_add_string(&found, i > 0 ? " | " : "");
        const char *rest = items[i];
        for (const char *at; (at = strstr(rest, scratch)); rest = at + strlen(scratch)) {
            text_add(&found, rest, (size_t)(at - rest));
            text_add_string(&found, "$");
        }
        text_add_string(&found, rest);
    }
    return found.length ? text_take(&found) : strdup("");
}

/* The spec's arguments without the two that every import begins with. */
static char *arguments_of(const kiln_spec *spec)
{
    string_list list = {0};
    assert_true(spec->argument_count >= 2);
    assert_string_equal(spec->arguments[0].text, "-Wno-unknown-warning-option");
    assert_string_equal(spec->arguments[1].text, "-Wno-ignored-optimization-argument");
    for (size_t i = 2; i < spec->argument_count; i++) {
        assert_int_equal(spec->arguments[i].scope, KILN_PRIVATE);
        string_list_add(&list, spec->arguments[i].text);
    }
    char *result = joined(string_list_view(&list));
    string_list_destroy(&list);
    return result;
}

static void assert_arguments(const kiln_spec *spec, const char *expected)
{
    char *found = arguments_of(spec);
    assert_string_equal(found, expected);
    free(found);
}

static void assert_source(const kiln_spec *spec, size_t index, const char *path,
                          const char *arguments)
{
    assert_true(index < spec->source_count);
    const char *const paths[] = {spec->sources[index].path, NULL};
    char *found = joined(paths);
    assert_string_equal(found, path);
    free(found);
    found = joined(string_list_view(&spec->sources[index].arguments));
    assert_string_equal(found, arguments);
    free(found);
}

/* What becomes of the words of a command. */
static void becomes(const char *words, const char *expected)
{
    write_command(words);
    kiln_spec *spec = import_target("compile_commands.json", NULL);
    assert_arguments(spec, expected);
    assert_int_equal(spec->source_count, 1);
    assert_source(spec, 0, "$/a.c", "");
    kiln_spec_destroy(spec);
}

static void fails(const char *words, kiln_status expected, const char *part)
{
    write_command(words);
    import_fails("compile_commands.json", NULL, expected, part);
}

/* ---- words ---- */

static void splits(import_quoting quoting, const char *text, const char *expected)
{
    string_list words = {0};
    const char *problem;
    assert_true(import_split(text, strlen(text), quoting, &words, &problem));
    char *found = joined(string_list_view(&words));
    assert_string_equal(found, expected);
    free(found);
    string_list_destroy(&words);
}

static void test_shell_words(void **state)
{
    (void)state;
    splits(IMPORT_SHELL, "", "");
    splits(IMPORT_SHELL, "  a  b\tc\nd ", "a | b | c | d");
    splits(IMPORT_SHELL, "a\\ b 'c d' \"e f\"", "a b | c d | e f");
    splits(IMPORT_SHELL, "-DX=\\\"y\\\" \"-DZ=\\\"a b\\\"\" '-DW=\\\"'",
           "-DX=\"y\" | -DZ=\"a b\" | -DW=\\\"");
    splits(IMPORT_SHELL, "'' \"\" a''b", " |  | ab");
    splits(IMPORT_SHELL, "\"a\\qb\\\\c\\`d\"", "a\\qb\\c`d");
    splits(IMPORT_SHELL, "a\\\nb \"c\\\nd\"", "ab | cd");
    splits(IMPORT_SHELL, "a'b\\'c", "ab\\c");
    splits(IMPORT_SHELL, "a\\", "a\\");
    splits(IMPORT_SHELL, "'it'\\''s'", "it's");
    splits(IMPORT_SHELL, "\xff\xfe '\xe9'", "\xff\xfe | \xe9");
    splits(IMPORT_RESPONSE_FILE, "a\\ b 'c\\'d' \"e\\nf\"", "a b | c'd | enf");
    splits(IMPORT_RESPONSE_FILE, "-Ia\n-Ib\r\n", "-Ia | -Ib");
    string_list words = {0};
    const char *problem;
    assert_false(import_split("a 'b", 4, IMPORT_SHELL, &words, &problem));
    assert_string_equal(problem, "a single quote is not closed");
    assert_false(import_split("a \"b", 4, IMPORT_SHELL, &words, &problem));
    assert_string_equal(problem, "a double quote is not closed");
    string_list_destroy(&words);
}

/* ---- arguments ---- */

static void test_what_stays(void **state)
{
    (void)state;
    becomes("-O3 -g -std=c11 -DA -D B=1 -UC -U D -Wall -Wno-error=x -fno-strict-aliasing -mavx2 "
            "-pthread -nostdinc -undef",
            "-O3 | -g | -std=c11 | -DA | -DB=1 | -UC | -UD | -Wall | -Wno-error=x | "
            "-fno-strict-aliasing | -mavx2 | -pthread | -nostdinc | -undef");
    becomes("-mllvm -x -target x86_64-linux-gnu -Xclang -fno-x -Xassembler -y",
            "-mllvm | -x | -target | x86_64-linux-gnu | -Xclang | -fno-x | -Xassembler | -y");
    becomes(
        "-ftree-vectorize -fno-tree-vectorize -mindirect-branch-cs-prefix -fstack-protector-strong",
        "-ftree-vectorize | -fno-tree-vectorize | -mindirect-branch-cs-prefix | "
        "-fstack-protector-strong");
}

static void test_paths_become_absolute(void **state)
{
    (void)state;
    becomes("-I. -I inc -I/abs -isystem sys -isystemsys2 -iquote q -idirafter d -imacros m.h "
            "--sysroot=root --sysroot root2 -isysroot r -I=below",
            "-I$/. | -I$/inc | -I/abs | -isystem$/sys | -isystem$/sys2 | -iquote$/q | "
            "-idirafter$/d | -imacros$/m.h | --sysroot=$/root | --sysroot | $/root2 | "
            "-isysroot$/r | -I=below");
}

static void test_what_is_dropped(void **state)
{
    (void)state;
    /* Outputs, dependencies, talk. */
    becomes("-c -S -E -MD -MMD -MP -MF x.d -MFy.d -MT t -MQ q -MJ j -Wp,-MD,x.d -save-temps=obj "
            "-pipe -v "
            "-fdiagnostics-color=always -fcolor-diagnostics -ftime-trace -gsplit-dwarf "
            "--serialize-diagnostics x.dia -index-store-path i -H",
            "");
    /* Code, or other tools. */
    becomes(
        "-fplugin=p.so -fplugin-arg-p-x=1 -Xclang -load -Xclang p.so -Xclang -add-plugin -Xclang p "
        "-fpass-plugin=p.so -specs=s -wrapper w -B bin -fuse-ld=gold -resource-dir r -Xlinker -x "
        "-Wl,-z,now --param max=1 --param=x=1",
        "");
    /* The form of the code. */
    becomes(
        "-fPIC -fPIE -fpie -fno-pic -static -shared -flto=auto -ffat-lto-objects --coverage -pg "
        "-fprofile-arcs -ftest-coverage -fstack-usage",
        "");
    /* Warnings as errors; the warning itself stays. */
    becomes("-Werror -Werror=return-type -Wfatal-errors -pedantic-errors -Winvalid-pch",
            "-Wreturn-type");
}

static void test_flags_of_gcc_alone(void **state)
{
    (void)state;
    becomes(
        "-fconserve-stack -fno-var-tracking-assignments -fno-ipa-sra -fno-tree-loop-im -fgcse-las "
        "-mindirect-branch=thunk-extern -mindirect-branch-register -mpreferred-stack-boundary=3 "
        "-mno-fused-madd -fno-gnu-unique -fno-allow-store-data-races -fabi-version=11 "
        "-fdump-tree-all -gno-statement-frontiers -maccumulate-outgoing-args -fmodules-ts "
        "-fmodule-mapper=x.modmap -fdeps-format=p1689r5",
        "");
    /* These change what a program means: not for Kiln to drop. */
    becomes("-fpcc-struct-return -fexec-charset=latin1 -m96bit-long-double",
            "-fpcc-struct-return | -fexec-charset=latin1 | -m96bit-long-double");
}

static void test_compiler_and_wrappers(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "/usr/bin/ccache /usr/bin/x86_64-linux-gnu-gcc-12",
        "distcc gcc",
        "ccache distcc clang++",
        "env A=b C=d cc",
        "cmake -E env A=b -- cc",
        "cmake -E __run_co_compile --tidy=clang-tidy --source=a.c -- cc",
        "nice -n 5 gcc",
        "/my/own/wrapper gcc",
    };
    write_file("a.c", "");
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        char *content =
            text_print("[{\"directory\": \"$\", \"file\": \"a.c\", \"command\": \"%s -O1 -c "
                       "a.c\"}]",
                       starts[i]);
        write_file("compile_commands.json", content);
        free(content);
        kiln_spec *spec = import_target(".", NULL);
        assert_arguments(spec, "-O1");
        kiln_spec_destroy(spec);
    }
}

static void test_libraries_of_a_command(void **state)
{
    (void)state;
    becomes("-O1 -lm -Llib -l z -lm", "-O1 | -lm | -L$/lib | -lz");
}

static void test_missing_value(void **state)
{
    (void)state;
    write_file("a.c", "");
    write_file("compile_commands.json",
               "[{\"directory\":\"$\",\"file\":\"a.c\",\"arguments\":[\"cc\",\"-I\"]}]");
    import_fails(".", NULL, KILN_SPEC, "entry 1: the option '-I' has no value");
}

/* ---- precompiled headers ---- */

static void test_precompiled_headers(void **state)
{
    (void)state;
    write_file("pch.hxx", "");
    write_file("pch.hxx.gch", "not for us");
    write_file("own.h", "");
    write_file("own.h.pch", "not for us");
    /* gcc, as CMake has it: the header beside the .gch. */
    becomes("-Winvalid-pch -include $/pch.hxx", "-Xclang | -include | -Xclang | $/pch.hxx");
    becomes("-include pch.hxx -include unknown.h",
            "-Xclang | -include | -Xclang | $/pch.hxx | -Xclang | -include | -Xclang | unknown.h");
    /* Clang, as CMake has it. */
    becomes(
        "-Winvalid-pch -fpch-instantiate-templates -Xclang -fno-pch-timestamp -Xclang -include-pch "
        "-Xclang $/pch.hxx.pch -Xclang -include -Xclang $/pch.hxx",
        "-Xclang | -include | -Xclang | $/pch.hxx");
    /* Clang, by hand. */
    becomes("-include-pch own.h.pch", "-Xclang | -include | -Xclang | $/own.h");
    fails("-include-pch lost.pch", KILN_SPEC,
          "entry 1: the precompiled header 'lost.pch' cannot be used");
}

static void test_commands_that_make_them(void **state)
{
    (void)state;
    write_file("a.c", "");
    write_file("pch.cxx", "");
    write_file(
        "compile_commands.json",
        "[{\"directory\":\"$\",\"file\":\"pch.cxx\",\"command\":\"g++ -x c++-header -o pch.hxx.gch "
        "-c pch.cxx\"},"
        "{\"directory\":\"$\",\"file\":\"pch.cxx\",\"command\":\"clang++ -Xclang -emit-pch -o x "
        "-c pch.cxx\"},"
        "{\"directory\":\"$\",\"file\":\"pch.cxx\",\"command\":\"g++ -o pch.gch -c pch.cxx\"},"
        "{\"directory\":\"$\",\"file\":\"a.c\",\"command\":\"cc -c a.c\"}]");
    kiln_spec *spec = import_target(".", NULL);
    assert_int_equal(spec->source_count, 1);
    kiln_spec_destroy(spec);
}

/* ---- response files ---- */

static void test_response_files(void **state)
{
    (void)state;
    write_file("flags.rsp", "-DA='x y' @more.rsp\n\"-DB\"");
    write_file("more.rsp", "-Iinc");
    write_file("loop.rsp", "@loop.rsp @loop.rsp");
    write_file("open.rsp", "'a");
    becomes("@flags.rsp -O1", "-DA=x y | -I$/inc | -DB | -O1");
    becomes("@absent.cpp.o.modmap", "");
    fails("@absent.rsp", KILN_NOT_FOUND, "entry 1: cannot read the response file '");
    fails("@loop.rsp", KILN_SPEC, "entry 1: more than 1000 response files");
    fails("@open.rsp", KILN_SPEC, "open.rsp': a single quote is not closed");
    fails("@.", KILN_IO, "Is a directory");
}

/* ---- several sources ---- */

static void test_common_and_own_arguments(void **state)
{
    (void)state;
    write_file("x/a.c", "");
    write_file("y/b.cpp", "");
    write_file("compile_commands.json",
               "[{\"directory\":\"$/x\",\"file\":\"a.c\",\"command\":\"cc -O2 -Xclang -p -Iinc -c "
               "a.c\"},"
               "{\"directory\":\"$/"
               "y\",\"file\":\"b.cpp\",\"arguments\":[\"c++\",\"-O2\",\"-Xclang\",\"-q\","
               "\"-Iinc\",\"-c\",\"b.cpp\"]}]");
    kiln_spec *spec = import_target(".", NULL);
    assert_string_equal(spec->directory, scratch); /* the commands' differ */
    assert_arguments(spec, "-O2");                 /* -Xclang is not torn from what follows */
    assert_source(spec, 0, "$/x/a.c", "-Xclang | -p | -I$/x/inc");
    assert_source(spec, 1, "$/y/b.cpp", "-Xclang | -q | -I$/y/inc");
    kiln_spec_destroy(spec);
}

static void test_one_file_twice(void **state)
{
    (void)state;
    write_file("a.c", "");
    write_file("compile_commands.json",
               "[{\"directory\":\"$\",\"file\":\"a.c\",\"command\":\"cc -DFIRST -c a.c\"},"
               "{\"directory\":\"/\",\"file\":\"$/a.c\",\"command\":\"cc -DSECOND -c a.c\"}]");
    kiln_spec *spec = import_target(".", NULL);
    assert_int_equal(spec->source_count, 1);
    assert_arguments(spec, "-DFIRST");
    kiln_spec_destroy(spec);
}

static void test_languages(void **state)
{
    (void)state;
    write_file("a.c", "");
    write_file("b.inl", "");
    write_file("c.cpp", "");
    write_file("compile_commands.json",
               "[{\"directory\":\"$\",\"file\":\"a.c\",\"command\":\"cc -x c++ -c a.c\"},"
               "{\"directory\":\"$\",\"file\":\"b.inl\",\"command\":\"cc -xc++ -c b.inl\"}]");
    kiln_spec *spec = import_target(".", NULL);
    assert_string_equal(spec->language, "c++");
    assert_true(spec->force_language);
    assert_source(spec, 0, "$/a.c", "");
    kiln_spec_destroy(spec);

    write_file("compile_commands.json",
               "[{\"directory\":\"$\",\"file\":\"a.c\",\"command\":\"cc -c a.c\"},"
               "{\"directory\":\"$\",\"file\":\"b.inl\",\"command\":\"cc -xc++ -c b.inl\"},"
               "{\"directory\":\"$\",\"file\":\"c.cpp\",\"command\":\"cc -x c++ -c c.cpp\"}]");
    spec = import_target(".", NULL);
    assert_string_equal(spec->language, "c++");
    assert_false(spec->force_language);
    assert_source(spec, 0, "$/a.c", "");
    assert_source(spec, 1, "$/b.inl", "-xc++");
    assert_source(spec, 2, "$/c.cpp", ""); /* its name says so */
    kiln_spec_destroy(spec);
}

static void test_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    write_file("b\xff d/a\xe9.c", "");
    write_file("compile_commands.json",
               "[{\"directory\":\"$/b\xff d\",\"file\":\"a\xe9.c\",\"command\":\"cc "
               "-I'in\xfe c' -c 'a\xe9.c'\"}]");
    kiln_spec *spec = import_target(".", NULL);
    assert_source(spec, 0, "$/b\xff d/a\xe9.c", "");
    assert_arguments(spec, "-I$/b\xff d/in\xfe c");
    kiln_spec_destroy(spec);
}

/* ---- targets ---- */

static void write_targets(void)
{
    write_file("a.c", "");
    write_file("b.c", "");
    write_file("c.c", "");
    write_file("d.c", "");
    write_file(
        "compile_commands.json",
        "[{\"directory\":\"$\",\"file\":\"a.c\",\"command\":\"cc -o CMakeFiles/one.dir/a.c.o -c "
        "a.c\"},"
        "{\"directory\":\"$\",\"file\":\"b.c\",\"command\":\"cc -c b.c\",\"output\":"
        "\"sub/CMakeFiles/two.dir/x/b.c.o\"},"
        "{\"directory\":\"$\",\"file\":\"c.c\",\"command\":\"cc -osub/three.p/c.c.o -c c.c\"},"
        "{\"directory\":\"$\",\"file\":\"d.c\",\"command\":\"cc -o d.o -c d.c\"}]");
}

static void test_targets(void **state)
{
    (void)state;
    write_targets();
    static const char *const names[] = {"one", "two", "three", ""};
    static const char *const files[] = {"$/a.c", "$/b.c", "$/c.c", "$/d.c"};
    for (size_t i = 0; i < 4; i++) {
        kiln_spec *spec = import_target(".", names[i]);
        assert_int_equal(spec->source_count, 1);
        assert_source(spec, 0, files[i], "");
        assert_string_equal(spec->name, "it");
        kiln_spec_destroy(spec);
    }
    import_fails(
        ".", NULL, KILN_AMBIGUOUS,
        "has several targets; choose one of: one, two, three; commands that belong to no target "
        "(an empty name chooses them)");
    import_fails(".", "four", KILN_NOT_FOUND, "has no target 'four'; it has: one, two, three");
}

static void test_visibility(void **state)
{
    (void)state;
    becomes("-fvisibility=hidden -fvisibility-inlines-hidden", "");
    becomes("-Dx_EXPORTS -fvisibility=hidden", "-Dx_EXPORTS | -fvisibility=hidden");
}

/* ---- the File API ---- */

#define REPLY ".cmake/api/v1/reply/"

static void write_target(const char *name, const char *type, const char *artifact,
                         const char *dependencies, const char *link)
{
    char *path = text_print("build/" REPLY "target-%s.json", name);
    char *content = text_print(
        "{\"name\":\"%s\",\"id\":\"%s::@1\",\"type\":\"%s\",\"paths\":{\"build\":\"%s\"},"
        "\"artifacts\":[{\"path\":\"%s\"}],\"dependencies\":[%s],\"link\":{\"commandFragments\":[%"
        "s]}}",
        name, name, type, name, artifact, dependencies, link);
    write_file(path, content);
    free(content);
    free(path);
}

static void write_model(void)
{
    write_file("build/compile_commands.json",
               "[{\"directory\":\"$/build\",\"file\":\"$/app.c\",\"command\":\"cc -O1 "
               "-fvisibility=hidden -o "
               "app/CMakeFiles/app.dir/app.c.o -c app.c\"},"
               "{\"directory\":\"$/build\",\"file\":\"$/core.c\",\"command\":\"cc -O1 -o "
               "CMakeFiles/core.dir/core.c.o -c core.c\"},"
               "{\"directory\":\"$/build\",\"file\":\"$/piece.c\",\"command\":\"cc -O1 -o "
               "CMakeFiles/piece.dir/piece.c.o -c piece.c\"},"
               "{\"directory\":\"$/build\",\"file\":\"$/tool.c\",\"command\":\"cc -O1 -o "
               "CMakeFiles/tool.dir/tool.c.o -c tool.c\"},"
               "{\"directory\":\"$/build\",\"file\":\"$/dso.c\",\"command\":\"cc -O1 "
               "-fvisibility=hidden -o "
               "CMakeFiles/dso.dir/dso.c.o -c dso.c\"}]");
    static const char *const sources[] = {"app.c", "core.c", "piece.c", "tool.c", "dso.c"};
    for (size_t i = 0; i < 5; i++)
        write_file(sources[i], "");
    /* Of two answers the newer counts. */
    write_file("build/" REPLY "index-2020.json", "not this one");
    write_file(
        "build/" REPLY "index-2021.json",
        "{\"objects\":[{\"kind\":\"cache\"},{\"kind\":\"codemodel\",\"version\":{\"major\":2},"
        "\"jsonFile\":\"codemodel.json\"}]}");
    write_file("build/" REPLY "codemodel.json",
               "{\"paths\":{\"build\":\"$/build\"},\"configurations\":[{\"targets\":["
               "{\"jsonFile\":\"target-app.json\"},{\"jsonFile\":\"target-core.json\"},"
               "{\"jsonFile\":\"target-piece.json\"},{\"jsonFile\":\"target-tool.json\"},"
               "{\"jsonFile\":\"target-dso.json\"},{\"jsonFile\":\"target-header.json\"}]}]}");
    /* app links dso and core; tool only comes first. */
    write_target("app", "EXECUTABLE", "app/app", "{\"id\":\"tool::@1\"},{\"id\":\"core::@1\"}",
                 "{\"fragment\":\"-O9 -Wl,-x\",\"role\":\"flags\"},"
                 "{\"fragment\":\"-Wl,-rpath,$/build/dso:/opt/lib::\",\"role\":\"libraries\"},"
                 "{\"fragment\":\"dso/libdso.so\",\"role\":\"libraries\"},"
                 "{\"fragment\":\"../core/libcore.a\",\"role\":\"libraries\"},"
                 "{\"fragment\":\"-L/opt/lib\",\"role\":\"libraryPath\"},"
                 "{\"fragment\":\"-lm -lpthread -lm\",\"role\":\"libraries\"},"
                 "{\"fragment\":\"'$/ext lib.a'\",\"role\":\"libraries\"}");
    write_target("core", "STATIC_LIBRARY", "core/libcore.a", "{\"id\":\"piece::@1\"}", "");
    write_target("piece", "OBJECT_LIBRARY", "CMakeFiles/piece.dir/piece.c.o", "", "");
    write_target("tool", "STATIC_LIBRARY", "tool/libtool.a", "", "");
    write_target("dso", "SHARED_LIBRARY", "dso/libdso.so", "",
                 "{\"fragment\":\"-ldl\",\"role\":\"libraries\"}");
    write_target("header", "INTERFACE_LIBRARY", "x", "", "");
    write_file("ext lib.a", "");
}

static void test_linked_libraries(void **state)
{
    (void)state;
    write_model();
    kiln_spec *spec = import_target("build", "app");
    assert_arguments(spec, "-O1 | -Wl,-rpath,/opt/lib | -L/opt/lib | -lm | -lpthread | -ldl");
    assert_int_equal(spec->source_count, 5);
    assert_source(spec, 0, "$/app.c", "");
    assert_source(spec, 1, "$/dso.c", "-fvisibility=hidden");
    assert_source(spec, 2, "$/core.c", "");
    assert_source(spec, 3, "$/piece.c", "");
    assert_source(spec, 4, "$/ext lib.a", "");
    kiln_spec_destroy(spec);
    /* A static library: what its user links behind it, but none of the project's libraries there. */
    spec = import_target("build", "core");
    assert_arguments(spec, "-O1 | -L/opt/lib | -lm | -lpthread");
    assert_int_equal(spec->source_count, 3);
    assert_source(spec, 1, "$/piece.c", "");
    assert_source(spec, 2, "$/ext lib.a", "");
    kiln_spec_destroy(spec);
    assert_int_equal(unlink("ext lib.a"), 0); /* it may not be for us */
    spec = import_target("build", "core");
    assert_int_equal(spec->source_count, 2);
    kiln_spec_destroy(spec);
    import_fails(
        "build", NULL, KILN_AMBIGUOUS,
        "app (program), core (static library), piece (object library), tool (static library), "
        "dso (shared library)");
    import_fails("build", "header", KILN_NOT_FOUND, "target 'header' compiles no sources");
}

/* A database that the source tree links to has its model where it really is. */
static void test_linked_database(void **state)
{
    (void)state;
    write_model();
    assert_int_equal(mkdir("tree", 0755), 0);
    assert_int_equal(symlink("../build/compile_commands.json", "tree/compile_commands.json"), 0);
    kiln_spec *spec = import_target("tree", "core");
    assert_int_equal(spec->source_count,
                     3); /* the object library's too, which the model alone tells */
    kiln_spec_destroy(spec);
}

static void test_bad_models(void **state)
{
    (void)state;
    write_model();
    assert_int_equal(unlink("ext lib.a"), 0);
    import_fails("build", "app", KILN_NOT_FOUND, "target 'app' links '");
    write_file("build/" REPLY "target-dso.json", "{\"name\":\"dso\"");
    import_fails("build", "app", KILN_SPEC, "target-dso.json':1: the JSON text ends too early");
    write_file("build/" REPLY "target-dso.json", "{\"name\":\"dso\"}");
    import_fails("build", "app", KILN_SPEC, "a target has no name, id, type or paths; let CMake");
    assert_int_equal(unlink("build/" REPLY "target-dso.json"), 0);
    import_fails("build", "app", KILN_NOT_FOUND, "target-dso.json': No such file");
    write_file("build/" REPLY "codemodel.json",
               "{\"paths\":{\"build\":\"$/build\"},\"configurations\":[{\"targets\":["
               "{\"jsonFile\":\"../../target-app.json\"}]}]}");
    import_fails("build", "app", KILN_SPEC, "a target has no file");
    write_file("build/" REPLY "codemodel.json", "{}");
    import_fails("build", "app", KILN_SPEC, "no build directory");
    write_file("build/" REPLY "index-2021.json", "{\"objects\":[]}"); /* asked for something else */
    kiln_spec *spec = import_target("build", "app");
    assert_int_equal(spec->source_count, 1);
    kiln_spec_destroy(spec);
}

/* ---- bad databases ---- */

static void test_bad_databases(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        kiln_status status;
        const char *part;
    } cases[] = {
        {"", KILN_SPEC, "compile_commands.json':1: the JSON text ends too early"},
        {"[\n{\"directory\":\n]", KILN_SPEC, "compile_commands.json':3: "},
        {"[{]", KILN_SPEC, "compile_commands.json':1: "},
        {"{}", KILN_SPEC, "expected an array of commands"},
        {"[]", KILN_NOT_FOUND, "holds no commands"},
        {"[1]", KILN_SPEC, "compile_commands.json': entry 1: not an object"},
        {"[{}]", KILN_SPEC, "entry 1: no string 'directory'"},
        {"[{\"directory\":1}]", KILN_SPEC, "entry 1: no string 'directory'"},
        {"[{\"directory\":\"/\"}]", KILN_SPEC, "entry 1: no string 'file'"},
        {"[{\"directory\":\"/\",\"file\":\"a\\u0000b\"}]", KILN_SPEC, "entry 1: no string 'file'"},
        {"[{\"directory\":\"/\",\"file\":\"a.c\"}]", KILN_SPEC,
         "entry 1: neither 'arguments' nor 'command'"},
        {"[{\"directory\":\"/\",\"file\":\"a.c\",\"arguments\":\"cc\"}]", KILN_SPEC,
         "entry 1: 'arguments' is not an array"},
        {"[{\"directory\":\"/\",\"file\":\"a.c\",\"arguments\":[\"cc\",1]}]", KILN_SPEC,
         "entry 1: 'arguments' holds other than strings"},
        {"[{\"directory\":\"/\",\"file\":\"a.c\",\"command\":\"cc 'a\"}]", KILN_SPEC,
         "entry 1: 'command': a single quote is not closed"},
        {"[{\"directory\":\"$\",\"file\":\"absent.c\",\"command\":\"cc -c absent.c\"}]",
         KILN_NOT_FOUND, "/absent.c'; if the build makes it, build the project first"},
        {"[{\"directory\":\"/\",\"file\":\"$\",\"command\":\"cc -c x\"}]", KILN_NOT_FOUND,
         "entry 1: there is no file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("bad/compile_commands.json", cases[i].content);
        import_fails("bad", NULL, cases[i].status, cases[i].part);
    }
    text deep = {0};
    for (unsigned i = 0; i < 100000; i++)
        text_add_string(&deep, "[");
    write_file("bad/compile_commands.json", text_string(&deep));
    import_fails("bad", NULL, KILN_SPEC, "nesting too deep");
    text_destroy(&deep);
    import_fails("absent", NULL, KILN_NOT_FOUND, "absent': No such file or directory");
    assert_int_equal(mkdir("empty", 0755), 0);
    import_fails("empty", NULL, KILN_NOT_FOUND,
                 "empty/compile_commands.json': No such file or directory");
}

static void test_bad_name(void **state)
{
    (void)state;
    kiln_spec *spec = NULL;
    kiln_error *error = NULL;
    write_command("-O1");
    assert_int_equal(import_commands(".", NULL, "a b", &spec, &error), KILN_INVALID_ARGUMENT);
    assert_null(spec);
    kiln_error_destroy(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shell_words),
        cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_paths_become_absolute),
        cmocka_unit_test(test_what_is_dropped),
        cmocka_unit_test(test_flags_of_gcc_alone),
        cmocka_unit_test(test_compiler_and_wrappers),
        cmocka_unit_test(test_libraries_of_a_command),
        cmocka_unit_test(test_missing_value),
        cmocka_unit_test(test_precompiled_headers),
        cmocka_unit_test(test_commands_that_make_them),
        cmocka_unit_test(test_response_files),
        cmocka_unit_test(test_common_and_own_arguments),
        cmocka_unit_test(test_one_file_twice),
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_visibility),
        cmocka_unit_test(test_linked_libraries),
        cmocka_unit_test(test_linked_database),
        cmocka_unit_test(test_bad_models),
        cmocka_unit_test(test_bad_databases),
        cmocka_unit_test(test_bad_name),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
