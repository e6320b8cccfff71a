/* linux_file.c - files, directories, publication and locks: see os.h.
 *
 * Everything goes by descriptor and name, so that a directory that is renamed
 * meanwhile does no harm. A file is published by rename from a temporary name
 * in the same directory; a writer that is killed leaves a file named ".tmp-*"
 * behind, which nobody takes for an entry. No state; any thread. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "os/linux_descriptor.h"

int linux_above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    linux_close(fd);
    return high;
}

void linux_close(int fd)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* ---- identity and clocks ---- */

static int64_t nanoseconds(const struct timespec *time)
{
    return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

static void identify(const struct stat *stat, os_kind *kind, os_identity *identity)
{
    *kind = S_ISREG(stat->st_mode) ? OS_FILE : S_ISDIR(stat->st_mode) ? OS_DIRECTORY : OS_OTHER;
    *identity = (os_identity){.device = stat->st_dev,
                              .inode = stat->st_ino,
                              .size = (uint64_t)stat->st_size,
                              .mtime_ns = nanoseconds(&stat->st_mtim),
                              .ctime_ns = nanoseconds(&stat->st_ctim)};
}

int os_identify(int at, const char *path, os_kind *kind, os_identity *identity)
{
    struct stat stat;
    if (fstatat(at, path, &stat, 0) == 0) {
        identify(&stat, kind, identity);
        return 0;
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return -1;
    *kind = OS_ABSENT;
    return 0;
}

int os_identify_fd(int fd, os_kind *kind, os_identity *identity)
{
    struct stat stat;
    if (fstat(fd, &stat))
        return -1;
    identify(&stat, kind, identity);
    return 0;
}

bool os_is_same_file(int fd, const os_identity *identity)
{
    os_kind kind;
    os_identity now;
    if (os_identify_fd(fd, &kind, &now))
        return errno != EBADF;
    if (identity->inode == 0)
        return true;
    return now.device == identity->device && now.inode == identity->inode;
}

os_name os_look_at_name(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return OS_NAME_ABSENT;
    return S_ISLNK(status.st_mode) ? OS_NAME_LINK : OS_NAME_OTHER;
}

bool os_identity_equal(const os_identity *a, const os_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

int64_t os_clock_tick_ns(void)
{
    /* The kernel stamps files with its coarse clock, whose grain is the timer's: 1 to 10 ms. Twice
     * the slowest covers a stamp and a reading that fall on either side of a tick. */
    const int64_t slowest = 20 * INT64_C(1000000);
    struct timespec grain;
    if (clock_getres(CLOCK_REALTIME_COARSE, &grain))
        return slowest;
    int64_t tick = 2 * nanoseconds(&grain);
    return tick > slowest ? tick : slowest;
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return nanoseconds(&now);
}

int64_t os_clock_file_ns(void)
{
    return read_clock(CLOCK_REALTIME_COARSE);
}

int64_t os_clock_steady_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- reading and writing ---- */

static int open_again(int at, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(at, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return linux_above_standard(fd);
}

int os_open_directory(int at, const char *path)
{
    return open_again(at, path, O_PATH | O_DIRECTORY, 0);
}

int os_open_read(int at, const char *path)
{
    /* O_NONBLOCK: a FIFO in the place of a source must
     * not hang its reader; plain files don't care. */
    return open_again(at, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
}

int os_read_file(int at, const char *path, uint8_t **bytes, size_t *size)
{
    int fd = os_open_read(at, path);
    if (fd < 0)
        return -1;
    int result = os_read_fd(fd, bytes, size);
    linux_close(fd);
    return result;
}

/* Like read(), but whole: fewer bytes only at the end of the file. */
static ssize_t read_fully(int fd, uint8_t *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t count = read(fd, bytes + done, size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

/* Read to the end into memory that grows from `capacity` on; one byte stays for the NUL. */
static int read_to_end(int fd, size_t capacity, uint8_t **bytes, size_t *size)
{
    uint8_t *buffer = NULL;
    size_t length = 0;
    for (;; capacity *= 2) {
        uint8_t *larger = realloc(buffer, capacity);
        ssize_t count = larger ? read_fully(fd, larger + length, capacity - 1 - length) : -1;
        if (larger)
            buffer = larger;
        if (count < 0 || capacity > SIZE_MAX / 2) {
            free(buffer);
            return -1;
        }
        length += (size_t)count;
        if (length < capacity - 1)
            break;
    }
    buffer[length] = '\0';
    *bytes = buffer;
    *size = length;
    return 0;
}

int os_read_fd(int fd, uint8_t **bytes, size_t *size)
{
    struct stat stat;
    if (fstat(fd, &stat))
        return -1;
    if (S_ISDIR(stat.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    /* The size is a hint: /proc says 0, and a file can grow. One byte of room beyond shows the end
     * without a second round. */
    return read_to_end(fd, stat.st_size > 0 ? (size_t)stat.st_size + 2 : 4096, bytes, size);
}

/* A host with a limit on the size of files would be ended by a signal (SIGXFSZ) where Kiln writes
 * beyond it, and must only see that writing fails. */
typedef struct size_guard {
    sigset_t own, before;
} size_guard;

static void guard_begin(size_guard *guard)
{
    sigemptyset(&guard->own);
    sigaddset(&guard->own, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &guard->own, &guard->before);
}

static int guard_end(const size_guard *guard, int result)
{
    static const struct timespec at_once;
    int saved = errno;
    if (result && saved == EFBIG && !sigismember(&guard->before, SIGXFSZ))
        sigtimedwait(&guard->own, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
    errno = saved;
    return result;
}

static int write_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        ssize_t count = write(fd, from, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        from += count;
        size -= (size_t)count;
    }
    return 0;
}

int os_write_all(int fd, const void *bytes, size_t size)
{
    size_guard guard;
    guard_begin(&guard);
    return guard_end(&guard, write_all(fd, bytes, size));
}

/* For what neither copy_file_range nor sendfile takes. */
static int copy_through_memory(int to, int from, off_t offset, size_t size)
{
    uint8_t buffer[16384];
    while (size > 0) {
        ssize_t count = pread(from, buffer, size < sizeof buffer ? size : sizeof buffer, offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            errno = EIO;
        if (count <= 0 || os_write_all(to, buffer, (size_t)count))
            return -1;
        offset += count;
        size -= (size_t)count;
    }
    return 0;
}

static int copy_fd(int to, int from, size_t size)
{
    off_t offset = 0;
    bool by_range = true;
    while (size > 0) {
        /* copy_file_range shares blocks where the file system can; between file systems sendfile
         * still saves the way through this process. Either says EINVAL or the like before it has
         * copied anything. */
        ssize_t count = by_range ? copy_file_range(from, &offset, to, NULL, size, 0)
                                 : sendfile(to, from, &offset, size);
        if (count > 0) {
            size -= (size_t)count;
            continue;
        }
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == ENOSPC || errno == EIO || errno == EDQUOT || errno == EFBIG))
            return -1;
        if (!by_range)
            return copy_through_memory(to, from, offset, size);
        by_range = false;
    }
    return 0;
}

int os_copy_fd(int to, int from, size_t size)
{
    size_guard guard;
    guard_begin(&guard);
    return guard_end(&guard, copy_fd(to, from, size));
}

/* ---- directories and publication ---- */

static int make_directory(const char *path)
{
    struct stat stat_buffer;
    if (mkdir(path, 0700) == 0)
        return 0;
    /* Other errors than EEXIST can stand before "exists": a read-only file system, a parent without
     * write permission. */
    int saved = errno;
    if (stat(path, &stat_buffer) == 0) {
        saved = ENOTDIR;
        if (S_ISDIR(stat_buffer.st_mode))
            return 0;
    }
    errno = saved;
    return -1;
}

int os_make_directories(const char *path)
{
    if (!*path) {
        errno = ENOENT;
        return -1;
    }
    if (make_directory(path) == 0)
        return 0;
    if (errno != ENOENT)
        return -1;
    char *prefix = strdup(path);
    if (!prefix)
        return -1;
    int result = 0;
    for (char *slash = strchr(prefix + 1, '/'); slash && !result; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        result = make_directory(prefix);
        *slash = '/';
    }
    free(prefix);
    return result ? result : make_directory(path);
}

/* A name that is in no use, in the directory that `name` leads to. malloc'd. */
static char *temporary_name(const char *name)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return NULL;
    const char *slash = strrchr(name, '/');
    int prefix = slash ? (int)(slash - name) + 1 : 0;
    char *temporary;
    if (asprintf(&temporary, "%.*s.tmp-%016llx", prefix, name, (unsigned long long)random) < 0)
        return NULL;
    return temporary;
}

/* Ext4 starts to write a file that is renamed over another one (auto_da_alloc), and renames wait for
 * each other meanwhile; exchanging the names is as atomic and waits for nothing. */
static int replace_file(int at, const char *temporary, const char *name)
{
    if (renameat2(at, temporary, at, name, RENAME_EXCHANGE) != 0)
        return renameat(at, temporary, at, name);
    if (unlinkat(at, temporary, 0) == 0)
        return 0;
    /* A directory stood there. */
    int saved = errno;
    renameat2(at, temporary, at, name, RENAME_EXCHANGE);
    errno = saved;
    return -1;
}

static int fill_file(int fd, const void *bytes, int from_fd, size_t size, unsigned mode)
{
    /* The mode is set again because the umask has taken bits away. */
    if (fchmod(fd, mode))
        return -1;
    return bytes ? os_write_all(fd, bytes, size) : os_copy_fd(fd, from_fd, size);
}

int os_flush_fd(int fd)
{
    return fdatasync(fd);
}

int os_publish_file(int at, const char *name, const void *bytes, int from_fd, size_t size,
                    unsigned mode, os_identity *identity)
{
    int fd = -1, result = -1;
    bool made = false;
    os_kind kind;
    os_identity published;
    char *temporary = temporary_name(name);
    if (!temporary)
        goto cleanup;
    fd = open_again(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0)
        goto cleanup;
    made = true;
    if (fill_file(fd, bytes, from_fd, size, mode))
        goto cleanup;
    if (replace_file(at, temporary, name))
        goto cleanup;
    made = false;
    if (os_identify_fd(fd, &kind, &published))
        goto cleanup;
    if (identity)
        *identity = published;
    result = 0;
cleanup:
    if (made) {
        int saved = errno;
        unlinkat(at, temporary, 0);
        errno = saved;
    }
    linux_close(fd);
    free(temporary);
    return result;
}

/* ---- trust and locks ---- */

bool os_is_private_fd(int fd)
{
    struct stat stat;
    if (fstat(fd, &stat))
        return false;
    errno = 0;
    return (stat.st_uid == geteuid() || stat.st_uid == 0) && !(stat.st_mode & (S_IWGRP | S_IWOTH));
}

bool os_is_linked_fd(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 && stat.st_nlink > 0;
}

bool os_may_execute_fd(int fd)
{
    struct statvfs system;
    return fstatvfs(fd, &system) == 0 && !(system.f_flag & ST_NOEXEC);
}

static int lock_at_once(int fd, int operation)
{
    int result;
    do
        result = flock(fd, operation | LOCK_NB);
    while (result && errno == EINTR);
    return result;
}

int os_try_lock(int fd)
{
    return lock_at_once(fd, LOCK_EX);
}

int os_try_lock_shared(int fd)
{
    return lock_at_once(fd, LOCK_SH);
}
