/* Libraries without a source: one lends its headers, one public arguments, both to what depends on
 * them, directly and through each other. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static void add_header(kiln_spec *spec, const char *path, const char *text)
{
    CHECK_STATUS(kiln_spec_add_memory_header(spec, path, text, strlen(text)), KILN_OK, NULL);
}

int main(void)
{
    kiln_spec *headers = kiln_spec_create("headers");
    add_header(headers, "lent.h", "#include \"sub/inner.h\"\n#define LENT (INNER + 1)\n");
    add_header(headers, "sub/inner.h", "#define INNER 40\n");
    conformance_register(headers);

    kiln_spec *arguments = kiln_spec_create("arguments");
    kiln_spec_add_arguments(arguments, KILN_PUBLIC, (const char *const[]){"-DPUBLIC=7", NULL});
    kiln_spec_add_dependency(arguments, "headers");
    conformance_register(arguments);

    kiln_spec *spec = kiln_spec_create("user");
    kiln_spec_add_dependency(spec, "arguments");
    const char *text = "#include <lent.h>\n#include \"lent.h\"\n#include <stdio.h>\n"
                       "int run(void) { printf(\"%d %d\\n\", LENT, PUBLIC); return 0; }\n";
    CHECK_STATUS(kiln_spec_add_memory_source(spec, "user.c", text, strlen(text), NULL), KILN_OK,
                 NULL);
    conformance_register(spec);

    kiln_library *alone = conformance_load("headers");
    kiln_library *library = conformance_load("user");
    int status = call_int(library, "run");
    fflush(stdout);
    conformance_close(library);
    conformance_close(alone);
    return status;
}
