int from_bitcode(void)
{
    return __COUNTER__ + sizeof("bitcode");
}
