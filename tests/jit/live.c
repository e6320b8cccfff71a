/* live.c - see live.h. */
#include "live.h"

#include <stdlib.h>
#include <string.h>

void live_begin(live *l)
{
    kiln_error *error;
    *l = (live){.session = session_create(scratch("cache"), NULL)};
    CHECK_STATUS(kiln_jit_create(l->session, NULL, &l->jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l->jit, "main", NULL, &l->dylib, &error), KILN_OK, &error);
}

void live_end(live *l)
{
    kiln_jit_destroy(l->jit);
    kiln_session_destroy(l->session);
}

made live_compile(live *l, kiln_output_kind kind, const char *path, const char *text,
                  const char *const *arguments)
{
    static const char *const usual[] = {"-O1", "-fPIC", "-w", NULL};
    const kiln_compile_options options = {.size = sizeof options, .kind = kind};
    kiln_output output = {.size = sizeof output};
    kiln_outputs *outputs;
    kiln_error *error;
    kiln_spec *spec = kiln_spec_create("input");
    kiln_spec_add_memory_source(spec, path, text, strlen(text), NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, usual);
    if (strcmp(strrchr(path, '.'), ".cpp") == 0)
        kiln_spec_set_standard(spec, "c++20");
    if (arguments)
        kiln_spec_add_arguments(spec, KILN_PRIVATE, arguments);
    CHECK_STATUS(kiln_compile(l->session, spec, &options, &outputs, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_outputs_get(outputs, 0, &output), KILN_OK, NULL);
    kiln_spec_destroy(spec);
    return (made){output.bytes, output.size_bytes};
}

kiln_jit_code *live_add_to(live *l, kiln_jit_dylib *dylib, kiln_output_kind kind, const char *path,
                           const char *text)
{
    kiln_jit_code *code;
    kiln_error *error;
    made input = live_compile(l, kind, path, text, NULL);
    CHECK_STATUS(kiln_jit_add_bytes(dylib, path, input.bytes, input.size, &code, &error), KILN_OK,
                 &error);
    return code;
}

kiln_jit_code *live_add(live *l, kiln_output_kind kind, const char *path, const char *text)
{
    return live_add_to(l, l->dylib, kind, path, text);
}

void live_lend(live *l, const char *name, const void *address)
{
    const kiln_jit_symbol symbol = {name, address};
    kiln_error *error;
    CHECK_STATUS(kiln_jit_add_symbols(l->dylib, name, &symbol, 1, NULL, &error), KILN_OK, &error);
}

int live_int_of(kiln_jit_dylib *dylib, const char *function)
{
    kiln_error *error;
    int (*f)(void) = (int (*)(void))kiln_jit_function(dylib, function, &error);
    if (!f)
        support_fail(__FILE__, __LINE__, "%s: %s", function, kiln_error_rendered(error));
    return f();
}

int live_int(const live *l, const char *function)
{
    return live_int_of(l->dylib, function);
}

void *live_data(const live *l, const char *name)
{
    kiln_error *error;
    void *address = kiln_jit_data(l->dylib, name, &error);
    if (!address)
        support_fail(__FILE__, __LINE__, "%s: %s", name, kiln_error_rendered(error));
    return address;
}

char *live_fails(kiln_jit_dylib *dylib, const char *name, kiln_status expected)
{
    kiln_error *error = NULL;
    if (kiln_jit_data(dylib, name, &error))
        support_fail(__FILE__, __LINE__, "%s is found", name);
    CHECK_INT(kiln_error_code(error), expected);
    char *text = strdup(kiln_error_rendered(error));
    kiln_error_destroy(error);
    return text;
}
