/* misuse_specs.c - calls and specs that make no sense: arguments that are unknown or not allowed,
 * circles, duplicate names, names that are none, option structs from the future. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static kiln_spec *good_spec(const char *name)
{
    kiln_spec *spec = kiln_spec_create(name);
    static const char text[] = "int value(void) { return 42; }\n";
    CHECK_STATUS(kiln_spec_add_memory_source(spec, "good.c", text, strlen(text), NULL), KILN_OK,
                 NULL);
    return spec;
}

static void still_works(kiln_session *session)
{
    kiln_library *library = load_spec(session, good_spec("good"));
    CHECK_INT(call_int(library, "value"), 42);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
}

static kiln_error *with_arguments_fails(kiln_session *session, const char *const *arguments,
                                        kiln_status *status)
{
    kiln_spec *spec = good_spec("arguments");
    kiln_library *library;
    kiln_error *error;
    kiln_spec_add_arguments(spec, KILN_PRIVATE, arguments);
    *status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    kiln_spec_destroy(spec);
    return error;
}

TEST(unknown_arguments)
{
    static const char *const unknown[] = {"-fno-such-flag",         "--nonsense",   "-std=c99999",
                                          "-march=pentium9",        "-Qx",          "-mno-such",
                                          "-O99999999999999999999", "-xno-language"};
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        kiln_status status;
        kiln_error *error =
            with_arguments_fails(session, (const char *const[]){unknown[i], NULL}, &status);
        if (status != KILN_COMPILE && status != KILN_SPEC && status != KILN_INVALID_ARGUMENT)
            support_fail(__FILE__, __LINE__, "%s gives %s: %s", unknown[i],
                         kiln_status_name(status), error ? kiln_error_rendered(error) : "");
        const char *value = strchr(unknown[i], '=');
        CHECK_CONTAINS(kiln_error_rendered(error),
                       value ? value + 1 : unknown[i] + (unknown[i][1] == 'x' ? 2 : 0));
        kiln_error_destroy(error);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(arguments_that_choose_outputs_or_run_code)
{
    /* Refused by name. */
    static const char *const refused[][3] = {
        {"-o", "out"},
        {"-oout"},
        {"-c"},
        {"-E"},
        {"-S"},
        {"-M"},
        {"-MD"},
        {"-MMD"},
        {"-MF", "deps"},
        {"-MFdeps"},
        {"-MT", "t"},
        {"-MJ", "j"},
        {"-save-temps"},
        {"-save-temps=obj"},
        {"-fplugin=evil.so"},
        {"-Xclang", "-load"},
        /* Refused, or without effect; none of them leaves a file behind or runs anything. */
        {"--output=out"},
        {"--output", "out"},
        {"--compile"},
        {"--preprocess"},
        {"--assemble"},
        {"--dependencies"},
        {"--user-dependencies"},
        {"--write-dependencies"},
        {"--save-temps"},
        {"-fpass-plugin=evil.so"},
        {"-Xclang", "-add-plugin"},
        {"-Xclang=-load"},
        {"-fsyntax-only"},
        {"-emit-ast"},
        {"--analyze"},
        {"-###"},
        {"--version"},
        {"-dumpversion"},
        {"-print-search-dirs"},
        {"-cc1"},
        {"-fmodules-cache-path=dir"},
        {"-fcrash-diagnostics-dir=dir"},
        {"-gsplit-dwarf"},
        {"-ftime-trace=out"},
        {"-serialize-diagnostics", "out"},
        {"--serialize-diagnostics", "out"},
        {"-fsave-optimization-record"},
        {"-foptimization-record-file=out"},
        {"-fstack-usage"},
        {"-fdump-record-layouts"},
        {"-Wl,-o,out"},
        {"-Xlinker", "-o"},
        {"-Wl,--Map=out"},
        {"-fuse-ld=/tmp/evil"},
        {"--ld-path=/tmp/evil"},
        {"-B/tmp"},
        {"-mllvm", "-load"},
        {"-Wl,-plugin,evil.so"},
        {"-Wl,--load-pass-plugin=evil.so"},
        {"-dD"},
        {"-fmodules"},
        {"-ftest-coverage"},

        {"-save-stats"},
        {"-emit-pch"},
        {"-x", "c-header"},
        {"--precompile"},
        {"-fmodule-output=out"},
        {"-Wl,--reproduce=out.tar"},
        {"-Wl,--dependency-file=out"},
        {"-Wl,--print-archive-stats=out"},
        {"-Wl,--why-extract=out"},
        {"-Wl,--emit-relocs"},
        {"-Wl,--out-implib=out"},
        {"-r"},
        {"-static"},
        {"-pie"},
        {"-no-pie"},
        {"-fno-pic"},
        {"-shared"},
        {"-Wl,--save-temps"}};
    static const size_t named = 16;
    kiln_session *session = session_create(NULL, NULL);
    char *directory = scratch("work");
    make_directory(directory);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        kiln_spec *spec = good_spec("arguments");
        kiln_library *library;
        kiln_error *error;
        kiln_spec_set_directory(spec, directory);
        kiln_spec_add_arguments(spec, KILN_PRIVATE, refused[i]);
        kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
        if (i < named) {
            if (status != KILN_SPEC && status != KILN_INVALID_ARGUMENT)
                support_fail(__FILE__, __LINE__, "%s gives %s: %s", refused[i][0],
                             kiln_status_name(status), error ? kiln_error_rendered(error) : "");
            CHECK_CONTAINS(kiln_error_message(error), refused[i][0]);
        } else if (status == KILN_OK) {
            CHECK_INT(call_int(library, "value"), 42);
            kiln_library_close(library);
        } else if (status == KILN_INTERNAL || status == KILN_COMPILER) {
            support_fail(__FILE__, __LINE__, "%s gives %s: %s", refused[i][0],
                         kiln_status_name(status), kiln_error_rendered(error));
        }
        kiln_error_destroy(error);
        kiln_spec_destroy(spec);
        char *left;
        CHECK_INT(RUN(&left, "find", directory, "-mindepth", "1"), 0);
        if (*left)
            support_fail(__FILE__, __LINE__, "%s left behind %s", refused[i][0], left);
        free(left);
    }
    still_works(session);
    kiln_session_destroy(session);
}

/* The same flags by other ways in: a source's comment, a response file, a source's own arguments,
 * public ones. */
TEST(forbidden_arguments_by_other_ways)
{
    kiln_session *session = session_create(NULL, NULL);
    char *path = scratch("comment.c");
    write_file(path, "//kiln: -fplugin=evil.so\nint x;\n");
    kiln_error *error = load_file_fails(session, path, KILN_SPEC);
    CHECK_CONTAINS(kiln_error_message(error), "-fplugin=evil.so");
    CHECK_CONTAINS(kiln_error_message(error), "comment.c");
    kiln_error_destroy(error);

    kiln_status status;
    char *response = scratch("response"); /* response files are the command line's affair */
    write_file(response, "-DX=1 -fplugin=evil.so\n");
    error = with_arguments_fails(session, (const char *const[]){text_of("@%s", response), NULL},
                                 &status);
    CHECK(status == KILN_SPEC || status == KILN_INVALID_ARGUMENT || status == KILN_COMPILE);
    kiln_error_destroy(error);

    kiln_spec *spec = good_spec("public");
    kiln_spec_add_arguments(spec, KILN_PUBLIC, (const char *const[]){"-c", NULL});
    kiln_library *library;
    status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_SPEC || status == KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);

    write_file(scratch("own.c"), "int x;\n");
    spec = kiln_spec_create("own");
    kiln_spec_add_source(spec, scratch("own.c"), (const char *const[]){"-save-temps", NULL});
    status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_SPEC || status == KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(broken_comments)
{
    kiln_session *session = session_create(NULL, NULL);
    static const char *const comments[] = {"//kiln: \"unclosed\nint x;\n",
                                           "//kiln: --pkg\nint x;\n",
                                           "//kiln: --pkg no-such-package-anywhere\nint x;\n"};
    for (size_t i = 0; i < 3; i++) {
        char *path = scratch("broken%zu.c", i);
        write_file(path, comments[i]);
        kiln_library *library;
        kiln_error *error;
        kiln_status status = kiln_library_open(session, path, NULL, &library, &error);
        if (status == KILN_OK || status == KILN_INTERNAL || status == KILN_COMPILER)
            support_fail(__FILE__, __LINE__, "%s gives %s", comments[i], kiln_status_name(status));
        kiln_error_destroy(error);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(missing_package)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = good_spec("package");
    kiln_spec_add_package(spec, "no-such-package-anywhere");
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_NOT_FOUND || status == KILN_SPEC);
    CHECK_CONTAINS(kiln_error_message(error), "no-such-package-anywhere");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);

    write_file(scratch("pc/old.pc"), "Name: old\nDescription: x\nVersion: 1.0\nCflags: -DX\n");
    setenv("PKG_CONFIG_PATH", scratch("pc"), 1);
    spec = good_spec("version");
    kiln_spec_add_package(spec, "old >= 2.0");
    status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_NOT_FOUND || status == KILN_SPEC);
    CHECK_CONTAINS(kiln_error_message(error), "2.0");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    still_works(session);
    kiln_session_destroy(session);
}

static kiln_spec *depending(const char *name, const char *on)
{
    kiln_spec *spec = kiln_spec_create(name);
    char *text = text_of("int value_%s(void) { return 1; }\n", name);
    kiln_spec_add_memory_source(spec, text_of("%s.c", name), text, strlen(text), NULL);
    if (on)
        kiln_spec_add_dependency(spec, on);
    free(text);
    return spec;
}

static void register_spec(kiln_session *session, kiln_spec *spec)
{
    kiln_error *error;
    CHECK_STATUS(kiln_session_register(session, spec, &error), KILN_OK, &error);
    kiln_spec_destroy(spec);
}

TEST(circles)
{
    kiln_session *session = session_create(NULL, NULL);
    register_spec(session, depending("a", "b"));
    register_spec(session, depending("b", "c"));
    register_spec(session, depending("c", "a"));
    register_spec(session, depending("self", "self"));
    register_spec(session, depending("outside", "b"));
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load(session, "a", NULL, &library, &error), KILN_CYCLE, &error);
    CHECK_CONTAINS(kiln_error_message(error), "a");
    CHECK_CONTAINS(kiln_error_message(error), "b");
    CHECK_CONTAINS(kiln_error_message(error), "c");
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_library_load(session, "self", NULL, &library, &error), KILN_CYCLE, &error);
    CHECK_CONTAINS(kiln_error_message(error), "self");
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_library_load(session, "outside", NULL, &library, &error), KILN_CYCLE, &error);
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(missing_dependency)
{
    kiln_session *session = session_create(NULL, NULL);
    register_spec(session, depending("top", "unregistered"));
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load(session, "top", NULL, &library, &error), KILN_NOT_FOUND, &error);
    CHECK_CONTAINS(kiln_error_message(error), "unregistered");
    CHECK_CONTAINS(kiln_error_message(error), "top");
    kiln_error_destroy(error);
    register_spec(session, depending("unregistered", NULL));
    CHECK_STATUS(kiln_library_load(session, "top", NULL, &library, &error), KILN_OK, &error);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(failing_dependency)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *broken = kiln_spec_create("broken");
    kiln_spec_add_memory_source(broken, "broken.c", "int x = nowhere;\n", 17, NULL);
    register_spec(session, broken);
    register_spec(session, depending("middle", "broken"));
    register_spec(session, depending("top", "middle"));
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load(session, "top", NULL, &library, &error), KILN_COMPILE, &error);
    CHECK_CONTAINS(kiln_error_rendered(error), "broken.c");
    CHECK_INT(kiln_error_diagnostic_count(error), 1);
    kiln_error_destroy(error);
    CHECK(!kiln_session_is_loaded(session, "top"));
    CHECK(!kiln_session_is_loaded(session, "middle"));
    still_works(session);
    kiln_session_destroy(session);
}

TEST(duplicate_names)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error;
    register_spec(session, depending("twice", NULL));
    kiln_spec *spec = depending("twice", NULL);
    CHECK_STATUS(kiln_session_register(session, spec, &error), KILN_ALREADY_EXISTS, &error);
    CHECK_CONTAINS(kiln_error_message(error), "twice");
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_session_unregister(session, "twice", &error), KILN_OK, &error);
    CHECK_STATUS(kiln_session_register(session, spec, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_session_unregister(session, "never", &error), KILN_NOT_FOUND, &error);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}

TEST(duplicate_definitions)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = kiln_spec_create("duplicate");
    kiln_spec_add_memory_source(spec, "one.c", "int twice(void) { return 1; }\n", 30, NULL);
    kiln_spec_add_memory_source(spec, "two.c", "int twice(void) { return 2; }\n", 30, NULL);
    kiln_error *error = load_spec_fails(session, spec, KILN_LINK);
    CHECK_INT(kiln_error_phase(error), KILN_PHASE_LINK);
    CHECK_CONTAINS(kiln_error_rendered(error), "twice");
    CHECK_CONTAINS(kiln_error_rendered(error), "one.c");
    CHECK_CONTAINS(kiln_error_rendered(error), "two.c");
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(missing_link_library)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = good_spec("link");
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-lno-such-library-anywhere", NULL});
    kiln_error *error = load_spec_fails(session, spec, KILN_LINK);
    CHECK_CONTAINS(kiln_error_rendered(error), "no-such-library-anywhere");
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(strange_names)
{
    static const char *const names[] = {
        "", "a/b", "..", ".", "a b", "a\nb", "\xff", "a:b", "-", "../../etc/passwd", "x\177"};
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        kiln_spec *spec = good_spec(names[i]);
        kiln_error *error;
        kiln_status status = kiln_session_register(session, spec, &error);
        if (strcmp(names[i], "-") != 0 && strcmp(names[i], ".") != 0 && strcmp(names[i], "..") != 0)
            CHECK(status == KILN_SPEC || status == KILN_INVALID_ARGUMENT);
        kiln_error_destroy(error);
        kiln_spec_destroy(spec);
    }
    char *long_name = malloc(100001);
    memset(long_name, 'n', 100000);
    long_name[100000] = '\0';
    kiln_spec *spec = good_spec(long_name);
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_OK || status == KILN_SPEC || status == KILN_INVALID_ARGUMENT);
    if (status == KILN_OK)
        kiln_library_close(library);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    spec = good_spec("also bad");
    status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_SPEC || status == KILN_INVALID_ARGUMENT);
    CHECK_CONTAINS(kiln_error_message(error), "also bad");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(memory_paths_stay_below_the_virtual_directory)
{
    static const char *const paths[] = {"../up.c", "a/../../up.c", "/etc/absolute.c",
                                        "",        "dir/",         "./x/../y.c"};
    kiln_session *session = session_create(NULL, NULL);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        kiln_spec *spec = kiln_spec_create("memory");
        kiln_library *library;
        kiln_error *error;
        kiln_spec_add_memory_source(spec, paths[i], "int value(void) { return 1; }\n", 30, NULL);
        kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
        if (i < 5 && status != KILN_SPEC && status != KILN_INVALID_ARGUMENT)
            support_fail(__FILE__, __LINE__, "'%s' gives %s", paths[i], kiln_status_name(status));
        if (status == KILN_OK)
            kiln_library_close(library);
        kiln_error_destroy(error);
        kiln_spec_destroy(spec);
    }
    still_works(session);
    kiln_session_destroy(session);
}

TEST(empty_spec)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error = load_spec_fails(session, kiln_spec_create("empty"), KILN_SPEC);
    CHECK_CONTAINS(kiln_error_message(error), "empty");
    kiln_error_destroy(error);
    make_directory(scratch("no-sources"));
    error = load_spec_fails(session, spec_of_file("pattern", scratch("no-sources/*.c")),
                            KILN_NOT_FOUND);
    CHECK_CONTAINS(kiln_error_message(error), "*.c");
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(adders_keep_the_first_error)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = good_spec("sticky");
    CHECK(kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-save-temps", NULL}) !=
          KILN_OK);
    CHECK_STATUS(kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-DX", NULL}),
                 KILN_OK, NULL);
    kiln_error *error;
    CHECK(kiln_session_register(session, spec, &error) != KILN_OK);
    CHECK_CONTAINS(kiln_error_message(error), "-save-temps");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}

TEST(destroyers_take_null)
{
    kiln_error_destroy(NULL);
    kiln_spec_destroy(NULL);
    kiln_session_destroy(NULL);
    kiln_load_destroy(NULL);
    kiln_outputs_destroy(NULL);
    kiln_names_destroy(NULL);
    kiln_string_destroy(NULL);
    CHECK_STATUS(kiln_library_close(NULL), KILN_OK, NULL);
}

TEST(null_arguments)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_open(session, NULL, NULL, &library, &error), KILN_INVALID_ARGUMENT,
                 &error);
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_library_load(session, NULL, NULL, &library, &error), KILN_INVALID_ARGUMENT,
                 &error);
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_library_load_spec(session, NULL, NULL, &library, NULL), KILN_INVALID_ARGUMENT,
                 NULL);
    kiln_spec *spec = kiln_spec_create("null");
    CHECK(kiln_spec_add_source(spec, NULL, NULL) == KILN_INVALID_ARGUMENT);
    CHECK(kiln_spec_add_dependency(spec, NULL) == KILN_INVALID_ARGUMENT);
    kiln_spec_destroy(spec);
    CHECK_STATUS(kiln_library_load(session, "never registered", NULL, &library, &error),
                 KILN_NOT_FOUND, &error);
    CHECK_CONTAINS(kiln_error_message(error), "never registered");
    kiln_error_destroy(error);
    CHECK(!kiln_session_is_loaded(session, "never registered"));
    still_works(session);
    kiln_session_destroy(session);
}

TEST(options_of_other_sizes)
{
    struct {
        kiln_session_options options;
        unsigned char later[64];
    } future = {.options = {.size = sizeof future, .no_cache = true}};
    kiln_session *session;
    kiln_error *error;
    CHECK_STATUS(kiln_session_create(&future.options, &session, &error), KILN_OK, &error);
    kiln_session_destroy(session);
    future.later[63] = 1;
    kiln_status refused = kiln_session_create(&future.options, &session, &error);
    CHECK(refused == KILN_INVALID_ARGUMENT || refused == KILN_UNSUPPORTED);
    kiln_error_destroy(error);
    kiln_session_options none = {.size = 0};
    CHECK_STATUS(kiln_session_create(&none, &session, &error), KILN_INVALID_ARGUMENT, &error);
    kiln_error_destroy(error);

    session = session_create(NULL, NULL);
    kiln_load_options load = {.size = sizeof load, .engine = "no-such-engine"};
    kiln_spec *spec = good_spec("engine");
    kiln_library *library;
    kiln_status status = kiln_library_load_spec(session, spec, &load, &library, &error);
    CHECK(status == KILN_INVALID_ARGUMENT || status == KILN_UNSUPPORTED);
    CHECK_CONTAINS(kiln_error_message(error), "no-such-engine");
    kiln_error_destroy(error);
    load = (kiln_load_options){.size = sizeof load, .engine = "image"};
    CHECK_STATUS(kiln_library_load_spec(session, spec, &load, &library, &error), KILN_OK, &error);
    kiln_library_close(library);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}

TEST(bad_spec_texts)
{
    static const char *const texts[] = {"",
                                        "name: [",
                                        "name: x\nsources: 5\n",
                                        "name: x\nno_such_field: 1\n",
                                        "sources: [a.c]\n",
                                        "name: 'a b'\nsources: [a.c]\n",
                                        "\xff\xfe\x00",
                                        "name: x\nname: y\nsources: [a.c]\n",
                                        "- a\n- b\n",
                                        "name: &a [*a]\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        kiln_spec *spec;
        kiln_error *error;
        kiln_status status = kiln_spec_parse(texts[i], strlen(texts[i]), "the text", &spec, &error);
        if (status != KILN_SPEC)
            support_fail(__FILE__, __LINE__, "text %zu gives %s", i, kiln_status_name(status));
        CHECK_CONTAINS(kiln_error_message(error), "the text");
        kiln_error_destroy(error);
    }
}
