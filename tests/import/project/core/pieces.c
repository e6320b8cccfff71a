int core_piece(void);

int core_piece(void)
{
    return 6;
}
