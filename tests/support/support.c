/* support.c - checks, scratch files, programs and sessions of the tests; see support.h for the
 * contract.
 *
 * Owns the scratch directory of the process that called support_begin: children that it forks use
 * it, and only that process removes it. The event callback may run on several threads at once; one
 * mutex guards every log. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char scratch_directory[256];
static pid_t scratch_owner;

/* ---- checks ---- */

void support_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    support_end(1);
}

void skip(const char *format, ...)
{
    va_list arguments;
    fputs("skipped: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    support_end(77);
}

void support_check_int(const char *file, int line, const char *what, long long actual,
                       long long expected)
{
    if (actual != expected)
        support_fail(file, line, "%s is %lld, not %lld", what, actual, expected);
}

void support_check_text(const char *file, int line, const char *what, const char *actual,
                        const char *expected)
{
    if (!actual || strcmp(actual, expected) != 0)
        support_fail(file, line, "%s is\n%s\nnot\n%s", what, actual ? actual : "NULL", expected);
}

void support_check_contains(const char *file, int line, const char *what, const char *text,
                            const char *part)
{
    if (!text || !strstr(text, part))
        support_fail(file, line, "%s does not contain '%s':\n%s", what, part, text ? text : "NULL");
}

void support_check_status(const char *file, int line, const char *what, kiln_status actual,
                          kiln_status expected, kiln_error **error)
{
    if (actual == expected)
        return;
    const char *rendered = error && *error ? kiln_error_rendered(*error) : "(no error object)\n";
    support_fail(file, line, "%s is %s, not %s:\n%s", what, kiln_status_name(actual),
                 kiln_status_name(expected), rendered);
}

/* ---- scratch files ---- */

/* What Kiln or Clang read from the environment would make a test depend on its user's. */
static void clean_environment(void)
{
    static const char *const names[] = {"KILN_CACHE_DIR",
                                        "KILN_NO_CACHE",
                                        "KILN_JOBS",
                                        "XDG_CACHE_HOME",
                                        "CPATH",
                                        "C_INCLUDE_PATH",
                                        "CPLUS_INCLUDE_PATH",
                                        "COMPILER_PATH",
                                        "LIBRARY_PATH",
                                        "PKG_CONFIG_PATH",
                                        "LD_LIBRARY_PATH",
                                        "NO_COLOR",
                                        "SOURCE_DATE_EPOCH",
                                        "CCC_OVERRIDE_OPTIONS",
                                        NULL};
    for (size_t i = 0; names[i]; i++)
        unsetenv(names[i]);
    setenv("HOME", scratch_directory, 1);
    setenv("TMPDIR", scratch_directory, 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("KILN_COMPILER", KILN_TEST_COMPILER, 0);
}

void support_begin(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch_directory, sizeof scratch_directory, "%s/kiln-test-XXXXXX",
             base ? base : "/tmp");
    if (!mkdtemp(scratch_directory))
        support_fail(__FILE__, __LINE__, "cannot make '%s': %s", scratch_directory,
                     strerror(errno));
    scratch_owner = getpid();
    umask(022);
    clean_environment();
}

void support_end(int status)
{
    fflush(stdout);
    if (scratch_owner == getpid())
        remove_tree(scratch_directory);
    _exit(status);
}

char *text_of(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    return text;
}

char *scratch(const char *format, ...)
{
    va_list arguments;
    char *name = NULL;
    va_start(arguments, format);
    int length = vasprintf(&name, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && scratch_owner);
    char *path = text_of("%s/%s", scratch_directory, name);
    free(name);
    return path;
}

void make_directory(const char *path)
{
    char *copy = strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0755);
        *slash = '/';
    }
    if (mkdir(copy, 0755) < 0 && errno != EEXIST)
        support_fail(__FILE__, __LINE__, "cannot make '%s': %s", path, strerror(errno));
    free(copy);
}

void write_bytes(const char *path, const void *bytes, size_t size)
{
    char *parent = strdup(path);
    *strrchr(parent, '/') = '\0';
    make_directory(parent);
    free(parent);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        support_fail(__FILE__, __LINE__, "cannot write '%s': %s", path, strerror(errno));
    close(fd);
}

void write_file(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* Until end of file, so that it reads pipes too. */
static char *read_all(int fd, size_t *size)
{
    size_t used = 0, capacity = 4096;
    char *bytes = malloc(capacity);
    for (;;) {
        ssize_t got = read(fd, bytes + used, capacity - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got >= 0);
        if (got == 0)
            break;
        used += (size_t)got;
        if (capacity - used < 2)
            bytes = realloc(bytes, capacity *= 2);
    }
    bytes[used] = '\0';
    if (size)
        *size = used;
    return bytes;
}

char *read_file(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        support_fail(__FILE__, __LINE__, "cannot read '%s': %s", path, strerror(errno));
    char *bytes = read_all(fd, size);
    close(fd);
    return bytes;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

static int open_up(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)walk;
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, status->st_mode | 0700);
    return 0;
}

void remove_tree(const char *path)
{
    nftw(path, open_up, 16, FTW_PHYS | FTW_MOUNT);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void copy_tree(const char *from, const char *to)
{
    CHECK_INT(RUN(NULL, "cp", "-a", from, to), 0);
}

void for_each_file(const char *directory, void (*visit)(const char *path, void *user_data),
                   void *user_data)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0)
        support_fail(__FILE__, __LINE__, "cannot list '%s': %s", directory, strerror(errno));
    for (int i = 0; i < count; i++) {
        struct stat status;
        char *path = text_of("%s/%s", directory, entries[i]->d_name);
        bool dots = strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0;
        if (!dots && lstat(path, &status) == 0) {
            if (S_ISDIR(status.st_mode))
                for_each_file(path, visit, user_data);
            else if (S_ISREG(status.st_mode))
                visit(path, user_data);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
}

/* ---- programs ---- */

int run_program(const char *const *arguments, char **output)
{
    int pipes[2], status;
    pid_t child;
    posix_spawn_file_actions_t actions;
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    posix_spawn_file_actions_init(&actions);
    if (output) {
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 2);
    }
    int failure =
        posix_spawnp(&child, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    if (output)
        *output = failure ? strdup("") : read_all(pipes[0], NULL);
    close(pipes[0]);
    if (failure)
        return 127;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void clang(const char *first, ...)
{
    const char *arguments[64] = {"clang-22", first};
    va_list rest;
    va_start(rest, first);
    for (size_t i = 2; (arguments[i] = va_arg(rest, const char *)); i++)
        CHECK(i < 62);
    va_end(rest);
    char *output;
    int status = run_program(arguments, &output);
    if (status == 127)
        skip("there is no clang-22");
    if (status != 0)
        support_fail(__FILE__, __LINE__, "clang-22 failed:\n%s", output);
    free(output);
}

/* ---- sessions ---- */

static pthread_mutex_t log_mutex =
    PTHREAD_MUTEX_INITIALIZER; /* guards the contents of every event_log */

static void append(char **text, const char *more, const char *end)
{
    char *longer = text_of("%s%s%s", *text ? *text : "", more ? more : "", end);
    free(*text);
    *text = longer;
}

static void record_event(const kiln_event *event, void *user_data)
{
    event_log *log = user_data;
    pthread_mutex_lock(&log_mutex);
    log->count[event->kind]++;
    if (event->kind == KILN_EVENT_UNIT_FINISHED && event->hit)
        log->unit_hits++;
    if (event->kind == KILN_EVENT_DIAGNOSTIC)
        append(&log->diagnostics, event->diagnostic->rendered, "");
    if (event->kind == KILN_EVENT_WARNING)
        append(&log->warnings, event->text, "\n");
    if (event->kind == KILN_EVENT_LOOKUP_MISS)
        append(&log->miss_reasons, event->text, "\n");
    pthread_mutex_unlock(&log_mutex);
}

void event_log_reset(event_log *log)
{
    pthread_mutex_lock(&log_mutex);
    free(log->diagnostics);
    free(log->warnings);
    free(log->miss_reasons);
    *log =
        (event_log){.diagnostics = strdup(""), .warnings = strdup(""), .miss_reasons = strdup("")};
    pthread_mutex_unlock(&log_mutex);
}

kiln_session_options session_options(const char *cache_directory, event_log *log)
{
    kiln_session_options options = {
        .size = sizeof options, .cache_directory = cache_directory, .no_cache = !cache_directory};
    if (log) {
        event_log_reset(log);
        options.event_callback = record_event;
        options.event_user_data = log;
    }
    return options;
}

kiln_session *session_create_with(const kiln_session_options *options)
{
    kiln_session *session;
    kiln_error *error;
    CHECK_STATUS(kiln_session_create(options, &session, &error), KILN_OK, &error);
    return session;
}

kiln_session *session_create(const char *cache_directory, event_log *log)
{
    kiln_session_options options = session_options(cache_directory, log);
    return session_create_with(&options);
}

kiln_spec *spec_of_file(const char *name, const char *path)
{
    kiln_spec *spec = kiln_spec_create(name);
    CHECK(spec);
    CHECK_STATUS(kiln_spec_add_source(spec, path, NULL), KILN_OK, NULL);
    return spec;
}

kiln_library *load_spec(kiln_session *session, kiln_spec *spec)
{
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load_spec(session, spec, NULL, &library, &error), KILN_OK, &error);
    CHECK(!error);
    kiln_spec_destroy(spec);
    return library;
}

kiln_library *load_file(kiln_session *session, const char *path)
{
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_open(session, path, NULL, &library, &error), KILN_OK, &error);
    CHECK(!error);
    return library;
}

kiln_error *load_file_fails(kiln_session *session, const char *path, kiln_status expected)
{
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_open(session, path, NULL, &library, &error), expected, &error);
    CHECK(error);
    CHECK_INT(kiln_error_code(error), expected);
    return error;
}

kiln_error *load_spec_fails(kiln_session *session, kiln_spec *spec, kiln_status expected)
{
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_library_load_spec(session, spec, NULL, &library, &error), expected, &error);
    CHECK(error);
    CHECK_INT(kiln_error_code(error), expected);
    kiln_spec_destroy(spec);
    return error;
}

bool was_hit(const kiln_library *library)
{
    kiln_report report = {.size = sizeof report};
    CHECK_STATUS(kiln_library_report(library, &report), KILN_OK, NULL);
    return report.hit;
}

int call_int(const kiln_library *library, const char *name)
{
    kiln_error *error;
    kiln_function function = kiln_library_function(library, name, &error);
    if (!function)
        support_fail(__FILE__, __LINE__, "no function '%s': %s", name, kiln_error_rendered(error));
    return ((int (*)(void))function)();
}
