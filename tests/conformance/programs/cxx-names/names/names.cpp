namespace ns
{
int variable = 5;

int g(int n)
{
    return n + 10;
}
int f(int n)
{
    return n + 20;
}
int f(double)
{
    return 30;
}
int f(const char *)
{
    return 40;
}

template <class T> T twice(T n)
{
    return n * 2;
}
template int twice<int>(int);

struct Class {
    static int method(int);
};
int Class::method(int n)
{
    return n + 50;
}
static int internal(int n)
{
    return n;
}
int (*address_of_internal)(int) = internal;
} // namespace ns
