#include "sections.h"

REGISTER(alpha);
REGISTER(beta);
extern __attribute__((visibility("hidden"))) int hidden_value;
extern int protected_value;

int hidden_from_other(void)
{
    return hidden_value * 10 + protected_value;
}
