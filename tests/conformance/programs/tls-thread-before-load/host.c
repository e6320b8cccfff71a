/* Threads that ran before the library was loaded get its thread-local variables all the same. */
#include "conformance.h"

#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t loaded;
static int (*volatile next)(void);

static void *work(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&loaded);
    for (int i = 0; i < 9; i++)
        next();
    return (void *)(long)next();
}

int main(void)
{
    pthread_t threads[4];
    pthread_barrier_init(&loaded, NULL, 5);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    conformance_register(conformance_spec("counter", "counter/counter.c", NULL));
    kiln_library *library = conformance_load("counter");
    next = (int (*)(void))conformance_function(library, "next");
    pthread_barrier_wait(&loaded);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)result);
    }
    conformance_close(library);
    return 0;
}
