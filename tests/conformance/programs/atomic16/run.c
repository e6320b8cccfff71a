//kiln: -mcx16
/* Sixteen-byte atomics, from many threads: the two halves never tear. */
#include <cpuid.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

typedef struct {
    long a, b;
} pair;
static _Atomic pair shared;
static _Atomic int torn;

static void *work(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5000; i++) {
        pair seen = atomic_load(&shared), next;
        do {
            if (seen.a != -seen.b)
                torn++;
            next = (pair){seen.a + 1, seen.b - 1};
        } while (!atomic_compare_exchange_weak(&shared, &seen, next));
    }
    return NULL;
}

int run(void)
{
    pthread_t threads[4];
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_CMPXCHG16B))
        return 77;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pair end = atomic_load(&shared);
    printf("%ld %ld, torn %d\n", end.a, end.b, torn);
    return 0;
}
