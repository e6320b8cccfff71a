#include "tls.h"

_Thread_local int shared_tls = 100;

void add_to_shared_tls(int n)
{
    shared_tls += n;
}
