/* json_text.h - Kiln's objects as JSON, for --json.
 *
 * JSON is UTF-8; paths and symbols are bytes. Bytes that are no UTF-8 become U+FFFD, so that every
 * output parses. Callers own what comes back. */
#ifndef KILN_CLI_JSON_TEXT_H
#define KILN_CLI_JSON_TEXT_H

#include <json-c/json.h>
#include <stdio.h>

#include "kiln.h"

/* A string, or null for NULL. */
struct json_object *json_text(const char *bytes);
/* Add a member; object owns value from now on. */
void json_set(struct json_object *object, const char *name, struct json_object *value);

struct json_object *json_diagnostic(const kiln_diagnostic *diagnostic);
/* {"error": {...}}: status, phase, message, diagnostics, missing symbols; of libkiln's error, or of
 * a failure before anything was asked of it. */
struct json_object *json_error(const kiln_error *error);
struct json_object *json_failure(kiln_status status, const char *message);

/* Print one object, indented, with a newline, and free it. */
void json_print(struct json_object *object);

#endif
