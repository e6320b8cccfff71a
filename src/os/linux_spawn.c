/* linux_spawn.c - start a program that the host must not notice: os_spawn_detached of os.h.
 *
 *     host        clone(VM, VFORK, FILES, exit signal 0)
 *      intermediate      clone(VM, VFORK, PIDFD)
 *       the program
 *
 * A child whose exit signal is not SIGCHLD is invisible to wait() and waitpid(-1), sends
 * nothing when it ends, and is reaped by its number with __WCLONE. When the intermediate
 * has ended, the program belongs to init. It cannot be the host's own child with exit
 * signal 0: execve() sets that back to SIGCHLD. Both steps share the host's memory and
 * suspend their parent, so nothing is copied and exec's error comes back in a variable;
 * the intermediate shares the descriptors too, so that the pidfd arrives in the host
 * without ever naming the program by its number. Any thread; no state.
 *
 * Not to be had: a host that is PID 1 or a subreaper is by definition whom the program is given to;
 * there os_pidfd_wait reaps it. A host's waitpid(-1, __WALL) may see the intermediate.
 *
 * The children run on the memory of a process whose other threads go on: they make system calls by
 * number, which no sanitizer intercepts, that are no cancellation points, and touch nothing but
 * their argument and the suspended thread's errno. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/linux_descriptor.h"

#define UNINSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))

enum {
    stack_size = 256 * 1024, /* for each of the two children; what is not touched costs nothing */
    max_fds = 16,
    first_fd = STDERR_FILENO + 1,
    kernel_signal_count = 64
};
static const rlim_t wanted_stack_limit = 512 * 1024 * 1024;

typedef struct spawn {
    const char *program;
    char *const *arguments;
    char *const *environment;
    const int *fds;
    size_t fd_count;
    char *program_stack_end;
    int pidfd;
    int error; /* errno of the step that failed; 0: the program runs */
} spawn;

/* clone() under the C library's own name. A thread sanitizer replaces
 * clone() by one that takes every child for the copy of a fork and
 * changes its state, which these children share with the host. */
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

/* The kernel's struct sigaction, which glibc does not declare. All zero: SIG_DFL. */
typedef struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
} kernel_action;

/* Ignoring a signal first throws away one that is pending: the Ctrl-C that met this process while
 * it still belonged to the host's group. */
UNINSTRUMENTED static void reset_signals(void)
{
    const kernel_action ignore = {.handler = SIG_IGN}, standard = {.handler = SIG_DFL};
    for (int number = 1; number <= kernel_signal_count; number++) {
        syscall(SYS_rt_sigaction, number, &ignore, NULL, sizeof ignore.mask);
        syscall(SYS_rt_sigaction, number, &standard, NULL, sizeof standard.mask);
    }
}

UNINSTRUMENTED static void unblock_signals(void)
{
    const uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

UNINSTRUMENTED static void set_limits(void)
{
    struct rlimit limit;
    if (syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &limit) == 0 &&
        limit.rlim_cur < wanted_stack_limit) {
        limit.rlim_cur = limit.rlim_max < wanted_stack_limit ? limit.rlim_max : wanted_stack_limit;
        syscall(SYS_prlimit64, 0, RLIMIT_STACK, &limit, NULL);
    }
    const struct rlimit none = {0, 0};
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, NULL);
    /* A compile on behalf of an audio thread must not run with real-time priority. */
    const struct sched_param ordinary = {.sched_priority = 0};
    long policy = syscall(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &ordinary);
}

/* Close by listing /proc/self/fd: where the kernel (before 5.9) or a filter has no close_range. */
UNINSTRUMENTED static int close_listed(int from)
{
    struct entry {
        uint64_t inode;
        int64_t offset;
        unsigned short size;
        unsigned char type;
        char name[];
    };
    _Alignas(struct entry) char buffer[4096];
    int directory =
        (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (directory < 0)
        return -1;
    long size;
    while ((size = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < size; at += ((struct entry *)(buffer + at))->size) {
            int fd = 0;
            for (const char *c = ((struct entry *)(buffer + at))->name; *c >= '0' && *c <= '9'; c++)
                fd = fd * 10 + (*c - '0');
            if (fd >= from && fd != directory)
                syscall(SYS_close, fd);
        }
    }
    /* The directory's own descriptor closes itself at exec. */
    return (int)size;
}

/* The caller's descriptors get their places 3, 4, ... by way of numbers beyond these, so that none
 * overwrites another. */
UNINSTRUMENTED static int place_descriptors(const spawn *s)
{
    int end = first_fd + (int)s->fd_count;
    int moved[max_fds];
    for (size_t i = 0; i < s->fd_count; i++) {
        moved[i] = (int)syscall(SYS_fcntl, s->fds[i], F_DUPFD_CLOEXEC, end);
        if (moved[i] < 0)
            return -1;
    }
    int opened = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    int null = opened < 0 ? -1 : (int)syscall(SYS_fcntl, opened, F_DUPFD_CLOEXEC, end);
    if (null < 0)
        return -1;
    for (int fd = 0; fd < first_fd; fd++)
        if (syscall(SYS_dup3, null, fd, 0) < 0)
            return -1;
    for (size_t i = 0; i < s->fd_count; i++)
        if (syscall(SYS_dup3, moved[i], first_fd + (int)i, 0) < 0)
            return -1;
    if (syscall(SYS_close_range, end, ~0U, 0) == 0)
        return 0;
    return close_listed(end);
}

UNINSTRUMENTED static int run_program(void *argument)
{
    spawn *s = argument;
    syscall(SYS_setsid);
    reset_signals();
    set_limits();
    if (place_descriptors(s) == 0 && syscall(SYS_chdir, "/") == 0) {
        unblock_signals();
        syscall(SYS_execve, s->program, s->arguments, s->environment);
    }
    s->error = errno;
    syscall(SYS_exit_group, 127);
    __builtin_unreachable();
}

UNINSTRUMENTED static int run_intermediate(void *argument)
{
    spawn *s = argument;
    /* A host that ignores SIGCHLD has its children reaped by the kernel;
     * here that would be this process's own table of actions, in which
     * the default must stand for the wait below to find its child. */
    const kernel_action standard = {.handler = SIG_DFL};
    syscall(SYS_rt_sigaction, SIGCHLD, &standard, NULL, sizeof standard.mask);
    int program = __clone(run_program, s->program_stack_end,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, s, &s->pidfd);
    if (program < 0)
        s->error = errno;
    else if (s->error)
        syscall(SYS_wait4, program, NULL, __WALL, NULL);
    syscall(SYS_exit, 0);
    __builtin_unreachable();
}

/* Block every signal, also those that the C library keeps for itself: a handler of the host must
 * never run in a child. */
static void block_signals(uint64_t *old)
{
    const uint64_t all = ~UINT64_C(0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, old, sizeof all);
}

static void restore_signals(const uint64_t *old)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, sizeof *old);
}

/* Make both children and take the first back. errno on failure, 0 when the program runs. */
static int spawn_on_stack(spawn *s, char *stack)
{
    uint64_t old_mask;
    int old_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_state);
    block_signals(&old_mask);
    s->program_stack_end = stack + stack_size;
    int error = 0;
    int intermediate =
        __clone(run_intermediate, stack + 2 * stack_size, CLONE_VM | CLONE_VFORK | CLONE_FILES, s);
    if (intermediate < 0)
        error = errno;
    else
        while (waitpid(intermediate, NULL, __WCLONE) < 0 && errno == EINTR)
            continue;
    restore_signals(&old_mask);
    pthread_setcancelstate(old_state, NULL);
    if (error || s->error)
        return error ? error : s->error;
    /* Only a SIGKILL meant for the whole group ends the
     * intermediate before it has made the program. */
    return s->pidfd < 0 ? ECANCELED : 0;
}

/* The program's directory is /, so a relative name
 * is resolved before. malloc'd; NULL with errno. */
static char *absolute_program(const char *program)
{
    if (program[0] == '/')
        return strdup(program);
    char *directory = getcwd(NULL, 0);
    char *absolute = NULL;
    if (directory && asprintf(&absolute, "%s/%s", directory, program) < 0)
        absolute = NULL;
    free(directory);
    return absolute;
}

/* Run both steps on a stack made for them: errno, or 0. */
static int spawn_program(spawn *s)
{
    char *stack = mmap(NULL, 2 * stack_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return errno;
    int error = spawn_on_stack(s, stack);
    munmap(stack, 2 * stack_size);
    return error;
}

int os_spawn_detached(const char *program, char *const *arguments, char *const *environment,
                      const int *fds, size_t fd_count, int *pidfd)
{
    if (fd_count > max_fds) {
        errno = EINVAL;
        return -1;
    }
    char *absolute = absolute_program(program);
    if (!absolute)
        return -1;
    spawn s = {.program = absolute,
               .arguments = arguments,
               .environment = environment,
               .fds = fds,
               .fd_count = fd_count,
               .pidfd = -1};
    int error = spawn_program(&s);
    free(absolute);
    if (error) {
        linux_close(s.pidfd);
        errno = error;
        return -1;
    }
    if (!pidfd) {
        linux_close(s.pidfd);
        return 0;
    }
    int kept = linux_above_standard(s.pidfd);
    if (kept < 0)
        return -1; /* it runs, and ends when its descriptors show that the host has gone */
    *pidfd = kept;
    return 0;
}
