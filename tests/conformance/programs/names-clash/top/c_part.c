int clash_function(void)
{
    return 2;
}
int clash_data = 2;
_Thread_local int clash_tls = 2;
__attribute__((weak)) int clash_weak(void)
{
    return 2;
}

/* libc exports this name: the library's own wins within the library. */
int daemon(int nochdir, int noclose)
{
    return nochdir * 10 + noclose;
}

/* Every host has one of these. */
int main(int argc, char **argv)
{
    return argc + (argv != 0);
}
