int step_2(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_1(int n)
{
    return step_2(internal(n, 1));
}
