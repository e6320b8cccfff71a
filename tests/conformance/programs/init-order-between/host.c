/* Objects of a dependency are constructed before those of its dependents and destroyed after them,
 * though the dependent is what was asked for; registration into the dependency from static
 * initialisers works. */
#include "conformance.h"

#include <stdio.h>

int main(void)
{
    kiln_spec *plugin = conformance_spec("plugin", "plugin/plugin.cpp", NULL);
    kiln_spec_add_dependency(plugin, "registry");
    conformance_register(plugin);
    conformance_register(conformance_spec("registry", "registry/registry.cpp", NULL));
    kiln_library *library = conformance_load("plugin");
    int status = call_int(library, "run");
    fflush(stdout);
    conformance_close(library);
    return status;
}
