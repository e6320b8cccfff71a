/* Would not bind, were it taken in. */
int from_nowhere_at_all(void);
int unneeded(void)
{
    return from_nowhere_at_all();
}
