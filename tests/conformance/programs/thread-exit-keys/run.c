/* pthread keys with destructors in the library, cleanup handlers, cancellation. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_key_t key;

static void destroy(void *value)
{
    printf("key destroyed: %s\n", (const char *)value);
}
static void clean(void *value)
{
    printf("cleanup: %s\n", (const char *)value);
}

static void *work(void *argument)
{
    pthread_setspecific(key, argument);
    pthread_cleanup_push(clean, argument);
    for (;;)
        pause(); /* a cancellation point */
    pthread_cleanup_pop(0);
    return NULL;
}

int run(void)
{
    pthread_t thread;
    void *result;
    pthread_key_create(&key, destroy);
    pthread_create(&thread, NULL, work, "value");
    pthread_cancel(thread);
    pthread_join(thread, &result);
    pthread_key_delete(key);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "ended");
    return 0;
}
