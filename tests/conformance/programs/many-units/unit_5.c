int step_6(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_5(int n)
{
    return step_6(internal(n, 5));
}
