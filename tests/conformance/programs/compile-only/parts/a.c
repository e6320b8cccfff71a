int b(void);

int a(void)
{
    return b() + 1;
}
