/* bind_report.h - why a load could not be bound, found out after the loader has refused.
 *
 * The loader stops at the first symbol or library that it does not find;
 * the report looks at all images of the load and lists all that is
 * missing. Reads files, maps and runs nothing. One thread at a time. */
#ifndef KILN_LOAD_BIND_REPORT_H
#define KILN_LOAD_BIND_REPORT_H

#include "base/text.h"
#include "load/load.h"
#include "load/mapped_image.h"

typedef struct bind_report bind_report;

/* Look for what is missing. entries: those of the request's images, in order. */
kiln_status bind_report_create(const load_request *request, mapped_image *const *entries,
                               bind_report **report, kiln_error **error);
void bind_report_destroy(bind_report *report);

/* Whether installed shared libraries define all that is
 * missing; then *providers lists them, each once. */
bool bind_report_providers(const bind_report *report, string_list *providers);

/* The error: BIND, with the list. words: the loader's own, which serve where nothing was found to
 * be missing. */
kiln_status bind_report_error(const bind_report *report, const char *words, kiln_error **error);

#endif
