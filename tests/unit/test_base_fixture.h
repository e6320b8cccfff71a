/* test_base_fixture.h - what the unit tests of src/base, src/build and src/api share: a scratch
 * directory, files in it, and the file clock. Included once by each test program.
 *
 * The scratch directory goes when the process that made it ends. A test that runs on for a hundred
 * seconds hangs: it is ended by SIGALRM. */
#ifndef KILN_TEST_BASE_FIXTURE_H
#define KILN_TEST_BASE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "os/os.h"

#define UNUSED __attribute__((unused))

enum { fixture_path_size = 4096, fixture_paths = 32 };

static char fixture_directory[] = "/tmp/kiln-unit-XXXXXX";
static pid_t fixture_owner;

static int remove_visited(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_visited, 16, FTW_DEPTH | FTW_PHYS);
}

static void fixture_remove(void)
{
    if (getpid() == fixture_owner)
        remove_tree(fixture_directory);
}

/* First in main. */
static UNUSED void fixture_start(void)
{
    alarm(100);
    fixture_owner = getpid();
    if (!mkdtemp(fixture_directory)) {
        perror(fixture_directory);
        exit(1);
    }
    atexit(fixture_remove);
}

/* A path below the scratch directory; one of a ring of static buffers. */
static UNUSED __attribute__((format(printf, 1, 2))) const char *scratch(const char *format, ...)
{
    static char paths[fixture_paths][fixture_path_size];
    static unsigned turn;
    char *path = paths[turn++ % fixture_paths];
    int length = snprintf(path, fixture_path_size, "%s/", fixture_directory);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path + length, fixture_path_size - (size_t)length, format, arguments);
    va_end(arguments);
    return path;
}

static UNUSED void make_directory(const char *path)
{
    assert_int_equal(os_make_directories(path), 0);
}

static UNUSED void write_bytes(const char *path, const void *bytes, size_t size)
{
    char folder[fixture_path_size];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    make_directory(folder);
    FILE *out = fopen(path, "w");
    if (!out)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

static UNUSED void write_file(const char *path, const char *content)
{
    write_bytes(path, content, strlen(content));
}

/* The whole of a file, with a NUL behind it; the caller frees it. size may be NULL. */
static UNUSED uint8_t *read_whole(const char *path, size_t *size)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (os_read_file(AT_FDCWD, path, &bytes, &length))
        fail_msg("%s: %s", path, strerror(errno));
    if (size)
        *size = length;
    return bytes;
}

static UNUSED bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static UNUSED os_identity identity_of(const char *path)
{
    os_kind kind;
    os_identity identity = {0};
    assert_int_equal(os_identify(AT_FDCWD, path, &kind, &identity), 0);
    assert_int_not_equal(kind, OS_ABSENT);
    return identity;
}

/* Wait until files that were changed before count as old: their identity tells of later changes.
 * Twice the tick, since a file's time may be ahead of the clock by a part of one. */
static UNUSED void settle(void)
{
    int64_t until = os_clock_file_ns() + 2 * os_clock_tick_ns();
    while (os_clock_file_ns() <= until)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static UNUSED int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* An error of this code whose message holds `part`; it is destroyed. */
static UNUSED void check_error(kiln_error *error, kiln_status code, const char *part)
{
    assert_non_null(error);
    if (kiln_error_code(error) != code || !strstr(kiln_error_message(error), part))
        fail_msg("%s: %s\n  is not %s with '%s'", kiln_status_name(kiln_error_code(error)),
                 kiln_error_message(error), kiln_status_name(code), part);
    kiln_error_destroy(error);
}

/* A call that must succeed, with what its error says where it does not. */
#define CHECK_OK(call, error)                                                                      \
    do {                                                                                           \
        kiln_status status_ = (call);                                                              \
        if (status_ != KILN_OK)                                                                    \
            fail_msg("%s: %s: %s", #call, kiln_status_name(status_),                               \
                     (error) ? kiln_error_message(error) : "no error object");                     \
    } while (0)

#endif
