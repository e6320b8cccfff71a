int special(void)
{
    return SPECIAL;
}
