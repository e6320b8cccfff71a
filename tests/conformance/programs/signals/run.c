/* Signal handlers in a library: plain, with siginfo on a stack of their own, and recovery from a
 * fault. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile sig_atomic_t hits, last_code;
static void *volatile fault_address;
static sigjmp_buf recovery;

static void count(int number)
{
    (void)number;
    hits++;
}

static void inform(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    last_code = info->si_value.sival_int;
}

static void recover(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    fault_address = info->si_addr;
    siglongjmp(recovery, 1);
}

int run(void)
{
    struct sigaction action = {.sa_handler = count}, old[3];
    sigaction(SIGUSR1, &action, &old[0]);
    for (int i = 0; i < 5; i++)
        raise(SIGUSR1);

    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16}, old_stack;
    sigaltstack(&stack, &old_stack);
    action = (struct sigaction){.sa_sigaction = inform, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGUSR2, &action, &old[1]);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 99});

    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    action = (struct sigaction){.sa_sigaction = recover, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, &old[2]);
    if (sigsetjmp(recovery, 1) == 0)
        *(volatile char *)(page + 8) = 1;
    printf("%d %d %s\n", hits, last_code,
           fault_address == page + 8 ? "fault at the right address" : "strange fault");

    sigaction(SIGUSR1, &old[0], NULL);
    sigaction(SIGUSR2, &old[1], NULL);
    sigaction(SIGSEGV, &old[2], NULL);
    sigaltstack(&old_stack, NULL);
    munmap(page, 4096);
    free(stack.ss_sp);
    return 0;
}
