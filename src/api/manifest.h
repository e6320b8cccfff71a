/* manifest.h - specs read from kiln.yaml.
 *
 * Finds, reads and parses manifests in the schema of docs/manifest.md. Makes specs through kiln.h's
 * adders; registers nothing. Messages name file, line and field. Any thread. */
#ifndef KILN_API_MANIFEST_H
#define KILN_API_MANIFEST_H

#include "base/error.h"

/* The path of kiln.yaml in the current directory or the nearest above it; the caller frees it.
 * Errors: NOT_FOUND, IO, NO_MEMORY. */
kiln_status manifest_find(char **path, kiln_error **error);

/* The libraries of a manifest file, in its order; the caller frees them with
 * manifest_specs_destroy. Relative paths in it are resolved against its directory. A file that
 * another user could have written is refused. Errors: NOT_FOUND, SPEC, IO, NO_MEMORY. */
kiln_status manifest_read(const char *path, kiln_spec ***specs, size_t *count, kiln_error **error);

/* The same from a text. directory: absolute; against what relative paths are resolved. */
kiln_status manifest_parse(const char *text, size_t size, const char *origin, const char *directory,
                           kiln_spec ***specs, size_t *count, kiln_error **error);

/* One library, without the `libraries` level; relative paths are resolved against the current
 * directory. */
kiln_status manifest_parse_spec(const char *text, size_t size, const char *origin, kiln_spec **spec,
                                kiln_error **error);

void manifest_specs_destroy(kiln_spec **specs, size_t count);

#endif
