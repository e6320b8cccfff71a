/* misuse_footprint.c - what a load must not bring into the host or leave behind: LLVM, mappings, memory, a compiler process for a hit,
 * files on disk for a session without a cache. */
#include "host_process.h"
#include "load_result.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_project(void)
{
    write_file(
        scratch("main.cpp"),
        "#include <string>\nextern \"C\" int value() { return std::string(\"four\").size(); }\n");
}

/* This program's path; /proc/self/exe would be strace's. */
static char *self(void)
{
    char path[4096];
    ssize_t length = readlink(SELF, path, sizeof path - 1);
    CHECK(length > 0);
    path[length] = '\0';
    return strdup(path);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

static void check_maps(void)
{
    static const char *const foreign[] = {"LLVM", "libclang", "liblld", "kiln-compiler"};
    char *maps = read_file("/proc/self/maps", NULL);
    for (size_t i = 0; i < 4; i++) {
        if (strstr(maps, foreign[i]))
            support_fail(__FILE__, __LINE__, "the host has %s mapped:\n%s", foreign[i], maps);
    }
    CHECK_CONTAINS(maps, "libkiln");
    free(maps);
}

static void load_and_check_maps(const char *cache, bool hit)
{
    kiln_session *session = session_create(cache, NULL);
    kiln_library *library = load_file(session, scratch("main.cpp"));
    CHECK_INT(was_hit(library), hit);
    CHECK_INT(call_int(library, "value"), 4);
    check_maps();
    kiln_library_close(library);
    kiln_session_destroy(session);
}

static int warm_in_child(void *cache)
{
    load_and_check_maps(cache, true);
    return 0;
}

TEST(no_llvm_in_the_host)
{
    write_project();
    load_and_check_maps(scratch("cache"), false);
    load_and_check_maps(scratch("cache"), true);
    CHECK_INT(in_child(warm_in_child, scratch("cache")),
              0); /* in a process that has not compiled */
}

TEST(hit_starts_no_process)
{
    pid_t pids[max_compilers];
    use_private_compiler();
    usleep(200 * 1000); /* a program that was installed this very moment is asked again who it is */
    write_project();
    load_result cold = try_load(scratch("cache"), spec_of_file("main", scratch("main.cpp")));
    CHECK_TEXT(cold.error, "");
    wait_until_no_compiler();
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_library *library = load_spec(session, spec_of_file("main", scratch("main.cpp")));
    CHECK(was_hit(library));
    CHECK_INT(compilers(pids), 0);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* Two loads of the same bytes in two sessions: the first has compiled, the second process has never seen a compiler. */
/* The same seen by strace, in a process that has never compiled. */
TEST(hit_starts_no_process_traced)
{
    write_project();
    char *cache = scratch("cache"), *source = scratch("main.cpp"), *trace = scratch("trace");
    CHECK_INT(RUN(NULL, self(), "load_given_file", cache, source), 0);
    int status = RUN(NULL, "strace", "-f", "-qq", "-e", "trace=execve,clone,clone3,fork,vfork",
                     "-o", trace, self(), "load_given_file", cache, source);
    if (status == 127)
        skip("there is no strace");
    CHECK_INT(status, 0);
    char *text = read_file(trace, NULL);
    if (count_lines(text) != 1) /* the program itself */
        support_fail(__FILE__, __LINE__, "a hit starts something:\n%s", text);
}

HELPER(load_given_file)
{
    const char *cache = strcmp(support_arguments[0], "none") == 0 ? NULL : support_arguments[0];
    kiln_session *session = session_create(cache, NULL);
    kiln_library *library = load_file(session, support_arguments[1]);
    CHECK_INT(call_int(library, "value"), 4);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* ---- disk ---- */

/* Whether a line of strace's output changes something in a file system that is a disk's. */
static bool touches_disk(const char *line)
{
    static const char *const changing[] = {"rename",  "mkdir", "unlink",    "link",
                                           "symlink", "mknod", "truncate(", "chmod(",
                                           "chown(",  "utime", "creat("};
    static const char *const harmless[] = {"/dev/null", "/proc/self/", "/dev/tty", "/dev/urandom"};
    if (strstr(line, "= -1 "))
        return false;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        if (strstr(line, harmless[i]))
            return false;
    }
    if (strstr(line, "open"))
        return strstr(line, "O_WRONLY") || strstr(line, "O_RDWR") || strstr(line, "O_CREAT") ||
               strstr(line, "O_TMPFILE");
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) {
        if (strstr(line, changing[i]) && strchr(line, '"'))
            return true;
    }
    return false;
}

/* The helper itself makes and removes its scratch directory; everything else is Kiln's. */
static void check_trace(const char *path, const char *own_prefix)
{
    char *text = read_file(path, NULL);
    CHECK(count_lines(text) > 20);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (touches_disk(line) && !strstr(line, own_prefix))
            support_fail(__FILE__, __LINE__, "a session without a cache touches the disk:\n%s",
                         line);
    }
    free(text);
}

TEST(no_disk_without_a_cache)
{
    write_project();
    char *trace = scratch("trace"), *work = scratch("work"), *left;
    make_directory(work);
    setenv("TMPDIR", work, 1); /* the helper's scratch directory is made here */
    CHECK_INT(chdir(work), 0);
    int status = RUN(NULL, "strace", "-f", "-qq", "-e", "trace=%file,memfd_create", "-o", trace,
                     self(), "load_given_file", "none", scratch("main.cpp"));
    if (status == 127)
        skip("there is no strace");
    CHECK_INT(status, 0);
    check_trace(trace, text_of("%s/kiln-test-", work));
    CHECK_INT(RUN(&left, "find", work, "-mindepth", "1"), 0);
    CHECK_TEXT(left, "");
}

/* The same seen from the files: nothing below HOME, TMPDIR or the working directory, also after failures. */
TEST(nothing_is_left_without_a_cache)
{
    char *home = scratch("home"), *left;
    write_project();
    write_file(scratch("bad.cpp"), "#include <string>\nint x = nowhere;\n");
    write_file(scratch("missing.c"),
               "int nowhere_at_all(void);\nint value(void) { return nowhere_at_all(); }\n");
    make_directory(home);
    setenv("HOME", home, 1);
    setenv("TMPDIR", home, 1);
    setenv("XDG_CACHE_HOME", text_of("%s/cache", home), 1);
    CHECK_INT(chdir(home), 0);
    kiln_session *session = session_create(NULL, NULL);
    kiln_library *library = load_file(session, scratch("main.cpp"));
    kiln_error_destroy(load_file_fails(session, scratch("bad.cpp"), KILN_COMPILE));
    kiln_error_destroy(load_file_fails(session, scratch("missing.c"), KILN_BIND));
    CHECK(kiln_session_cache_directory(session) == NULL);
    kiln_library_close(library);
    kiln_session_destroy(session);
    CHECK_INT(RUN(&left, "find", home, "-mindepth", "1"), 0);
    CHECK_TEXT(left, "");
}

TEST(environment_asks_for_no_cache)
{
    char *home = scratch("home"), *left;
    write_project();
    make_directory(home);
    setenv("HOME", home, 1);
    setenv("KILN_NO_CACHE", "1", 1);
    kiln_library *library = load_file(NULL, scratch("main.cpp"));
    CHECK_INT(call_int(library, "value"), 4);
    CHECK(kiln_session_cache_directory(kiln_session_default()) == NULL);
    kiln_library_close(library);
    CHECK_INT(RUN(&left, "find", home, "-mindepth", "1"), 0);
    CHECK_TEXT(left, "");
}

TEST(place_of_the_cache)
{
    kiln_session_options options = {.size = sizeof options};
    kiln_session *session = session_create_with(&options);
    CHECK_TEXT(kiln_session_cache_directory(session), scratch(".cache/kiln"));
    kiln_session_destroy(session);
    setenv("XDG_CACHE_HOME", scratch("xdg"), 1);
    session = session_create_with(&options);
    CHECK_TEXT(kiln_session_cache_directory(session), scratch("xdg/kiln"));
    kiln_session_destroy(session);
    setenv("KILN_CACHE_DIR", scratch("own"), 1);
    session = session_create_with(&options);
    CHECK_TEXT(kiln_session_cache_directory(session), scratch("own"));
    kiln_session_destroy(session);
    options.cache_directory = scratch("given");
    session = session_create_with(&options);
    CHECK_TEXT(kiln_session_cache_directory(session), scratch("given"));
    kiln_session_destroy(session);
}

/* ---- what accumulates ---- */

static void load_variants(kiln_session *session, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        kiln_spec *spec = kiln_spec_create("variant");
        char *text = text_of("int value(void) { return %d; }\n", i % 5);
        kiln_spec_add_memory_source(spec, "variant.c", text, strlen(text), NULL);
        kiln_spec_add_host_symbol(spec, "lent", (void *)write_project);
        kiln_library *library = load_spec(session, spec);
        CHECK_INT(call_int(library, "value"), i % 5);
        CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
        free(text);
    }
}

TEST(mappings_do_not_accumulate)
{
    for (int cached = 0; cached < 2; cached++) {
        kiln_session *session = session_create(cached ? scratch("cache") : NULL, NULL);
        load_variants(session, 10);
        char *before = read_file("/proc/self/maps", NULL);
        load_variants(session, 40);
        char *after = read_file("/proc/self/maps", NULL);
        if (count_lines(after) > count_lines(before) + 3)
            support_fail(__FILE__, __LINE__, "%u mappings became %u:\n%s", count_lines(before),
                         count_lines(after), after);
        kiln_session_destroy(session);
    }
}
