extern "C" {
int base_function(void)
{
    return 3;
}
int base_data = 3;
__attribute__((weak)) int base_weak(void)
{
    return 3;
}
int base_reports(void);
}

int base_cxx(int)
{
    return 3;
}

int base_reports(void)
{
    int (*volatile weak)(void) = base_weak;
    return base_function() * 100 + base_data * 10 + weak();
}
