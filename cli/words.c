/* words.c - lists of strings, numbers with units: see words.h.
 *
 * Lists copy what they are given, so that no word depends on where it came from: argv, a response file or a
 * message. Growth is by doubling; an empty list owns nothing. */
#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

void *own(void *memory)
{
    if (memory != NULL)
        return memory;
    fputs("kiln: error: out of memory\n", stderr);
    exit(CLI_FAILURE);
}

char *own_format(const char *format, ...)
{
    char *text = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&text, format, values);
    va_end(values);
    return own(length < 0 ? NULL : text);
}

void word_list_add(word_list *list, const char *word)
{
    if (list->count + 1 >= list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->items = own(reallocarray(list->items, list->capacity, sizeof *list->items));
    }
    list->items[list->count++] = own(strdup(word));
    list->items[list->count] = NULL;
}

void word_list_add_all(word_list *list, char *const *words)
{
    for (; words != NULL && *words != NULL; words++)
        word_list_add(list, *words);
}

void word_list_destroy(word_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (word_list){0};
}

/* Digits, then at most one letter of `units`, whose factor is at the same place in `factors`. */
static bool parse_with_unit(const char *text, const char *units, const uint64_t *factors,
                            uint64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    uint64_t factor = 1;
    if (*end != '\0') {
        const char *unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0')
            return false;
        factor = factors[unit - units];
    }
    return !__builtin_mul_overflow((uint64_t)number, factor, value);
}

bool parse_size(const char *text, uint64_t *bytes)
{
    static const uint64_t factors[] = {1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40,
                                       1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40};
    return parse_with_unit(text, "KMGTkmgt", factors, bytes);
}

bool parse_seconds(const char *text, uint64_t *seconds)
{
    static const uint64_t factors[] = {1, 60, 3600, 86400};
    return parse_with_unit(text, "smhd", factors, seconds);
}

/* Levenshtein's, one row at a time. */
unsigned edit_distance(const char *a, const char *b)
{
    enum { LIMIT = 32 };
    size_t a_length = strlen(a), b_length = strlen(b);
    unsigned row[LIMIT + 1];
    if (a_length > LIMIT || b_length > LIMIT)
        return 99;
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_length];
}

char *format_size(uint64_t bytes, char buffer[UNIT_TEXT_CAPACITY])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, UNIT_TEXT_CAPACITY, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buffer;
}

char *format_seconds(double seconds, char buffer[UNIT_TEXT_CAPACITY])
{
    if (seconds < 1)
        snprintf(buffer, UNIT_TEXT_CAPACITY, "%.1f ms", seconds * 1000);
    else if (seconds < 60)
        snprintf(buffer, UNIT_TEXT_CAPACITY, "%.1f s", seconds);
    else
        snprintf(buffer, UNIT_TEXT_CAPACITY, "%.0f min %.0f s", (double)((long)seconds / 60),
                 (double)((long)seconds % 60));
    return buffer;
}
