/* units.h - a spec's sources, made concrete: patterns matched, kinds known.
 *
 * A unit is one file or memory source with its kind and arguments. Matching happens at every load,
 * so that a new file is noticed; nothing else is read. One thread at a time. */
#ifndef KILN_BUILD_UNITS_H
#define KILN_BUILD_UNITS_H

#include "build/spec.h"

typedef struct unit {
    char *path; /* as the compiler is to see it: relative to the spec's directory, absolute, or
                   virtual */
    input_kind kind;
    const spec_source *source; /* bytes and arguments; the spec outlives the units */
} unit;

typedef struct unit_list {
    unit *items;
    size_t count, capacity;
} unit_list;

/* Where the memory files of a spec seem to be: "/kiln/NAME". malloc'd. */
char *units_virtual_directory(const kiln_spec *spec);

/* What a source is: by its language or its arguments, where these tell, else by its name. */
input_kind units_kind(const kiln_spec *spec, const spec_source *source, const char *path);
/* Errors: NOT_FOUND (a pattern that matches nothing), SPEC (a kind that cannot be told, nothing at
 * all to build). */
kiln_status units_resolve(const kiln_spec *spec, unit_list *list, kiln_error **error);
/* Add the directories, absolute, in which a new file could match a pattern of the spec. false when
 * out of memory. */
bool units_pattern_directories(const kiln_spec *spec, string_list *list);
void unit_list_destroy(unit_list *list);

#endif
