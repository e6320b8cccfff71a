/* bench_load.c - one sample of Kiln: a session and one load in a fresh process.
 *
 *     bench-load [--trust] CACHE DIRECTORY WORD...
 *
 * Words that begin with '-' are Clang's arguments, the others sources (or patterns) in DIRECTORY.
 * --trust checks system headers by their directories alone. Prints "SECONDS INPUTS hit|miss PSS";
 * the clock runs from before the session is made until the library is loaded. */
#include "measure.h"

#include <kiln.h>
#include <stdio.h>
#include <string.h>

/* error: where the call that gave the status put its error, or NULL; read after the call. */
static void check(kiln_status status, kiln_error *const *error)
{
    if (status != KILN_OK)
        measure_fail("bench-load",
                     error && *error ? kiln_error_rendered(*error) : kiln_status_text(status));
}

static kiln_spec *describe(char **words)
{
    kiln_spec *spec = kiln_spec_create("bench");

    if (!spec)
        measure_fail("bench-load", "out of memory");
    kiln_spec_set_directory(spec, *words++);
    for (; *words; words++) {
        if (**words == '-')
            kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){*words, NULL});
        else
            kiln_spec_add_source(spec, *words, NULL);
    }
    return spec;
}

int main(int argc, char **argv)
{
    kiln_session_options options = {.size = sizeof options};
    kiln_report report = {.size = sizeof report};
    kiln_session *session = NULL;
    kiln_library *library = NULL;
    kiln_error *error = NULL;

    options.trust_system_headers = argc > 1 && strcmp(argv[1], "--trust") == 0;
    argv += options.trust_system_headers;
    argc -= options.trust_system_headers;
    if (argc < 4)
        measure_fail("usage", "bench-load [--trust] CACHE DIRECTORY WORD...");
    options.cache_directory = argv[1];

    double start = measure_now();
    check(kiln_session_create(&options, &session, &error), &error);
    kiln_spec *spec = describe(argv + 2);
    check(kiln_library_load_spec(session, spec, NULL, &library, &error), &error);
    double seconds = measure_now() - start;

    kiln_spec_destroy(spec);
    check(kiln_library_report(library, &report), NULL);
    measure_print(seconds, report.input_count, report.hit ? "hit" : "miss");
    kiln_library_close(library);
    kiln_session_destroy(session);
    return 0;
}
