int from_ir(void)
{
    return __COUNTER__ + sizeof("ir");
}
