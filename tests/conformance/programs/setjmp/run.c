/* setjmp and longjmp over frames of the library and of libc (qsort), and the signal mask with
 * sigsetjmp. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf there;
static sigjmp_buf with_mask;

static void deep(int n)
{
    if (n == 0)
        longjmp(there, 5);
    deep(n - 1);
}

static int compare(const void *a, const void *b)
{
    (void)a;
    (void)b;
    longjmp(there, 6);
}

int run(void)
{
    volatile int kept = 1;
    int code = setjmp(there);
    if (code == 0) {
        kept = 2;
        deep(10);
    } else if (code == 5) {
        printf("code 5, kept %d\n", kept);
        int values[] = {3, 1, 2};
        qsort(values, 3, sizeof *values, compare);
    } else {
        printf("code %d, out of qsort\n", code);
    }

    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (sigsetjmp(with_mask, 1) == 0) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        siglongjmp(with_mask, 1);
    }
    sigprocmask(SIG_SETMASK, NULL, &now);
    printf("mask restored: %s\n", sigismember(&now, SIGUSR1) ? "no" : "yes");
    return 0;
}
