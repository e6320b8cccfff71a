int from_shared(void)
{
    return __COUNTER__ + sizeof("shared");
}
