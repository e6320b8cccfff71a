#include "once.h"
#include <pthread.h>
#include <threads.h>

int c11_count, pthread_count;
static once_flag c11_flag = ONCE_FLAG_INIT;
static pthread_once_t pthread_flag = PTHREAD_ONCE_INIT;

static void count_c11(void)
{
    c11_count++;
}
static void count_pthread(void)
{
    pthread_count++;
}

void c_once(void)
{
    call_once(&c11_flag, count_c11);
    pthread_once(&pthread_flag, count_pthread);
}
