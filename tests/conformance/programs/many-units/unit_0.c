int step_1(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_0(int n)
{
    return step_1(internal(n, 0));
}
