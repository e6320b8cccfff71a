/* render.c - the compiler's text in colour: see render.h.
 *
 * Clang's text is regular enough to be read back: a line is a margin with source or carets, or a location with a severity,
 * or something else, which is left alone. Guessing wrong costs a colour, never a byte. */
#include "render.h"

#include <ctype.h>
#include <string.h>

#define BOLD "\033[1m"
#define RESET "\033[0m"
#define GREEN "\033[0;1;32m"

/* How a severity stands in a line. "fatal error" comes before "error", which is its end. */
static const struct severity_color {
    const char *word;
    const char *color;
    bool bold_message;
} severity_colors[] = {
    {"fatal error: ", "\033[0;1;31m", true}, {"error: ", "\033[0;1;31m", true},
    {"warning: ", "\033[0;1;35m", true},     {"remark: ", "\033[0;1;34m", true},
    {"note: ", "\033[0;1;36m", false},
};
#define SEVERITY_COUNT (sizeof severity_colors / sizeof *severity_colors)

/* The length of the margin that clang puts before source text, "   12 | " or "      | ", or 0.
 * *is_source: with a number. */
static size_t margin_length(const char *line, size_t length, bool *is_source)
{
    size_t at = 0;
    while (at < length && line[at] == ' ')
        at++;
    size_t digits = at;
    while (at < length && isdigit((unsigned char)line[at]))
        at++;
    *is_source = at > digits;
    if (*is_source && at < length && line[at] == ' ')
        at++;
    if (at == 0 || at == length || line[at] != '|' || line[at - 1] != ' ')
        return 0;
    return at + 1 < length ? at + 2 : at + 1;
}

/* Find the severity that ends a location: the earliest in the line, at its start or after ": ".
 * Returns its place, or length. */
static size_t find_severity(const char *line, size_t length, const struct severity_color **severity)
{
    for (size_t at = 0; at < length; at++) {
        if (at != 0 && (at < 2 || line[at - 2] != ':' || line[at - 1] != ' '))
            continue;
        for (size_t i = 0; i < SEVERITY_COUNT; i++) {
            size_t word_length = strlen(severity_colors[i].word);
            if (length - at < word_length ||
                memcmp(line + at, severity_colors[i].word, word_length))
                continue;
            *severity = &severity_colors[i];
            return at;
        }
    }
    return length;
}

/* A line with a severity: location, severity, message. */
static void render_headline(FILE *stream, const char *line, size_t length, size_t at,
                            const struct severity_color *severity)
{
    size_t word_length = strlen(severity->word);
    if (at > 0)
        fprintf(stream, BOLD "%.*s" RESET, (int)at, line);
    fprintf(stream, "%s%s" RESET, severity->color, severity->word);
    fprintf(stream, "%s%.*s%s", severity->bold_message ? BOLD : "",
            (int)(length - at - word_length), line + at + word_length,
            severity->bold_message ? RESET : "");
}

static void render_line(FILE *stream, const char *line, size_t length)
{
    bool is_source = false;
    size_t margin = margin_length(line, length, &is_source);
    const struct severity_color *severity = NULL;
    size_t at = margin == 0 ? find_severity(line, length, &severity) : length;
    if (severity != NULL)
        render_headline(stream, line, length, at, severity);
    else if (margin == 0 || is_source)
        fwrite(line, 1, length, stream);
    else
        fprintf(stream, "%.*s" GREEN "%.*s" RESET, (int)margin, line, (int)(length - margin),
                line + margin);
}

void render_diagnostics(FILE *stream, const char *text, bool color)
{
    if (!color) {
        fputs(text, stream);
        return;
    }
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        render_line(stream, text, length);
        text += length;
        if (*text == '\n')
            putc(*text++, stream);
    }
}

void render_message(FILE *stream, const char *severity, const char *message, bool color)
{
    const struct severity_color *chosen = &severity_colors[1];
    for (size_t i = 0; i < SEVERITY_COUNT; i++) {
        if (strncmp(severity_colors[i].word, severity, strlen(severity)) == 0)
            chosen = &severity_colors[i];
    }
    if (color)
        fprintf(stream, "kiln: %s%s" RESET BOLD "%s" RESET "\n", chosen->color, chosen->word,
                message);
    else
        fprintf(stream, "kiln: %s%s\n", chosen->word, message);
}
