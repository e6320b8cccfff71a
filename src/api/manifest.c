/* manifest.c - from a manifest's text to specs: see manifest.h.
 *
 * The text is checked first (manifest_check), which gives the messages; libcyaml then fills the
 * structs of manifest_schema.h, which can fail for want of memory only; the adders of kiln.h take
 * it from there. What they find wrong is reported with the field's line, which is looked up only
 * then. */
#include "api/manifest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/manifest_schema.h"
#include "base/path.h"
#include "base/text.h"
#include "build/spec.h"
#include "os/os.h"

static const char file_name[] = "kiln.yaml";

/* ---- from the structs to a spec ---- */

/* One library on its way to a spec. */
typedef struct reading {
    const char *text;
    size_t size;
    const char *origin;
    const cyaml_schema_value_t *schema;
    const char *directory; /* of the manifest; NULL: the current one */
    char *field;           /* the library's own: "libraries[1]", or "" for a single one */
    kiln_spec *spec;
    kiln_error **error;
} reading;

enum { no_index = -1 };

/* The error of a field of this library: "sources" or, with an index, "sources[1]". */
static kiln_status wrong_field(const reading *r, const char *name, long index, kiln_status code,
                               const char *message)
{
    char subscript[32] = "";
    if (index != no_index)
        snprintf(subscript, sizeof subscript, "[%ld]", index);
    char *field = text_print("%s%s%s%s", r->field, r->field[0] ? "." : "", name, subscript);
    size_t line = field ? manifest_line(r->text, r->size, r->schema, field) : 0;
    kiln_status status;
    if (line == 0)
        status = error_no_memory(r->error);
    else
        status = error_set(r->error, code, KILN_PHASE_SPEC, "%s:%zu: %s: %s", r->origin, line,
                           field, message);
    free(field);
    return status;
}

/* What the adders have found wrong, if anything, as an error of the field that was just added. */
static kiln_status check_field(const reading *r, const char *name, long index)
{
    kiln_error *failure = NULL;
    if (spec_check(r->spec, &failure) == KILN_OK)
        return KILN_OK;
    /* Not what the call returned: memory may have run out while the failure was copied. */
    kiln_status status = kiln_error_code(failure);
    status = status == KILN_NO_MEMORY
                 ? error_no_memory(r->error)
                 : wrong_field(r, name, index, status, kiln_error_message(failure));
    kiln_error_destroy(failure);
    return status;
}

static bool list_all(string_list *list, const manifest_strings *strings)
{
    for (unsigned i = 0; i < strings->count; i++)
        if (!string_list_add(list, strings->items[i]))
            return false;
    return true;
}

/* The three spellings of arguments as Clang's; directories become absolute, since public ones serve
 * libraries that have another directory. */
static bool list_arguments(const char *directory, const manifest_arguments *from, string_list *list)
{
    for (unsigned i = 0; i < from->include.count; i++) {
        char *path = path_join(directory, from->include.items[i]);
        bool done = path && string_list_take(list, text_print("-I%s", path));
        free(path);
        if (!done)
            return false;
    }
    for (unsigned i = 0; i < from->define.count; i++)
        if (!string_list_take(list, text_print("-D%s", from->define.items[i])))
            return false;
    return list_all(list, &from->arguments);
}

static kiln_status add_arguments(const reading *r, const char *directory,
                                 const manifest_arguments *from, kiln_scope scope)
{
    string_list list = {0};
    bool done = list_arguments(directory, from, &list);
    if (done && list.count > 0)
        kiln_spec_add_arguments(r->spec, scope, string_list_view(&list));
    string_list_destroy(&list);
    if (!done)
        return error_no_memory(r->error);
    return check_field(r, scope == KILN_PUBLIC ? "public" : "arguments", no_index);
}

/* Sources with the arguments that are theirs alone. */
static kiln_status add_group(const reading *r, const manifest_group *group, long index)
{
    string_list arguments = {0};
    if (!list_all(&arguments, &group->arguments)) {
        string_list_destroy(&arguments);
        return error_no_memory(r->error);
    }
    for (unsigned i = 0; i < group->sources.count; i++)
        kiln_spec_add_source(r->spec, group->sources.items[i], string_list_view(&arguments));
    string_list_destroy(&arguments);
    return check_field(r, "groups", index);
}

static kiln_status add_sources(const reading *r, const manifest_library *from)
{
    kiln_status status = KILN_OK;
    for (unsigned i = 0; i < from->sources.count && status == KILN_OK; i++) {
        kiln_spec_add_source(r->spec, from->sources.items[i], NULL);
        status = check_field(r, "sources", i);
    }
    for (unsigned i = 0; i < from->group_count && status == KILN_OK; i++)
        status = add_group(r, &from->groups[i], i);
    return status;
}

static kiln_status add_memory_source(const reading *r, const manifest_memory_file *from, long index)
{
    string_list arguments = {0};
    if (!list_all(&arguments, &from->arguments)) {
        string_list_destroy(&arguments);
        return error_no_memory(r->error);
    }
    kiln_spec_add_memory_source(r->spec, from->path, from->text, strlen(from->text),
                                string_list_view(&arguments));
    string_list_destroy(&arguments);
    return check_field(r, "memory_sources", index);
}

static kiln_status add_memory_files(const reading *r, const manifest_library *from)
{
    kiln_status status = KILN_OK;
    for (unsigned i = 0; i < from->memory_source_count && status == KILN_OK; i++)
        status = add_memory_source(r, &from->memory_sources[i], i);
    for (unsigned i = 0; i < from->memory_header_count && status == KILN_OK; i++) {
        const manifest_memory_file *header = &from->memory_headers[i];
        kiln_spec_add_memory_header(r->spec, header->path, header->text, strlen(header->text));
        status = check_field(r, "memory_headers", i);
    }
    return status;
}

static kiln_status add_names(const reading *r, const manifest_library *from)
{
    kiln_status status = KILN_OK;
    if (from->language) {
        kiln_spec_set_language(r->spec, from->language, from->force_language == MANIFEST_TRUE);
        status = check_field(r, "language", no_index);
    } else if (from->force_language == MANIFEST_TRUE) {
        status = wrong_field(r, "force_language", no_index, KILN_SPEC,
                             "there is no 'language' to force");
    }
    if (status == KILN_OK && from->standard) {
        kiln_spec_set_standard(r->spec, from->standard);
        status = check_field(r, "standard", no_index);
    }
    for (unsigned i = 0; i < from->dependencies.count && status == KILN_OK; i++) {
        kiln_spec_add_dependency(r->spec, from->dependencies.items[i]);
        status = check_field(r, "dependencies", i);
    }
    for (unsigned i = 0; i < from->packages.count && status == KILN_OK; i++) {
        kiln_spec_add_package(r->spec, from->packages.items[i]);
        status = check_field(r, "packages", i);
    }
    return status;
}

/* Where the library's relative paths start. *directory is the caller's. */
static kiln_status find_directory(const reading *r, const manifest_library *from, char **directory)
{
    char *current = r->directory ? strdup(r->directory) : get_current_dir_name();
    if (!current)
        return errno == ENOMEM ? error_no_memory(r->error)
                               : error_set_errno(r->error, KILN_IO, KILN_PHASE_SPEC, errno,
                                                 "cannot tell the current directory");
    *directory = from->directory ? path_join(current, from->directory) : strdup(current);
    free(current);
    return *directory ? KILN_OK : error_no_memory(r->error);
}

/* Make the spec of one library. index: of the library in the manifest, -1 for a single one. */
static kiln_status make_spec(reading *r, const manifest_library *from, long index, kiln_spec **spec)
{
    char *directory = NULL;
    kiln_status status = KILN_NO_MEMORY;
    r->field = index < 0 ? strdup("") : text_print("libraries[%ld]", index);
    r->spec = r->field ? kiln_spec_create(from->name) : NULL;
    if (!r->spec) {
        status = error_no_memory(r->error);
        goto cleanup;
    }
    if ((status = check_field(r, "name", no_index)) != KILN_OK ||
        (status = find_directory(r, from, &directory)) != KILN_OK)
        goto cleanup;
    kiln_spec_set_directory(r->spec, directory);
    if ((status = check_field(r, "directory", no_index)) != KILN_OK ||
        (status = add_names(r, from)) != KILN_OK ||
        (status = add_arguments(r, directory, &from->private_arguments, KILN_PRIVATE)) != KILN_OK ||
        (status = add_arguments(r, directory, &from->public_arguments, KILN_PUBLIC)) != KILN_OK ||
        (status = add_sources(r, from)) != KILN_OK ||
        (status = add_memory_files(r, from)) != KILN_OK)
        goto cleanup;
    *spec = r->spec;
    r->spec = NULL;
cleanup:
    kiln_spec_destroy(r->spec);
    free(directory);
    free(r->field);
    return status;
}

/* ---- from a text to the structs ---- */

static const cyaml_config_t loading = {
    .mem_fn = cyaml_mem,
    .flags = CYAML_CFG_NO_ALIAS,
};

/* Check a text and fill the structs of its schema; *data is freed with cyaml_free. */
static kiln_status load(const reading *r, void **data)
{
    kiln_status status = manifest_check(r->text, r->size, r->origin, r->schema, r->error);
    if (status != KILN_OK)
        return status;
    cyaml_err_t outcome =
        cyaml_load_data((const uint8_t *)r->text, r->size, &loading, r->schema, data, NULL);
    /* libyaml reports want of memory as a parser's error; any other is gone after the check. */
    if (outcome == CYAML_ERR_OOM || outcome == CYAML_ERR_LIBYAML_PARSER ||
        outcome == CYAML_ERR_LIBYAML_PARSER_INIT)
        return error_no_memory(r->error);
    if (outcome != CYAML_OK)
        return error_set(r->error, KILN_INTERNAL, KILN_PHASE_SPEC, "%s: %s", r->origin,
                         cyaml_strerror(outcome));
    assert(*data);
    return KILN_OK;
}

/* The registry would refuse the second of two, but could not say where it stands. */
static kiln_status check_names(reading *r, const manifest_file *file)
{
    for (unsigned i = 0; i < file->library_count; i++)
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(file->libraries[i].name, file->libraries[k].name) != 0)
                continue;
            char field[64], message[128];
            snprintf(field, sizeof field, "libraries[%u]", i);
            snprintf(message, sizeof message, "libraries[%u] has the same name, '%.60s'", k,
                     file->libraries[i].name);
            r->field = field;
            return wrong_field(r, "name", no_index, KILN_SPEC, message);
        }
    return KILN_OK;
}

kiln_status manifest_parse(const char *text, size_t size, const char *origin, const char *directory,
                           kiln_spec ***specs, size_t *count, kiln_error **error)
{
    reading r = {.text = text,
                 .size = size,
                 .origin = origin,
                 .schema = &manifest_schema_file,
                 .directory = directory,
                 .error = error};
    void *data = NULL;
    kiln_spec **made = NULL;
    size_t done = 0;
    kiln_status status = load(&r, &data);
    if (status != KILN_OK)
        return status;
    const manifest_file *file = data;
    if ((status = check_names(&r, file)) != KILN_OK)
        goto cleanup;
    made = calloc(file->library_count + 1, sizeof *made);
    if (!made)
        status = error_no_memory(error);
    for (; status == KILN_OK && done < file->library_count; done += status == KILN_OK)
        status = make_spec(&r, &file->libraries[done], (long)done, &made[done]);
    if (status != KILN_OK)
        goto cleanup;
    *specs = made;
    *count = done;
    made = NULL;
cleanup:
    manifest_specs_destroy(made, done);
    cyaml_free(&loading, r.schema, data, 0);
    return status;
}

kiln_status manifest_parse_spec(const char *text, size_t size, const char *origin, kiln_spec **spec,
                                kiln_error **error)
{
    reading r = {.text = text,
                 .size = size,
                 .origin = origin,
                 .schema = &manifest_schema_library,
                 .error = error};
    void *data = NULL;
    kiln_status status = load(&r, &data);
    if (status != KILN_OK)
        return status;
    status = make_spec(&r, data, -1, spec);
    cyaml_free(&loading, r.schema, data, 0);
    return status;
}

void manifest_specs_destroy(kiln_spec **specs, size_t count)
{
    for (size_t i = 0; specs && i < count; i++)
        kiln_spec_destroy(specs[i]);
    free(specs);
}

/* ---- files ---- */

/* Make a path absolute and give its directory too. Both are the caller's. */
static kiln_status locate(const char *path, char **file, char **directory, kiln_error **error)
{
    char *current = get_current_dir_name();
    if (!current)
        return errno == ENOMEM ? error_no_memory(error)
                               : error_set_errno(error, KILN_IO, KILN_PHASE_SPEC, errno,
                                                 "cannot tell the current directory");
    char *absolute = path_join(current, path);
    char *parent = absolute ? path_parent(absolute) : NULL;
    free(current);
    if (!parent) {
        free(absolute);
        return error_no_memory(error);
    }
    *file = absolute;
    *directory = parent;
    return KILN_OK;
}

/* A file that the system does not give us. */
static kiln_status refuse_file(const char *path, int errno_value, kiln_error **error)
{
    kiln_status code = errno_value == ENOENT || errno_value == ENOTDIR ? KILN_NOT_FOUND : KILN_IO;
    if (errno_value == ENOMEM)
        return error_no_memory(error);
    return error_set_errno(error, code, KILN_PHASE_SPEC, errno_value, "cannot read '%s'", path);
}

/* Read a manifest through one descriptor, so that what was judged is what is read. */
static kiln_status read_private(const char *path, uint8_t **bytes, size_t *size, kiln_error **error)
{
    os_kind kind;
    os_identity identity;
    /* Before it is opened: opening a pipe would wait for a writer. */
    if (os_identify(AT_FDCWD, path, &kind, &identity) != 0)
        return refuse_file(path, errno, error);
    if (kind == OS_ABSENT)
        return refuse_file(path, ENOENT, error);
    if (kind != OS_FILE)
        return error_set(error, KILN_SPEC, KILN_PHASE_SPEC, "'%s' is not a regular file", path);
    int fd = os_open_read(AT_FDCWD, path);
    if (fd < 0)
        return refuse_file(path, errno, error);
    kiln_status status = KILN_OK;
    if (!os_is_private_fd(fd))
        status = errno ? refuse_file(path, errno, error)
                       : error_set(error, KILN_SPEC, KILN_PHASE_SPEC,
                                   "'%s' could have been written by another user; make it yours "
                                   "and take the others' write permission away (chmod go-w)",
                                   path);
    else if (os_identify_fd(fd, &kind, &identity) != 0)
        status = refuse_file(path, errno, error);
    else if (kind != OS_FILE || identity.size > manifest_max_bytes)
        status = error_set(error, KILN_SPEC, KILN_PHASE_SPEC, "'%s' is larger than %d MiB", path,
                           manifest_max_bytes >> 20);
    else if (os_read_fd(fd, bytes, size) != 0)
        status = refuse_file(path, errno, error);
    close(fd);
    return status;
}

kiln_status manifest_read(const char *path, kiln_spec ***specs, size_t *count, kiln_error **error)
{
    char *file = NULL, *directory = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    kiln_status status = locate(path, &file, &directory, error);
    if (status == KILN_OK)
        status = read_private(file, &bytes, &size, error);
    if (status == KILN_OK)
        status = manifest_parse((const char *)bytes, size, path, directory, specs, count, error);
    free(bytes);
    free(directory);
    free(file);
    return status;
}

/* Whether the file may be read is for manifest_read to say: the nearest one is the one that is
 * meant, and if it is refused the search must not go on to another. */
kiln_status manifest_find(char **path, kiln_error **error)
{
    char *candidate = NULL, *directory = NULL;
    kiln_status status = locate(file_name, &candidate, &directory, error);
    while (status == KILN_OK) {
        os_kind kind;
        os_identity identity;
        int outcome = os_identify(AT_FDCWD, candidate, &kind, &identity);
        if (outcome != 0)
            status = refuse_file(candidate, errno, error);
        else if (kind == OS_FILE)
            break;
        else if (strcmp(directory, "/") == 0)
            status = error_set(error, KILN_NOT_FOUND, KILN_PHASE_SPEC,
                               "there is no %s in the current directory or above it", file_name);
        free(candidate);
        char *parent = path_parent(directory);
        free(directory);
        directory = parent;
        candidate = parent ? path_join(parent, file_name) : NULL;
        if (status == KILN_OK && !candidate)
            status = error_no_memory(error);
    }
    free(directory);
    if (status == KILN_OK)
        *path = candidate;
    else
        free(candidate);
    return status;
}
