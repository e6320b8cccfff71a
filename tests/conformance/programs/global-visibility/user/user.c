int open_function(void);
extern int open_data;

int use(void)
{
    open_data = 30;
    return open_function();
}
