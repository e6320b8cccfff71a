/* spec.c - the data behind kiln_spec: making, copying and freeing it. See spec.h. */
#include "build/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/path.h"
#include "build/arguments.h"

input_kind input_kind_of(const char *path)
{
    static const struct {
        const char *extension;
        input_kind kind;
    } kinds[] = {
        {".c", INPUT_C},
        {".cc", INPUT_CXX},
        {".cpp", INPUT_CXX},
        {".cxx", INPUT_CXX},
        {".c++", INPUT_CXX},
        {".C", INPUT_CXX},
        {".cp", INPUT_CXX},
        {".s", INPUT_ASSEMBLY},
        {".S", INPUT_ASSEMBLY_CPP},
        {".sx", INPUT_ASSEMBLY_CPP},
        {".ll", INPUT_IR},
        {".bc", INPUT_BITCODE},
        {".o", INPUT_OBJECT},
        {".obj", INPUT_OBJECT},
        {".a", INPUT_ARCHIVE},
        {".so", INPUT_SHARED_LIBRARY},
    };
    const char *extension = path_extension(path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(extension, kinds[i].extension) == 0)
            return kinds[i].kind;
    if (strstr(path_name(path), ".so."))
        return INPUT_SHARED_LIBRARY;
    return INPUT_UNKNOWN;
}

bool input_kind_is_linked(input_kind kind)
{
    return kind == INPUT_OBJECT || kind == INPUT_ARCHIVE || kind == INPUT_SHARED_LIBRARY;
}

static bool copy_string(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static uint8_t *copy_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}

static bool copy_sources(kiln_spec *to, const kiln_spec *from)
{
    for (size_t i = 0; i < from->source_count; i++) {
        const spec_source *source = &from->sources[i];
        spec_source *copy =
            array_add((void **)&to->sources, &to->source_count, &to->source_capacity, sizeof *copy);
        if (!copy || !copy_string(&copy->path, source->path) ||
            !string_list_add_all(&copy->arguments, string_list_view(&source->arguments)))
            return false;
        copy->size = source->size;
        if (source->bytes && !(copy->bytes = copy_bytes(source->bytes, source->size)))
            return false;
    }
    return true;
}

static bool copy_headers(kiln_spec *to, const kiln_spec *from)
{
    for (size_t i = 0; i < from->header_count; i++) {
        const spec_header *header = &from->headers[i];
        spec_header *copy =
            array_add((void **)&to->headers, &to->header_count, &to->header_capacity, sizeof *copy);
        if (!copy || !copy_string(&copy->path, header->path) ||
            !(copy->bytes = copy_bytes(header->bytes, header->size)))
            return false;
        copy->size = header->size;
    }
    return true;
}

static bool copy_lists(kiln_spec *to, const kiln_spec *from)
{
    for (size_t i = 0; i < from->argument_count; i++) {
        spec_argument *copy = array_add((void **)&to->arguments, &to->argument_count,
                                        &to->argument_capacity, sizeof *copy);
        if (!copy || !copy_string(&copy->text, from->arguments[i].text))
            return false;
        copy->scope = from->arguments[i].scope;
    }
    for (size_t i = 0; i < from->host_symbol_count; i++) {
        spec_host_symbol *copy = array_add((void **)&to->host_symbols, &to->host_symbol_count,
                                           &to->host_symbol_capacity, sizeof *copy);
        if (!copy || !copy_string(&copy->name, from->host_symbols[i].name))
            return false;
        copy->address = from->host_symbols[i].address;
    }
    return string_list_add_all(&to->dependencies, string_list_view(&from->dependencies)) &&
           string_list_add_all(&to->packages, string_list_view(&from->packages));
}

kiln_spec *spec_copy(const kiln_spec *spec)
{
    kiln_spec *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->force_language = spec->force_language;
    if (copy_string(&copy->name, spec->name) && copy_string(&copy->directory, spec->directory) &&
        copy_string(&copy->language, spec->language) &&
        copy_string(&copy->standard, spec->standard) && copy_sources(copy, spec) &&
        copy_headers(copy, spec) && copy_lists(copy, spec)) {
        copy->failure = error_copy(spec->failure);
        return copy;
    }
    kiln_spec_destroy(copy);
    return NULL;
}

void kiln_spec_destroy(kiln_spec *spec)
{
    if (!spec)
        return;
    for (size_t i = 0; i < spec->source_count; i++) {
        free(spec->sources[i].path);
        free(spec->sources[i].bytes);
        string_list_destroy(&spec->sources[i].arguments);
    }
    for (size_t i = 0; i < spec->header_count; i++) {
        free(spec->headers[i].path);
        free(spec->headers[i].bytes);
    }
    for (size_t i = 0; i < spec->argument_count; i++)
        free(spec->arguments[i].text);
    for (size_t i = 0; i < spec->host_symbol_count; i++)
        free(spec->host_symbols[i].name);
    free(spec->sources);
    free(spec->headers);
    free(spec->arguments);
    free(spec->host_symbols);
    string_list_destroy(&spec->dependencies);
    string_list_destroy(&spec->packages);
    kiln_error_destroy(spec->failure);
    free(spec->name);
    free(spec->directory);
    free(spec->language);
    free(spec->standard);
    free(spec);
}

const char *spec_source_language(const spec_source *source)
{
    const char *language = NULL;
    for (size_t i = 0; i < source->arguments.count; i++) {
        const char *argument = source->arguments.items[i];
        if (strcmp(argument, "-x") == 0 && i + 1 < source->arguments.count)
            language = source->arguments.items[++i];
        else if (strncmp(argument, "-x", 2) == 0 && argument[2])
            language = argument + 2;
    }
    return language;
}

bool spec_source_arguments(const spec_source *source, string_list *list)
{
    for (size_t i = 0; i < source->arguments.count; i++) {
        const char *argument = source->arguments.items[i];
        if (strncmp(argument, "-x", 2) == 0) {
            i += argument[2] == '\0';
            continue;
        }
        if (!string_list_add(list, argument))
            return false;
    }
    return true;
}

kiln_status spec_check(const kiln_spec *spec, kiln_error **error)
{
    if (!spec->failure)
        return KILN_OK;
    kiln_status status = kiln_error_code(spec->failure);
    if (error)
        *error = error_copy(spec->failure);
    return status;
}

bool spec_public_arguments(const kiln_spec *spec, string_list *list)
{
    const char *previous = NULL;
    for (size_t i = 0; i < spec->argument_count; i++) {
        const char *argument = spec->arguments[i].text;
        if (spec->arguments[i].scope == KILN_PUBLIC &&
            !arguments_add_absolute(list, previous, argument, spec->directory))
            return false;
        previous = argument;
    }
    return true;
}

void spec_optimisation(const kiln_spec *spec, char level[4])
{
    strcpy(level, "-O2");
    for (size_t i = 0; i < spec->argument_count; i++) {
        const char *text = spec->arguments[i].text;
        if (strncmp(text, "-O", 2) != 0)
            continue;
        char digit = text[2];
        level[2] = digit >= '0' && digit <= '3'    ? digit
                   : digit == '\0' || digit == 'g' ? '1'
                   : digit == 'f'                  ? '3'
                                                   : '2';
    }
}
