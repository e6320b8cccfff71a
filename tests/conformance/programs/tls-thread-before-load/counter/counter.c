static _Thread_local int count = 1000;

int next(void)
{
    return ++count;
}
