/* Thread-local variables in C: static, extern over units, aligned, initialised and zero, each
 * thread with its own. */
#include "tls.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Thread_local int counter = 7;
static __thread long zero;
static _Thread_local alignas(64) char aligned[64] = "aligned";
static _Thread_local char big[3000];

enum { thread_count = 16 };

static void *work(void *argument)
{
    long id = (long)argument;
    int wrong = counter != 7 || zero != 0 || strcmp(aligned, "aligned") != 0 || shared_tls != 100 ||
                big[2999] != 0;
    wrong |= (uintptr_t)aligned % 64 != 0;
    for (int i = 0; i < 1000; i++) {
        counter++;
        zero += id;
        add_to_shared_tls((int)id);
        big[2999]++;
    }
    wrong |= counter != 1007 || zero != 1000 * id || shared_tls != 100 + 1000 * id;
    return (void *)(long)wrong;
}

int run(void)
{
    pthread_t threads[thread_count];
    int wrong = 0;
    for (long i = 0; i < thread_count; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < thread_count; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += (int)(long)result;
    }
    printf("%d threads, %d saw a wrong value\n", thread_count, wrong);
    printf("this thread: %d %ld %s %d\n", counter, zero, aligned, shared_tls);
    return 0;
}
