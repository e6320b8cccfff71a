/* test_os_file.c - files, directories, publication, locks, files in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

static char directory[] = "/tmp/kiln-os-XXXXXX";
static int at;

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(directory) || chdir(directory))
        return -1;
    at = os_open_directory(AT_FDCWD, directory);
    return at >= 3 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[64];
    close(at);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return chdir("/") || system(command);
}

static void write_file(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(os_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static void check_file(const char *name, const char *text)
{
    uint8_t *bytes;
    size_t size;
    assert_int_equal(os_read_file(at, name, &bytes, &size), 0);
    assert_int_equal(size, strlen(text));
    assert_string_equal((char *)bytes, text);
    free(bytes);
}

static void test_identity(void **state)
{
    (void)state;
    os_kind kind;
    os_identity first, second;
    write_file("one", "1");
    assert_int_equal(os_identify(at, "one", &kind, &first), 0);
    assert_int_equal(kind, OS_FILE);
    assert_int_equal(first.size, 1);
    int fd = os_open_read(at, "one");
    assert_int_equal(os_identify_fd(fd, &kind, &second), 0);
    close(fd);
    assert_true(os_identity_equal(&first, &second));
    write_file("one", "12");
    assert_int_equal(os_identify(at, "one", &kind, &second), 0);
    assert_false(os_identity_equal(&first, &second));
    assert_int_equal(os_identify(at, ".", &kind, &second), 0);
    assert_int_equal(kind, OS_DIRECTORY);
    assert_int_equal(os_identify(AT_FDCWD, "/dev/null", &kind, &second), 0);
    assert_int_equal(kind, OS_OTHER);
    assert_int_equal(os_identify(at, "nothing", &kind, &second), 0);
    assert_int_equal(kind, OS_ABSENT);
    assert_int_equal(os_identify(at, "one/below", &kind, &second), 0);
    assert_int_equal(kind, OS_ABSENT);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(os_identify(at, "loop", &kind, &second), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(os_look_at_name("loop"), OS_NAME_LINK);
    assert_int_equal(os_look_at_name("one"), OS_NAME_OTHER);
    assert_int_equal(os_look_at_name("nothing"), OS_NAME_ABSENT);
}

/* A file that is written now is not older than the clock says, less the grain. */
static void test_clock_and_grain(void **state)
{
    (void)state;
    os_kind kind;
    os_identity identity;
    int64_t before = os_clock_file_ns();
    write_file("now", "x");
    int64_t after = os_clock_file_ns();
    assert_int_equal(os_identify(at, "now", &kind, &identity), 0);
    assert_true(identity.mtime_ns >= before - os_clock_tick_ns());
    assert_true(identity.mtime_ns <= after + os_clock_tick_ns());
    assert_true(os_clock_tick_ns() >= 1000000);
    int64_t steady = os_clock_steady_ns();
    assert_true(os_clock_steady_ns() >= steady);
}

static void test_reading(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    write_file("text", "hello");
    check_file("text", "hello");
    write_file("empty", "");
    check_file("empty", "");
    /* Its size is said to be 0. */
    assert_int_equal(os_read_file(AT_FDCWD, "/proc/self/status", &bytes, &size), 0);
    assert_true(size > 100 && strlen((char *)bytes) == size);
    free(bytes);
    assert_int_equal(os_read_file(at, "nothing", &bytes, &size), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(os_read_file(at, ".", &bytes, &size), -1);
    assert_int_equal(errno, EISDIR);
    /* A pipe that nobody writes to must not hang. */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(os_read_file(at, "fifo", &bytes, &size), 0);
    assert_int_equal(size, 0);
    free(bytes);
    /* Larger than said: bytes come through a pipe in pieces. */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    if (fork() == 0) {
        for (int i = 0; i < 3000; i++)
            os_write_all(ends[1], "0123456789", 10);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(os_read_fd(ends[0], &bytes, &size), 0);
    assert_int_equal(size, 30000);
    free(bytes);
    close(ends[0]);
    wait(NULL);
}

static void copy_and_check(void)
{
    enum { size = 300000 };
    char *bytes = malloc(size);
    for (int i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    int from = os_memfd_with("from", bytes, size, false);
    /* To a disk, to memory, behind what is there; the source's position does not matter. */
    int to[2] = {open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600), os_memfd_create("to", false)};
    for (int i = 0; i < 2; i++) {
        const void *mapped;
        assert_int_equal(os_write_all(to[i], "abc", 3), 0);
        assert_int_equal(os_copy_fd(to[i], from, size), 0);
        assert_int_equal(os_map_file(to[i], size + 3, &mapped), 0);
        assert_memory_equal(mapped, "abc", 3);
        assert_memory_equal((const char *)mapped + 3, bytes, size);
        os_unmap(mapped, size + 3);
        /* A source that is shorter than promised is an error, not a hang. */
        assert_int_equal(os_copy_fd(to[i], from, size + 1), -1);
        close(to[i]);
    }
    close(from);
    free(bytes);
}

static void refuse_system_call(unsigned number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof code[0], code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static void test_copying(void **state)
{
    (void)state;
    copy_and_check();
    /* By sendfile, then by read and write. */
    for (int refused = 1; refused <= 2; refused++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            refuse_system_call(SYS_copy_file_range);
            if (refused == 2)
                refuse_system_call(SYS_sendfile);
            copy_and_check();
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void test_making_directories(void **state)
{
    (void)state;
    struct stat made;
    char path[128];
    assert_int_equal(os_make_directories("a/b/c"), 0);
    assert_int_equal(os_make_directories("a/b/c"), 0);
    assert_int_equal(os_make_directories("a/b/c/d/"), 0);
    assert_int_equal(stat("a/b/c/d", &made), 0);
    assert_int_equal(made.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/x/y", directory);
    assert_int_equal(os_make_directories(path), 0);
    write_file("file", "");
    assert_int_equal(os_make_directories("file"), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(os_make_directories("file/below"), -1);
    assert_int_equal(os_make_directories(""), -1);
}

/* ---- publication ---- */

static int count_entries(const char *path)
{
    int count = 0;
    DIR *stream = opendir(path);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream));)
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(stream);
    return count;
}

static void test_publication(void **state)
{
    (void)state;
    os_kind kind;
    os_identity published, found;
    struct stat stat_buffer;
    assert_int_equal(os_make_directories("store/sub"), 0);
    int store = os_open_directory(at, "store");
    umask(0777);
    assert_int_equal(os_publish_file(store, "sub/entry", "bytes", -1, 5, 0600, &published), 0);
    umask(022);
    check_file("store/sub/entry", "bytes");
    assert_int_equal(stat("store/sub/entry", &stat_buffer), 0);
    assert_int_equal(stat_buffer.st_mode & 07777, 0600);
    assert_int_equal(os_identify(store, "sub/entry", &kind, &found), 0);
    assert_true(os_identity_equal(&published, &found));
    /* From a descriptor, over what was there, without an identity. */
    int memory = os_memfd_with("x", "other bytes", 11, false);
    assert_int_equal(os_publish_file(store, "sub/entry", NULL, memory, 5, 0700, NULL), 0);
    close(memory);
    check_file("store/sub/entry", "other");
    assert_int_equal(count_entries("store/sub"), 1);
    assert_int_equal(count_entries("store"), 1);
    close(store);
}

static void test_failed_publication_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(os_make_directories("full/there"), 0);
    int full = os_open_directory(at, "full");
    /* A directory stands in the way of the rename. */
    assert_int_equal(os_publish_file(full, "there", "x", -1, 1, 0600, NULL), -1);
    assert_int_equal(count_entries("full"), 1);
    assert_int_equal(os_publish_file(full, "absent/x", "x", -1, 1, 0600, NULL), -1);
    assert_int_equal(errno, ENOENT);
    int empty = os_memfd_create("empty", false);
    assert_int_equal(os_publish_file(full, "short", NULL, empty, 9, 0600, NULL), -1);
    assert_int_equal(count_entries("full"), 1);
    close(empty);
    close(full);
}

static void publish_again_and_again(void)
{
    static char big[2][200000];
    memset(big[0], 'a', sizeof big[0]);
    memset(big[1], 'b', sizeof big[1]);
    for (int i = 0;; i++)
        os_publish_file(at, "whole", big[i % 2], -1, sizeof big[0], 0600, NULL);
}

/* A reader sees one whole file or the other, at whatever point the writer is killed. */
static void test_readers_see_whole_files(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();
        if (child == 0)
            publish_again_and_again();
        for (int i = 0; i < 20; i++) {
            uint8_t *bytes;
            size_t size;
            if (os_read_file(at, "whole", &bytes, &size))
                continue;
            assert_int_equal(size, 200000);
            assert_int_equal(bytes[0], bytes[size - 1]);
            free(bytes);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

/* ---- trust ---- */

static void test_privacy(void **state)
{
    (void)state;
    write_file("private", "");
    int fd = os_open_read(at, "private");
    assert_true(os_is_private_fd(fd));
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_true(os_is_private_fd(fd));
    assert_int_equal(fchmod(fd, 0664), 0);
    errno = EPERM;
    assert_false(os_is_private_fd(fd));
    assert_int_equal(errno, 0);
    assert_int_equal(fchmod(fd, 0606), 0);
    assert_false(os_is_private_fd(fd));
    assert_int_equal(fchmod(fd, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchown(fd, 12345, 12345), 0);
        assert_false(os_is_private_fd(fd));
    }
    close(fd);
    assert_false(os_is_private_fd(fd));
    assert_int_equal(errno, EBADF);
}

static void test_executable_file_systems(void **state)
{
    (void)state;
    int fd = os_open_directory(AT_FDCWD, "/usr");
    assert_true(os_may_execute_fd(fd));
    close(fd);
    assert_int_equal(os_make_directories("noexec"), 0);
    if (mount("none", "noexec", "tmpfs", MS_NOEXEC, NULL)) {
        print_message("not tested: a mount with noexec needs root\n");
        return;
    }
    fd = os_open_directory(at, "noexec");
    bool may = os_may_execute_fd(fd);
    close(fd);
    umount("noexec");
    assert_false(may);
}

static void test_locks(void **state)
{
    (void)state;
    write_file("lock", "");
    int one = os_open_read(at, "lock"), two = os_open_read(at, "lock"),
        three = os_open_read(at, "lock");
    assert_int_equal(os_try_lock(one), 0);
    assert_int_equal(os_try_lock(two), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(os_try_lock_shared(two), -1);
    close(one);
    assert_int_equal(os_try_lock_shared(two), 0);
    assert_int_equal(os_try_lock_shared(three), 0);
    one = os_open_read(at, "lock");
    assert_int_equal(os_try_lock(one), -1);
    close(two);
    close(three);
    assert_int_equal(os_try_lock(one), 0);
    close(one);
}

/* ---- memory ---- */

static void test_memory_files(void **state)
{
    (void)state;
    char path[64], long_name[400];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    int fd = os_memfd_create(long_name, false);
    assert_true(fd >= 3);
    close(fd);
    fd = os_memfd_with("sealed", "text", 4, true);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    os_fd_path(fd, path, sizeof path);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(os_read_file(AT_FDCWD, path, &bytes, &size), 0);
    assert_string_equal((char *)bytes, "text");
    free(bytes);
    assert_int_equal(os_memfd_seal(fd), 0);
    assert_int_equal(os_write_all(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    const void *mapped;
    assert_int_equal(os_map_file(fd, 4, &mapped), 0);
    assert_memory_equal(mapped, "text", 4);
    os_unmap(mapped, 4);
    void *code = mmap(NULL, 4, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    assert_true(code != MAP_FAILED);
    munmap(code, 4);
    close(fd);
    assert_int_equal(os_map_file(-1, 0, &mapped), 0);
    assert_non_null(mapped);
    os_unmap(mapped, 0);
    os_unmap(NULL, 0);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_clock_and_grain),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_copying),
        cmocka_unit_test(test_making_directories),
        cmocka_unit_test(test_publication),
        cmocka_unit_test(test_failed_publication_leaves_nothing),
        cmocka_unit_test(test_readers_see_whole_files),
        cmocka_unit_test(test_privacy),
        cmocka_unit_test(test_executable_file_systems),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_memory_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
