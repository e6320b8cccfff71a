/* syscall_sweep.h - end a process, or make one of its system calls fail, at each step of what it
 * does to the file system.
 *
 * A child runs a function under ptrace; the calls that change the file system (open for writing,
 * write, rename, flush, link, truncate, lock ...) of all its threads are counted. Processes that it
 * starts are not traced. */
#ifndef KILN_TESTS_SYSCALL_SWEEP_H
#define KILN_TESTS_SYSCALL_SWEEP_H

#include <stdbool.h>

typedef struct sweep_step {
    long kill_at;   /* end the child with SIGKILL when it makes its Nth such call; 0: never */
    long fail_at;   /* instead make that call fail ... */
    int error;      /* ... with this errno */
    bool fail_from; /* and all later ones */
} sweep_step;

/* Run function(argument) in a child. *calls: how many such calls were seen. Returns the exit
 * status, or 128 + signal; -1 where ptrace is not allowed. */
int sweep_run(const sweep_step *step, int (*function)(void *), void *argument, long *calls);

#endif
