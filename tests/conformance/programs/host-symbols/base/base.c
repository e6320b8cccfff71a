int base_function(void)
{
    return 4;
}
