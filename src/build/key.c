/* key.c - what names a build: see key.h. */
#include "build/key.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "build/arguments.h"
#include "build/record_format.h"
#include "os/os.h"

__attribute__((format(printf, 3, 4))) static ingredient *add(ingredients *list, const digest *value,
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
        return NULL;
    }
    item->label = string;
    item->value = *value;
    return item;
}

/* What is small enough is its own digest. */
static digest small_value(uint64_t first, uint64_t second)
{
    digest value = {{0}};
    memcpy(value.bytes, &first, sizeof first);
    memcpy(value.bytes + sizeof first, &second, sizeof second);
    return value;
}

static void make_room_for_words(ingredients *list, ingredient *item, size_t count)
{
    if (item)
        item->words = malloc((count + 1) * sizeof *item->words);
    list->failed |= !item || !item->words;
}

static void add_word(ingredient *item, const char *word)
{
    if (item && item->words)
        item->words[item->word_count++] = word;
}

/* With their number first, so that lists behind one another cannot be confused. */
static void add_strings(digest_state *state, const string_list *list)
{
    digest_number(state, list ? list->count : 0);
    for (size_t i = 0; list && i < list->count; i++)
        digest_string(state, list->items[i]);
}

/* A list of strings, where it has any. */
static void add_list(ingredients *list, const string_list *strings, const char *format,
                     const char *name)
{
    digest_state state;
    if (!strings || strings->count == 0)
        return;
    digest_begin(&state);
    add_strings(&state, strings);
    digest value = digest_end(&state);
    ingredient *item = add(list, &value, format, name);
    make_room_for_words(list, item, strings->count);
    for (size_t i = 0; i < strings->count; i++)
        add_word(item, strings->items[i]);
}

/* A list that is at most one word. */
static void add_choice(ingredients *list, const char *label, const char *word)
{
    digest value = digest_of(word ? word : "", word ? strlen(word) : 0);
    ingredient *item = add(list, &value, "%s", label);
    make_room_for_words(list, item, 1);
    if (word)
        add_word(item, word);
}

static void add_surroundings(const kiln_spec *spec, const key_context *context, ingredients *list)
{
    digest value;
    digest_state state;
    digest_begin(&state);
    digest_string(&state, KILN_VERSION_STRING);
    digest_number(&state, record_schema);
    value = digest_end(&state);
    add(list, &value, "version of Kiln");
    value = small_value(context->output, context->merge);
    add(list, &value, "kind of output");
    value = small_value(context->codegen_units, 0);
    add(list, &value, "%s", ""); /* follows from the number of sources, which are told of */
    if (context->hot) {
        value = small_value(context->hot, 0);
        add(list, &value, "hot mode");
    }
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

static void add_languages(const kiln_spec *spec, ingredients *list)
{
    if (spec->language || spec->force_language)
        add_choice(list, spec->force_language ? "forced language" : "language", spec->language);
    if (spec->standard)
        add_choice(list, "standard", spec->standard);
}

/* What packages and comments bring is known of a unit alone, whose ingredients nobody is told of.
 */
static void add_arguments(const kiln_spec *spec, const string_list *extra,
                          const key_context *context, ingredients *list)
{
    digest_state state;
    add_list(list, context->inherited, "%sargument", "inherited ");
    digest_begin(&state);
    digest_number(&state, spec->argument_count);
    for (size_t i = 0; i < spec->argument_count; i++)
        digest_string(&state, spec->arguments[i].text);
    add_strings(&state, context->package_arguments);
    add_strings(&state, extra);
    digest value = digest_end(&state);
    ingredient *item = add(list, &value, "argument");
    make_room_for_words(list, item, spec->argument_count);
    for (size_t i = 0; i < spec->argument_count; i++)
        add_word(item, spec->arguments[i].text);
    add_languages(spec, list);
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

/* The bytes of a file are an input, not an ingredient: of it only name and kind count here. */
static void add_unit(const unit *unit, ingredients *list)
{
    static const char *const kinds[] = {[INPUT_UNKNOWN] = "file",
                                        [INPUT_C] = "C source",
                                        [INPUT_CXX] = "C++ source",
                                        [INPUT_ASSEMBLY] = "assembly source",
                                        [INPUT_ASSEMBLY_CPP] = "preprocessed assembly source",
                                        [INPUT_IR] = "LLVM IR",
                                        [INPUT_BITCODE] = "bitcode",
                                        [INPUT_OBJECT] = "object",
                                        [INPUT_ARCHIVE] = "archive",
                                        [INPUT_SHARED_LIBRARY] = "shared library"};
    digest value = small_value(unit->kind, 0);
    if (unit->source->bytes) {
        digest_state state;
        digest_begin(&state);
        digest_number(&state, unit->kind);
        digest_field(&state, unit->source->bytes, unit->source->size);
        value = digest_end(&state);
    }
    add(list, &value, "%s %s", unit->source->bytes ? "memory source" : kinds[unit->kind],
        unit->path);
    add_list(list, &unit->source->arguments, "%s's argument", unit->path);
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
    if (context->lending_number) {
        value = digest_of(&context->lending_number, sizeof context->lending_number);
        add(list, &value, "set of host symbols");
    }
    add_list(list, &spec->packages, "%s", "package");
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
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].label);
        free(list->items[i].words);
    }
    free(list->items);
    *list = (ingredients){0};
}
