int step_3(int n);

static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_2(int n)
{
    return step_3(internal(n, 2));
}
