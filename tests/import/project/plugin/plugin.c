int plugin_hidden(void);
__attribute__((visibility("default"))) int plugin_entry(void);

int plugin_hidden(void)
{
    return 1;
}

int plugin_entry(void)
{
    return plugin_hidden() + 1;
}
