/* C11 threads: thrd, mtx, cnd, tss with destructors. */
#include <stdio.h>
#include <threads.h>

static mtx_t mutex;
static cnd_t changed;
static tss_t key;
static int total, finished, destroyed;

static void destroy(void *value)
{
    mtx_lock(&mutex);
    destroyed += *(int *)value;
    mtx_unlock(&mutex);
}

static int work(void *argument)
{
    tss_set(key, argument);
    for (int i = 0; i < 1000; i++) {
        mtx_lock(&mutex);
        total += *(int *)tss_get(key);
        mtx_unlock(&mutex);
    }
    mtx_lock(&mutex);
    finished++;
    cnd_signal(&changed);
    mtx_unlock(&mutex);
    return *(int *)argument * 2;
}

int run(void)
{
    int numbers[4] = {1, 2, 3, 4}, results = 0;
    thrd_t threads[4];
    mtx_init(&mutex, mtx_plain);
    cnd_init(&changed);
    tss_create(&key, destroy);
    for (int i = 0; i < 4; i++)
        thrd_create(&threads[i], work, &numbers[i]);
    mtx_lock(&mutex);
    while (finished < 4)
        cnd_wait(&changed, &mutex);
    mtx_unlock(&mutex);
    for (int i = 0; i < 4; i++) {
        int result;
        thrd_join(threads[i], &result);
        results += result;
    }
    tss_delete(key);
    cnd_destroy(&changed);
    mtx_destroy(&mutex);
    printf("%d %d %d\n", total, results, destroyed);
    return 0;
}
