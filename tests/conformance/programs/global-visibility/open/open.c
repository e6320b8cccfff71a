int open_data = 20;

int open_function(void)
{
    return open_data + 1;
}
