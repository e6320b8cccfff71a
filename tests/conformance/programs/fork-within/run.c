/* A library forks: the child runs its code, exits by exit (destructors run in the child too) or is
 * replaced by exec. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int prepared, in_parent, in_child;
static _Thread_local int tls = 5;

static void prepare(void)
{
    prepared++;
}
static void parent(void)
{
    in_parent++;
}
static void child(void)
{
    in_child++;
}

int run(void)
{
    int status;
    pthread_atfork(prepare, parent, child);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        printf("child: %d %d\n", in_child, ++tls);
        fflush(stdout);
        _exit(3);
    }
    waitpid(pid, &status, 0);
    printf("parent: %d %d, status %d, tls %d\n", prepared, in_parent, WEXITSTATUS(status), tls);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        execl("/bin/echo", "echo", "exec worked", (char *)NULL);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}
