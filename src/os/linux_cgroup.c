/* linux_cgroup.c - the limits that control groups set for this process: see linux_cgroup.h.
 *
 * /proc/self/cgroup names the group of each hierarchy ("0::/path" for version 2, "4:memory:/path"
 * for version 1), /proc/self/mountinfo where hierarchies are mounted and which group stands at the
 * mount (a container sees its own group there). A limit binds the groups below it too, so each
 * directory up to the mount is read. */
#include "os/linux_cgroup.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

enum { path_capacity = 4096 };

typedef enum hierarchy { VERSION_2, VERSION_1_CPU, VERSION_1_MEMORY, HIERARCHY_COUNT } hierarchy;

static char *read_text(const char *root, const char *directory, const char *name)
{
    char path[3 * path_capacity];
    uint8_t *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s%s/%s", root, directory, name);
    return os_read_file(AT_FDCWD, path, &bytes, &size) ? NULL : (char *)bytes;
}

/* The number in a file of one number; UINT64_MAX for "max", -1 and for no file. */
static uint64_t read_number(const char *root, const char *directory, const char *name)
{
    char *text = read_text(root, directory, name);
    if (!text)
        return UINT64_MAX;
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    bool valid = end != text && text[0] != '-';
    free(text);
    return valid ? number : UINT64_MAX;
}

/* File pages that nobody has used lately: counted as in use, but given up at need. */
static uint64_t read_reclaimable(const char *root, const char *directory, const char *field)
{
    char *text = read_text(root, directory, "memory.stat");
    if (!text)
        return 0;
    unsigned long long bytes = 0;
    size_t length = strlen(field);
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, field, length) == 0 && line[length] == ' ') {
            bytes = strtoull(line + length, NULL, 10);
            break;
        }
    }
    free(text);
    return bytes;
}

static void limit_memory(cgroup_limits *limits, uint64_t most, uint64_t used, uint64_t reclaimable)
{
    /* Version 1 says "no limit" with the largest page-aligned number. */
    if (most >= UINT64_MAX / 4 || used == UINT64_MAX)
        return;
    used -= reclaimable < used ? reclaimable : used;
    uint64_t available = used < most ? most - used : 0;
    if (most < limits->memory_total)
        limits->memory_total = most;
    if (available < limits->memory_available)
        limits->memory_available = available;
}

static void limit_processors(cgroup_limits *limits, double quota, double period)
{
    if (quota > 0 && period > 0 && quota / period < limits->processors)
        limits->processors = quota / period;
}

static void read_group(const char *root, hierarchy kind, const char *directory,
                       cgroup_limits *limits)
{
    if (kind == VERSION_1_CPU) {
        uint64_t quota = read_number(root, directory, "cpu.cfs_quota_us");
        if (quota != UINT64_MAX)
            limit_processors(limits, (double)quota,
                             (double)read_number(root, directory, "cpu.cfs_period_us"));
        return;
    }
    if (kind == VERSION_1_MEMORY) {
        limit_memory(limits, read_number(root, directory, "memory.limit_in_bytes"),
                     read_number(root, directory, "memory.usage_in_bytes"),
                     read_reclaimable(root, directory, "total_inactive_file"));
        return;
    }
    limit_memory(limits, read_number(root, directory, "memory.max"),
                 read_number(root, directory, "memory.current"),
                 read_reclaimable(root, directory, "inactive_file"));
    char *text = read_text(root, directory, "cpu.max");
    double quota, period;
    if (text && sscanf(text, "%lf %lf", &quota, &period) == 2)
        limit_processors(limits, quota, period);
    free(text);
}

/* Whether a comma-separated list holds a word. */
static bool list_holds(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (!at[length] || at[length] == ','))
            return true;
    }
    return false;
}

/* groups[kind]: the path of this process's group, "" where it has none. */
static void find_groups(const char *root, char groups[HIERARCHY_COUNT][path_capacity])
{
    char *text = read_text(root, "/proc/self", "cgroup");
    char *rest = text;
    for (char *line; text && (line = strsep(&rest, "\n"));) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        controllers++;
        if (!*controllers)
            snprintf(groups[VERSION_2], path_capacity, "%s", path);
        if (list_holds(controllers, "cpu"))
            snprintf(groups[VERSION_1_CPU], path_capacity, "%s", path);
        if (list_holds(controllers, "memory"))
            snprintf(groups[VERSION_1_MEMORY], path_capacity, "%s", path);
    }
    free(text);
}

/* Read the groups from `group` up to the one that is mounted at `mount`. */
static void read_hierarchy(const char *root, hierarchy kind, const char *mount,
                           const char *mounted_group, const char *group, cgroup_limits *limits)
{
    char directory[2 * path_capacity];
    size_t prefix = strcmp(mounted_group, "/") == 0 ? 0 : strlen(mounted_group);
    bool below =
        strncmp(group, mounted_group, prefix) == 0 && (!group[prefix] || group[prefix] == '/');
    int length = snprintf(directory, sizeof directory, "%s%s", mount, below ? group + prefix : "");
    if (length < 0 || (size_t)length >= sizeof directory)
        return;
    for (;;) {
        read_group(root, kind, directory, limits);
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < strlen(mount))
            return;
        *slash = '\0';
    }
}

/* One line of mountinfo: "31 23 0:28 GROUP MOUNT options [fields] - TYPE source super-options". */
static void read_mount(const char *root, const char *line,
                       char groups[HIERARCHY_COUNT][path_capacity], cgroup_limits *limits)
{
    char mounted_group[path_capacity], mount[path_capacity], type[16], options[256];
    const char *separator = strstr(line, " - ");
    if (!separator || sscanf(separator, " - %15s %*s %255s", type, options) != 2 ||
        strncmp(type, "cgroup", 6) != 0 ||
        sscanf(line, "%*s %*s %*s %4095s %4095s", mounted_group, mount) != 2)
        return;
    static const char *const controllers[] = {
        [VERSION_2] = "", [VERSION_1_CPU] = "cpu", [VERSION_1_MEMORY] = "memory"};
    for (hierarchy kind = 0; kind < HIERARCHY_COUNT; kind++) {
        bool matches = kind == VERSION_2
                           ? strcmp(type, "cgroup2") == 0
                           : strcmp(type, "cgroup") == 0 && list_holds(options, controllers[kind]);
        if (matches && groups[kind][0])
            read_hierarchy(root, kind, mount, mounted_group, groups[kind], limits);
    }
}

void cgroup_read_limits(const char *root, cgroup_limits *limits)
{
    *limits = (cgroup_limits){INFINITY, UINT64_MAX, UINT64_MAX};
    char groups[HIERARCHY_COUNT][path_capacity] = {{0}};
    find_groups(root, groups);
    char *text = read_text(root, "/proc/self", "mountinfo");
    char *rest = text;
    for (char *line; text && (line = strsep(&rest, "\n"));)
        read_mount(root, line, groups, limits);
    free(text);
}
