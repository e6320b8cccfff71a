static int internal(int n, int own)
{
    return n * 2 + own;
}

int step_10(int n)
{
    return internal(n, 10);
}
