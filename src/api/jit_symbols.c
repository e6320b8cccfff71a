/* jit_symbols.c - looking up and listing symbols of live code, by linker's and by C++ names. */
#include <stdlib.h>
#include <string.h>

#include "api/cxx_names.h"
#include "api/jit_host.h"
#include "api/session.h"
#include "base/text.h"
#include "os/os.h"

/* ---- C++ names ---- */

typedef struct cxx_search {
    const char *asked; /* squeezed */
    bool is_function, is_ambiguous, failed;
    char *name, *demangled; /* what was found first */
    text candidates;
} cxx_search;

static void cxx_search_destroy(cxx_search *search)
{
    free(search->name);
    free(search->demangled);
    text_destroy(&search->candidates);
}

static void found(cxx_search *search, const char *name, char *demangled)
{
    free(search->name);
    free(search->demangled);
    search->name = strdup(name);
    search->demangled = demangled;
    search->failed |= !search->name;
}

/* Constructors and destructors exist in variants of one C++ name: the one for complete objects is
 * meant. */
static bool consider(void *data, const kiln_symbol *symbol)
{
    cxx_search *search = data;
    const char *name = symbol->name;
    bool is_function = symbol->kind == KILN_SYMBOL_FUNCTION;
    bool may_be = is_function == search->is_function || symbol->kind == KILN_SYMBOL_OTHER;
    char *demangled = may_be ? os_demangle(name) : NULL;
    if (!demangled || !cxx_name_answers(demangled, search->is_function, search->asked)) {
        free(demangled);
        return true;
    }
    text_format(&search->candidates, "\n  %s", demangled);
    bool is_variant = search->name && strcmp(demangled, search->demangled) == 0;
    if (!search->name || (is_variant && cxx_name_is_complete(search->name, name))) {
        found(search, name, demangled);
        return !search->failed;
    }
    search->is_ambiguous |= !(is_variant && cxx_name_is_complete(name, search->name));
    free(demangled);
    return true;
}

/* The linker's name of what a C++ name stands for in the dylib; malloc'd. NOT_FOUND leaves *error as it
 * is. */
static kiln_status find_cxx(jit_dylib *dylib, const char *name, bool is_function, char **found,
                            kiln_error **error)
{
    char *asked = strdup(name);
    if (!asked)
        return error_no_memory(error);
    cxx_name_squeeze(asked);
    cxx_search search = {.asked = asked, .is_function = is_function};
    kiln_status status = jit_plugin_loaded()->visit(dylib, consider, &search, error);
    if (status == KILN_OK && search.failed)
        status = error_no_memory(error);
    else if (status == KILN_OK && search.is_ambiguous)
        status = error_set(error, KILN_AMBIGUOUS, KILN_PHASE_BIND, "'%s' is ambiguous; it may be%s",
                           name, text_string(&search.candidates));
    else if (status == KILN_OK && !search.name)
        status = KILN_NOT_FOUND;
    if (status == KILN_OK) {
        *found = search.name;
        search.name = NULL;
    }
    cxx_search_destroy(&search);
    free(asked);
    return status;
}

/* ---- looking up ---- */

/* By a linker's name; of a thread-local variable, the calling thread's. */
static kiln_status find(jit_dylib *dylib, const char *name, bool is_function, void **address,
                        kiln_error **error)
{
    kiln_status status = jit_plugin_loaded()->lookup(dylib, name, address, error);
    if (status != KILN_NOT_FOUND || is_function)
        return status;
    kiln_error *missing = NULL;
    void *control;
    char *emulated = jit_emulated_name(name);
    status = emulated ? jit_plugin_loaded()->lookup(dylib, emulated, &control, &missing)
                      : error_no_memory(&missing);
    free(emulated);
    if (status == KILN_OK)
        *address = jit_plugin_loaded()->thread_local_address(control);
    if (status == KILN_NOT_FOUND) {
        kiln_error_destroy(missing);
        return status;
    }
    kiln_error_destroy(*error);
    *error = missing;
    return status;
}

static void *look_up(kiln_jit_dylib *dylib, const char *name, bool is_function, kiln_error **error)
{
    void *address = NULL;
    char *linker_name = NULL;
    kiln_error *missing = NULL, *other = NULL;
    if (error)
        *error = NULL;
    kiln_status status = dylib ? KILN_OK : error_null(error, "dylib");
    if (status == KILN_OK && !name)
        status = error_null(error, "name");
    if (status != KILN_OK)
        return NULL;
    /* First: it has what was promised compiled, whose names are known then. */
    status = find((jit_dylib *)dylib, name, is_function, &address, &missing);
    if (status == KILN_NOT_FOUND) {
        kiln_status by_cxx = find_cxx((jit_dylib *)dylib, name, is_function, &linker_name, &other);
        if (by_cxx == KILN_OK)
            by_cxx = find((jit_dylib *)dylib, linker_name, is_function, &address, &other);
        if (by_cxx != KILN_NOT_FOUND || other) {
            kiln_error_destroy(missing);
            missing = other;
        }
        free(linker_name);
    }
    if (error)
        *error = missing;
    else
        kiln_error_destroy(missing);
    return address;
}

kiln_function kiln_jit_function(kiln_jit_dylib *dylib, const char *name, kiln_error **error)
{
    return (kiln_function)(uintptr_t)look_up(dylib, name, true, error);
}

void *kiln_jit_data(kiln_jit_dylib *dylib, const char *name, kiln_error **error)
{
    return look_up(dylib, name, false, error);
}

/* ---- listing ---- */

typedef struct listing {
    bool (*callback)(const kiln_symbol *symbol, void *user_data);
    void *user_data;
} listing;

static bool list_one(void *data, const kiln_symbol *symbol)
{
    const listing *listing = data;
    char *demangled = os_demangle(symbol->name);
    kiln_symbol told = *symbol;
    told.demangled = demangled ? demangled : symbol->name;
    bool goes_on = listing->callback(&told, listing->user_data);
    free(demangled);
    return goes_on;
}

kiln_status kiln_jit_list(kiln_jit_dylib *dylib,
                          bool (*callback)(const kiln_symbol *symbol, void *user_data),
                          void *user_data, kiln_error **error)
{
    listing listing = {callback, user_data};
    if (error)
        *error = NULL;
    if (!dylib || !callback)
        return error_null(error, dylib ? "callback" : "dylib");
    return jit_plugin_loaded()->visit((jit_dylib *)dylib, list_one, &listing, error);
}
