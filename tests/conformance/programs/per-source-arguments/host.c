/* Arguments of one source after the spec's; a language and a standard for the spec; a source
 * without an extension. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
    kiln_spec *spec = kiln_spec_create("arguments");
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-DN=1", "-Wno-macro-redefined", NULL});
    kiln_spec_add_source(spec, "parts/plain.c", NULL);
    kiln_spec_add_source(spec, "parts/special.c", (const char *const[]){"-DN=2", "-O0", NULL});
    conformance_register(spec);
    kiln_library *library = conformance_load("arguments");
    printf("%d %d\n", call_int(library, "plain"), call_int(library, "special"));
    conformance_close(library);

    spec = conformance_spec("language", "parts/without_extension", NULL);
    kiln_spec_set_language(spec, "c++", false);
    kiln_spec_set_standard(spec, "c++20");
    conformance_register(spec);
    library = conformance_load("language");
    printf("%d\n", call_int(library, "standard"));
    conformance_close(library);

    static const char text[] =
        "int is_cxx(void) {\n#ifdef __cplusplus\nreturn 1;\n#else\nreturn 0;\n#endif\n}\n";
    spec = kiln_spec_create("forced");
    kiln_spec_add_memory_source(spec, "forced.c", text, strlen(text), NULL);
    kiln_spec_set_language(spec, "c++", true);
    conformance_register(spec);
    library = conformance_load("forced");
    printf("%d\n", ((int (*)(void))conformance_function(library, "is_cxx()"))());
    conformance_close(library);
    return 0;
}
