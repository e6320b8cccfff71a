/* Lookup by C++ name, ambiguous names, and the list of a library's own symbols. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static void look_up(kiln_library *library, const char *name)
{
    kiln_error *error;
    kiln_function function = kiln_library_function(library, name, &error);
    if (function) {
        printf("%s: %d\n", name, ((int (*)(int))function)(1));
        return;
    }
    printf("%s: %s", name, kiln_status_name(kiln_error_code(error)));
    static const char *const candidates[] = {"ns::f(int)", "ns::f(double)", "ns::f(char const*)"};
    for (size_t i = 0; i < 3; i++) {
        if (strstr(kiln_error_message(error), candidates[i]))
            printf(", lists %s", candidates[i]);
    }
    putchar('\n');
    kiln_error_destroy(error);
}

static void list(kiln_library *library)
{
    static const char *const kinds[] = {"function", "data", "thread local", "other"};
    const char *previous = "";
    for (size_t i = 0; i < kiln_library_symbol_count(library); i++) {
        kiln_symbol symbol = {.size = sizeof symbol};
        CHECK_STATUS(kiln_library_symbol(library, i, &symbol), KILN_OK, NULL);
        CHECK(strcmp(previous, symbol.name) < 0);
        previous = symbol.name;
        CHECK(symbol.address);
        if (symbol.kind != KILN_SYMBOL_FUNCTION)
            printf("  %s %s, %llu bytes%s\n", kinds[symbol.kind], symbol.demangled,
                   (unsigned long long)symbol.size_bytes, symbol.weak ? ", weak" : "");
        else
            printf("  %s %s%s%s\n", kinds[symbol.kind], symbol.demangled,
                   symbol.size_bytes > 0 ? "" : ", no size", symbol.weak ? ", weak" : "");
    }
}

int main(void)
{
    conformance_register(conformance_spec("names", "names/names.cpp", "names/c_names.c", NULL));
    kiln_library *library = conformance_load("names");
    static const char *const names[] = {"c_function",
                                        "ns::g",
                                        "ns::g(int)",
                                        "ns::f",
                                        "ns::f(int)",
                                        "ns::f(double)",
                                        "ns::Class::method",
                                        "ns::Class::method(int)",
                                        "ns::twice<int>(int)",
                                        "_ZN2ns1gEi",
                                        "ns::nothing",
                                        "printf",
                                        "ns::"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        look_up(library, names[i]);
    printf("%d %d %d\n", *(int *)conformance_data(library, "ns::variable"),
           *(int *)conformance_data(library, "c_data"), *(int *)conformance_data(library, "c_tls"));
    list(library);
    conformance_close(library);
    return 0;
}
