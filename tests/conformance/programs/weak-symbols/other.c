int overridden(void)
{
    return 10;
}
int weak_data = 30;
__attribute__((weak)) int kept(void)
{
    return 20;
}
int from_other(void)
{
    return overridden() + kept() + weak_data;
}
