int deep_top(void)
{
    return 1;
}
