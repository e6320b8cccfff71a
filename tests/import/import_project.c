/* import_project.c - a CMake project, configured as its users do, imported and loaded: by its database alone, with CMake's File
 * API, unbuilt and built, with other compilers' leavings around.
 *
 * The project (project/) has a program with a precompiled header that links a shared and a static library of the project, of
 * which the static one holds an object library; and a module. */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the project ---- */

static void need(const char *program, const char *argument)
{
    if (RUN(NULL, program, argument) != 0)
        skip("%s", program);
}

static void run_cmake(const char *const *arguments)
{
    char *output = NULL;
    int status = run_program(arguments, &output);
    if (status != 0)
        support_fail(__FILE__, __LINE__, "cmake: exit status %d\n%s", status, output);
    free(output);
}

/* Configure the project, with two more of CMake's arguments (NULL: none), and return the build folder. file_api: ask for CMake's
 * File API first. */
static char *configure(bool file_api, const char *generator, const char *first, const char *second)
{
    char *build = scratch("the build [1]");
    char *source = scratch("the project");
    copy_tree(KILN_TEST_PROJECT, source);
    make_directory(build);
    if (file_api)
        write_file(scratch("the build [1]/.cmake/api/v1/query/codemodel-v2"), "");
    const char *const arguments[] = {KILN_TEST_CMAKE,
                                     "-S",
                                     source,
                                     "-B",
                                     build,
                                     "-G",
                                     generator,
                                     "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                                     first ? first : second,
                                     first ? second : NULL,
                                     NULL};
    run_cmake(arguments);
    return build;
}

static void build_all(const char *build)
{
    run_cmake((const char *const[]){KILN_TEST_CMAKE, "--build", build, NULL});
}

static kiln_library *load_target(kiln_session *session, const char *build, const char *target)
{
    kiln_error *error = NULL;
    kiln_library *library = NULL;
    CHECK_STATUS(kiln_session_import_commands(session, build, target, "imported", &error), KILN_OK,
                 &error);
    CHECK_STATUS(kiln_library_load(session, "imported", NULL, &library, &error), KILN_OK, &error);
    return library;
}

/* What the program is made of: its own numbers, the shared and the static library's, the object library's, and the
 * precompiled header's. */
static void check_program(const char *build)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library = load_target(session, build, "app");
    CHECK_INT(call_int(library, "app_total"), 1089);
    CHECK_INT(call_int(library, "main"), 0);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    kiln_session_destroy(session);
}

/* ---- with the File API ---- */

TEST(program_from_ninja)
{
    need("ninja", "--version");
    check_program(configure(true, "Ninja", NULL, NULL));
}

TEST(program_from_makefiles)
{
    need("make", "--version");
    check_program(configure(true, "Unix Makefiles", NULL, NULL));
}

TEST(program_from_several_configurations)
{
    need("ninja", "--version");
    check_program(configure(true, "Ninja Multi-Config", NULL, NULL));
}

/* gcc has left its precompiled header, objects and libraries. */
TEST(program_that_was_built)
{
    need("ninja", "--version");
    char *build = configure(true, "Ninja", NULL, NULL);
    build_all(build);
    struct stat status;
    CHECK(stat(scratch("the build [1]/app/CMakeFiles/app.dir/cmake_pch.hxx.gch"), &status) == 0);
    check_program(build);
}

TEST(program_that_clang_built)
{
    need("ninja", "--version");
    need("clang-22", "--version");
    char *build =
        configure(true, "Ninja", "-DCMAKE_C_COMPILER=clang-22", "-DCMAKE_CXX_COMPILER=clang++-22");
    build_all(build);
    struct stat status;
    CHECK(stat(scratch("the build [1]/app/CMakeFiles/app.dir/cmake_pch.hxx.pch"), &status) == 0);
    check_program(build);
}

TEST(program_behind_a_launcher)
{
    need("ninja", "--version");
    need("ccache", "--version");
    check_program(configure(true, "Ninja", "-DCMAKE_C_COMPILER_LAUNCHER=ccache",
                            "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"));
}

/* Position dependent, optimised at link time, warnings as errors, flags that Clang rejects. */
TEST(program_with_flags_of_gcc)
{
    static const char flags[] =
        "-fconserve-stack -fno-var-tracking-assignments -fno-ipa-sra "
        "-mno-accumulate-outgoing-args -flto -fno-pie -Werror -Wlogical-op "
        "-Wduplicated-cond --param max-inline-insns-single=10 -fdump-tree-ssa";
    need("ninja", "--version");
    check_program(configure(true, "Ninja", text_of("-DCMAKE_C_FLAGS=%s", flags),
                            text_of("-DCMAKE_CXX_FLAGS=%s", flags)));
}

/* The static library is compiled with -fvisibility=hidden, which keeps nothing from a program that links it. */
TEST(static_library)
{
    need("ninja", "--version");
    char *build = configure(true, "Ninja", NULL, NULL);
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library = load_target(session, build, "core");
    const char *(*name)(void) =
        (const char *(*)(void))kiln_library_function(library, "core_name", NULL);
    CHECK(name != NULL);
    CHECK_TEXT(name(), "the core");
    CHECK_INT(call_int(library, "core_version"), 42);
    CHECK_INT(call_int(library, "core_blank"), 7);
    double (*root)(double) = (double (*)(double))kiln_library_function(library, "core_root", NULL);
    CHECK(root != NULL && root(9) == 3); /* by -lm, which the program's link line names */
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    kiln_session_destroy(session);
}

/* What a shared object hides stays hidden. */
TEST(module)
{
    need("ninja", "--version");
    char *build = configure(true, "Ninja", NULL, NULL);
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library = load_target(session, build, "plugin");
    CHECK_INT(call_int(library, "plugin_entry"), 2);
    CHECK(kiln_library_function(library, "plugin_hidden", NULL) == NULL);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    kiln_session_destroy(session);
}

TEST(targets_to_choose_from)
{
    need("ninja", "--version");
    char *build = configure(true, "Ninja", NULL, NULL);
    kiln_session *session = session_create(NULL, NULL);
    kiln_error *error = NULL;
    CHECK_STATUS(kiln_session_import_commands(session, build, NULL, "imported", &error),
                 KILN_AMBIGUOUS, NULL);
    static const char *const targets[] = {"pieces (object library)", "core (static library)",
                                          "shared (shared library)", "app (program)",
                                          "plugin (module)"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        CHECK_CONTAINS(kiln_error_message(error), targets[i]);
    CHECK(!kiln_session_is_registered(session, "imported"));
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

/* ---- by the database alone ---- */

TEST(one_target_without_the_file_api)
{
    need("ninja", "--version");
    char *build = configure(false, "Ninja", NULL, NULL);
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library = load_target(session, build, "plugin");
    CHECK_INT(call_int(library, "plugin_entry"), 2);
    CHECK(kiln_library_function(library, "plugin_hidden", NULL) == NULL);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    kiln_session_destroy(session);
}

/* The program's own sources are all that is known: what they lack is named. */
TEST(program_without_the_file_api)
{
    need("ninja", "--version");
    char *build = configure(false, "Ninja", NULL, NULL);
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    CHECK_STATUS(kiln_session_import_commands(session, build, "app", "imported", &error), KILN_OK,
                 &error);
    kiln_status status = kiln_library_load(session, "imported", NULL, &library, &error);
    CHECK(status == KILN_BIND || status == KILN_LINK);
    CHECK_CONTAINS(kiln_error_rendered(error), "shared_answer");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}
