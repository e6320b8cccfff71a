int deep_x(void)
{
    return 1;
}
