/* json_text.c - Kiln's objects as JSON: see json_text.h.
 *
 * json-c writes the bytes of a string as they are, so what is no UTF-8 must be gone before. Members keep the order in which
 * they are set; names follow the fields of kiln.h. */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

#include "words.h"

/* The length of the UTF-8 sequence at `bytes`, or 0 where there is none (RFC 3629: no overlong
 * forms, no surrogates). */
static size_t utf8_length(const unsigned char *bytes)
{
    unsigned char lead = bytes[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xed && bytes[1] > 0x9f) ||
        (lead == 0xf0 && bytes[1] < 0x90) || (lead == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return length;
}

struct json_object *json_text(const char *bytes)
{
    if (bytes == NULL)
        return NULL;
    /* The replacement character is three bytes long. */
    char *text = own(malloc(3 * strlen(bytes) + 1));
    char *end = text;
    while (*bytes != '\0') {
        size_t length = utf8_length((const unsigned char *)bytes);
        if (length == 0) {
            end = mempcpy(end, "\xef\xbf\xbd", 3);
            bytes++;
        } else {
            end = mempcpy(end, bytes, length);
            bytes += length;
        }
    }
    *end = '\0';
    struct json_object *string = own(json_object_new_string(text));
    free(text);
    return string;
}

void json_set(struct json_object *object, const char *name, struct json_object *value)
{
    own(json_object_object_add(object, name, value) == 0 ? object : NULL);
}

static struct json_object *json_fixit(const kiln_fixit *fixit)
{
    struct json_object *object = own(json_object_new_object());
    json_set(object, "file", json_text(fixit->file));
    json_set(object, "line", json_object_new_int64(fixit->line));
    json_set(object, "column", json_object_new_int64(fixit->column));
    json_set(object, "end_line", json_object_new_int64(fixit->end_line));
    json_set(object, "end_column", json_object_new_int64(fixit->end_column));
    json_set(object, "replacement", json_text(fixit->replacement));
    return object;
}

static const char *severity_name(kiln_severity severity)
{
    static const char *const names[] = {"note", "remark", "warning", "error", "fatal error"};
    return (size_t)severity < sizeof names / sizeof *names ? names[severity] : "error";
}

struct json_object *json_diagnostic(const kiln_diagnostic *diagnostic)
{
    struct json_object *object = own(json_object_new_object());
    struct json_object *notes = own(json_object_new_array());
    struct json_object *fixits = own(json_object_new_array());
    for (size_t i = 0; i < diagnostic->note_count; i++)
        json_object_array_add(notes, json_diagnostic(&diagnostic->notes[i]));
    for (size_t i = 0; i < diagnostic->fixit_count; i++)
        json_object_array_add(fixits, json_fixit(&diagnostic->fixits[i]));
    json_set(object, "severity", json_text(severity_name(diagnostic->severity)));
    json_set(object, "file", json_text(diagnostic->file));
    json_set(object, "line", json_object_new_int64(diagnostic->line));
    json_set(object, "column", json_object_new_int64(diagnostic->column));
    json_set(object, "end_line", json_object_new_int64(diagnostic->end_line));
    json_set(object, "end_column", json_object_new_int64(diagnostic->end_column));
    json_set(object, "message", json_text(diagnostic->message));
    json_set(object, "option", json_text(diagnostic->option));
    json_set(object, "rendered", json_text(diagnostic->rendered));
    json_set(object, "notes", notes);
    json_set(object, "fixits", fixits);
    return object;
}

static struct json_object *json_missing_symbol(const kiln_missing_symbol *symbol)
{
    struct json_object *object = own(json_object_new_object());
    json_set(object, "name", json_text(symbol->name));
    json_set(object, "demangled", json_text(symbol->demangled));
    json_set(object, "needed_by", json_text(symbol->needed_by));
    json_set(object, "provider", json_text(symbol->provider));
    return object;
}

static struct json_object *wrap_error(kiln_status status, kiln_phase phase, const char *message,
                                      struct json_object *diagnostics, struct json_object *missing)
{
    struct json_object *object = own(json_object_new_object());
    struct json_object *inner = own(json_object_new_object());
    json_set(inner, "status", json_text(kiln_status_name(status)));
    json_set(inner, "phase", json_text(kiln_phase_name(phase)));
    json_set(inner, "message", json_text(message));
    json_set(inner, "diagnostics", diagnostics);
    json_set(inner, "missing_symbols", missing);
    json_set(object, "error", inner);
    return object;
}

struct json_object *json_error(const kiln_error *error)
{
    struct json_object *diagnostics = own(json_object_new_array());
    struct json_object *missing = own(json_object_new_array());
    for (size_t i = 0; i < kiln_error_diagnostic_count(error); i++)
        json_object_array_add(diagnostics, json_diagnostic(kiln_error_diagnostic(error, i)));
    for (size_t i = 0; i < kiln_error_missing_symbol_count(error); i++)
        json_object_array_add(missing, json_missing_symbol(kiln_error_missing_symbol(error, i)));
    return wrap_error(kiln_error_code(error), kiln_error_phase(error), kiln_error_message(error),
                      diagnostics, missing);
}

struct json_object *json_failure(kiln_status status, const char *message)
{
    return wrap_error(status, KILN_PHASE_SPEC, message, own(json_object_new_array()),
                      own(json_object_new_array()));
}

void json_print(struct json_object *object)
{
    const int style =
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;
    puts(own((char *)json_object_to_json_string_ext(object, style)));
    json_object_put(object);
}
