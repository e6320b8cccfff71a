/* watch.c - see watch.h. */
#include "reload/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "os/os.h"

typedef struct watched {
    int number;        /* of os_watch_add */
    bool all;          /* any name counts */
    string_list names; /* sorted when the watch is complete */
} watched;

struct watch {
    int descriptor;
    watched *directories;
    size_t count, capacity;
    bool noticed;
    char *last_path; /* inputs come by directory: the last one is asked for most */
    size_t last_index;
};

static kiln_status refuse(const char *what, kiln_error **error)
{
    const char *limit = errno == ENOSPC   ? "fs.inotify.max_user_watches"
                        : errno == EMFILE ? "fs.inotify.max_user_instances"
                                          : NULL;
    if (errno == ENOMEM)
        return error_no_memory(error);
    if (limit)
        return error_set_errno(error, KILN_IO, KILN_PHASE_SPEC, errno,
                               "cannot watch '%s': the system's limit is reached (raise it with "
                               "`sysctl %s=...`)",
                               what, limit);
    return error_set_errno(error, KILN_IO, KILN_PHASE_SPEC, errno, "cannot watch '%s'", what);
}

static watched *find(watch *watch, int number)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->directories[i].number == number)
            return &watch->directories[i];
    return NULL;
}

/* The entry of a directory that exists. *out NULL: it does not. */
static kiln_status add_directory(watch *watch, const char *path, watched **out, kiln_error **error)
{
    *out = NULL;
    if (watch->last_path && strcmp(watch->last_path, path) == 0) {
        *out = &watch->directories[watch->last_index];
        return KILN_OK;
    }
    int number = os_watch_add(watch->descriptor, path);
    if (number < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return KILN_OK;
    if (number < 0)
        return refuse(path, error);
    watched *known = find(watch, number);
    if (!known) {
        known =
            array_add((void **)&watch->directories, &watch->count, &watch->capacity, sizeof *known);
        if (!known)
            return error_no_memory(error);
        known->number = number;
    }
    free(watch->last_path);
    watch->last_path = strdup(path);
    watch->last_index = (size_t)(known - watch->directories);
    *out = known;
    return KILN_OK;
}

/* Watch `name` in `directory` or, where that is missing, the first missing name on the way to it. */
static kiln_status add_name(watch *watch, const char *directory, const char *name,
                            kiln_error **error)
{
    char *path = strdup(*directory ? directory : "/"), *wanted = strdup(name);
    kiln_status status = path && wanted ? KILN_OK : error_no_memory(error);
    for (watched *found = NULL; status == KILN_OK && !found;) {
        status = add_directory(watch, path, &found, error);
        if (status == KILN_OK && found) {
            if (!string_list_add(&found->names, wanted))
                status = error_no_memory(error);
            break;
        }
        char *slash = strrchr(path, '/');
        if (status != KILN_OK || !slash || (slash == path && !path[1]))
            break;
        free(wanted);
        wanted = strdup(slash + 1);
        slash[slash == path] = '\0';
        if (!wanted)
            status = error_no_memory(error);
    }
    free(path);
    free(wanted);
    return status;
}

static kiln_status add_path(watch *watch, const char *path, kiln_error **error)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return KILN_OK; /* no file: the clock, the processor */
    char *directory = strndup(path, (size_t)(slash - path));
    kiln_status status =
        directory ? add_name(watch, directory, slash + 1, error) : error_no_memory(error);
    free(directory);
    return status;
}

static kiln_status add_input(watch *watch, const input *input, kiln_error **error)
{
    if (input->state == INPUT_CLOCK || input->state == INPUT_PROCESSOR)
        return KILN_OK;
    kiln_status status = add_path(watch, input->path, error);
    if (status != KILN_OK || os_look_at_name(input->path) != OS_NAME_LINK)
        return status;
    char *target = realpath(input->path, NULL);
    if (target)
        status = add_path(watch, target, error);
    free(target);
    return status;
}

static kiln_status add_all_of(watch *watch, const char *directory, kiln_error **error)
{
    watched *found;
    kiln_status status = add_directory(watch, directory, &found, error);
    if (status == KILN_OK && found)
        found->all = true;
    else if (status == KILN_OK)
        status = add_path(watch, directory, error);
    return status;
}

/* Directories that are of no interest any more stay watched, until there are too many of them. The
 * system numbers them from 1 on. */
static bool is_worn(const watch *watch)
{
    enum { kept = 1024 };
    int highest = 0;
    for (size_t i = 0; i < watch->count; i++)
        if (watch->directories[i].number > highest)
            highest = watch->directories[i].number;
    return (size_t)highest > watch->count * 2 + kept;
}

static int take_over(watch *last)
{
    int descriptor = last && !is_worn(last) ? last->descriptor : -1;
    if (descriptor >= 0)
        last->descriptor = -1;
    watch_close(last);
    return descriptor >= 0 ? descriptor : os_watch_create();
}

kiln_status watch_open(watch *last, const input_set *inputs, const string_list *directories,
                       watch **out, bool *noticed, kiln_error **error)
{
    *noticed = true;
    watch *made = calloc(1, sizeof *made);
    if (!made) {
        watch_close(last);
        return error_no_memory(error);
    }
    int taken = last ? last->descriptor : -1;
    made->descriptor = take_over(last);
    kiln_status status = made->descriptor >= 0 ? KILN_OK : refuse("files", error);
    for (size_t i = 0; status == KILN_OK && i < inputs->count; i++) {
        const input *input = &inputs->items[i];
        status = add_input(made, input, error);
        if (status == KILN_OK && input->state == INPUT_LISTED)
            status = add_all_of(made, input->path, error);
    }
    for (size_t i = 0; status == KILN_OK && i < directories->count; i++)
        status = add_all_of(made, directories->items[i], error);
    for (size_t i = 0; i < made->count; i++)
        string_list_sort(&made->directories[i].names);
    if (status != KILN_OK) {
        watch_close(made);
        return status;
    }
    *noticed = watch_take(made) || made->descriptor != taken;
    *out = made;
    return KILN_OK;
}

void watch_close(watch *watch)
{
    if (!watch)
        return;
    if (watch->descriptor >= 0)
        close(watch->descriptor);
    for (size_t i = 0; i < watch->count; i++)
        string_list_destroy(&watch->directories[i].names);
    free(watch->directories);
    free(watch->last_path);
    free(watch);
}

int watch_descriptor(const watch *watch)
{
    return watch->descriptor;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note(int number, const char *name, void *data)
{
    watch *watch = data;
    const watched *directory = find(watch, number);
    if (number < 0 || (directory && (!name || directory->all))) {
        watch->noticed = true;
        return;
    }
    if (directory && directory->names.count)
        watch->noticed |= bsearch(&name, directory->names.items, directory->names.count,
                                  sizeof *directory->names.items, compare_names) != NULL;
}

bool watch_take(watch *watch)
{
    watch->noticed = false;
    /* A descriptor that cannot be read any more tells nothing for ever: better to look once more. */
    if (os_watch_read(watch->descriptor, note, watch))
        return true;
    return watch->noticed;
}
