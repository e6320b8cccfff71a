/* syscall_sweep.c - a tracer of one child and its threads; see syscall_sweep.h.
 *
 * x86-64 only, as Kiln is. A call is made to fail by replacing its number with one that does not
 * exist when it enters, and its result when it leaves. Single-threaded; one sweep at a time. */
#include "syscall_sweep.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { max_threads = 64 };

typedef struct thread_state {
    pid_t id;
    bool inside; /* between entry and exit of a call */
    bool failing;
} thread_state;

static bool changes_file_system(const struct user_regs_struct *registers)
{
    const unsigned long long creating = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    switch (registers->orig_rax) {
    case SYS_openat:
        return registers->rdx & creating;
    case SYS_open:
        return registers->rsi & creating;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_copy_file_range:
    case SYS_sendfile:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_syncfs:
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_link:
    case SYS_linkat:
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_mkdir:
    case SYS_mkdirat:
    case SYS_flock:
    case SYS_fchmod:
    case SYS_utimensat:
    case SYS_memfd_create:
        return true;
    default:
        return false;
    }
}

static thread_state *state_of(thread_state *threads, pid_t id)
{
    for (size_t i = 0; i < max_threads; i++) {
        if (threads[i].id == id)
            return &threads[i];
        if (threads[i].id == 0) {
            threads[i].id = id;
            return &threads[i];
        }
    }
    support_fail(__FILE__, __LINE__, "more than %d threads", max_threads);
}

/* A stop at the entry or exit of a call. */
static void at_call(const sweep_step *step, thread_state *thread, pid_t child, long *calls)
{
    struct user_regs_struct registers;
    thread->inside = !thread->inside;
    if (ptrace(PTRACE_GETREGS, thread->id, NULL, &registers) < 0)
        return; /* it is being killed */
    if (!thread->inside) {
        if (thread->failing) {
            registers.rax = (unsigned long long)-step->error;
            ptrace(PTRACE_SETREGS, thread->id, NULL, &registers);
        }
        thread->failing = false;
        return;
    }
    if (!changes_file_system(&registers))
        return;
    ++*calls;
    if (*calls == step->kill_at)
        kill(child, SIGKILL);
    if (*calls == step->fail_at ||
        (step->fail_from && step->fail_at > 0 && *calls > step->fail_at)) {
        thread->failing = true;
        registers.orig_rax = (unsigned long long)-1;
        ptrace(PTRACE_SETREGS, thread->id, NULL, &registers);
    }
}

static int trace(const sweep_step *step, pid_t child, long *calls)
{
    thread_state threads[max_threads] = {{0}};
    for (;;) {
        int status, deliver = 0;
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (id != child)
                continue;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            at_call(step, state_of(threads, id), child, calls);
        else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP)
            deliver = WSTOPSIG(status);
        ptrace(PTRACE_SYSCALL, id, NULL, (void *)(long)deliver);
    }
}

int sweep_run(const sweep_step *step, int (*function)(void *), void *argument, long *calls)
{
    int status;
    fflush(NULL);
    *calls = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(255);
        raise(SIGSTOP);
        support_end(function(argument));
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFSTOPPED(status))
        return -1;
    ptrace(PTRACE_SETOPTIONS, child, NULL,
           (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
    ptrace(PTRACE_SYSCALL, child, NULL, NULL);
    return trace(step, child, calls);
}
