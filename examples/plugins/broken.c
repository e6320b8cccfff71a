#include "plugin_api.h"

const char *plugin_name = "broken";

/* Does not compile, on purpose: the host reports it and goes on with the next plugin. */
int plugin_start(int number)
{
    return nmber;
}
