int step_8(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_7(int n)
{
    return step_8(internal(n, 7));
}
