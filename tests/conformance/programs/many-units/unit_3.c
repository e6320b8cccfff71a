int step_4(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_3(int n)
{
    return step_4(internal(n, 3));
}
