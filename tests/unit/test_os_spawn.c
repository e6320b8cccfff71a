/* test_os_spawn.c - a program that is started detached, and a host that does not notice it: each
 * sentence of the contract of os_spawn_detached. The program is helpers/spawned.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

static const char program[] = KILN_TEST_HELPER_DIR "/helper_spawned";

typedef struct spawned {
    int socket; /* closing it ends the program */
    int pidfd;
    char report[8192];
} spawned;

static void read_report(spawned *s)
{
    size_t length = 0;
    while (length < sizeof s->report - 1 && !strstr(s->report, "\nend\n")) {
        ssize_t count = read(s->socket, s->report + length, sizeof s->report - 1 - length);
        assert_true(count > 0);
        length += (size_t)count;
        s->report[length] = '\0';
    }
}

/* The value of a line of the report; a static string. */
static const char *value(const spawned *s, const char *name)
{
    static char values[8][1024];
    static unsigned turn;
    char *result = values[turn++ % 8];
    char key[64];
    snprintf(key, sizeof key, "\n%s=", name);
    const char *line = strstr(s->report, key);
    result[0] = '\0';
    if (line)
        sscanf(line + strlen(key), " %1023[^\n]", result);
    return result;
}

static long number(const spawned *s, const char *name)
{
    return atol(value(s, name));
}

static int spawn_with(spawned *s, const char *path, int socket, int *pidfd)
{
    char *arguments[] = {(char *)path, "one", NULL};
    char *environment[] = {"SPAWN_TEST=yes", NULL};
    (void)s;
    return os_spawn_detached(path, arguments, environment, &socket, 1, pidfd);
}

static void start(spawned *s)
{
    int sockets[2];
    memset(s, 0, sizeof *s);
    assert_int_equal(os_socket_pair(sockets), 0);
    s->socket = sockets[0];
    assert_int_equal(spawn_with(s, program, sockets[1], &s->pidfd), 0);
    close(sockets[1]);
    assert_true(s->pidfd >= 3);
    read_report(s);
}

static void finish(spawned *s)
{
    close(s->socket);
    assert_int_equal(os_pidfd_wait(s->pidfd, 10000), 0);
    close(s->pidfd);
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Run a part of a test in a process of its own, whose failed assertion is its exit status. */
static void in_child(void (*part)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        part();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition,      \
                    errno);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* ---- what the program finds ---- */

static void test_surroundings(void **state)
{
    (void)state;
    struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY}, old;
    getrlimit(RLIMIT_CORE, &old);
    setrlimit(RLIMIT_CORE, &core);
    spawned s;
    start(&s);
    setrlimit(RLIMIT_CORE, &old);
    assert_int_equal(number(&s, "argc"), 2);
    assert_string_equal(value(&s, "argv"), "one");
    assert_string_equal(value(&s, "environment"), "yes");
    assert_string_equal(value(&s, "directory"), "/");
    assert_string_equal(value(&s, "fd0"), "/dev/null");
    assert_string_equal(value(&s, "fd1"), "/dev/null");
    assert_string_equal(value(&s, "fd2"), "/dev/null");
    assert_string_equal(value(&s, "core"), "0");
    struct rlimit stack;
    getrlimit(RLIMIT_STACK, &stack);
    if (stack.rlim_max >= 512 << 20)
        assert_true(strtoull(value(&s, "stack"), NULL, 10) >= 512 << 20);
    finish(&s);
}

static void test_own_session(void **state)
{
    (void)state;
    spawned s;
    start(&s);
    assert_int_equal(number(&s, "session"), number(&s, "pid"));
    assert_int_equal(number(&s, "group"), number(&s, "pid"));
    assert_int_not_equal(number(&s, "session"), getsid(0));
    finish(&s);
}

/* The signal of a Ctrl-C goes to the host's whole process group. */
static void interrupt_part(void)
{
    CHECK(setpgid(0, 0) == 0);
    spawned s;
    start(&s);
    signal(SIGINT, SIG_IGN);
    CHECK(kill(0, SIGINT) == 0);
    CHECK(os_pidfd_wait(s.pidfd, 50) == -1 && errno == ETIMEDOUT);
    finish(&s);
}

static void test_interrupt_is_the_hosts_alone(void **state)
{
    (void)state;
    in_child(interrupt_part);
}

static void nothing(int signal)
{
    (void)signal;
}

static void signals_part(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR1, nothing);
    /* One that is pending in the host is the host's. */
    raise(SIGUSR2);
    spawned s;
    start(&s);
    CHECK(strtoull(value(&s, "SigBlk"), NULL, 16) == 0);
    CHECK(strtoull(value(&s, "SigIgn"), NULL, 16) == 0);
    CHECK(strtoull(value(&s, "SigPnd"), NULL, 16) == 0);
    finish(&s);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGINT) && sigismember(&now, SIGRTMAX));
    CHECK(signal(SIGTERM, SIG_DFL) == SIG_IGN && signal(SIGUSR1, SIG_DFL) == nothing);
}

static void test_default_signals(void **state)
{
    (void)state;
    in_child(signals_part);
}

/* ---- descriptors ---- */

static void test_descriptors_in_order(void **state)
{
    (void)state;
    int before = count_descriptors();
    /* Open ones of all kinds, also without close-on-exec, and one far up. */
    int plain = open("/dev/zero", O_RDONLY), far = fcntl(plain, F_DUPFD, 900);
    int sockets[2], watch = os_pidfd_self();
    assert_true(plain >= 0 && far >= 900 && watch >= 3);
    assert_int_equal(os_socket_pair(sockets), 0);
    /* Sources that stand in each other's places: 3 + i would overwrite what is still needed. */
    int fds[3] = {sockets[1], watch, plain};
    char *arguments[] = {"spawned", NULL};
    char *environment[] = {NULL};
    spawned s = {.socket = sockets[0]};
    assert_int_equal(os_spawn_detached(program, arguments, environment, fds, 3, &s.pidfd), 0);
    close(sockets[1]);
    read_report(&s);
    int seen[16] = {0}, fd, used;
    for (const char *at = value(&s, "fds"); sscanf(at, "%d%n", &fd, &used) == 1; at += used) {
        assert_true(fd >= 0 && fd < 16);
        seen[fd]++;
    }
    for (int i = 0; i < 16; i++)
        assert_int_equal(seen[i], i < 6);
    finish(&s);
    close(watch);
    close(plain);
    close(far);
    assert_int_equal(count_descriptors(), before);
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
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

static void old_kernel_part(void)
{
    refuse_system_call(SYS_close_range);
    for (int i = 0; i < 300; i++)
        CHECK(open("/dev/zero", O_RDONLY) >= 0);
    spawned s;
    start(&s);
    CHECK(strcmp(value(&s, "fds"), "0 1 2 3 ") == 0);
    finish(&s);
}

static void test_descriptors_without_close_range(void **state)
{
    (void)state;
    in_child(old_kernel_part);
}

static void closed_standard_part(void)
{
    int saved = fcntl(2, F_DUPFD_CLOEXEC, 20);
    close(0);
    close(1);
    close(2);
    int sockets[2], pidfd = -1;
    spawned s = {0};
    bool made = os_socket_pair(sockets) == 0;
    int memfd = os_memfd_create("x", true), file = os_open_read(AT_FDCWD, "/dev/null");
    int directory = os_open_directory(AT_FDCWD, "/"), self = os_pidfd_self();
    bool started = made && spawn_with(&s, program, sockets[1], &pidfd) == 0;
    s.socket = sockets[0];
    s.pidfd = pidfd;
    close(sockets[1]);
    read_report(&s);
    bool none = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    dup2(saved, 2);
    CHECK(started && none);
    CHECK(sockets[0] >= 3 && sockets[1] >= 3 && pidfd >= 3 && memfd >= 3 && file >= 3 &&
          directory >= 3 && self >= 3);
    CHECK(strcmp(value(&s, "fd0"), "/dev/null") == 0);
    CHECK(strcmp(value(&s, "fds"), "0 1 2 3 ") == 0);
    finish(&s);
}

static void test_host_without_standard_descriptors(void **state)
{
    (void)state;
    in_child(closed_standard_part);
}

static void test_nothing_leaks(void **state)
{
    (void)state;
    spawned s;
    start(&s);
    /* Another child of the host inherits neither socket nor pidfd. */
    assert_true(fcntl(s.pidfd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(s.socket, F_GETFD) & FD_CLOEXEC);
    finish(&s);
    int before = count_descriptors();
    for (int i = 0; i < 20; i++) {
        start(&s);
        finish(&s);
        assert_int_equal(spawn_with(&s, "/nonexistent", 0, NULL), -1);
    }
    assert_int_equal(count_descriptors(), before);
}

/* A shell that reads the host's output waits until every writer has closed it. */
static void test_output_is_not_held(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    spawned s;
    start(&s);
    close(ends[1]);
    struct pollfd poll_fd = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    assert_true(poll_fd.revents & POLLHUP);
    close(ends[0]);
    finish(&s);
}

/* ---- what the host notices ---- */

static void test_nothing_to_wait_for(void **state)
{
    (void)state;
    spawned s;
    start(&s);
    assert_int_not_equal(number(&s, "parent"), getpid());
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(waitpid(-1, NULL, __WALL), -1);
    assert_int_equal(errno, ECHILD);
    finish(&s);
    assert_int_equal(wait(NULL), -1);
    assert_int_equal(errno, ECHILD);
}

static atomic_bool waiting_ends;
static atomic_int waited_for_others;

static void *wait_in_a_loop(void *argument)
{
    pid_t own = *(pid_t *)argument;
    while (!atomic_load(&waiting_ends)) {
        pid_t child = waitpid(-1, NULL, WNOHANG);
        if (child > 0 && child != own)
            atomic_fetch_add(&waited_for_others, 1);
    }
    return NULL;
}

static void test_host_that_waits_all_the_time(void **state)
{
    (void)state;
    atomic_store(&waiting_ends, false);
    pid_t own = fork();
    if (own == 0) {
        pause();
        _exit(0);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_a_loop, &own), 0);
    for (int i = 0; i < 20; i++) {
        spawned s;
        start(&s);
        finish(&s);
    }
    atomic_store(&waiting_ends, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&waited_for_others), 0);
    kill(own, SIGKILL);
    waitpid(own, NULL, 0);
}

static atomic_int child_signals;

static void count_signal(int signal)
{
    (void)signal;
    atomic_fetch_add(&child_signals, 1);
}

static void test_no_signal_to_the_host(void **state)
{
    (void)state;
    signal(SIGCHLD, count_signal);
    spawned s;
    for (int i = 0; i < 5; i++) {
        start(&s);
        finish(&s);
        assert_int_equal(spawn_with(&s, "/nonexistent", 0, NULL), -1);
    }
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(atomic_load(&child_signals), 0);
}

static void ignoring_part(void)
{
    signal(SIGCHLD, SIG_IGN);
    spawned s;
    start(&s);
    finish(&s);
    CHECK(spawn_with(&s, "/nonexistent", 0, NULL) == -1 && errno == ENOENT);
    CHECK(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
}

static void test_host_ignores_child_signals(void **state)
{
    (void)state;
    in_child(ignoring_part);
}

static void *start_in_thread(void *argument)
{
    start(argument);
    return NULL;
}

static void test_creating_thread_ends(void **state)
{
    (void)state;
    spawned s;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start_in_thread, &s), 0);
    pthread_join(thread, NULL);
    assert_int_equal(os_pidfd_wait(s.pidfd, 50), -1);
    assert_int_equal(errno, ETIMEDOUT);
    finish(&s);
}

static void *start_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < 10; i++) {
        spawned s;
        start(&s);
        finish(&s);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void host_killed_part(void)
{
    spawned s;
    start(&s);
    printf("%s\n", value(&s, "pid"));
    fflush(stdout);
    kill(getpid(), SIGKILL);
}

static void test_end_of_host_is_end_of_file(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t host = fork();
    if (host == 0) {
        dup2(ends[1], 1);
        host_killed_part();
    }
    close(ends[1]);
    char text[32] = {0};
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    int pidfd = (int)syscall(SYS_pidfd_open, atoi(text), 0);
    if (pidfd < 0)
        return; /* it is gone already */
    assert_int_equal(os_pidfd_wait(pidfd, 10000), 0);
    close(pidfd);
}

/* Here the program becomes the host's child after all;
 * what can be had is that it is reaped with its pidfd. */
static void subreaper_part(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    spawned s;
    start(&s);
    CHECK(waitpid(-1, NULL, WNOHANG) == 0);
    finish(&s);
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
}

static void test_subreaper_keeps_no_zombie(void **state)
{
    (void)state;
    in_child(subreaper_part);
}

static void real_time_part(void)
{
    struct sched_param parameter = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &parameter))
        return; /* not allowed here: nothing to inherit */
    spawned s;
    start(&s);
    CHECK(number(&s, "policy") == SCHED_OTHER);
    finish(&s);
}

static void test_ordinary_scheduling(void **state)
{
    (void)state;
    in_child(real_time_part);
}

/* ---- errors, pidfds ---- */

static void test_exec_errors_come_back(void **state)
{
    (void)state;
    spawned s;
    int pidfd = -7;
    assert_int_equal(spawn_with(&s, "/nonexistent/program", 0, &pidfd), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(spawn_with(&s, "/etc/passwd", 0, &pidfd), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(spawn_with(&s, program, 999, &pidfd), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(pidfd, -7);
    assert_int_equal(waitpid(-1, NULL, __WALL), -1);
    assert_int_equal(errno, ECHILD);
}

static void relative_part(void)
{
    CHECK(chdir(KILN_TEST_HELPER_DIR) == 0);
    int sockets[2];
    CHECK(os_socket_pair(sockets) == 0);
    spawned s = {.socket = sockets[0]};
    CHECK(spawn_with(&s, "./helper_spawned", sockets[1], &s.pidfd) == 0);
    close(sockets[1]);
    read_report(&s);
    finish(&s);
}

static void test_relative_program(void **state)
{
    (void)state;
    in_child(relative_part);
}

static void test_pidfd_kills(void **state)
{
    (void)state;
    spawned s;
    start(&s);
    assert_int_equal(os_pidfd_wait(s.pidfd, 0), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(os_pidfd_kill(s.pidfd, SIGKILL), 0);
    assert_int_equal(os_pidfd_wait(s.pidfd, 10000), 0);
    assert_int_equal(os_pidfd_kill(s.pidfd, SIGKILL), 0);
    close(s.socket);
    close(s.pidfd);
}

static void test_pidfd_of_the_host(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(os_socket_pair(ends), 0);
    pid_t host = fork();
    if (host == 0) {
        int self = os_pidfd_self();
        struct msghdr message = {0};
        char room[CMSG_SPACE(sizeof self)] = {0}, byte = 0;
        struct iovec part = {&byte, 1};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){CMSG_LEN(sizeof self), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(header), &self, sizeof self);
        sendmsg(ends[1], &message, 0);
        pause();
    }
    struct msghdr message = {0};
    char room[CMSG_SPACE(sizeof(int))] = {0}, byte;
    struct iovec part = {&byte, 1};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    assert_int_equal(recvmsg(ends[0], &message, MSG_CMSG_CLOEXEC), 1);
    int pidfd;
    memcpy(&pidfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof pidfd);
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 20), 0);
    kill(host, SIGKILL);
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    waitpid(host, NULL, 0);
    close(pidfd);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_own_session),
        cmocka_unit_test(test_interrupt_is_the_hosts_alone),
        cmocka_unit_test(test_default_signals),
        cmocka_unit_test(test_descriptors_in_order),
        cmocka_unit_test(test_descriptors_without_close_range),
        cmocka_unit_test(test_host_without_standard_descriptors),
        cmocka_unit_test(test_nothing_leaks),
        cmocka_unit_test(test_output_is_not_held),
        cmocka_unit_test(test_nothing_to_wait_for),
        cmocka_unit_test(test_host_that_waits_all_the_time),
        cmocka_unit_test(test_no_signal_to_the_host),
        cmocka_unit_test(test_host_ignores_child_signals),
        cmocka_unit_test(test_creating_thread_ends),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_end_of_host_is_end_of_file),
        cmocka_unit_test(test_subreaper_keeps_no_zombie),
        cmocka_unit_test(test_ordinary_scheduling),
        cmocka_unit_test(test_exec_errors_come_back),
        cmocka_unit_test(test_relative_program),
        cmocka_unit_test(test_pidfd_kills),
        cmocka_unit_test(test_pidfd_of_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
