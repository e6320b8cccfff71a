int b(void);
int total(void)
{
    return 1 + b();
}
