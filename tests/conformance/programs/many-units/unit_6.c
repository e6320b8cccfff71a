int step_7(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_6(int n)
{
    return step_7(internal(n, 6));
}
