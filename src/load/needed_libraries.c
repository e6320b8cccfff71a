/* needed_libraries.c - the shared libraries that images ask for: see needed_libraries.h.
 *
 * Follows the loader's rules as far as a report needs them: what is loaded already counts by its
 * soname; else the run path of who asks, then the loader's directories. No state; any thread. */
#include "load/needed_libraries.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/path.h"
#include "os/os.h"

/* One directory of a run path, $ORIGIN replaced by
 * the directory of the file that has it. malloc'd. */
static char *expand_origin(const char *entry, size_t length, const char *path)
{
    static const char *const spellings[] = {"$ORIGIN", "${ORIGIN}"};
    text expanded = {0};
    char *origin = path_parent(path);
    while (origin && length > 0) {
        size_t skipped = 0;
        for (size_t i = 0; i < 2 && !skipped; i++)
            if (strncmp(entry, spellings[i], strlen(spellings[i])) == 0)
                skipped = strlen(spellings[i]);
        if (skipped)
            text_add_string(&expanded, origin);
        else
            text_add(&expanded, entry, skipped = 1);
        entry += skipped;
        length -= skipped < length ? skipped : length;
    }
    expanded.failed |= !origin;
    free(origin);
    return text_take(&expanded);
}

static bool open_in(const char *directory, const char *soname, elf_mapping *mapping, char **path)
{
    char *joined = directory ? path_join(directory, soname) : NULL;
    if (joined && elf_mapping_open(mapping, joined, -1)) {
        *path = joined;
        return true;
    }
    free(joined);
    return false;
}

static bool open_by_run_path(const elf_file *file, const char *file_path, const char *soname,
                             elf_mapping *mapping, char **path)
{
    const char *run_path = elf_file_dynamic_string(file, DT_RUNPATH, 0);
    if (!run_path)
        run_path = elf_file_dynamic_string(file, DT_RPATH, 0);
    bool opened = false;
    while (run_path && *run_path && !opened) {
        size_t length = strcspn(run_path, ":");
        char *directory = expand_origin(run_path, length, file_path);
        opened = open_in(directory, soname, mapping, path);
        free(directory);
        run_path += length + (run_path[length] == ':');
    }
    return opened;
}

static bool open_on_search_path(const char *soname, elf_mapping *mapping, char **path)
{
    char **directories = os_library_directories();
    bool opened = false;
    for (char **directory = directories; directory && *directory && !opened; directory++)
        opened = open_in(*directory, soname, mapping, path);
    free(directories);
    return opened;
}

/* Open a library as the loader would; *path: where, malloc'd. */
static bool open_library(const elf_file *file, const char *file_path, const char *soname,
                         elf_mapping *mapping, char **path)
{
    if (strchr(soname, '/'))
        return open_in("/", soname, mapping, path);
    return open_by_run_path(file, file_path, soname, mapping, path) ||
           open_on_search_path(soname, mapping, path);
}

static bool add_handle(needed_libraries *libraries, void *handle)
{
    void **place = array_add((void **)&libraries->handles, &libraries->handle_count,
                             &libraries->handle_capacity, sizeof *libraries->handles);
    if (!place) {
        os_unload(handle, "", NULL);
        return false;
    }
    *place = handle;
    return true;
}

static bool add_file(needed_libraries *libraries, const elf_mapping *mapping)
{
    elf_mapping *place = array_add((void **)&libraries->files, &libraries->file_count,
                                   &libraries->file_capacity, sizeof *libraries->files);
    if (!place) {
        elf_mapping mutable = *mapping;
        elf_mapping_close(&mutable);
        return false;
    }
    *place = *mapping;
    return true;
}

static bool follow_one(needed_libraries *libraries, const elf_file *file, const char *path,
                       const char *name, const char *soname)
{
    if (string_list_contains(&libraries->names, soname))
        return true;
    if (!string_list_add(&libraries->names, soname))
        return false;
    void *handle = os_load_again(soname, false);
    if (handle)
        return add_handle(libraries, handle);
    elf_mapping mapping;
    char *found;
    if (!open_library(file, path, soname, &mapping, &found))
        return string_list_add(&libraries->absent, soname) &&
               string_list_add(&libraries->absent_by, name);
    static const string_list nothing = {0};
    bool followed = add_file(libraries, &mapping) &&
                    needed_libraries_follow(libraries, &mapping.file, found, found, &nothing);
    free(found);
    return followed;
}

bool needed_libraries_follow(needed_libraries *libraries, const elf_file *file, const char *path,
                             const char *name, const string_list *known)
{
    const char *soname;
    for (size_t i = 0; (soname = elf_file_dynamic_string(file, DT_NEEDED, i)); i++)
        if (!string_list_contains(known, soname) &&
            !follow_one(libraries, file, path, name, soname))
            return false;
    return true;
}

bool needed_libraries_define(const needed_libraries *libraries, const char *symbol,
                             const char *version)
{
    for (size_t i = 0; i < libraries->handle_count; i++)
        if (os_lookup_scope(libraries->handles[i], symbol, version))
            return true;
    for (size_t i = 0; i < libraries->file_count; i++)
        if (elf_file_defines(&libraries->files[i].file, symbol, version, NULL))
            return true;
    return false;
}

void needed_libraries_destroy(needed_libraries *libraries)
{
    for (size_t i = 0; i < libraries->handle_count; i++)
        os_unload(libraries->handles[i], "", NULL);
    for (size_t i = 0; i < libraries->file_count; i++)
        elf_mapping_close(&libraries->files[i]);
    free(libraries->handles);
    free(libraries->files);
    string_list_destroy(&libraries->names);
    string_list_destroy(&libraries->absent);
    string_list_destroy(&libraries->absent_by);
    *libraries = (needed_libraries){0};
}
