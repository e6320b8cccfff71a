/* path.c - paths as bytes: see path.h. */
#include "base/path.h"

#include <string.h>

#include "base/text.h"

char *path_join(const char *directory, const char *path)
{
    if (path[0] == '/' || directory[0] == '\0')
        return strdup(path);
    size_t length = strlen(directory);
    return text_print("%s%s%s", directory, directory[length - 1] == '/' ? "" : "/", path);
}

char *path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    if (slash == path)
        return strdup("/");
    return strndup(path, (size_t)(slash - path));
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_extension(const char *path)
{
    const char *name = path_name(path);
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot : name + strlen(name);
}

bool path_is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

bool path_is_below(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *part = name;; part++) {
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return false;
        part = strchr(part, '/');
        if (!part)
            return true;
    }
}
