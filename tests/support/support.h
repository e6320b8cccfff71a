/* support.h - what the conformance and misuse tests share: checks, scratch files, programs to run,
 * sessions to load with.
 *
 * A test is one process: a failed check prints where and why and ends it with 1, a missing
 * prerequisite ends it with 77. support_begin gives the process a scratch directory, which is also
 * its HOME and TMPDIR, and removes it at the end; so no test sees the user's cache or another test.
 * Checks may be used by any thread. Nothing here looks behind kiln.h. */
#ifndef KILN_TESTS_SUPPORT_H
#define KILN_TESTS_SUPPORT_H

#include "kiln.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- checks ---- */

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : support_fail(__FILE__, __LINE__, "not so: %s", #condition))
#define CHECK_INT(actual, expected)                                                                \
    support_check_int(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_TEXT(actual, expected)                                                               \
    support_check_text(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_CONTAINS(text, part) support_check_contains(__FILE__, __LINE__, #text, (text), (part))
/* The call's status; the error's text is printed where it is another. error: a kiln_error **, or
 * NULL. */
#define CHECK_STATUS(call, expected, error)                                                        \
    support_check_status(__FILE__, __LINE__, #call, (call), (expected), (error))

__attribute__((noreturn, format(printf, 3, 4))) void support_fail(const char *file, int line,
                                                                  const char *format, ...);
void support_check_int(const char *file, int line, const char *what, long long actual,
                       long long expected);
void support_check_text(const char *file, int line, const char *what, const char *actual,
                        const char *expected);
void support_check_contains(const char *file, int line, const char *what, const char *text,
                            const char *part);
void support_check_status(const char *file, int line, const char *what, kiln_status actual,
                          kiln_status expected, kiln_error **error);

/* End this test as skipped: say what it would have needed. */
__attribute__((noreturn, format(printf, 1, 2))) void skip(const char *format, ...);

/* ---- tests by name ---- */

/* TEST(name) { ... } defines a test; main (support_main.c) runs the one that the command line
 * names. The build registers each line that starts with TEST( as a test of its own. */
#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        support_register(#name, test_##name);                                                      \
    }                                                                                              \
    static void test_##name(void)

void support_register(const char *name, void (*function)(void));

/* ---- scratch files ---- */

/* Call first in main, before any of the below: makes the scratch directory and cleans the
 * environment. */
void support_begin(void);
/* End the process at once, without exit handlers, but with the scratch directory removed by the
 * process that made it. */
__attribute__((noreturn)) void support_end(int status);

/* A path below the scratch directory, from a printf format. The caller may free it; a test need
 * not. */
__attribute__((format(printf, 1, 2))) char *scratch(const char *format, ...);
__attribute__((format(printf, 1, 2))) char *text_of(const char *format, ...);

/* Each makes the directories above the file and fails the test where it cannot. */
void write_file(const char *path, const char *text);
void write_bytes(const char *path, const void *bytes, size_t size);
char *read_file(const char *path,
                size_t *size); /* with a NUL after the last byte; size may be NULL */
void make_directory(const char *path);
void remove_tree(const char *path); /* no error where there is none */
void copy_tree(const char *from, const char *to);

/* Call visit for each regular file below a directory, in a stable order. */
void for_each_file(const char *directory, void (*visit)(const char *path, void *user_data),
                   void *user_data);

/* ---- programs ---- */

/* Run a program with standard output and error into *output (may be NULL); its exit status, or 128
 * + signal. */
int run_program(const char *const *arguments, char **output);
#define RUN(output, ...) run_program((const char *const[]){__VA_ARGS__, NULL}, output)

/* Run clang-22 with these arguments and check that it succeeds; skips the test where there is no
 * clang-22. */
void clang(const char *first, ...) __attribute__((sentinel));

/* ---- sessions ---- */

/* What the event callback was told. Any thread may read the counts once the calls it asks about
 * have returned. */
typedef struct event_log {
    unsigned count[KILN_EVENT_RELOADED + 1];
    unsigned unit_hits;
    char *diagnostics; /* rendered, one after another; "" at first */
    char *warnings;    /* texts of KILN_EVENT_WARNING, one a line */
    char *miss_reasons;
} event_log;

void event_log_reset(event_log *log);

/* A session. cache_directory: NULL for none. log: NULL for none. */
kiln_session *session_create(const char *cache_directory, event_log *log);
/* Options as session_create would use them, to be changed. */
kiln_session_options session_options(const char *cache_directory, event_log *log);
kiln_session *session_create_with(const kiln_session_options *options);

/* A spec of one file. */
kiln_spec *spec_of_file(const char *name, const char *path);

/* Load it, check that this works, destroy the spec. */
kiln_library *load_spec(kiln_session *session, kiln_spec *spec);
kiln_library *load_file(kiln_session *session, const char *path);
/* Load a file and check the status that comes back; the caller destroys the error. */
kiln_error *load_file_fails(kiln_session *session, const char *path, kiln_status expected);
kiln_error *load_spec_fails(kiln_session *session, kiln_spec *spec,
                            kiln_status expected); /* destroys the spec */

bool was_hit(const kiln_library *library);
/* Call `int name(void)` of the library. */
int call_int(const kiln_library *library, const char *name);

#ifdef __cplusplus
}
#endif
#endif
