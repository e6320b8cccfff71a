//kiln: -fcommon
int shared;
char buffer[4096];

int *address_in_other(void)
{
    return &shared;
}

char *buffer_in_other(void)
{
    buffer[4095] = 1;
    return buffer;
}
