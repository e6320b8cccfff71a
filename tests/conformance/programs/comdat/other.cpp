#include "comdat.h"

Addresses addresses_of_other()
{
    return addresses();
}
