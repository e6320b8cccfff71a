/* sources.c - memory sources and headers for debuggers: see sources.h. */
#include "build/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A memory file of a library or of one of its dependencies. */
typedef struct memory_file {
    const char *library, *path;
    const uint8_t *bytes;
    size_t size;
} memory_file;

static void add_headers(const kiln_spec *spec, memory_file *files, size_t *count)
{
    for (size_t i = 0; i < spec->header_count; i++)
        files[(*count)++] = (memory_file){.library = spec->name,
                                          .path = spec->headers[i].path,
                                          .bytes = spec->headers[i].bytes,
                                          .size = spec->headers[i].size};
}

static int compare_lengths(const void *left, const void *right)
{
    size_t a = strlen(((const memory_file *)left)->path),
           b = strlen(((const memory_file *)right)->path);
    return (a > b) - (a < b);
}

/* All that a compilation of the build can see, shorter paths first: malloc'd, NULL when out of
 * memory. */
static memory_file *list_files(const build *build, size_t *count)
{
    const kiln_spec *spec = build->spec;
    size_t capacity = spec->source_count + spec->header_count + 1;
    for (size_t i = 0; i < build->provider_count; i++)
        capacity += build->providers[i]->header_count;
    memory_file *files = calloc(capacity, sizeof *files);
    *count = 0;
    if (!files)
        return NULL;
    for (size_t i = 0; i < spec->source_count; i++)
        if (spec->sources[i].bytes)
            files[(*count)++] = (memory_file){.library = spec->name,
                                              .path = spec->sources[i].path,
                                              .bytes = spec->sources[i].bytes,
                                              .size = spec->sources[i].size};
    add_headers(spec, files, count);
    for (size_t i = 0; i < build->provider_count; i++)
        add_headers(build->providers[i], files, count);
    qsort(files, *count, sizeof *files, compare_lengths);
    return files;
}

static void name_content(const memory_file *file, char id[sources_id_size])
{
    char hex[digest_hex_size];
    digest content = digest_of(file->bytes, file->size);
    digest_hex(&content, hex);
    snprintf(id, sources_id_size, "%.*s", sources_id_size - 1, hex);
}

/* Of several prefixes that fit, Clang takes the last: longer paths come after those that they begin
 * with. It splits at the first '=', so a path with one cannot be mapped. */
bool sources_add_debug_paths(const build *build, string_list *arguments)
{
    if (!build->context->store)
        return true;
    size_t count;
    memory_file *files = list_files(build, &count);
    bool done = files != NULL;
    for (size_t i = 0; done && i < count; i++) {
        char id[sources_id_size];
        if (strchr(files[i].path, '='))
            continue;
        name_content(&files[i], id);
        done = string_list_take(
            arguments,
            text_print("-fdebug-prefix-map=/kiln/%s/%s=%s/sources/%s/kiln/%s/%s", files[i].library,
                       files[i].path, store_path(build->context->store), id, files[i].library,
                       files[i].path));
    }
    free(files);
    return done;
}

/* The note goes first: what it names is not swept. */
void sources_keep(const build *build, const digest *content)
{
    size_t count;
    store *store = build->context->store;
    memory_file *files = list_files(build, &count);
    text note = {0};
    char id[sources_id_size], hex[digest_hex_size], name[128];
    for (size_t i = 0; files && i < count; i++) {
        name_content(&files[i], id);
        text_format(&note, "%s\n", id);
    }
    digest_hex(content, hex);
    snprintf(name, sizeof name, "debug/%s", hex);
    bool noted = files && count && !note.failed &&
                 store_write_file(store, name, text_string(&note), note.length);
    for (size_t i = 0; noted && i < count; i++) {
        name_content(&files[i], id);
        char *path = text_print("sources/%s/kiln/%s/%s", id, files[i].library, files[i].path);
        if (path)
            store_write_file(store, path, files[i].bytes, files[i].size);
        free(path);
    }
    text_destroy(&note);
    free(files);
}
