int step_10(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_9(int n)
{
    return step_10(internal(n, 9));
}
