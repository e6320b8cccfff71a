/* Classes of one library used by another that depends on it, loaded together: exceptions,
 * dynamic_cast, typeid, with a key function (one strong type information) and without (weak in
 * both). */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    kiln_spec *zoo = conformance_spec("zoo", "zoo/zoo.cpp", NULL);
    kiln_spec_add_dependency(zoo, "animals");
    kiln_spec_add_arguments(zoo, KILN_PRIVATE, (const char *const[]){"-I.", NULL});
    conformance_register(zoo);
    conformance_register(conformance_spec("animals", "animals/animals.cpp", NULL));
    kiln_library *library = conformance_load("zoo");
    int status = ((int (*)(void))conformance_function(library, "run"))();
    fflush(stdout);
    conformance_close(library);
    return status;
}
