int beside(void)
{
    return 5;
}
