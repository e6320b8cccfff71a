int b(void)
{
    return 41;
}
