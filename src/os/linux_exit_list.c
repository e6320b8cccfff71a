/* linux_exit_list.c - glibc's list of exit handlers, around a fork: see os.h. */
#include "os/os.h"

#include <pthread.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned threads; /* within; guarded by the mutex */
static _Thread_local unsigned depth;

static void count(int change)
{
    pthread_mutex_lock(&mutex);
    threads += (unsigned)change;
    pthread_mutex_unlock(&mutex);
}

void os_exit_list_enter(void)
{
    if (depth++ == 0)
        count(1);
}

void os_exit_list_leave(void)
{
    if (--depth == 0)
        count(-1);
}

bool os_exit_list_hold(unsigned wait_ms)
{
    for (;; wait_ms--) {
        pthread_mutex_lock(&mutex);
        bool is_idle = threads == (depth ? 1 : 0);
        if (is_idle || !wait_ms)
            return is_idle;
        pthread_mutex_unlock(&mutex);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void os_exit_list_release(bool in_child)
{
    if (in_child)
        threads = depth ? 1 : 0;
    pthread_mutex_unlock(&mutex);
}
