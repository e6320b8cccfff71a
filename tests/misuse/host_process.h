/* host_process.h - looking at processes from outside: a test's own compiler processes, and its
 * program run again as another host.
 *
 * A test finds its compilers by their program: it gives its sessions a copy of kiln-compiler in the
 * scratch directory, so that it never sees, or ends, anybody else's. */
#ifndef KILN_TESTS_HOST_PROCESS_H
#define KILN_TESTS_HOST_PROCESS_H

#include "support.h"
#include "support_again.h"

#include <sys/types.h>

enum { max_compilers = 64 };

/* Copy kiln-compiler into the scratch directory and point $KILN_COMPILER at the copy. Skips where
 * there is none. */
void use_private_compiler(void);

/* The private compiler's processes: the first one and its jobs. Zombies do not count. */
size_t compilers(pid_t pids[max_compilers]);
/* The one whose parent is none of them; 0 where there is none. */
pid_t compiler_zygote(void);
/* Wait until at least, or at most, so many exist; fails after a generous time. */
void wait_for_compilers_at_least(size_t count);
void wait_until_no_compiler(void);
/* End them all, stopped ones too. */
void kill_compilers(void);

/* A field of /proc/PID/status ("SigBlk"), without leading blanks. NULL where the process is gone.
 */
char *process_status(pid_t pid, const char *field);
pid_t process_parent(pid_t pid);

/* Start this program again with the test `helper` and arguments; its standard output is the
 * descriptor *output. */
pid_t start_again(int *output, const char *helper, ...) __attribute__((sentinel));
/* Exit status of a child, or 128 + signal. */
int wait_for(pid_t child);
/* Fork; in the child run a function and end with its result as exit status. In the parent wait. */
int in_child(int (*function)(void *), void *argument);

/* Sleep without counting on it: for polling only. */
void nap_ms(int milliseconds);

#endif
