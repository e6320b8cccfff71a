/* path.h - paths as bytes, by their text alone: nothing here looks at a disk. */
#ifndef KILN_BASE_PATH_H
#define KILN_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* `path` if it is absolute, else `directory/path`. malloc'd; NULL when out of memory. */
char *path_join(const char *directory, const char *path);
/* What stands before the last slash: "/" for "/x", "." for "x". malloc'd. */
char *path_parent(const char *path);
/* What stands behind the last slash. Points into path. */
const char *path_name(const char *path);
/* From the last dot of the name on, "" where there is none or the name begins with it. Points into
 * path. */
const char *path_extension(const char *path);
/* Whether the path holds a character that a pattern gives meaning to. */
bool path_is_pattern(const char *path);
/* Whether name, a relative path, stays below where it starts: no "..", no empty or leading slash.
 */
bool path_is_below(const char *name);

#endif
