/* Libraries described by a manifest, and one by the same words as text from memory. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
    static const char text[] =
        "name: textual\n"
        "define: ['GREETING=\"hello, text\"']\n"
        "dependencies: [top]\n"
        "memory_sources:\n"
        "  - path: textual.c\n"
        "    text: |\n"
        "      int value(void);\n"
        "      int length(void) { return sizeof GREETING - 1 + value() * 0; }\n";
    kiln_error *error;
    kiln_spec *spec;
    char **names;
    size_t count;
    CHECK_STATUS(kiln_session_read_manifest(conformance_session(), NULL, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_spec_parse(text, strlen(text), "a text", &spec, &error), KILN_OK, &error);
    conformance_register(spec);
    CHECK_STATUS(kiln_session_names(conformance_session(), &names, &count, &error), KILN_OK,
                 &error);
    for (size_t i = 0; i < count; i++)
        printf("%s ", names[i]);
    kiln_names_destroy(names);
    kiln_library *top = conformance_load("top"), *textual = conformance_load("textual");
    printf("%d %d\n", call_int(top, "value"), call_int(textual, "length"));
    conformance_close(textual);
    conformance_close(top);
    return 0;
}
