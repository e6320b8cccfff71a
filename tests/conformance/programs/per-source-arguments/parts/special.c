int special(void)
{
#ifdef __OPTIMIZE__
    return N * 10 + 1;
#else
    return N * 10;
#endif
}
