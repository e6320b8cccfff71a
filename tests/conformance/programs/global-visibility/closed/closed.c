int closed_function(void)
{
    return 1;
}
