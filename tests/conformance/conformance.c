/* conformance.c - the mode of a run, and loads in it; see conformance.h for the contract.
 *
 * The mode comes in the variable CONFORMANCE_MODE as the settings of modes.txt. For one thread. */
#include "conformance.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of a setting "name=value" in the mode, malloc'd; NULL where the mode does not set it.
 */
static char *setting(const char *name)
{
    const char *mode = getenv("CONFORMANCE_MODE");
    char *copy = strdup(mode ? mode : "cache=none"), *value = NULL;
    size_t length = strlen(name);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        if (strncmp(word, name, length) == 0 && word[length] == '=')
            value = strdup(word + length + 1);
    }
    free(copy);
    return value;
}

static bool setting_is(const char *name, const char *expected)
{
    char *value = setting(name);
    bool same = value && strcmp(value, expected) == 0;
    free(value);
    return same;
}

bool conformance_expects_hit(void)
{
    return setting_is("cache", "filled");
}

static kiln_hot_mode hot_mode(void)
{
    return setting_is("hot", "islands") ? KILN_HOT_ISLANDS
           : setting_is("hot", "whole") ? KILN_HOT_WHOLE
                                        : KILN_HOT_OFF;
}

static event_log events;

kiln_session *conformance_session(void)
{
    static kiln_session *session;
    if (session)
        return session;
    /* Whether there is a cache, and where, comes from the environment, as for most users. */
    kiln_session_options options = session_options(NULL, &events);
    options.no_cache = false;
    session = session_create_with(&options);
    return session;
}

const event_log *conformance_events(void)
{
    return &events;
}

char *conformance_path(const char *name)
{
    return text_of("%s/%s", getenv("TMPDIR"), name);
}

bool conformance_is_mapped(const void *address)
{
    /* mincore would do, were it not for pages that are mapped and must not be touched. */
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    CHECK(maps);
    while (!found && fgets(line, sizeof line, maps)) {
        uintptr_t start, end;
        char access[5];
        /* Address space that is only reserved is nothing. */
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, access) == 3)
            found = (uintptr_t)address - start < end - start && strcmp(access, "---p") != 0;
    }
    fclose(maps);
    return found;
}

kiln_spec *conformance_spec(const char *name, ...)
{
    kiln_spec *spec = kiln_spec_create(name);
    va_list sources;
    va_start(sources, name);
    for (const char *source; (source = va_arg(sources, const char *));)
        CHECK_STATUS(kiln_spec_add_source(spec, source, NULL), KILN_OK, NULL);
    va_end(sources);
    return spec;
}

void conformance_register(kiln_spec *spec)
{
    kiln_error *error;
    CHECK_STATUS(kiln_session_register(conformance_session(), spec, &error), KILN_OK, &error);
    kiln_spec_destroy(spec);
}

/* A program that asks twice gets the same answer twice only where the mode has no cache or a filled
 * one: after the first load has filled a fresh cache, the second one is a hit. */
static bool is_first_load(const char *name)
{
    static char *seen[32];
    size_t i = 0;
    for (; seen[i]; i++) {
        if (strcmp(seen[i], name) == 0)
            return false;
    }
    CHECK(i < 31);
    seen[i] = strdup(name);
    return true;
}

static kiln_library *load(const char *name, kiln_visibility visibility)
{
    kiln_library *library;
    kiln_error *error;
    kiln_report report = {.size = sizeof report};
    char *engine = setting("engine");
    kiln_load_options options = {.size = sizeof options,
                                 .visibility = visibility,
                                 .engine = engine,
                                 .lazy = setting_is("lazy", "yes"),
                                 .hot = hot_mode()};
    kiln_status status = kiln_library_load(conformance_session(), name, &options, &library, &error);
    free(engine);
    CHECK_STATUS(status, KILN_OK, &error);
    CHECK_STATUS(kiln_library_report(library, &report), KILN_OK, NULL);
    if (is_first_load(name) && report.hit != conformance_expects_hit())
        support_fail(__FILE__, __LINE__, "the load of '%s' was a %s: %s", name,
                     report.hit ? "hit" : "miss",
                     report.miss_reason ? report.miss_reason : "no reason given");
    return library;
}

kiln_library *conformance_load(const char *name)
{
    return load(name, KILN_LOCAL);
}

kiln_library *conformance_load_globally(const char *name)
{
    return load(name, KILN_GLOBAL);
}

kiln_function conformance_function(const kiln_library *library, const char *name)
{
    kiln_error *error;
    kiln_function function = kiln_library_function(library, name, &error);
    if (!function)
        support_fail(__FILE__, __LINE__, "no function '%s': %s", name, kiln_error_rendered(error));
    return function;
}

void *conformance_data(const kiln_library *library, const char *name)
{
    kiln_error *error;
    void *data = kiln_library_data(library, name, &error);
    if (!data)
        support_fail(__FILE__, __LINE__, "no data '%s': %s", name, kiln_error_rendered(error));
    return data;
}

void conformance_close(kiln_library *library)
{
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
}
