/* thread_waits.h - which thread waits for which other one, in this process: for a library that it makes,
 * or for constructors that it runs. So a circle of threads is noticed before it closes, whichever
 * sessions and engines it leads through. Any thread. */
#ifndef KILN_API_THREAD_WAITS_H
#define KILN_API_THREAD_WAITS_H

#include <pthread.h>
#include <stdbool.h>

/* The caller is about to wait for a thread, until `what` has happened there; false: that thread is the
 * caller, or waits for it, directly or not, and nothing was noted. */
bool thread_wait_begin(pthread_t awaited, const void *what);
/* The caller waits no longer. */
void thread_wait_end(void);
/* It has happened: nobody waits for it, though threads may have to wake up first. */
void thread_wait_over(const void *what);

/* The fork handlers. */
void thread_waits_before_fork(void);
void thread_waits_after_fork(bool in_child);

#endif
