/* linux_library_path.c - where the loader looks for
 * shared libraries: os_library_directories of os.h.
 *
 * LD_LIBRARY_PATH, then the directories that ldconfig reads from /etc/ld.so.conf (the loader sees
 * them through ldconfig's cache, whose format is its own business), then what the loader itself
 * names: run paths of the program and its built-in directories, which differ between distributions.
 * No state; any thread. */
#include "os/os.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

enum { deepest_include = 8 }; /* a file that includes itself ends here */

static bool add_directory(string_list *list, const char *directory)
{
    return string_list_contains(list, directory) || string_list_add(list, directory);
}

static bool add_environment(string_list *list)
{
    const char *value = secure_getenv("LD_LIBRARY_PATH");
    if (!value || !*value)
        return true;
    char *copy = strdup(value);
    char *rest = copy;
    bool added = copy != NULL;
    for (char *entry; added && (entry = strsep(&rest, ":;"));)
        added = add_directory(list, *entry ? entry : ".");
    free(copy);
    return added;
}

static bool add_configuration(string_list *list, const char *path, int depth);

/* Files whose last name matches: the only kind of pattern in use. Not glob(), which aborts when
 * memory runs out. */
static bool list_matching(const char *pattern, string_list *paths)
{
    char *directory = path_parent(pattern);
    DIR *stream = directory ? opendir(directory) : NULL;
    bool added = directory != NULL && (stream || errno != ENOMEM);
    for (struct dirent *entry; stream && added && (entry = readdir(stream));)
        if (fnmatch(path_name(pattern), entry->d_name, FNM_PERIOD) == 0)
            added = string_list_take(paths, path_join(directory, entry->d_name));
    if (stream)
        closedir(stream);
    free(directory);
    string_list_sort(paths);
    return added;
}

static bool add_included(string_list *list, const char *including, const char *pattern, int depth)
{
    string_list paths = {0};
    char *directory = path_parent(including);
    char *absolute = directory ? path_join(directory, pattern) : NULL;
    bool added = absolute && list_matching(absolute, &paths);
    for (size_t i = 0; added && i < paths.count; i++)
        added = add_configuration(list, paths.items[i], depth + 1);
    string_list_destroy(&paths);
    free(absolute);
    free(directory);
    return added;
}

/* One line: "include PATTERN...", "hwcap ..." (of old, means nothing), or a directory, which may
 * have an "=TYPE" behind it. */
static bool add_line(string_list *list, const char *path, char *line, int depth)
{
    static const char blanks[] = " \t\r";
    line[strcspn(line, "#")] = '\0';
    char *rest;
    char *word = strtok_r(line, blanks, &rest);
    if (!word || strcmp(word, "hwcap") == 0)
        return true;
    if (strcmp(word, "include") == 0) {
        bool added = true;
        while (added && (word = strtok_r(NULL, blanks, &rest)))
            added = add_included(list, path, word, depth);
        return added;
    }
    word[strcspn(word, "=")] = '\0';
    return word[0] != '/' || add_directory(list, word);
}

static bool add_configuration(string_list *list, const char *path, int depth)
{
    uint8_t *bytes;
    size_t size;
    if (depth > deepest_include)
        return true;
    if (os_read_file(AT_FDCWD, path, &bytes, &size))
        return errno != ENOMEM;
    char *rest = (char *)bytes;
    bool added = true;
    for (char *line; added && (line = strsep(&rest, "\n"));)
        added = add_line(list, path, line, depth);
    free(bytes);
    return added;
}

static bool add_loaders_own(string_list *list)
{
    bool added = true;
    Dl_serinfo sizes, *paths = NULL;
    void *program = dlopen(NULL, RTLD_NOW);
    if (!program || dlinfo(program, RTLD_DI_SERINFOSIZE, &sizes))
        goto cleanup;
    paths = malloc(sizes.dls_size);
    added = paths != NULL;
    if (!paths || dlinfo(program, RTLD_DI_SERINFOSIZE, paths) ||
        dlinfo(program, RTLD_DI_SERINFO, paths))
        goto cleanup;
    for (unsigned i = 0; added && i < paths->dls_cnt; i++)
        added = add_directory(list, paths->dls_serpath[i].dls_name);
cleanup:
    if (program)
        dlclose(program);
    free(paths);
    return added;
}

/* The list as one block: the pointers, the terminating NULL, then the strings. */
static char **pack(const string_list *list)
{
    size_t size = (list->count + 1) * sizeof(char *);
    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->items[i]) + 1;
    char **packed = malloc(size);
    if (!packed)
        return NULL;
    char *at = (char *)(packed + list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        packed[i] = at;
        at = stpcpy(at, list->items[i]) + 1;
    }
    packed[list->count] = NULL;
    return packed;
}

char **os_library_directories(void)
{
    string_list list = {0};
    char **packed = NULL;
    if (add_environment(&list) && add_configuration(&list, "/etc/ld.so.conf", 0) &&
        add_loaders_own(&list))
        packed = pack(&list);
    string_list_destroy(&list);
    return packed;
}
