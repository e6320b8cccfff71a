int step_9(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_8(int n)
{
    return step_9(internal(n, 8));
}
