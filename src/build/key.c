/* key.c - what names a build: see key.h. */
#include "build/key.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "build/arguments.h"
#include "build/record_format.h"
#include "os/os.h"

__attribute__((format(printf, 3, 4))) static void add(ingredients *list, const digest *value,
                                                      const char *format, ...)
{
    text label = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vformat(&label, format, arguments);
    va_end(arguments);
    char *string = text_take(&label);
    ingredient *item =
        string ? array_add((void **)&list->items, &list->count, &list->capacity, sizeof *item)
               : NULL;
    if (!item) {
        free(string);
        list->failed = true;
        return;
    }
    item->label = string;
    item->value = *value;
}

/* With their number first, so that lists behind one another cannot be confused. */
static void add_strings(digest_state *state, const string_list *list)
{
    digest_number(state, list ? list->count : 0);
    for (size_t i = 0; list && i < list->count; i++)
        digest_string(state, list->items[i]);
}

static digest digest_strings(const string_list *list)
{
    digest_state state;
    digest_begin(&state);
    add_strings(&state, list);
    return digest_end(&state);
}

static void add_surroundings(const kiln_spec *spec, const key_context *context, ingredients *list)
{
    digest value;
    digest_state state;
    digest_begin(&state);
    digest_string(&state, KILN_VERSION_STRING);
    digest_number(&state, record_schema);
    digest_number(&state, context->output);
    digest_number(&state, context->codegen_units);
    digest_number(&state, context->merge);
    value = digest_end(&state);
    add(list, &value, "version of Kiln or kind of output");
    add(list, context->compiler, "compiler");
    value = digest_of(spec->directory, strlen(spec->directory));
    add(list, &value, "directory");
    for (size_t i = 0; i < context->environment->count; i++) {
        const char *variable = context->environment->items[i];
        value = digest_of(variable, strlen(variable));
        add(list, &value, "environment variable %.*s", (int)strcspn(variable, "="), variable);
    }
}

static bool spec_is_native(const kiln_spec *spec)
{
    for (size_t i = 0; i < spec->argument_count; i++)
        if (argument_is_native(spec->arguments[i].text))
            return true;
    for (size_t i = 0; i < spec->source_count; i++)
        if (arguments_are_native(&spec->sources[i].arguments))
            return true;
    return false;
}

digest key_processor(void)
{
    uint8_t features[512];
    return digest_of(features, os_processor_features(features, sizeof features));
}

static void add_arguments(const kiln_spec *spec, const string_list *extra,
                          const key_context *context, ingredients *list)
{
    digest_state state;
    digest_begin(&state);
    add_strings(&state, context->inherited);
    digest_number(&state, spec->argument_count);
    for (size_t i = 0; i < spec->argument_count; i++)
        digest_string(&state, spec->arguments[i].text);
    digest_string(&state, spec->language ? spec->language : "");
    digest_string(&state, spec->standard ? spec->standard : "");
    digest_number(&state, spec->force_language);
    add_strings(&state, context->package_arguments);
    add_strings(&state, extra);
    digest value = digest_end(&state);
    add(list, &value, "arguments");
    if (spec_is_native(spec) || arguments_are_native(context->inherited) ||
        arguments_are_native(extra) || arguments_are_native(context->package_arguments)) {
        value = key_processor();
        add(list, &value, "processor");
    }
}

static void add_own_headers(const kiln_spec *spec, ingredients *list)
{
    for (size_t i = 0; i < spec->header_count; i++) {
        digest value = digest_of(spec->headers[i].bytes, spec->headers[i].size);
        add(list, &value, "memory header %s/%s", spec->name, spec->headers[i].path);
    }
}

static void add_headers(const kiln_spec *spec, const key_context *context, ingredients *list)
{
    add_own_headers(spec, list);
    for (size_t i = 0; i < context->provider_count; i++)
        add_own_headers(context->providers[i], list);
}

static void add_unit(const unit *unit, ingredients *list)
{
    digest_state state;
    digest_begin(&state);
    digest_number(&state, unit->kind);
    add_strings(&state, &unit->source->arguments);
    if (unit->source->bytes)
        digest_field(&state, unit->source->bytes, unit->source->size);
    digest value = digest_end(&state);
    add(list, &value, "%s %s", unit->source->bytes ? "memory source" : "source", unit->path);
}

void key_of_library(const kiln_spec *spec, const unit_list *units, const key_context *context,
                    ingredients *list)
{
    digest value;
    add_surroundings(spec, context, list);
    add_arguments(spec, NULL, context, list);
    for (size_t i = 0; i < units->count; i++)
        add_unit(&units->items[i], list);
    add_headers(spec, context, list);
    value = digest_of(spec->name, strlen(spec->name));
    add(list, &value, "name");
    if (spec->packages.count) {
        value = digest_strings(&spec->packages);
        add(list, &value, "packages");
    }
    for (size_t i = 0; i < context->dependency_ids->count; i++) {
        const char *id = context->dependency_ids->items[i];
        value = digest_of(id, strlen(id));
        add(list, &value, "dependency %.*s", (int)strcspn(id, " "), id);
    }
    for (size_t i = 0; i < spec->host_symbol_count; i++) {
        const char *name = spec->host_symbols[i].name;
        value = digest_of(name, strlen(name));
        add(list, &value, "host symbol %s", name);
    }
}

void key_of_unit(const kiln_spec *spec, const unit *unit, const string_list *extra_arguments,
                 const key_context *context, ingredients *list)
{
    add_surroundings(spec, context, list);
    add_arguments(spec, extra_arguments, context, list);
    add_unit(unit, list);
    add_headers(spec, context, list);
    /* The name is in the paths of memory files. */
    digest value = digest_of(spec->name, strlen(spec->name));
    if (spec->header_count || unit->source->bytes)
        add(list, &value, "name");
}

digest ingredients_digest(const ingredients *list)
{
    digest_state state;
    digest_begin(&state);
    for (size_t i = 0; i < list->count; i++) {
        digest_string(&state, list->items[i].label);
        digest_add(&state, list->items[i].value.bytes, digest_size);
    }
    return digest_end(&state);
}

void ingredients_destroy(ingredients *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].label);
    free(list->items);
    *list = (ingredients){0};
}

char *ingredients_print(const ingredients *list)
{
    text printed = {0};
    for (size_t i = 0; i < list->count; i++) {
        char hex[digest_hex_size];
        digest_hex(&list->items[i].value, hex);
        text_format(&printed, "%s %s\n", hex, list->items[i].label);
    }
    return text_take(&printed);
}

/* The line of `printed` that has this label, as its 64 digits; NULL where it has none. */
static const char *find_line(const char *printed, const char *label)
{
    size_t length = strlen(label), hex_length = digest_hex_size - 1;
    for (const char *line = printed; *line;) {
        size_t line_length = strcspn(line, "\n");
        if (line_length == hex_length + 1 + length &&
            memcmp(line + hex_length + 1, label, length) == 0)
            return line;
        line += line_length + (line[line_length] == '\n');
    }
    return NULL;
}

static bool has_label(const ingredients *list, const char *label, size_t length)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->items[i].label) == length &&
            memcmp(list->items[i].label, label, length) == 0)
            return true;
    return false;
}

char *ingredients_compare(const ingredients *list, const char *printed)
{
    text reasons = {0};
    size_t hex_length = digest_hex_size - 1;
    text_add(&reasons, "", 0);
    for (size_t i = 0; i < list->count; i++) {
        char hex[digest_hex_size];
        digest_hex(&list->items[i].value, hex);
        const char *line = find_line(printed, list->items[i].label);
        if (!line)
            text_format(&reasons, "%s is new\n", list->items[i].label);
        else if (strncmp(line, hex, hex_length) != 0)
            text_format(&reasons, "%s has changed\n", list->items[i].label);
    }
    for (const char *line = printed; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > hex_length + 1 &&
            !has_label(list, line + hex_length + 1, length - hex_length - 1))
            text_format(&reasons, "%.*s is gone\n", (int)(length - hex_length - 1),
                        line + hex_length + 1);
        line += length + (line[length] == '\n');
    }
    return text_take(&reasons);
}
