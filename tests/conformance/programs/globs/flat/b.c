int b(void)
{
    return 10;
}
