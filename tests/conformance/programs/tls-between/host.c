/* A thread-local variable of one library, used by another that depends on it, from several threads.
 */
#include "conformance.h"

#include <pthread.h>
#include <stdio.h>

static int (*use)(int);
static int (*value)(void);

static void *work(void *argument)
{
    for (int i = 0; i < 100; i++)
        use((int)(long)argument);
    return (void *)(long)value();
}

int main(void)
{
    kiln_spec *user = conformance_spec("user", "user/user.c", NULL);
    kiln_spec_add_dependency(user, "owner");
    conformance_register(conformance_spec("owner", "owner/owner.c", NULL));
    conformance_register(user);
    kiln_library *library = conformance_load("user"), *owner = conformance_load("owner");
    use = (int (*)(int))conformance_function(library, "use");
    value = (int (*)(void))conformance_function(owner, "value");

    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%ld ", (long)result);
    }
    printf("%d\n", value());
    printf("by name: %d\n", *(int *)conformance_data(owner, "per_thread"));
    conformance_close(owner);
    conformance_close(library);
    return 0;
}
