int c_data = 6;
_Thread_local int c_tls = 7;
__attribute__((weak)) int c_weak(void)
{
    return 8;
}
__attribute__((visibility("hidden"))) int c_hidden(void)
{
    return 9;
}
static int c_static(void)
{
    return 10;
}

int c_function(int n)
{
    return n + 60 + 0 * (c_hidden() + c_static());
}
