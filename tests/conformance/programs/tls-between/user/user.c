extern _Thread_local int per_thread;

int use(int n)
{
    return per_thread += n;
}
