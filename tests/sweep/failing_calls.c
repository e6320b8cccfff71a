/* failing_calls.c - makes the Nth call of a kind fail: see failing_calls.h.
 *
 * Live allocations stand in a hash table by their address, with linear probing, so that memory that
 * the C library gave (and that nobody here counted) can be freed through the same free. */
#include "failing_calls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- which call fails ---- */

static atomic_bool armed;
static atomic_long calls;
static call_kind failing_kind;
static long failing_nth;
static bool failing_persistent;
static char description[128] = "none";

void failing_begin(call_kind kind, long nth, bool persistent)
{
    failing_kind = kind;
    failing_nth = nth;
    failing_persistent = persistent;
    strcpy(description, "none");
    atomic_store(&calls, 0);
    atomic_store(&armed, true);
}

long failing_end(void)
{
    atomic_store(&armed, false);
    return atomic_load(&calls);
}

const char *failing_description(void)
{
    return description;
}

/* The program's own first byte, so that addresses can be given to addr2line. */
extern const char __executable_start[];

static bool fails(call_kind kind, const char *name, const void *caller)
{
    if (!atomic_load(&armed) || kind != failing_kind)
        return false;
    long call = atomic_fetch_add(&calls, 1) + 1;
    bool fails = failing_persistent ? call >= failing_nth : call == failing_nth;
    if (call == failing_nth)
        snprintf(description, sizeof description, "%s at %#zx", name,
                 (size_t)((const char *)caller - __executable_start));
    return fails;
}

#define FAILS_MEMORY(name) fails(CALLS_MEMORY, name, __builtin_return_address(0))

/* Make a wrapped function of files fail with an errno that it could have. */
#define FAIL_FILES(name, errno_value, result)                                                      \
    if (fails(CALLS_FILES, name, __builtin_return_address(0))) {                                   \
        errno = errno_value;                                                                       \
        return result;                                                                             \
    }

/* ---- live allocations ---- */

enum { slot_count = 1 << 18 };

typedef struct allocation {
    const void *address;
    const void *caller;
    unsigned era;
} allocation;

static allocation slots[slot_count];
static size_t live_count;
static unsigned era;
static pthread_mutex_t slots_mutex = PTHREAD_MUTEX_INITIALIZER;

static size_t home_of(const void *address)
{
    return ((uintptr_t)address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - 18);
}

static size_t find(const void *address)
{
    size_t slot = home_of(address);
    while (slots[slot].address && slots[slot].address != address)
        slot = (slot + 1) % slot_count;
    return slot;
}

static void *remember(void *address, const void *caller)
{
    if (!address)
        return NULL;
    pthread_mutex_lock(&slots_mutex);
    size_t slot = find(address);
    if (!slots[slot].address)
        live_count++;
    slots[slot] = (allocation){.address = address, .caller = caller, .era = era};
    assert(live_count < slot_count / 2);
    pthread_mutex_unlock(&slots_mutex);
    return address;
}

/* What stands behind a removed entry moves up, so that no search ends too early. */
static void forget(const void *address)
{
    pthread_mutex_lock(&slots_mutex);
    size_t hole = find(address);
    if (slots[hole].address) {
        live_count--;
        for (size_t at = (hole + 1) % slot_count; slots[at].address; at = (at + 1) % slot_count) {
            size_t home = home_of(slots[at].address);
            if ((at - home) % slot_count >= (at - hole) % slot_count) {
                slots[hole] = slots[at];
                hole = at;
            }
        }
        slots[hole].address = NULL;
    }
    pthread_mutex_unlock(&slots_mutex);
}

size_t failing_live_allocations(void)
{
    pthread_mutex_lock(&slots_mutex);
    size_t count = live_count;
    pthread_mutex_unlock(&slots_mutex);
    return count;
}

void failing_mark(void)
{
    pthread_mutex_lock(&slots_mutex);
    era++;
    pthread_mutex_unlock(&slots_mutex);
}

void failing_print_leaks(void)
{
    pthread_mutex_lock(&slots_mutex);
    for (size_t i = 0; i < slot_count; i++)
        if (slots[i].address && slots[i].era == era)
            fprintf(stderr, "leaked: allocated at %#zx\n",
                    (size_t)((const char *)slots[i].caller - __executable_start));
    pthread_mutex_unlock(&slots_mutex);
}

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *address);
char *__real_strdup(const char *string);
char *__real_strndup(const char *string, size_t size);
char *__real_getcwd(char *buffer, size_t size);
char *__real_realpath(const char *path, char *buffer);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *address);
char *__wrap_strdup(const char *string);
char *__wrap_strndup(const char *string, size_t size);
int __wrap_asprintf(char **string, const char *format, ...);
char *__wrap_getcwd(char *buffer, size_t size);
char *__wrap_realpath(const char *path, char *buffer);

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *__wrap_malloc(size_t size)
{
    if (FAILS_MEMORY("malloc"))
        return no_memory();
    return remember(__real_malloc(size), __builtin_return_address(0));
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (FAILS_MEMORY("calloc"))
        return no_memory();
    return remember(__real_calloc(count, size), __builtin_return_address(0));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (FAILS_MEMORY("realloc"))
        return no_memory();
    /* Forgotten first: another thread may be given the address at once. */
    if (old)
        forget(old);
    void *moved = __real_realloc(old, size);
    return remember(moved ? moved : old, __builtin_return_address(0)) && moved ? moved : NULL;
}

void __wrap_free(void *address)
{
    if (address)
        forget(address);
    __real_free(address);
}

char *__wrap_strdup(const char *string)
{
    if (FAILS_MEMORY("strdup"))
        return no_memory();
    return remember(__real_strdup(string), __builtin_return_address(0));
}

char *__wrap_strndup(const char *string, size_t size)
{
    if (FAILS_MEMORY("strndup"))
        return no_memory();
    return remember(__real_strndup(string, size), __builtin_return_address(0));
}

int __wrap_asprintf(char **string, const char *format, ...)
{
    if (FAILS_MEMORY("asprintf"))
        return -1;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(string, format, arguments);
    va_end(arguments);
    if (length >= 0)
        remember(*string, __builtin_return_address(0));
    return length;
}

char *__wrap_getcwd(char *buffer, size_t size)
{
    if (buffer)
        return __real_getcwd(buffer, size);
    if (FAILS_MEMORY("getcwd"))
        return no_memory();
    return remember(__real_getcwd(NULL, size), __builtin_return_address(0));
}

char *__wrap_realpath(const char *path, char *buffer)
{
    if (buffer)
        return __real_realpath(path, buffer);
    if (FAILS_MEMORY("realpath"))
        return no_memory();
    return remember(__real_realpath(path, NULL), __builtin_return_address(0));
}

/* ---- files ---- */

/* A wrapper that passes its arguments on: WRAP(result type, name, parameters, arguments, errno). */
#define WRAP(type, name, parameters, arguments, errno_value)                                       \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        FAIL_FILES(#name, errno_value, -1)                                                         \
        return __real_##name arguments;                                                            \
    }

/* What is as large as a counter goes to an eventfd, which does not fail. */
enum { counter_size = sizeof(uint64_t) };

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    if (size != counter_size)
        FAIL_FILES("read", EIO, -1)
    return __real_read(fd, bytes, size);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (size != counter_size)
        FAIL_FILES("write", ENOSPC, -1)
    return __real_write(fd, bytes, size);
}

WRAP(ssize_t, copy_file_range,
     (int from, off_t *from_at, int to, off_t *to_at, size_t size, unsigned flags),
     (from, from_at, to, to_at, size, flags), ENOSPC)
WRAP(ssize_t, sendfile, (int to, int from, off_t *at, size_t size), (to, from, at, size), ENOSPC)
WRAP(int, renameat, (int from_at, const char *from, int to_at, const char *to),
     (from_at, from, to_at, to), EIO)
WRAP(int, fsync, (int fd), (fd), EIO)
WRAP(int, fdatasync, (int fd), (fd), EIO)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), ENOSPC)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), EPERM)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC)
WRAP(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), ENOSPC)
WRAP(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), EIO)
WRAP(int, utimensat, (int at, const char *path, const struct timespec times[2], int flags),
     (at, path, times, flags), EACCES)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), EIO)
WRAP(int, fstatat, (int at, const char *path, struct stat *status, int flags),
     (at, path, status, flags), EIO)
WRAP(int, faccessat, (int at, const char *path, int mode, int flags), (at, path, mode, flags), EIO)
WRAP(int, flock, (int fd, int operation), (fd, operation), ENOLCK)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE)
WRAP(int, dup3, (int from, int to, int flags), (from, to, flags), EBUSY)
WRAP(int, socketpair, (int domain, int type, int protocol, int pair[2]),
     (domain, type, protocol, pair), EMFILE)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags),
     ENOBUFS)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), ENOBUFS)

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);

int __wrap_openat(int at, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    FAIL_FILES("openat", flags & O_CREAT ? ENOSPC : EMFILE, -1)
    return __real_openat(at, path, flags, mode);
}

void *__real_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);

void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    FAIL_FILES("mmap", ENODEV, MAP_FAILED)
    return __real_mmap(at, size, access, flags, fd, offset);
}
