int step_5(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_4(int n)
{
    return step_5(internal(n, 4));
}
