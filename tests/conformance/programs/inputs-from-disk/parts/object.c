int from_object(void)
{
    return __COUNTER__ + sizeof("object");
}
