int deep_y(void)
{
    return 1;
}
