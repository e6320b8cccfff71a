/* While a thread owes the destructor of a thread_local of the library, close is pending and the
 * image stays; it leaves at a later call after that thread has ended. */
#include "conformance.h"

#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t barrier;
static void (*touch)(void);

static void *work(void *unused)
{
    (void)unused;
    touch();
    pthread_barrier_wait(&barrier); /* touched */
    pthread_barrier_wait(&barrier); /* closed */
    return NULL;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    conformance_register(conformance_spec("owing", "owing/owing.cpp", NULL));
    kiln_library *library = conformance_load("owing");
    touch = conformance_function(library, "touch");
    pthread_create(&thread, NULL, work, NULL);
    pthread_barrier_wait(&barrier);

    kiln_status status = kiln_library_close(library);
    printf("%s, %s\n", kiln_status_name(status),
           conformance_is_mapped((void *)touch) ? "mapped" : "gone");
    printf("closed events: %u\n", conformance_events()->count[KILN_EVENT_CLOSED]);
    fflush(stdout);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);

    CHECK_STATUS(kiln_session_dispatch(conformance_session(), 0, NULL), KILN_OK, NULL);
    printf("%s\n", conformance_is_mapped((void *)touch) ? "mapped" : "gone");
    printf("closed events: %u\n", conformance_events()->count[KILN_EVENT_CLOSED]);
    return 0;
}
