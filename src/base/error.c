/* error.c - the error object: how it is made, and what kiln.h tells of it.
 *
 * The accessors of kiln.h stand here beside the struct, so that no other file needs to see it. One
 * static object stands for "out of memory while making an error"; it is never freed. An error
 * belongs to one thread at a time. */
#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

struct kiln_error {
    kiln_status code;
    kiln_phase phase;
    char *message;
    char *rendered;
    diagnostic_list diagnostics;
    kiln_missing_symbol *missing;
    size_t missing_count, missing_capacity;
};

static kiln_error out_of_memory = {
    .code = KILN_NO_MEMORY,
    .phase = KILN_PHASE_SPEC,
    .message = (char *)"out of memory",
    .rendered = (char *)"kiln: out of memory\n",
};

static kiln_status error_vset(kiln_error **error, kiln_status code, kiln_phase phase,
                              const char *suffix, const char *format, va_list arguments)
{
    assert(code != KILN_OK && code != KILN_PENDING);
    if (!error)
        return code;
    assert(!*error);
    text message = {0};
    text_vformat(&message, format, arguments);
    if (suffix)
        text_format(&message, ": %s", suffix);
    kiln_error *made = calloc(1, sizeof *made);
    char *words = text_take(&message);
    char *rendered = words ? text_print("kiln: %s\n", words) : NULL;
    if (!made || !rendered) {
        free(made);
        free(words);
        free(rendered);
        return error_no_memory(error);
    }
    made->code = code;
    made->phase = phase;
    made->message = words;
    made->rendered = rendered;
    *error = made;
    return code;
}

kiln_status error_set(kiln_error **error, kiln_status code, kiln_phase phase, const char *format,
                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    kiln_status status = error_vset(error, code, phase, NULL, format, arguments);
    va_end(arguments);
    return status;
}

kiln_status error_set_errno(kiln_error **error, kiln_status code, kiln_phase phase, int errno_value,
                            const char *format, ...)
{
    char words[128];
    va_list arguments;
    va_start(arguments, format);
    kiln_status status = error_vset(
        error, code, phase, strerror_r(errno_value, words, sizeof words), format, arguments);
    va_end(arguments);
    return status;
}

kiln_status error_null(kiln_error **error, const char *argument)
{
    return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC, "the argument `%s` is NULL",
                     argument);
}

kiln_status error_no_memory(kiln_error **error)
{
    if (error)
        *error = &out_of_memory;
    return KILN_NO_MEMORY;
}

/* ---- diagnostics ---- */

static void diagnostics_destroy(kiln_diagnostic *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kiln_diagnostic *item = &items[i];
        for (size_t k = 0; k < item->fixit_count; k++) {
            free((char *)item->fixits[k].file);
            free((char *)item->fixits[k].replacement);
        }
        free((kiln_fixit *)item->fixits);
        diagnostics_destroy((kiln_diagnostic *)item->notes, item->note_count);
        free((char *)item->file);
        free((char *)item->message);
        free((char *)item->option);
        free((char *)item->rendered);
    }
    free(items);
}

void diagnostic_list_destroy(diagnostic_list *list)
{
    diagnostics_destroy(list->items, list->count);
    *list = (diagnostic_list){0};
}

static bool copy_string(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool diagnostics_copy(kiln_diagnostic **to, const kiln_diagnostic *from, size_t count);

static bool fixits_copy(kiln_fixit **to, const kiln_fixit *from, size_t count)
{
    *to = count ? calloc(count, sizeof **to) : NULL;
    if (count && !*to)
        return false;
    bool done = true;
    for (size_t i = 0; i < count; i++) {
        (*to)[i] = from[i];
        done &= copy_string(&(*to)[i].file, from[i].file);
        done &= copy_string(&(*to)[i].replacement, from[i].replacement);
    }
    return done;
}

static bool diagnostic_copy(kiln_diagnostic *to, const kiln_diagnostic *from)
{
    kiln_diagnostic *notes = NULL;
    kiln_fixit *fixits = NULL;
    *to = *from;
    bool done = copy_string(&to->file, from->file);
    done &= copy_string(&to->message, from->message);
    done &= copy_string(&to->option, from->option);
    done &= copy_string(&to->rendered, from->rendered);
    done &= diagnostics_copy(&notes, from->notes, from->note_count);
    done &= fixits_copy(&fixits, from->fixits, from->fixit_count);
    to->notes = notes;
    to->note_count = notes ? from->note_count : 0;
    to->fixits = fixits;
    to->fixit_count = fixits ? from->fixit_count : 0;
    return done;
}

static bool diagnostics_copy(kiln_diagnostic **to, const kiln_diagnostic *from, size_t count)
{
    *to = count ? calloc(count, sizeof **to) : NULL;
    if (count && !*to)
        return false;
    bool done = true;
    for (size_t i = 0; i < count; i++)
        done &= diagnostic_copy(&(*to)[i], &from[i]);
    return done;
}

/* `rendered` is the diagnostics as clang prints them, its summary line, then our message. */
static void error_render(kiln_error *error, const char *summary)
{
    text rendered = {0};
    for (size_t i = 0; i < error->diagnostics.count; i++)
        if (error->diagnostics.items[i].rendered)
            text_add_string(&rendered, error->diagnostics.items[i].rendered);
    if (summary)
        text_add_string(&rendered, summary);
    text_format(&rendered, "kiln: %s\n", error->message);
    char *string = text_take(&rendered);
    if (!string)
        return;
    free(error->rendered);
    error->rendered = string;
}

void error_add_diagnostics(kiln_error *error, diagnostic_list *list, const char *summary)
{
    if (error == &out_of_memory) {
        diagnostic_list_destroy(list);
        return;
    }
    assert(error->diagnostics.count == 0);
    error->diagnostics = *list;
    *list = (diagnostic_list){0};
    error_render(error, summary);
}

kiln_error *error_of_diagnostics(kiln_status code, kiln_phase phase, const kiln_diagnostic *items,
                                 size_t count)
{
    kiln_error *error = NULL;
    diagnostic_list list = {.count = count};
    if (!diagnostics_copy(&list.items, items, count)) {
        diagnostics_destroy(list.items, list.items ? count : 0);
        return NULL;
    }
    error_set(&error, code, phase, "%s", count ? items[0].message : "no diagnostics");
    error_add_diagnostics(error, &list, NULL);
    return error;
}

/* ---- missing symbols ---- */

static void missing_symbol_destroy(kiln_missing_symbol *symbol)
{
    free((char *)symbol->name);
    free((char *)symbol->demangled);
    free((char *)symbol->needed_by);
    free((char *)symbol->provider);
}

void error_add_missing_symbol(kiln_error *error, const char *name, const char *demangled,
                              const char *needed_by, const char *provider)
{
    if (error == &out_of_memory)
        return;
    kiln_missing_symbol symbol = {.size = sizeof symbol};
    bool done = copy_string(&symbol.name, name);
    done &= copy_string(&symbol.demangled, demangled ? demangled : name);
    done &= copy_string(&symbol.needed_by, needed_by);
    done &= copy_string(&symbol.provider, provider);
    kiln_missing_symbol *place = done ? array_add((void **)&error->missing, &error->missing_count,
                                                  &error->missing_capacity, sizeof *place)
                                      : NULL;
    if (place)
        *place = symbol;
    else
        missing_symbol_destroy(&symbol);
}

kiln_error *error_copy(const kiln_error *error)
{
    if (!error || error == &out_of_memory)
        return (kiln_error *)error;
    kiln_error *copy = calloc(1, sizeof *copy);
    if (!copy)
        return &out_of_memory;
    copy->code = error->code;
    copy->phase = error->phase;
    copy->message = strdup(error->message);
    copy->rendered = strdup(error->rendered);
    copy->diagnostics.count = error->diagnostics.count;
    bool done = diagnostics_copy(&copy->diagnostics.items, error->diagnostics.items,
                                 error->diagnostics.count);
    if (!copy->diagnostics.items)
        copy->diagnostics.count = 0;
    if (!done || !copy->message || !copy->rendered) {
        kiln_error_destroy(copy);
        return &out_of_memory;
    }
    for (size_t i = 0; i < error->missing_count; i++)
        error_add_missing_symbol(copy, error->missing[i].name, error->missing[i].demangled,
                                 error->missing[i].needed_by, error->missing[i].provider);
    return copy;
}

/* ---- the public accessors ---- */

static const struct {
    const char *name, *text;
} statuses[] = {
    [KILN_OK] = {"KILN_OK", "success"},
    [KILN_PENDING] = {"KILN_PENDING", "not finished yet"},
    [KILN_INVALID_ARGUMENT] = {"KILN_INVALID_ARGUMENT",
                               "an argument of the call is not acceptable"},
    [KILN_NO_MEMORY] = {"KILN_NO_MEMORY", "out of memory"},
    [KILN_NOT_FOUND] = {"KILN_NOT_FOUND", "there is no such file, library or symbol"},
    [KILN_ALREADY_EXISTS] = {"KILN_ALREADY_EXISTS", "the name is taken"},
    [KILN_AMBIGUOUS] = {"KILN_AMBIGUOUS", "the name has several meanings"},
    [KILN_SPEC] = {"KILN_SPEC", "the spec or the manifest is wrong"},
    [KILN_CYCLE] = {"KILN_CYCLE", "libraries depend on each other in a circle"},
    [KILN_COMPILE] = {"KILN_COMPILE", "a source does not compile"},
    [KILN_LINK] = {"KILN_LINK", "the objects do not link"},
    [KILN_BIND] = {"KILN_BIND", "the image cannot be bound"},
    [KILN_COMPILER] = {"KILN_COMPILER",
                       "the compiler process is missing, of another version, or died"},
    [KILN_LIMIT] = {"KILN_LIMIT", "a job exceeded its limit of time or memory"},
    [KILN_CANCELLED] = {"KILN_CANCELLED", "the load was cancelled"},
    [KILN_IO] = {"KILN_IO", "the operating system refused"},
    [KILN_UNSUPPORTED] = {"KILN_UNSUPPORTED", "not supported"},
    [KILN_INTERNAL] = {"KILN_INTERNAL", "a defect in Kiln"},
    [KILN_REFUSED] = {"KILN_REFUSED", "the edit does not fit the data that exists"},
    [KILN_CRASHED] = {"KILN_CRASHED", "a guarded call crashed"},
};
_Static_assert(sizeof statuses / sizeof *statuses == KILN_CRASHED + 1, "a status has no name");

static bool is_status(kiln_status status)
{
    return (size_t)status < sizeof statuses / sizeof *statuses;
}

const char *kiln_status_name(kiln_status status)
{
    return is_status(status) ? statuses[status].name : "KILN_?";
}

const char *kiln_status_text(kiln_status status)
{
    return is_status(status) ? statuses[status].text : "unknown status";
}

const char *kiln_phase_name(kiln_phase phase)
{
    static const char *const names[] = {"spec", "lookup",  "plan", "compile",
                                        "link", "publish", "bind"};
    _Static_assert(sizeof names / sizeof *names == KILN_PHASE_COUNT, "a phase has no name");
    return (size_t)phase < KILN_PHASE_COUNT ? names[phase] : "?";
}

kiln_status kiln_error_code(const kiln_error *error)
{
    return error->code;
}

kiln_phase kiln_error_phase(const kiln_error *error)
{
    return error->phase;
}

const char *kiln_error_message(const kiln_error *error)
{
    return error->message;
}

const char *kiln_error_rendered(const kiln_error *error)
{
    return error->rendered;
}

size_t kiln_error_diagnostic_count(const kiln_error *error)
{
    return error->diagnostics.count;
}

const kiln_diagnostic *kiln_error_diagnostic(const kiln_error *error, size_t index)
{
    return index < error->diagnostics.count ? &error->diagnostics.items[index] : NULL;
}

size_t kiln_error_missing_symbol_count(const kiln_error *error)
{
    return error->missing_count;
}

const kiln_missing_symbol *kiln_error_missing_symbol(const kiln_error *error, size_t index)
{
    return index < error->missing_count ? &error->missing[index] : NULL;
}

void kiln_error_destroy(kiln_error *error)
{
    if (!error || error == &out_of_memory)
        return;
    free(error->message);
    free(error->rendered);
    diagnostic_list_destroy(&error->diagnostics);
    for (size_t i = 0; i < error->missing_count; i++)
        missing_symbol_destroy(&error->missing[i]);
    free(error->missing);
    free(error);
}
