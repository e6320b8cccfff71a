/* thread_waits.c - see thread_waits.h. */
#include "api/thread_waits.h"

#include <stddef.h>

typedef struct thread_wait {
    struct thread_wait *next;
    pthread_t waiter, awaited;
    const void *what;
} thread_wait;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* taken behind every other lock */
static thread_wait *waits;
static _Thread_local thread_wait own;

static const thread_wait *wait_of(pthread_t thread)
{
    const thread_wait *found = waits;
    while (found && !pthread_equal(found->waiter, thread))
        found = found->next;
    return found;
}

static bool leads_to(pthread_t from, pthread_t to)
{
    const thread_wait *next;
    while (!pthread_equal(from, to) && (next = wait_of(from)))
        from = next->awaited;
    return pthread_equal(from, to);
}

bool thread_wait_begin(pthread_t awaited, const void *what)
{
    pthread_mutex_lock(&mutex);
    bool entered = !leads_to(awaited, pthread_self());
    if (entered) {
        own = (thread_wait){
            .next = waits, .waiter = pthread_self(), .awaited = awaited, .what = what};
        waits = &own;
    }
    pthread_mutex_unlock(&mutex);
    return entered;
}

void thread_wait_end(void)
{
    pthread_mutex_lock(&mutex);
    for (thread_wait **link = &waits; *link; link = &(*link)->next)
        if (*link == &own) {
            *link = own.next;
            break;
        }
    pthread_mutex_unlock(&mutex);
}

void thread_wait_over(const void *what)
{
    pthread_mutex_lock(&mutex);
    for (thread_wait **link = &waits; *link;)
        if ((*link)->what == what)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    pthread_mutex_unlock(&mutex);
}

void thread_waits_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

/* Who waits does not exist in the child. */
void thread_waits_after_fork(bool in_child)
{
    if (in_child)
        waits = NULL;
    pthread_mutex_unlock(&mutex);
}
