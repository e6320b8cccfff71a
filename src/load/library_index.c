/* library_index.c - which installed shared library defines a symbol: see library_index.h.
 *
 * No index is kept: a bind fails seldom, and looking for a few names by each library's own hash
 * table costs less than a check whether a kept index is up to date. No state; any thread. */
#include "load/library_index.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/path.h"
#include "base/text.h"
#include "load/elf_file.h"
#include "os/os.h"

/* A library that defines something of what is wanted. */
typedef struct candidate {
    char *path;
    bool *defines; /* one for each want */
    bool linkable; /* it has a name without version, as linkers look for */
    size_t export_count;
} candidate;

typedef struct file_id {
    uint64_t device, inode;
} file_id;

typedef struct search {
    library_want *wants;
    size_t count;
    candidate *candidates;
    size_t candidate_count, candidate_capacity;
    file_id *seen; /* directories and files, which have several names by links */
    size_t seen_count, seen_capacity;
    bool failed; /* out of memory */
} search;

/* True the first time only. */
static bool is_new(search *s, uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i].inode == inode && s->seen[i].device == device)
            return false;
    file_id *id = array_add((void **)&s->seen, &s->seen_count, &s->seen_capacity, sizeof *s->seen);
    if (id)
        *id = (file_id){device, inode};
    s->failed |= !id;
    return id != NULL;
}

/* The library by the name that programs ask for, if it stands beside: libz.so.1 rather than
 * libz.so.1.2.13. */
static char *preferred_path(const elf_file *file, const char *directory, const char *name)
{
    const char *soname = elf_file_dynamic_string(file, DT_SONAME, 0);
    char *path = soname && *soname && !strchr(soname, '/') ? path_join(directory, soname) : NULL;
    if (path && access(path, R_OK) == 0)
        return path;
    free(path);
    return path_join(directory, name);
}

static void add_candidate(search *s, const elf_file *file, bool *defines, const char *directory,
                          const char *name)
{
    char *path = preferred_path(file, directory, name);
    candidate *c = path ? array_add((void **)&s->candidates, &s->candidate_count,
                                    &s->candidate_capacity, sizeof *s->candidates)
                        : NULL;
    if (!c) {
        s->failed = true;
        free(path);
        free(defines);
        return;
    }
    size_t length = strlen(name);
    *c = (candidate){path, defines, strcmp(name + length - 3, ".so") == 0, file->dynamic.count};
}

static void look_into(search *s, int directory_fd, const char *directory, const char *name)
{
    elf_mapping mapping;
    os_kind kind;
    os_identity identity;
    int fd = os_open_read(directory_fd, name);
    if (fd < 0)
        return;
    if (os_identify_fd(fd, &kind, &identity) || kind != OS_FILE ||
        !is_new(s, identity.device, identity.inode) || !elf_mapping_open(&mapping, NULL, fd)) {
        close(fd);
        return;
    }
    close(fd);
    bool *defines = mapping.file.is_shared ? calloc(s->count, sizeof *defines) : NULL;
    s->failed |= mapping.file.is_shared && !defines;
    bool any = false;
    for (size_t i = 0; defines && i < s->count; i++)
        any |= defines[i] =
            elf_file_defines(&mapping.file, s->wants[i].name, s->wants[i].version, NULL);
    if (any)
        add_candidate(s, &mapping.file, defines, directory, name);
    else
        free(defines);
    elf_mapping_close(&mapping);
}

/* lib*.so and lib*.so.N; what else is there (plugins,
 * the loader itself) is not to be linked with. */
static bool is_library_name(const char *name)
{
    const char *so = strstr(name, ".so");
    return strncmp(name, "lib", 3) == 0 && so && (so[3] == '\0' || so[3] == '.');
}

static void search_directory(search *s, const char *directory)
{
    os_kind kind;
    os_identity identity;
    int fd = os_open_read(AT_FDCWD, directory);
    string_list names = {0};
    DIR *stream = NULL;
    if (fd < 0 || os_identify_fd(fd, &kind, &identity) || kind != OS_DIRECTORY ||
        !is_new(s, identity.device, identity.inode))
        goto cleanup;
    stream = fdopendir(fd);
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (is_library_name(entry->d_name))
            s->failed |= !string_list_add(&names, entry->d_name);
    /* In a fixed order, so that the answer does not depend on the file system's; libz.so comes
     * before libz.so.1. */
    string_list_sort(&names);
    for (size_t i = 0; i < names.count && !s->failed; i++)
        look_into(s, dirfd(stream), directory, names.items[i]);
cleanup:
    string_list_destroy(&names);
    if (stream)
        closedir(stream);
    else if (fd >= 0)
        close(fd);
}

/* How many of the wants that have no provider yet this candidate defines. */
static size_t count_open(const search *s, const candidate *c)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        count += c->defines[i] && !s->wants[i].provider;
    return count;
}

/* Of two that define as much: the one that can be linked with, then the more special one. */
static bool is_better(const candidate *a, const candidate *b)
{
    if (a->linkable != b->linkable)
        return a->linkable;
    return a->export_count < b->export_count;
}

/* Cover the wants with few libraries: always take the
 * one that defines most of what is still open. */
static void choose(search *s)
{
    for (;;) {
        const candidate *best = NULL;
        size_t best_count = 0;
        for (size_t i = 0; i < s->candidate_count; i++) {
            size_t count = count_open(s, &s->candidates[i]);
            if (count > best_count ||
                (best && count == best_count && is_better(&s->candidates[i], best))) {
                best = &s->candidates[i];
                best_count = count;
            }
        }
        if (!best)
            return;
        for (size_t i = 0; i < s->count; i++) {
            if (!best->defines[i] || s->wants[i].provider)
                continue;
            s->wants[i].provider = strdup(best->path);
            if (!s->wants[i].provider) {
                s->failed = true;
                return;
            }
        }
    }
}

bool library_index_find(library_want *wants, size_t count)
{
    search s = {.wants = wants, .count = count};
    char **directories = os_library_directories();
    s.failed = !directories;
    for (char **directory = directories; directory && *directory && !s.failed; directory++)
        search_directory(&s, *directory);
    if (!s.failed)
        choose(&s);
    for (size_t i = 0; i < s.candidate_count; i++) {
        free(s.candidates[i].path);
        free(s.candidates[i].defines);
    }
    free(s.candidates);
    free(s.seen);
    free(directories);
    return !s.failed;
}
