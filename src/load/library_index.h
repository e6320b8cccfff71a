/* library_index.h - which installed shared library defines a symbol. */
#ifndef KILN_LOAD_LIBRARY_INDEX_H
#define KILN_LOAD_LIBRARY_INDEX_H

#include <stdbool.h>
#include <stddef.h>

typedef struct library_want {
    const char *name;
    const char *version; /* NULL: any */
    char *provider;      /* out: a path, malloc'd, or NULL */
} library_want;

/* Fill the providers in, from the shared libraries in the directories that the loader searches.
 * Where several define a symbol, the one that defines most of those wanted is taken; among equals
 * one that has a name without version (libz.so: its headers are installed, too), then the one with
 * fewer exports: it is the more special one. Reads every library's symbol table, some tens of
 * milliseconds. false when out of memory. */
bool library_index_find(library_want *wants, size_t count);

#endif
