/* misuse_store.c - a cache that is damaged, full, read-only, not executable, gone, or somebody
 * else's; builders killed at every step of publishing. Whatever happened to it, each load gives the
 * right value: from the cache if the entry is whole, built anew if not.
 *
 * Each trial is a process of its own: a digest is checked once a process, and the loader knows
 * files by their inodes. */
#include "host_process.h"
#include "load_result.h"
#include "syscall_sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CACHE scratch("cache")

static kiln_spec *project(int value)
{
    char *path = scratch("project%d.c", value);
    if (access(path, F_OK) != 0)
        write_file(
            path,
            text_of(
                "#include <stdio.h>\nint table[64] = {%d};\nint value(void) { return table[0]; }\n",
                value));
    return spec_of_file(text_of("project%d", value), path);
}

/* Exit statuses of a trial. */
enum { trial_hit = 10, trial_miss, trial_wrong, trial_error };

static int trial(void *number)
{
    int expected = (int)(long)number;
    load_result result = try_load(CACHE, project(expected));
    if (result.status != KILN_OK) {
        fprintf(stderr, "%s: %s", kiln_status_name(result.status), result.error);
        return trial_error;
    }
    return result.value != expected ? trial_wrong : result.hit ? trial_hit : trial_miss;
}

/* Load in a fresh process: right in any case; then again: a hit, for what was damaged has been
 * rebuilt. */
static void right_then_hit(const char *what, long value)
{
    int first = in_child(trial, (void *)value);
    if (first != trial_hit && first != trial_miss)
        support_fail(__FILE__, __LINE__, "after %s the load ends with %d", what, first);
    int second = in_child(trial, (void *)value);
    if (second != trial_hit)
        support_fail(__FILE__, __LINE__,
                     "after %s the second load ends with %d, it should be a hit", what, second);
}

/* ---- damage ---- */

typedef struct file_list {
    char *paths[64];
    size_t count;
} file_list;

static void collect(const char *path, void *list)
{
    file_list *files = list;
    CHECK(files->count < 64);
    files->paths[files->count++] = strdup(path);
}

/* A cache with one entry, kept aside as it is; damage is done to a copy of it. Paths are those of
 * the copy. */
static file_list pristine_cache(void)
{
    file_list files = {.count = 0};
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(in_child(trial, (void *)1), trial_hit);
    copy_tree(CACHE, scratch("pristine"));
    for_each_file(CACHE, collect, &files);
    CHECK(files.count > 0);
    return files;
}

static void restore(void)
{
    remove_tree(CACHE);
    copy_tree(scratch("pristine"), CACHE);
}

static void overwrite(const char *path, const void *bytes, size_t size)
{
    CHECK_INT(chmod(path, 0700), 0);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

TEST(flipped_bits)
{
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        size_t size;
        unsigned char *bytes = (unsigned char *)read_file(files.paths[i], &size);
        size_t step = size / 24 + 1;
        for (size_t offset = 0; offset < size; offset += step) {
            restore();
            bytes[offset] ^= (unsigned char)(1 << offset % 8);
            overwrite(files.paths[i], bytes, size);
            bytes[offset] ^= (unsigned char)(1 << offset % 8);
            right_then_hit(text_of("a flip at %zu of '%s'", offset, files.paths[i]), 1);
        }
        free(bytes);
    }
}

TEST(truncations)
{
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        size_t size;
        char *bytes = read_file(files.paths[i], &size);
        const size_t lengths[] = {0,
                                  1,
                                  8,
                                  size / 3,
                                  size / 2,
                                  size > 4096 ? 4096 : size / 4,
                                  size - size / 16,
                                  size > 0 ? size - 1 : 0};
        for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
            restore();
            overwrite(files.paths[i], bytes, lengths[n] < size ? lengths[n] : size);
            right_then_hit(text_of("a cut of '%s' at %zu", files.paths[i], lengths[n]), 1);
        }
        free(bytes);
    }
}

/* What a crash of the machine leaves of a file: the right length, zeroes at the end. */
TEST(torn_writes)
{
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        size_t size;
        char *bytes = read_file(files.paths[i], &size);
        for (size_t whole = 0; whole < size; whole += size / 5 + 1) {
            restore();
            char *torn = calloc(1, size);
            memcpy(torn, bytes, whole);
            overwrite(files.paths[i], torn, size);
            free(torn);
            right_then_hit(text_of("'%s' torn at %zu", files.paths[i], whole), 1);
        }
        free(bytes);
    }
}

TEST(appended_bytes)
{
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        restore();
        CHECK_INT(chmod(files.paths[i], 0700), 0);
        int fd = open(files.paths[i], O_WRONLY | O_APPEND | O_CLOEXEC);
        CHECK(fd >= 0 && write(fd, "more", 4) == 4);
        close(fd);
        right_then_hit(text_of("more bytes in '%s'", files.paths[i]), 1);
    }
}

TEST(files_of_another_kind)
{
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        restore();
        CHECK_INT(unlink(files.paths[i]), 0);
        right_then_hit(text_of("the removal of '%s'", files.paths[i]), 1);
        restore();
        CHECK_INT(unlink(files.paths[i]), 0);
        CHECK_INT(symlink("/nowhere", files.paths[i]), 0);
        right_then_hit(text_of("a dangling link for '%s'", files.paths[i]), 1);
        restore();
        CHECK_INT(unlink(files.paths[i]), 0);
        CHECK_INT(symlink("/dev/null", files.paths[i]), 0);
        right_then_hit(text_of("a link to /dev/null for '%s'", files.paths[i]), 1);
        restore();
        CHECK_INT(unlink(files.paths[i]), 0);
        CHECK_INT(mkfifo(files.paths[i], 0600), 0);
        int status = in_child(trial, (void *)1); /* it must not wait for a writer */
        CHECK(status == trial_hit || status == trial_miss);
        restore();
        CHECK_INT(unlink(files.paths[i]), 0);
        CHECK_INT(mkdir(files.paths[i], 0700), 0);
        status = in_child(trial, (void *)1);
        CHECK(status == trial_hit || status == trial_miss);
    }
}

/* Two whole entries whose files have changed places: each is valid, and wrong. */
TEST(entries_swapped)
{
    file_list files = {.count = 0};
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(in_child(trial, (void *)2), trial_miss);
    copy_tree(CACHE, scratch("pristine"));
    for_each_file(CACHE, collect, &files);
    for (size_t a = 0; a < files.count; a++) {
        for (size_t b = 0; b < files.count; b++) {
            size_t size;
            if (a == b)
                continue;
            restore();
            char *bytes = read_file(files.paths[b], &size);
            overwrite(files.paths[a], bytes, size);
            free(bytes);
            char *what = text_of("'%s' in place of '%s'", files.paths[b], files.paths[a]);
            right_then_hit(what, 1);
            right_then_hit(what, 2);
            free(what);
        }
    }
}

/* An image that keeps size and mtime, as a clumsy tool would leave it. */
TEST(alteration_that_hides)
{
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        struct stat before;
        size_t size;
        restore();
        CHECK_INT(stat(files.paths[i], &before), 0);
        char *bytes = read_file(files.paths[i], &size);
        bytes[size / 2] ^= 0x55;
        overwrite(files.paths[i], bytes, size);
        free(bytes);
        CHECK_INT(utimensat(AT_FDCWD, files.paths[i],
                            (struct timespec[2]){before.st_atim, before.st_mtim}, 0),
                  0);
        CHECK_INT(chmod(files.paths[i], before.st_mode & 07777), 0);
        right_then_hit(text_of("a hidden change of '%s'", files.paths[i]), 1);
    }
}

/* ---- builders that die, calls that fail ---- */

TEST(builder_killed_at_each_step)
{
    long calls, total = 0;
    sweep_step never = {.kill_at = 0};
    int status = sweep_run(&never, trial, (void *)1, &total);
    if (status < 0)
        skip("ptrace is not allowed here");
    CHECK_INT(status, trial_miss);
    CHECK(total > 3);
    for (long at = 1; at <= total; at++) {
        remove_tree(CACHE);
        sweep_step step = {.kill_at = at};
        status = sweep_run(&step, trial, (void *)1, &calls);
        CHECK(status == 128 + 9 ||
              status == trial_miss); /* killed, unless it had fewer calls to make this time */
        right_then_hit(text_of("a kill at call %ld of %ld", at, total), 1);
    }
}

/* One system call that changes the file system fails, or all from it on. The load itself still
 * works: the cache is a convenience. */
static void failing_calls(int error, bool from, bool filled)
{
    long calls, total = 0;
    sweep_step never = {.kill_at = 0};
    remove_tree(CACHE);
    if (filled)
        CHECK_INT(in_child(trial, (void *)1), trial_miss);
    int status = sweep_run(&never, trial, (void *)1, &total);
    if (status < 0)
        skip("ptrace is not allowed here");
    CHECK_INT(status, filled ? trial_hit : trial_miss);
    for (long at = 1; at <= total; at++) {
        if (!filled)
            remove_tree(CACHE);
        sweep_step step = {.fail_at = at, .error = error, .fail_from = from};
        status = sweep_run(&step, trial, (void *)1, &calls);
        /* A failing memfd or socket may make the load itself impossible; a wrong value or a crash
         * never. */
        if (status != trial_hit && status != trial_miss && status != trial_error)
            support_fail(__FILE__, __LINE__,
                         "with error %d at call %ld of %ld the load ends with %d", error, at, total,
                         status);
        right_then_hit(text_of("error %d at call %ld of %ld", error, at, total), 1);
    }
}

TEST(each_call_fails_once)
{
    failing_calls(ENOSPC, false, false);
}

TEST(calls_fail_from_one_on)
{
    failing_calls(EIO, true, false);
}

TEST(each_call_of_a_warm_load_fails)
{
    failing_calls(EROFS, false, true);
    failing_calls(EACCES, true, true);
}

/* ---- file systems ---- */

/* A mount that nobody else sees, at `path`. */
static void mount_here(const char *path, unsigned long flags, const char *options)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        skip("mounts need root");
    make_directory(path);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", path, "tmpfs", flags, options) < 0)
        skip("mounts are not allowed here: %s", strerror(errno));
}

TEST(full_disk)
{
    static const char *const sizes[] = {"4k",  "8k",  "12k", "16k", "20k",
                                        "24k", "32k", "48k", "64k"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mount_here(CACHE, 0, text_of("size=%s,mode=0700", sizes[i]));
        for (int n = 0; n < 2; n++) {
            int status = in_child(trial, (void *)1);
            if (status != trial_hit && status != trial_miss)
                support_fail(__FILE__, __LINE__, "on a disk of %s the load ends with %d", sizes[i],
                             status);
        }
        CHECK_INT(umount(CACHE), 0);
    }
    mount_here(CACHE, 0, "nr_inodes=4,mode=0700");
    for (int n = 0; n < 2; n++) {
        int status = in_child(trial, (void *)1);
        CHECK(status == trial_hit || status == trial_miss);
    }
}

/* What did not fit must not be in the way when there is room again. */
TEST(disk_that_was_full)
{
    mount_here(CACHE, 0, "size=16k,mode=0700");
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(mount("tmpfs", CACHE, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    right_then_hit("a full disk", 1);
}

TEST(disk_mounted_noexec)
{
    mount_here(CACHE, MS_NOEXEC, "size=64m,mode=0700");
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(in_child(trial, (void *)1), trial_hit);
    CHECK_INT(in_child(trial, (void *)1), trial_hit);
}

TEST(disk_mounted_read_only)
{
    mount_here(CACHE, 0, "size=64m,mode=0700");
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(mount("tmpfs", CACHE, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    CHECK_INT(in_child(trial, (void *)1), trial_hit);
    CHECK_INT(in_child(trial, (void *)2), trial_miss); /* works, and cannot be kept */
    CHECK_INT(in_child(trial, (void *)2), trial_miss);
}

TEST(directory_without_write_permission)
{
    if (geteuid() == 0)
        skip("root may write anywhere");
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(RUN(NULL, "chmod", "-R", "a-w", CACHE), 0);
    CHECK_INT(in_child(trial, (void *)1), trial_hit);
    CHECK_INT(in_child(trial, (void *)2), trial_miss);
    CHECK_INT(RUN(NULL, "chmod", "-R", "u+w", CACHE), 0);
}

TEST(cache_directory_cannot_be)
{
    write_file(CACHE, "a file\n");
    kiln_session_options options = session_options(CACHE, NULL);
    kiln_session *session;
    kiln_error *error;
    kiln_status status = kiln_session_create(&options, &session, &error);
    if (status == KILN_OK) { /* then without a cache */
        kiln_session_destroy(session);
        CHECK_INT(in_child(trial, (void *)1), trial_miss);
    } else {
        CHECK_INT(status, KILN_IO);
        CHECK_CONTAINS(kiln_error_message(error), CACHE);
        kiln_error_destroy(error);
    }
    char *content = read_file(CACHE, NULL);
    CHECK_TEXT(content, "a file\n");
}

TEST(no_home)
{
    unsetenv("HOME");
    kiln_session_options options = {.size = sizeof options};
    kiln_session *session;
    kiln_error *error;
    kiln_status status = kiln_session_create(&options, &session, &error);
    CHECK(status == KILN_OK || status == KILN_IO);
    kiln_error_destroy(error);
    if (status == KILN_OK)
        kiln_session_destroy(session);
    setenv("HOME", "/proc/nowhere", 1);
    status = kiln_session_create(&options, &session, &error);
    CHECK(status == KILN_OK || status == KILN_IO);
    kiln_error_destroy(error);
    if (status == KILN_OK)
        kiln_session_destroy(session);
}

TEST(cache_deleted_while_in_use)
{
    kiln_session *session = session_create(CACHE, NULL);
    kiln_library *first = load_spec(session, project(1));
    remove_tree(CACHE);
    CHECK_INT(call_int(first, "value"), 1);
    kiln_library *second = load_spec(session, project(2));
    CHECK_INT(call_int(second, "value"), 2);
    CHECK_INT(call_int(first, "value"), 1);
    CHECK_STATUS(kiln_library_close(first), KILN_OK, NULL);
    first = load_spec(session, project(1));
    CHECK_INT(call_int(first, "value"), 1);
    CHECK_STATUS(kiln_library_close(first), KILN_OK, NULL);
    CHECK_STATUS(kiln_library_close(second), KILN_OK, NULL);
    kiln_session_destroy(session);
    right_then_hit("a deletion", 1);
}

/* ---- other users ---- */

static void change_owner(const char *path, void *unused)
{
    (void)unused;
    CHECK_INT(chown(path, 65534, 65534), 0);
}

TEST(entries_of_another_user)
{
    if (geteuid() != 0)
        skip("files of another user need root");
    file_list files = pristine_cache();
    for (size_t i = 0; i < files.count; i++) {
        restore();
        change_owner(files.paths[i], NULL);
        int status = in_child(trial, (void *)1);
        CHECK(status == trial_hit || status == trial_miss);
    }
    restore();
    for_each_file(CACHE, change_owner, NULL); /* now no file of it is to be believed */
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
}

TEST(directory_of_another_user)
{
    if (geteuid() != 0)
        skip("files of another user need root");
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(chown(CACHE, 65534, 65534), 0);
    kiln_session_options options = session_options(CACHE, NULL);
    load_result result = try_load_with(&options, project(1));
    CHECK(!result.hit);
    if (result.status != KILN_OK) {
        CHECK_INT(result.status, KILN_IO);
        CHECK_CONTAINS(result.error, CACHE);
    }
}

static void open_to_all(const char *path, void *unused)
{
    (void)unused;
    CHECK_INT(chmod(path, 0666), 0);
}

TEST(files_that_others_may_write)
{
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    for_each_file(CACHE, open_to_all, NULL);
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
}

TEST(directory_that_others_may_write)
{
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    CHECK_INT(chmod(CACHE, 0777), 0);
    load_result result = try_load(CACHE, project(1));
    CHECK(!result.hit);
}

/* A cache is for its owner alone, whatever the umask. */
static void check_private(const char *path, void *unused)
{
    struct stat status;
    (void)unused;
    CHECK_INT(lstat(path, &status), 0);
    if (status.st_mode & 077)
        support_fail(__FILE__, __LINE__, "'%s' has mode %o", path, status.st_mode & 07777);
}

TEST(cache_is_for_its_owner_alone)
{
    umask(0);
    CHECK_INT(in_child(trial, (void *)1), trial_miss);
    for_each_file(CACHE, check_private, NULL);
    check_private(CACHE, NULL);
}

TEST(strict_umask)
{
    umask(0777);
    int status = in_child(trial, (void *)1);
    umask(022);
    CHECK_INT(status, trial_miss);
    CHECK_INT(in_child(trial, (void *)1), trial_hit);
}
