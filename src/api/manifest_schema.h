/* manifest_schema.h - what may stand in a manifest, as tables for libcyaml, and a check of a text
 * against them.
 *
 * The tables are the only place that knows the keys: libcyaml fills the structs below by them, and
 * manifest_check walks them to say in which line and field a text goes wrong, which libcyaml's own
 * log cannot (it has no line for an unknown key or a syntax error). Every key has one type. Knows
 * no kiln_spec, and reads no file. Thread-safe. */
#ifndef KILN_API_MANIFEST_SCHEMA_H
#define KILN_API_MANIFEST_SCHEMA_H

#include <cyaml/cyaml.h>

#include "base/error.h"

enum {
    manifest_max_bytes = 16 << 20,
    manifest_max_libraries = 4096,
    manifest_max_entries = 1 << 14, /* of any other sequence */
};

/* Absent strings are NULL, absent sequences have no items. */
typedef struct manifest_strings {
    char **items;
    unsigned count;
} manifest_strings;

/* Arguments in their three spellings. */
typedef struct manifest_arguments {
    manifest_strings include, define, arguments;
} manifest_arguments;

/* Sources that share arguments of their own. */
typedef struct manifest_group {
    manifest_strings sources, arguments;
} manifest_group;

typedef struct manifest_memory_file {
    char *path, *text;
    manifest_strings arguments; /* of sources only */
} manifest_memory_file;

typedef enum manifest_bool { MANIFEST_FALSE, MANIFEST_TRUE } manifest_bool;

typedef struct manifest_library {
    char *name, *directory, *language, *standard;
    manifest_bool force_language;
    manifest_strings sources, dependencies, packages;
    manifest_arguments private_arguments, public_arguments;
    manifest_group *groups;
    manifest_memory_file *memory_sources, *memory_headers;
    unsigned group_count, memory_source_count, memory_header_count;
} manifest_library;

typedef struct manifest_file {
    manifest_library *libraries;
    unsigned library_count;
} manifest_file;

/* A whole manifest (loads a manifest_file), and one library alone (loads a manifest_library). */
extern const cyaml_schema_value_t manifest_schema_file;
extern const cyaml_schema_value_t manifest_schema_library;

/* Whether libcyaml will take the text: well-formed YAML, one document, no aliases, known keys, each
 * once, values of their types, required keys there, within the limits. origin: what messages call
 * the text. Errors: SPEC ("origin:line: field: what is wrong"), NO_MEMORY. */
kiln_status manifest_check(const char *text, size_t size, const char *origin,
                           const cyaml_schema_value_t *schema, kiln_error **error);

/* The line, from 1, of a field ("libraries[1].sources[0]") in a text that passed the check; that of
 * the nearest one around it where it is not there; 0 when out of memory. */
size_t manifest_line(const char *text, size_t size, const cyaml_schema_value_t *schema,
                     const char *field);

#endif
