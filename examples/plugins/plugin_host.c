/* plugin_host.c - a host whose plugins are C and C++ files: each is compiled when it is loaded.
 *
 *     plugin-host PLUGIN...
 *
 * Shows a spec with host symbols and arguments, structured diagnostics, and a session that goes on
 * after a plugin that does not compile. A plugin defines what plugin_api.h asks for and calls what
 * the host lends it. */
#include "plugin_api.h"

#include <kiln.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lent to plugins under the name that plugin_api.h declares. It need not be exported by this
 * program. */
static void lent_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("    ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

static void report(const char *path, kiln_error *error)
{
    printf("%s: not loaded (%s)\n", path,
           error ? kiln_status_name(kiln_error_code(error)) : "out of memory");
    for (size_t i = 0; error && i < kiln_error_diagnostic_count(error); i++) {
        const kiln_diagnostic *diagnostic = kiln_error_diagnostic(error, i);
        printf("    line %u: %s\n", (unsigned)diagnostic->line, diagnostic->message);
    }
    if (error && kiln_error_diagnostic_count(error) == 0)
        printf("    %s\n", kiln_error_message(error));
    kiln_error_destroy(error);
}

static kiln_spec *describe(const char *path)
{
    const char *slash = strrchr(path, '/');
    kiln_spec *spec = kiln_spec_create(slash ? slash + 1 : path);

    if (!spec)
        return NULL;
    kiln_spec_add_source(spec, path, NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-I" PLUGIN_API_DIRECTORY, "-Wall", NULL});
    kiln_spec_add_host_symbol(spec, "host_log", (const void *)lent_log);
    return spec;
}

static bool run(kiln_session *session, const char *path)
{
    kiln_spec *spec = describe(path);
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    bool ran = false;

    if (!spec || kiln_library_load_spec(session, spec, NULL, &library, &error) != KILN_OK) {
        report(path, error);
        goto cleanup;
    }
    const char *const *name = kiln_library_data(library, "plugin_name", &error);
    int (*start)(int) =
        (int (*)(int))(name ? kiln_library_function(library, "plugin_start", &error) : NULL);
    if (!start) {
        report(path, error);
        goto cleanup;
    }
    printf("%s:\n", *name);
    printf("    answered %d\n", start(6));
    ran = true;
cleanup:
    kiln_library_close(library);
    kiln_spec_destroy(spec);
    return ran;
}

int main(int argc, char **argv)
{
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    int failed = 0;

    if (kiln_session_create(NULL, &session, &error) != KILN_OK) {
        report(argv[0], error);
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++)
        failed += !run(session, argv[i]);
    printf("%d of %d plugins ran\n", argc - 1 - failed, argc - 1);
    kiln_session_destroy(session);
    return EXIT_SUCCESS;
}
