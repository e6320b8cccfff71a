_Thread_local int per_thread = 1000;

int value(void)
{
    return per_thread;
}
