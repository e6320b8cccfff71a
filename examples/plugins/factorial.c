#include "plugin_api.h"

const char *plugin_name = "factorial";

int plugin_start(int number)
{
    int product = 1;

    for (int i = 2; i <= number; i++)
        product *= i;
    host_log("%d! is computed in C", number);
    return product;
}
