/* message.c - what `kiln` says on standard error: see message.h.
 *
 * Messages of the command and of libkiln look alike: "kiln: error: ...". What the compiler said stands before them. */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"
#include "render.h"
#include "words.h"

static enum { UNDECIDED, PLAIN, COLORED } color_state;
static said_error first_error;

/* https://no-color.org: set and not empty means no. */
bool message_terminal_has_color(void)
{
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    if (refused != NULL && refused[0] != '\0')
        return false;
    return isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

void message_set_color(bool color)
{
    color_state = color ? COLORED : PLAIN;
}

static bool is_colored(void)
{
    if (color_state == UNDECIDED)
        message_set_color(message_terminal_has_color());
    return color_state == COLORED;
}

/* One message, after the progress line was taken away. The caller frees the text. */
static char *say(const char *severity, const char *format, va_list values)
{
    char *text = NULL;
    progress_clear();
    own(vasprintf(&text, format, values) < 0 ? NULL : text);
    render_message(stderr, severity, text, is_colored());
    return text;
}

static bool has_first_error(void)
{
    return first_error.error != NULL || first_error.text != NULL;
}

static void say_error(kiln_status status, const char *format, va_list values)
{
    char *text = say("error", format, values);
    if (has_first_error())
        free(text);
    else
        first_error = (said_error){.status = status, .text = text};
}

void message_error(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say_error(KILN_INVALID_ARGUMENT, format, values);
    va_end(values);
}

void message_failure(kiln_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say_error(status, format, values);
    va_end(values);
}

void message_warning(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    free(say("warning", format, values));
    va_end(values);
}

void message_note(const char *format, ...)
{
    va_list values;
    progress_clear();
    va_start(values, format);
    fputs("kiln: ", stderr);
    vfprintf(stderr, format, values);
    putc('\n', stderr);
    va_end(values);
}

/* Where in an error's rendered text libkiln's own message begins, "kiln: message\n": what stands
 * before are diagnostics. */
static size_t own_part(const char *rendered, const char *message)
{
    size_t length = strlen(rendered);
    size_t own_length = strlen("kiln: ") + strlen(message) + 1;
    if (length < own_length || strncmp(rendered + length - own_length, "kiln: ", 6) != 0)
        return length;
    return length - own_length;
}

/* Whether the message has all that the only diagnostic tells: what failed before there was any source
 * to point at would be told twice. */
static bool tells_all(const kiln_error *error)
{
    if (kiln_error_diagnostic_count(error) != 1)
        return false;
    const kiln_diagnostic *diagnostic = kiln_error_diagnostic(error, 0);
    bool has_place = diagnostic->file != NULL && diagnostic->file[0] != '\0';
    return !has_place && diagnostic->note_count == 0 &&
           strstr(kiln_error_message(error), diagnostic->message) != NULL;
}

void message_show(const kiln_error *error)
{
    const char *rendered = kiln_error_rendered(error);
    const char *message = kiln_error_message(error);
    char *diagnostics = own(strndup(rendered, own_part(rendered, message)));
    progress_clear();
    if (!tells_all(error))
        render_diagnostics(stderr, diagnostics, is_colored());
    render_message(stderr, "error", message, is_colored());
    free(diagnostics);
}

void message_report(kiln_error *error)
{
    if (error == NULL) {
        message_failure(KILN_NO_MEMORY, "out of memory");
        return;
    }
    message_show(error);
    if (has_first_error())
        kiln_error_destroy(error);
    else
        first_error = (said_error){.error = error};
}

const said_error *message_first_error(void)
{
    return &first_error;
}

void message_forget(void)
{
    kiln_error_destroy(first_error.error);
    free(first_error.text);
    first_error = (said_error){0};
}

char *message_line(const char *lines)
{
    char *line = own(strdup(""));
    for (const char *at = lines; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        char *longer = own_format("%s%s%.*s", line, line[0] != '\0' ? "; " : "", (int)length, at);
        free(line);
        line = longer;
        at += length + (at[length] == '\n');
    }
    return line;
}

void message_diagnostic(const kiln_diagnostic *diagnostic)
{
    progress_clear();
    render_diagnostics(stderr, diagnostic->rendered, is_colored());
}
