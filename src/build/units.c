/* units.c - a spec's sources, made concrete: see units.h.
 *
 * Patterns are glob(3)'s; `**` as a part of a path stands for any number of directories, hidden
 * ones excepted, as in ripgrep's and Git's patterns. Matches are sorted by bytes, so that the order
 * of readdir changes no key. */
#include "build/units.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/path.h"
#include "os/os.h"

char *units_virtual_directory(const kiln_spec *spec)
{
    return text_print("/kiln/%s", spec->name);
}

static input_kind language_kind(const char *language)
{
    static const struct {
        const char *language;
        input_kind kind;
    } languages[] = {
        {"c", INPUT_C},
        {"c++", INPUT_CXX},
        {"assembler", INPUT_ASSEMBLY},
        {"assembler-with-cpp", INPUT_ASSEMBLY_CPP},
        {"ir", INPUT_IR},
    };
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (strcmp(language, languages[i].language) == 0)
            return languages[i].kind;
    return INPUT_C; /* another of Clang's -x: the driver knows it */
}

static bool starts_like_script(const spec_source *source)
{
    return source->bytes && source->size > 2 && memcmp(source->bytes, "#!", 2) == 0;
}

input_kind units_kind(const kiln_spec *spec, const spec_source *source, const char *path)
{
    input_kind kind = input_kind_of(path);
    const char *own = spec_source_language(source);
    if (spec->language &&
        (kind == INPUT_UNKNOWN || (spec->force_language && !input_kind_is_linked(kind))))
        kind = language_kind(spec->language);
    if (own)
        kind = language_kind(own);
    return kind == INPUT_UNKNOWN && starts_like_script(source) ? INPUT_C : kind;
}

static kiln_status add_unit(const kiln_spec *spec, const spec_source *source, char *path,
                            unit_list *list, kiln_error **error)
{
    if (path && path[0] == '-') { /* or it would be an argument to the compiler */
        char *plain = text_print("./%s", path);
        free(path);
        path = plain;
    }
    if (!path)
        return error_no_memory(error);
    input_kind kind = units_kind(spec, source, path);
    if (kind == INPUT_UNKNOWN) {
        kiln_status status = error_set(
            error, KILN_SPEC, KILN_PHASE_SPEC,
            "cannot tell the language of '%s' in library '%s' from its name: give the language "
            "(-x c, -x c++, or `language:` in the manifest)",
            path, spec->name);
        free(path);
        return status;
    }
    unit *unit = array_add((void **)&list->items, &list->count, &list->capacity, sizeof *unit);
    if (!unit) {
        free(path);
        return error_no_memory(error);
    }
    unit->path = path;
    unit->kind = kind;
    unit->source = source;
    return KILN_OK;
}

/* ---- patterns ---- */

/* A path whose own characters mean nothing to glob. */
static bool add_literal(text *pattern, const char *path)
{
    for (; *path; path++)
        if ((strchr("*?[]\\", *path) && !text_add(pattern, "\\", 1)) || !text_add(pattern, path, 1))
            return false;
    return true;
}

/* What matches `pattern` below `base`, which ends with a slash and is meant literally. A file that
 * several directories of a `**` lead to is there several times. */
static bool add_matches(const char *base, const char *pattern, string_list *matches)
{
    text whole = {0};
    glob_t found = {0};
    bool done = add_literal(&whole, base) && text_add_string(&whole, pattern);
    int result = done ? glob(whole.bytes, GLOB_NOSORT, NULL, &found) : GLOB_NOSPACE;
    done = result != GLOB_NOSPACE;
    for (size_t i = 0; done && result == 0 && i < found.gl_pathc; i++)
        done = string_list_add(matches, found.gl_pathv[i]);
    if (result != GLOB_NOSPACE || whole.bytes)
        globfree(&found);
    text_destroy(&whole);
    return done;
}

enum { max_depth = 64 };

static bool is_directory(const char *path, const struct dirent *entry)
{
    if (entry->d_type == DT_DIR)
        return true;
    if (entry->d_type != DT_UNKNOWN)
        return false;
    DIR *directory = opendir(path);
    if (directory)
        closedir(directory);
    return directory != NULL;
}

static bool match_pattern(const char *base, const char *pattern, string_list *matches);

/* Match `pattern` in `directory`, which ends with a slash, and in everything below it. */
static bool match_below(const char *directory, const char *pattern, int depth, string_list *matches)
{
    bool done = match_pattern(directory, pattern, matches);
    DIR *stream = done ? opendir(directory) : NULL;
    if (!stream)
        return done;
    for (struct dirent *entry; done && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.')
            continue;
        char *below = text_print("%s%s/", directory, entry->d_name);
        if (!below)
            done = false;
        else if (depth < max_depth && is_directory(below, entry))
            done = match_below(below, pattern, depth + 1, matches);
        free(below);
    }
    closedir(stream);
    return done;
}

/* What stands before the first `**` may itself be a pattern, of directories. */
static bool match_pattern(const char *base, const char *pattern, string_list *matches)
{
    const char *stars = strstr(pattern, "**/");
    if (!stars)
        return add_matches(base, pattern, matches);
    if (stars == pattern)
        return match_below(base, stars + 3, 0, matches);
    string_list directories = {0};
    char *head = strndup(pattern, (size_t)(stars - pattern));
    bool done = head && add_matches(base, head, &directories);
    for (size_t i = 0; done && i < directories.count; i++)
        done = match_below(directories.items[i], stars + 3, 0, matches);
    free(head);
    string_list_destroy(&directories);
    return done;
}

static kiln_status add_pattern(const kiln_spec *spec, const spec_source *source, unit_list *list,
                               kiln_error **error)
{
    string_list matches = {0};
    kiln_status status = KILN_OK;
    bool absolute = source->path[0] == '/';
    char *base = absolute ? strdup("/") : text_print("%s/", spec->directory);
    if (!base || !match_pattern(base, source->path + (absolute ? 1 : 0), &matches))
        status = error_no_memory(error);
    else if (matches.count == 0)
        status = error_set(error, KILN_NOT_FOUND, KILN_PHASE_SPEC,
                           "no file matches '%s' (library '%s', directory '%s')", source->path,
                           spec->name, spec->directory);
    string_list_sort(&matches);
    size_t prefix = absolute || !base ? 0 : strlen(base);
    for (size_t i = 0; status == KILN_OK && i < matches.count; i++)
        if (i == 0 || strcmp(matches.items[i], matches.items[i - 1]) != 0)
            status = add_unit(spec, source, strdup(matches.items[i] + prefix), list, error);
    string_list_destroy(&matches);
    free(base);
    return status;
}

/* A file whose name holds such characters is meant literally if it exists. */
static bool is_pattern(const kiln_spec *spec, const spec_source *source)
{
    if (!path_is_pattern(source->path))
        return false;
    char *full = path_join(spec->directory, source->path);
    os_kind kind = OS_ABSENT;
    os_identity identity;
    bool exists = full && os_identify(AT_FDCWD, full, &kind, &identity) == 0 && kind != OS_ABSENT;
    free(full);
    return !exists;
}

/* Headers, arguments or other libraries for its dependents: the shape of a header-only library. */
static bool serves_without_sources(const kiln_spec *spec)
{
    bool serves = spec->dependencies.count || spec->packages.count || spec->header_count;
    for (size_t i = 0; i < spec->argument_count; i++)
        serves |= spec->arguments[i].scope == KILN_PUBLIC;
    return serves;
}

kiln_status units_resolve(const kiln_spec *spec, unit_list *list, kiln_error **error)
{
    *list = (unit_list){0};
    char *virtual_directory = units_virtual_directory(spec);
    kiln_status status = virtual_directory ? KILN_OK : error_no_memory(error);
    for (size_t i = 0; status == KILN_OK && i < spec->source_count; i++) {
        const spec_source *source = &spec->sources[i];
        if (source->bytes)
            status = add_unit(spec, source, text_print("%s/%s", virtual_directory, source->path),
                              list, error);
        else if (is_pattern(spec, source))
            status = add_pattern(spec, source, list, error);
        else
            status = add_unit(spec, source, strdup(source->path), list, error);
    }
    free(virtual_directory);
    if (status == KILN_OK && list->count == 0 && !serves_without_sources(spec))
        status = error_set(error, KILN_SPEC, KILN_PHASE_SPEC,
                           "library '%s' has no sources: add at least one", spec->name);
    if (status != KILN_OK)
        unit_list_destroy(list);
    return status;
}

void unit_list_destroy(unit_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
    *list = (unit_list){0};
}

/* ---- where patterns look ---- */

/* So many directories below one pattern are looked at; more is no source tree. */
enum { max_pattern_directories = 4096 };

static bool add_tree(const char *directory, string_list *list)
{
    DIR *stream = list->count < max_pattern_directories ? opendir(directory) : NULL;
    bool done = string_list_add(list, directory);
    for (struct dirent *entry; done && stream && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        os_kind kind;
        os_identity identity;
        char *path = path_join(directory, entry->d_name);
        done = path != NULL;
        if (done && os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind == OS_DIRECTORY)
            done = add_tree(path, list);
        free(path);
    }
    if (stream)
        closedir(stream);
    return done;
}

bool units_pattern_directories(const kiln_spec *spec, string_list *list)
{
    bool done = true;
    for (size_t i = 0; done && i < spec->source_count; i++) {
        const char *pattern = spec->sources[i].path;
        size_t plain = strcspn(pattern, "*?[");
        if (spec->sources[i].bytes || !pattern[plain])
            continue;
        bool is_deep = strchr(pattern + plain, '/') != NULL;
        while (plain > 0 && pattern[plain - 1] != '/')
            plain--;
        char *base = strndup(pattern, plain);
        char *directory = base ? path_join(spec->directory, *base ? base : ".") : NULL;
        done =
            directory && (is_deep ? add_tree(directory, list) : string_list_add(list, directory));
        free(directory);
        free(base);
    }
    return done;
}
