/* needed_libraries.h - the shared libraries that images ask for, and what these define, without
 * loading any. */
#ifndef KILN_LOAD_NEEDED_LIBRARIES_H
#define KILN_LOAD_NEEDED_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "load/elf_file.h"

typedef struct needed_libraries {
    string_list names; /* what was asked for so far, each once */
    void **handles;    /* those that the process has loaded, kept by a count of their own */
    size_t handle_count, handle_capacity;
    elf_mapping *files; /* those that it has not: read from disk */
    size_t file_count, file_capacity;
    string_list absent;    /* not to be found */
    string_list absent_by; /* by whom each of these is needed */
} needed_libraries;

/* Follow what `file` needs, and what that needs. path: where it stands, for $ORIGIN; name: what
 * messages call it; known: sonames that the load itself brings. false when out of memory. */
bool needed_libraries_follow(needed_libraries *libraries, const elf_file *file, const char *path,
                             const char *name, const string_list *known);

/* Whether one of them defines what a reference to the symbol binds to. */
bool needed_libraries_define(const needed_libraries *libraries, const char *symbol,
                             const char *version);

void needed_libraries_destroy(needed_libraries *libraries);

#endif
