/* linux_guard.c - calls that may crash: see os.h.
 *
 * While any thread is in a guarded call, the process's handlers of the signals of crashes are ours.
 * A crash of a guarded thread jumps back to its call; any other goes on to the handler of before.
 * The handler needs a stack of its own, since a crash may be the end of the thread's; it lies in the
 * frame of the guarded call, above of what overflows. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/linux_processor.h"
#include "os/os.h"

enum { crash_signal_count = 5, handler_stack_size = 32 * 1024 };
static const int crash_signals[crash_signal_count] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

typedef struct guard {
    sigjmp_buf back;
    struct guard *outer;
    os_crash *crash;
} guard;

/* A handler must not be the first to ask for it: the loader might allocate it then. */
static _Thread_local guard *innermost __attribute__((tls_model("initial-exec")));

/* Guards the two below; nothing is taken under it. */
static pthread_mutex_t installing = PTHREAD_MUTEX_INITIALIZER;
static unsigned guarded_calls;
static struct sigaction before[crash_signal_count];

static int index_of(int signal)
{
    int index = 0;
    while (index < crash_signal_count - 1 && crash_signals[index] != signal)
        index++;
    return index;
}

static void pass_on(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *old = &before[index_of(signal)];
    bool was_sent = info->si_code <= 0;
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(signal, info, context);
    } else if (old->sa_handler == SIG_DFL || (old->sa_handler == SIG_IGN && !was_sent)) {
        /* What was not sent happens again, as soon as the handler is left. */
        const struct sigaction end = {.sa_handler = SIG_DFL};
        sigaction(signal, &end, NULL);
        if (was_sent)
            raise(signal);
    } else if (old->sa_handler != SIG_IGN) {
        old->sa_handler(signal);
    }
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    guard *guard = innermost;
    bool aborts = signal == SIGABRT && info->si_code == SI_TKILL && info->si_pid == getpid();
    if (!guard || (info->si_code <= 0 && !aborts)) {
        pass_on(signal, info, context);
        return;
    }
    guard->crash->signal = signal;
    guard->crash->code = linux_code_address(context);
    guard->crash->address = aborts ? 0 : (uintptr_t)info->si_addr;
    siglongjmp(guard->back, 1);
}

static void install(void)
{
    struct sigaction ours = {.sa_sigaction = on_crash,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&ours.sa_mask);
    pthread_mutex_lock(&installing);
    if (guarded_calls++ == 0)
        for (int i = 0; i < crash_signal_count; i++)
            sigaction(crash_signals[i], &ours, &before[i]);
    pthread_mutex_unlock(&installing);
}

/* A handler that somebody has installed meanwhile stays. */
static void restore_handlers(void)
{
    struct sigaction now;
    for (int i = 0; i < crash_signal_count; i++)
        if (sigaction(crash_signals[i], NULL, &now) == 0 && now.sa_sigaction == on_crash)
            sigaction(crash_signals[i], &before[i], NULL);
}

static void uninstall(void)
{
    pthread_mutex_lock(&installing);
    if (--guarded_calls == 0)
        restore_handlers();
    pthread_mutex_unlock(&installing);
}

void os_guard_before_fork(void)
{
    pthread_mutex_lock(&installing);
}

void os_guard_after_fork(bool in_child)
{
    unsigned own = 0;
    for (const guard *guard = innermost; guard; guard = guard->outer)
        own++;
    if (in_child && guarded_calls && !own)
        restore_handlers();
    if (in_child)
        guarded_calls = own;
    pthread_mutex_unlock(&installing);
}

static void name_crash(os_crash *crash)
{
    Dl_info found;
    bool has_name = dladdr((const void *)crash->code, &found) && found.dli_sname;
    crash->function = has_name ? strdup(found.dli_sname) : NULL;
    const char *name = sigabbrev_np(crash->signal);
    crash->name = name ? name : "?";
}

bool os_call_guarded(void (*function)(void *), void *argument, os_crash *crash)
{
    char handler_stack[handler_stack_size];
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack}, old_stack;
    sigset_t unblocked, old_mask;
    guard guard = {.outer = innermost, .crash = crash};
    sigaltstack(NULL, &old_stack);
    bool needs_stack = old_stack.ss_flags & SS_DISABLE;
    if (needs_stack)
        sigaltstack(&stack, NULL);
    sigemptyset(&unblocked);
    for (int i = 0; i < crash_signal_count; i++)
        sigaddset(&unblocked, crash_signals[i]);
    pthread_sigmask(SIG_UNBLOCK, &unblocked, &old_mask);
    install();
    bool came_back = sigsetjmp(guard.back, 0) == 0;
    if (came_back) {
        innermost = &guard;
        function(argument);
    }
    innermost = guard.outer;
    uninstall();
    pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
    if (needs_stack)
        sigaltstack(&old_stack, NULL);
    if (!came_back)
        name_crash(crash);
    return came_back;
}
