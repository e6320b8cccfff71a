/* spec_calls.c - the adders of kiln.h that fill a spec: see build/spec.h for the data.
 *
 * Every adder copies what it is given. The first failure stays with the spec, so that a host may
 * check once, at the load. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/manifest.h"
#include "base/array.h"
#include "base/path.h"
#include "build/arguments.h"
#include "build/spec.h"

/* Keep the first failure. Takes the error over. */
static kiln_status keep_failure(kiln_spec *spec, kiln_error *failure)
{
    kiln_status status = kiln_error_code(failure);
    if (spec->failure)
        kiln_error_destroy(failure);
    else
        spec->failure = failure;
    return status;
}

#define FAIL(spec, code, ...)                                                                      \
    do {                                                                                           \
        kiln_error *failure_ = NULL;                                                               \
        error_set(&failure_, code, KILN_PHASE_SPEC, __VA_ARGS__);                                  \
        return keep_failure(spec, failure_);                                                       \
    } while (0)

static kiln_status no_memory(kiln_spec *spec)
{
    kiln_error *failure = NULL;
    error_no_memory(&failure);
    return keep_failure(spec, failure);
}

static bool is_name(const char *name)
{
    if (!*name || *name == '.' || *name == '-')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("._+-", *name))
            return false;
    return true;
}

kiln_spec *kiln_spec_create(const char *name)
{
    kiln_spec *spec = calloc(1, sizeof *spec);
    if (!spec)
        return NULL;
    spec->name = strdup(name ? name : "");
    spec->directory = getcwd(NULL, 0);
    if (!spec->directory && errno != ENOMEM)
        spec->directory = strdup("/"); /* the working directory has been removed */
    if (!spec->name || !spec->directory) {
        kiln_spec_destroy(spec);
        return NULL;
    }
    kiln_error *failure = NULL;
    if (!is_name(spec->name)) {
        error_set(&failure, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                  "'%s' is no name for a library: letters, digits and . _ + - only, the first a "
                  "letter, digit or _",
                  spec->name);
        keep_failure(spec, failure);
    }
    return spec;
}

const char *kiln_spec_name(const kiln_spec *spec)
{
    return spec->name;
}

kiln_status kiln_spec_set_directory(kiln_spec *spec, const char *directory)
{
    if (!directory || !*directory)
        FAIL(spec, KILN_INVALID_ARGUMENT, "the directory of library '%s' is empty", spec->name);
    char *absolute = path_join(spec->directory, directory);
    if (!absolute)
        return no_memory(spec);
    free(spec->directory);
    spec->directory = absolute;
    return KILN_OK;
}

/* What to call a refused argument: by itself, or with what it carries (`-Xclang -load`). NULL when
 * out of memory. */
static char *name_refused(const char *const *arguments, size_t taken)
{
    bool carries = strncmp(arguments[0], "-X", 2) == 0 || strcmp(arguments[0], "-mllvm") == 0;
    text name = {0};
    for (size_t i = 0; i < (carries ? taken : 1); i++)
        text_format(&name, "%s%s", i ? " " : "", arguments[i]);
    return text_take(&name);
}

static kiln_status check_arguments(kiln_spec *spec, const char *const *arguments)
{
    const char *reason;
    size_t taken;
    long refused = arguments_find_refused(arguments, &reason, &taken);
    if (refused < 0)
        return KILN_OK;
    char *name = name_refused(arguments + refused, taken);
    if (!name)
        return no_memory(spec);
    kiln_error *failure = NULL;
    error_set(&failure, KILN_SPEC, KILN_PHASE_SPEC, "the argument '%s' is refused: %s", name,
              reason);
    free(name);
    return keep_failure(spec, failure);
}

/* With a NUL behind the last byte. */
static uint8_t *copy_bytes(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}

static kiln_status add_source(kiln_spec *spec, const char *path, const void *bytes, size_t size,
                              const char *const *arguments)
{
    kiln_status status = check_arguments(spec, arguments);
    if (status != KILN_OK)
        return status;
    spec_source made = {.path = strdup(path), .size = size};
    bool done = made.path && (!bytes || (made.bytes = copy_bytes(bytes, size))) &&
                string_list_add_all(&made.arguments, arguments);
    spec_source *place = done ? array_add((void **)&spec->sources, &spec->source_count,
                                          &spec->source_capacity, sizeof *place)
                              : NULL;
    if (!place) {
        free(made.path);
        free(made.bytes);
        string_list_destroy(&made.arguments);
        return no_memory(spec);
    }
    *place = made;
    return KILN_OK;
}

kiln_status kiln_spec_add_source(kiln_spec *spec, const char *path, const char *const *arguments)
{
    if (!path || !*path)
        FAIL(spec, KILN_INVALID_ARGUMENT, "a source of library '%s' has no path", spec->name);
    return add_source(spec, path, NULL, 0, arguments);
}

/* Paths of memory files are compared by their bytes, and so may be written in one way only: no
 * empty parts, no "." and no "..". */
static bool is_memory_path(const char *path)
{
    if (!path || !path_is_below(path))
        return false;
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && *part == '.'))
            return false;
        part += length;
        if (!*part)
            return true;
    }
}

/* What the virtual directory, which sources and headers share, holds under that path; or NULL. */
static const char *find_memory_file(const kiln_spec *spec, const char *path)
{
    for (size_t i = 0; i < spec->source_count; i++)
        if (spec->sources[i].bytes && strcmp(spec->sources[i].path, path) == 0)
            return "source";
    for (size_t i = 0; i < spec->header_count; i++)
        if (strcmp(spec->headers[i].path, path) == 0)
            return "header";
    return NULL;
}

static kiln_status check_memory_path(kiln_spec *spec, const char *path, const char *kind)
{
    if (!is_memory_path(path))
        FAIL(spec, KILN_INVALID_ARGUMENT,
             "'%s' is no path for a memory file of library '%s': it must be relative, stay below "
             "its directory, and have no empty parts and no \".\"",
             path ? path : "", spec->name);
    const char *other = find_memory_file(spec, path);
    if (other && strcmp(other, kind) == 0)
        FAIL(spec, KILN_ALREADY_EXISTS, "library '%s' has two memory %ss named '%s'", spec->name,
             kind, path);
    if (other)
        FAIL(spec, KILN_ALREADY_EXISTS,
             "library '%s' has a memory source and a memory header named '%s'", spec->name, path);
    return KILN_OK;
}

kiln_status kiln_spec_add_memory_source(kiln_spec *spec, const char *path, const void *bytes,
                                        size_t size, const char *const *arguments)
{
    kiln_status status = check_memory_path(spec, path, "source");
    if (status != KILN_OK)
        return status;
    if (input_kind_of(path) == INPUT_SHARED_LIBRARY)
        FAIL(spec, KILN_SPEC,
             "the memory source '%s' of library '%s' is a shared library, which must be a file: "
             "the system's loader opens it by its path",
             path, spec->name);
    return add_source(spec, path, bytes ? bytes : "", bytes ? size : 0, arguments);
}

kiln_status kiln_spec_add_memory_header(kiln_spec *spec, const char *path, const void *bytes,
                                        size_t size)
{
    kiln_status status = check_memory_path(spec, path, "header");
    if (status != KILN_OK)
        return status;
    spec_header made = {.path = strdup(path), .size = bytes ? size : 0};
    made.bytes = copy_bytes(bytes, made.size);
    spec_header *place = made.path && made.bytes
                             ? array_add((void **)&spec->headers, &spec->header_count,
                                         &spec->header_capacity, sizeof *place)
                             : NULL;
    if (!place) {
        free(made.path);
        free(made.bytes);
        return no_memory(spec);
    }
    *place = made;
    return KILN_OK;
}

kiln_status kiln_spec_add_arguments(kiln_spec *spec, kiln_scope scope, const char *const *arguments)
{
    if (scope != KILN_PRIVATE && scope != KILN_PUBLIC)
        FAIL(spec, KILN_INVALID_ARGUMENT, "no such scope: %d", (int)scope);
    kiln_status status = check_arguments(spec, arguments);
    for (; status == KILN_OK && arguments && *arguments; arguments++) {
        char *text = strdup(*arguments);
        spec_argument *place = text ? array_add((void **)&spec->arguments, &spec->argument_count,
                                                &spec->argument_capacity, sizeof *place)
                                    : NULL;
        if (!place) {
            free(text);
            return no_memory(spec);
        }
        *place = (spec_argument){.text = text, .scope = scope};
    }
    return status;
}

static kiln_status set_string(kiln_spec *spec, char **place, const char *string, const char *what)
{
    if (!string || !*string)
        FAIL(spec, KILN_INVALID_ARGUMENT, "the %s of library '%s' is empty", what, spec->name);
    char *copy = strdup(string);
    if (!copy)
        return no_memory(spec);
    free(*place);
    *place = copy;
    return KILN_OK;
}

kiln_status kiln_spec_set_language(kiln_spec *spec, const char *language, bool force)
{
    spec->force_language = force;
    return set_string(spec, &spec->language, language, "language");
}

kiln_status kiln_spec_set_standard(kiln_spec *spec, const char *standard)
{
    return set_string(spec, &spec->standard, standard, "standard");
}

static kiln_status add_unique(kiln_spec *spec, string_list *list, const char *string,
                              const char *what)
{
    if (!string || !*string)
        FAIL(spec, KILN_INVALID_ARGUMENT, "a %s of library '%s' has no name", what, spec->name);
    if (string_list_contains(list, string))
        return KILN_OK;
    return string_list_add(list, string) ? KILN_OK : no_memory(spec);
}

kiln_status kiln_spec_add_dependency(kiln_spec *spec, const char *name)
{
    return add_unique(spec, &spec->dependencies, name, "dependency");
}

kiln_status kiln_spec_add_package(kiln_spec *spec, const char *package)
{
    return add_unique(spec, &spec->packages, package, "package");
}

kiln_status kiln_spec_add_host_symbol(kiln_spec *spec, const char *name, const void *address)
{
    if (!name || !*name || (unsigned char)*name >= 0x80)
        FAIL(spec, KILN_INVALID_ARGUMENT, "'%s' is no name for a host symbol of library '%s'",
             name ? name : "", spec->name);
    for (size_t i = 0; i < spec->host_symbol_count; i++)
        if (strcmp(spec->host_symbols[i].name, name) == 0)
            FAIL(spec, KILN_ALREADY_EXISTS, "library '%s' has two host symbols named '%s'",
                 spec->name, name);
    char *copy = strdup(name);
    spec_host_symbol *place =
        copy ? array_add((void **)&spec->host_symbols, &spec->host_symbol_count,
                         &spec->host_symbol_capacity, sizeof *place)
             : NULL;
    if (!place) {
        free(copy);
        return no_memory(spec);
    }
    *place = (spec_host_symbol){.name = copy, .address = address};
    return KILN_OK;
}

/* What is wrong with a text is an error of the spec, whatever the adder that met it calls it. */
kiln_status kiln_spec_parse(const char *text, size_t size, const char *origin, kiln_spec **spec,
                            kiln_error **error)
{
    kiln_error *failure = NULL;
    if (error)
        *error = NULL;
    if (!text || !spec)
        return error_null(error, text ? "spec" : "text");
    kiln_status status =
        manifest_parse_spec(text, size, origin ? origin : "<text>", spec, &failure);
    bool as_promised = status == KILN_OK || status == KILN_SPEC || status == KILN_NO_MEMORY;
    if (!as_promised)
        status = error_set(error, KILN_SPEC, KILN_PHASE_SPEC, "%s", kiln_error_message(failure));
    else if (error)
        *error = failure;
    if (!as_promised || !error)
        kiln_error_destroy(failure);
    return status;
}
