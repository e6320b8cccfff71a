/* load_result.c - one load with a session of its own; see load_result.h. Any thread. */
#include "load_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

load_result try_load_with(const kiln_session_options *given, const kiln_spec *spec)
{
    event_log log = {0};
    kiln_session_options options = session_options(NULL, &log);
    options.cache_directory = given->cache_directory;
    options.no_cache = given->no_cache;
    options.compiler_path = given->compiler_path;
    options.job_seconds = given->job_seconds;
    options.job_memory_bytes = given->job_memory_bytes;
    options.trust_system_headers = given->trust_system_headers;

    load_result result = {.miss_reason = NULL};
    kiln_session *session = NULL;
    kiln_library *library;
    kiln_error *error;
    result.status = kiln_session_create(&options, &session, &error);
    if (result.status == KILN_OK)
        result.status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    result.error = strdup(error ? kiln_error_rendered(error) : "");
    if (result.status == KILN_OK) {
        result.hit = was_hit(library);
        result.value = call_int(library, "value");
        CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    }
    kiln_error_destroy(error);
    kiln_session_destroy(session);
    result.units_compiled = log.count[KILN_EVENT_UNIT_STARTED];
    result.miss_reason = strdup(log.miss_reasons);
    result.diagnostics = strdup(log.diagnostics);
    event_log_reset(&log);
    return result;
}

load_result try_load(const char *cache_directory, const kiln_spec *spec)
{
    kiln_session_options options = session_options(cache_directory, NULL);
    return try_load_with(&options, spec);
}

void load_result_free(load_result *result)
{
    free(result->miss_reason);
    free(result->diagnostics);
    free(result->error);
}

void expect_load(const char *file, int line, const char *cache_directory, const kiln_spec *spec,
                 bool hit, int value)
{
    load_result result = try_load(cache_directory, spec);
    if (result.status != KILN_OK)
        support_fail(file, line, "the load failed: %s\n%s", kiln_status_name(result.status),
                     result.error);
    if (result.value != value)
        support_fail(file, line, "the value is %d, not %d (%s)", result.value, value,
                     result.hit ? "hit" : "miss");
    if (result.hit != hit)
        support_fail(file, line, "the load was a %s: %s", result.hit ? "hit" : "miss",
                     result.miss_reason);
    if (result.hit && result.units_compiled > 0)
        support_fail(file, line, "a hit that compiled %u units", result.units_compiled);
    load_result_free(&result);
}
