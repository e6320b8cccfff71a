/* command_doctor.c - `kiln doctor`: see whether all that is needed is there, and name the package
 * that is not.
 *
 * What the compiler needs is found out by asking it to compile tiny sources from memory, without
 * the cache: so the answer holds for loads too. What the cache needs is looked up. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "message.h"

#define LLVM_MAJOR "22"
#define GCC_DIRECTORY "/usr/lib/gcc/x86_64-linux-gnu"
#define GCC_DEFAULT 12 /* of Debian 12 */
#define LOW_MEMORY_BYTES (512ull << 20)
#define LOW_DISK_BYTES (200ull << 20)
/* What clang says of a header that is nowhere, said of this one alone. */
#define NEEDS_HEADER(name)                                                                         \
    "#if !__has_include(<" name ">)\n#error '" name "' file not found\n#endif\n"

/* Compiled or linked one by one. packages: what has what they need; %d is GCC's major version.
 *
 * Headers include those of the packages below theirs: so each probe first looks whether its own are
 * there, and compiles them only where the others are. */
static const struct probe {
    const char *what;
    const char *path;
    const char *source;
    const char *argument; /* or NULL */
    kiln_output_kind kind;
    const char *packages;
} probes[] = {
    {"compiler headers", "probe.c", "#include <stddef.h>\n#include <stdarg.h>\n", "-nostdlibinc",
     KILN_OUTPUT_OBJECT, "libclang-common-" LLVM_MAJOR "-dev"},
    {"C headers", "probe.c",
     NEEDS_HEADER("stdio.h")
         NEEDS_HEADER("linux/types.h") "#if __has_include(<stddef.h>)\n"
                                       "#include <stdio.h>\n#include <linux/types.h>\n#endif\n",
     NULL, KILN_OUTPUT_OBJECT, "libc6-dev"},
    {"C++ headers", "probe.cpp",
     NEEDS_HEADER("vector")
         NEEDS_HEADER("iostream") "#if __has_include(<stddef.h>) && __has_include(<stdio.h>)\n"
                                  "#include <vector>\n#include <iostream>\n#endif\n",
     NULL, KILN_OUTPUT_OBJECT, "libstdc++-%d-dev"},
    {"linking C", "probe.c", "int puts(const char *);\nint probe(void) { return puts(\"\"); }\n",
     NULL, KILN_OUTPUT_SHARED_LIBRARY, "libc6-dev libgcc-%d-dev"},
    {"linking C++", "probe.cpp",
     "extern \"C\" int probe() { try { throw 1; } catch (int) {} return 0; }\n", NULL,
     KILN_OUTPUT_SHARED_LIBRARY, "libstdc++-%d-dev"},
};

/* ---- lines ---- */

static void say_ok(const char *what, const char *text)
{
    printf("ok       %-18s%s\n", what, text);
}

/* remedy: or NULL. */
static void say_problem(size_t *problems, const char *what, const char *text, const char *remedy)
{
    ++*problems;
    printf("problem  %-18s%s\n", what, text);
    if (remedy != NULL)
        printf("%-27s%s\n", "", remedy);
}

/* What an error comes to in one line: the compiler's first error, or libkiln's message. */
static char *error_line(const kiln_error *error)
{
    if (error == NULL)
        return own(strdup("out of memory"));
    const char *text = kiln_error_message(error);
    for (size_t i = 0; i < kiln_error_diagnostic_count(error); i++) {
        const kiln_diagnostic *diagnostic = kiln_error_diagnostic(error, i);
        if (diagnostic->severity < KILN_SEVERITY_ERROR)
            continue;
        text = diagnostic->message;
        break;
    }
    return own(strndup(text, strcspn(text, "\n")));
}

/* ---- the compiler ---- */

/* The GCC whose libraries Clang uses: the newest that is installed, if only in part. */
static int gcc_major(void)
{
    for (int major = 99; major >= 4; major--) {
        char path[sizeof GCC_DIRECTORY + 16];
        snprintf(path, sizeof path, GCC_DIRECTORY "/%d/crtbeginS.o", major);
        if (access(path, F_OK) == 0)
            return major;
    }
    return GCC_DEFAULT;
}

/* "apt-get install PACKAGES", with GCC's version filled in. */
static char *install_line(const char *packages)
{
    const char *mark = strstr(packages, "%d");
    if (mark == NULL)
        return own_format("apt-get install %s", packages);
    return own_format("apt-get install %.*s%d%s", (int)(mark - packages), packages, gcc_major(),
                      mark + 2);
}

/* Compile one source from memory. */
static kiln_status compile_probe(kiln_session *session, const struct probe *probe,
                                 kiln_error **error)
{
    const char *const arguments[] = {probe->argument, NULL};
    const kiln_compile_options what = {.size = sizeof what, .kind = probe->kind};
    kiln_outputs *outputs = NULL;
    kiln_spec *spec = own(kiln_spec_create("probe"));
    kiln_spec_add_memory_source(spec, probe->path, probe->source, strlen(probe->source), arguments);
    kiln_status status = kiln_compile(session, spec, &what, &outputs, error);
    kiln_outputs_destroy(outputs);
    kiln_spec_destroy(spec);
    return status;
}

/* Whether the compiler process starts, is of this version, and compiles what needs nothing else. */
static bool check_compiler(kiln_session *session, size_t *problems)
{
    static const struct probe bare = {NULL, "probe.c",          "int probe;\n",
                                      NULL, KILN_OUTPUT_OBJECT, NULL};
    kiln_error *error = NULL;
    if (compile_probe(session, &bare, &error) == KILN_OK) {
        say_ok("compiler", "kiln-compiler starts and compiles");
        return true;
    }
    char *line = error_line(error);
    say_problem(problems, "compiler", line, NULL); /* libkiln says what to do */
    free(line);
    kiln_error_destroy(error);
    return false;
}

static void check_probe(kiln_session *session, const struct probe *probe, size_t *problems)
{
    kiln_error *error = NULL;
    if (compile_probe(session, probe, &error) == KILN_OK) {
        say_ok(probe->what, "found");
        return;
    }
    char *line = error_line(error);
    char *remedy = install_line(probe->packages);
    say_problem(problems, probe->what, line, remedy);
    free(remedy);
    free(line);
    kiln_error_destroy(error);
}

/* Load from memory and call: the system may forbid to execute what is no file. */
static void check_load(kiln_session *session, size_t *problems)
{
    static const char source[] = "int probe(void) { return 42; }\n";
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    kiln_spec *spec = own(kiln_spec_create("probe"));
    kiln_spec_add_memory_source(spec, "probe.c", source, sizeof source - 1, NULL);
    kiln_library_load_spec(session, spec, NULL, &library, &error);
    kiln_function probe = library != NULL ? kiln_library_function(library, "probe", &error) : NULL;
    if (probe != NULL && ((int (*)(void))probe)() == 42) {
        say_ok("loading", "code from memory runs");
    } else {
        char *line = error_line(error);
        say_problem(problems, "loading", line, NULL);
        free(line);
    }
    kiln_library_close(library);
    kiln_spec_destroy(spec);
    kiln_error_destroy(error);
}

/* ---- the cache ---- */

/* A directory that is there must be this user's alone, and fit for images. */
static void check_directory(const char *path, const struct stat *status, size_t *problems)
{
    struct statvfs system;
    char size[UNIT_TEXT_CAPACITY];
    if (!S_ISDIR(status->st_mode))
        say_problem(problems, "cache", path,
                    "it is no directory: remove it, or set KILN_CACHE_DIR");
    else if (status->st_uid != geteuid() || (status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        say_problem(problems, "cache", path,
                    "others can write to it: make it yours (chown) and yours alone (chmod 700)");
    else if (access(path, R_OK | W_OK | X_OK) != 0)
        say_problem(problems, "cache", path, "it cannot be written: loads will not be kept");
    else if (statvfs(path, &system) != 0)
        say_problem(problems, "cache", path, strerror(errno));
    else if ((system.f_flag & ST_NOEXEC) != 0)
        say_problem(problems, "cache", path,
                    "its file system is mounted noexec, so images are copied to memory first: set "
                    "KILN_CACHE_DIR");
    else if ((uint64_t)system.f_bavail * system.f_frsize < LOW_DISK_BYTES)
        say_problem(problems, "cache", path,
                    "its file system is nearly full: 'kiln cache gc' makes the cache smaller");
    else {
        char *line = own_format("%s, %s free", path,
                                format_size((uint64_t)system.f_bavail * system.f_frsize, size));
        say_ok("cache", line);
        free(line);
    }
}

/* A directory that is not there yet must be possible. */
static void check_parent(const char *path, size_t *problems)
{
    char *parent = own(strdup(path));
    char *slash;
    while (access(parent, F_OK) != 0 && (slash = strrchr(parent, '/')) != NULL && slash != parent)
        *slash = '\0';
    if (access(parent, F_OK) != 0 || access(parent, W_OK | X_OK) == 0) {
        char *line = own_format("%s will be made at the first load", path);
        say_ok("cache", line);
        free(line);
    } else {
        char *remedy = own_format("it cannot be made in '%s': set KILN_CACHE_DIR", parent);
        say_problem(problems, "cache", path, remedy);
        free(remedy);
    }
    free(parent);
}

static void check_cache(const cli_options *options, size_t *problems)
{
    kiln_session_options chosen = options->session;
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    struct stat status;
    chosen.no_cache = false;
    if (kiln_session_create(&chosen, &session, &error) != KILN_OK) {
        char *line = error_line(error);
        say_problem(problems, "cache", line, NULL);
        free(line);
        kiln_error_destroy(error);
        return;
    }
    const char *path = kiln_session_cache_directory(session);
    if (path == NULL)
        say_ok("cache", "off: KILN_NO_CACHE is set, or there is no place for it");
    else if (stat(path, &status) == 0)
        check_directory(path, &status, problems);
    else
        check_parent(path, problems);
    kiln_session_destroy(session);
}

/* ---- the machine ---- */

/* A bare chroot lacks /proc, and without it whatever links fails for a reason that misleads. */
static bool check_proc(size_t *problems)
{
    if (access("/proc/self/exe", F_OK) == 0)
        return true;
    say_problem(problems, "/proc", "it is not mounted, so nothing can be linked or loaded",
                "mount -t proc proc /proc");
    return false;
}

/* What the system says could be had without swapping, or 0. */
static uint64_t available_memory(void)
{
    char line[256];
    unsigned long long kibibytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1)
            break;
    }
    fclose(file);
    return kibibytes << 10;
}

static void check_machine(size_t *problems)
{
    cpu_set_t processors;
    char size[UNIT_TEXT_CAPACITY];
    uint64_t memory = available_memory();
    int count =
        sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 1;
    char *line = own_format("%d processor%s, %s of memory available", count, count == 1 ? "" : "s",
                            memory != 0 ? format_size(memory, size) : "an unknown amount");
    if (memory != 0 && memory < LOW_MEMORY_BYTES)
        say_problem(problems, "machine", line, "large sources may not compile: try --jobs 1");
    else
        say_ok("machine", line);
    free(line);
}

static void check_builds(const cli_options *options, size_t *problems)
{
    kiln_session_options chosen = options->session;
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    chosen.no_cache = true;
    if (kiln_session_create(&chosen, &session, &error) != KILN_OK) {
        char *line = error_line(error);
        say_problem(problems, "session", line, NULL);
        free(line);
        kiln_error_destroy(error);
        return;
    }
    if (check_compiler(session, problems)) {
        for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
            check_probe(session, &probes[i], problems);
        check_load(session, problems);
    }
    kiln_session_destroy(session);
}

static int run(const cli_options *options)
{
    size_t problems = 0;
    if (options->words.count > 0) {
        message_error("'kiln doctor' takes no '%s'", options->words.items[0]);
        return CLI_FAILURE;
    }
    if (check_proc(&problems))
        check_builds(options, &problems);
    check_cache(options, &problems);
    check_machine(&problems);
    return problems == 0 ? CLI_OK : CLI_NO;
}

const cli_command command_doctor = {
    .name = "doctor",
    .summary = "see whether all that is needed is there",
    .synopsis = "[option ...]",
    .description = "Compiles, links and loads tiny sources, and looks at the cache directory and "
                   "the machine. Prints a\n"
                   "line for each: ok, or problem with what to do about it, such as the package to "
                   "install. Exits 1 if\n"
                   "there is a problem.\n",
    .examples = "  kiln doctor\n"
                "  kiln doctor --compiler ./build/bin/kiln-compiler\n",
    .option_groups = OPTIONS_COMMON | OPTIONS_COMPILER,
    .run = run,
};
