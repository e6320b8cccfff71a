/* key_reasons.c - what is told of a key's ingredients: as text that is kept, and as the difference
 * from an earlier text. See key.h.
 *
 * The text is a line that names this format, then a line for each ingredient, by its first letter:
 *
 *     = DIGEST LABEL      a thing, which is new, gone, changed or elsewhere in the order
 *     + DIGEST LABEL      a list; its words follow
 *     - LABEL WORD        one of them
 *
 * Both sides are compared as such text, so whatever is cut or replaced in one is so in the other. An
 * earlier text may be damaged: it can lead to a wrong sentence, never to more. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "build/arguments.h"
#include "build/key.h"

static const char format_line[] = "kiln ingredients 1\n";
enum { longest_word = 200, hex_length = digest_hex_size - 1, unmatched = -1 };

/* ---- as text ---- */

/* One line, whatever is in it; the end of a long one is left out. */
static void print_words(text *printed, const char *first, const char *second)
{
    text words = {0};
    text_format(&words, "%s%s%s", first, second ? " " : "", second ? second : "");
    const char *from = text_string(&words);
    size_t length = strlen(from), shown = length < longest_word ? length : longest_word;
    for (size_t i = 0; i < shown; i++) {
        char byte = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? '?' : from[i];
        text_add(printed, &byte, 1);
    }
    text_add_string(printed, shown < length ? "...\n" : "\n");
    printed->failed |= words.failed;
    text_destroy(&words);
}

/* An argument and its value are one to who reads of them. */
static void print_list(text *printed, const ingredient *item)
{
    for (size_t i = 0; i < item->word_count; i++) {
        bool has_value = i + 1 < item->word_count && argument_has_value(item->words[i]);
        text_format(printed, "- %s ", item->label);
        print_words(printed, item->words[i], has_value ? item->words[i + 1] : NULL);
        i += has_value;
    }
}

char *ingredients_print(const ingredients *list)
{
    text printed = {0};
    text_add_string(&printed, format_line);
    for (size_t i = 0; i < list->count; i++) {
        const ingredient *item = &list->items[i];
        char hex[digest_hex_size];
        if (!item->label[0])
            continue;
        digest_hex(&item->value, hex);
        text_format(&printed, "%c %s ", item->words ? '+' : '=', hex);
        print_words(&printed, item->label, NULL);
        if (item->words)
            print_list(&printed, item);
    }
    return text_take(&printed);
}

/* ---- and back ---- */

/* A line of such a text; it leads into it. */
typedef struct line {
    char kind;
    const char *digest; /* NULL of a word */
    const char *label;
    size_t length;
    long match; /* the line of the other text that means the same thing */
} line;

typedef struct line_list {
    line *items;
    size_t count, capacity;
} line_list;

static bool read_line(const char *start, size_t length, line *line)
{
    if (length < 2 || !strchr("=+-", start[0]) || start[1] != ' ')
        return false;
    bool is_word = start[0] == '-';
    size_t before = is_word ? 2 : 2 + hex_length + 1;
    *line = (struct line){.kind = start[0],
                          .digest = is_word ? NULL : start + 2,
                          .label = start + before,
                          .length = length - before,
                          .match = unmatched};
    return length > before;
}

/* false when out of memory. Lines that are none are left out. */
static bool read_lines(const char *printed, line_list *list)
{
    line found;
    while (*printed) {
        size_t length = strcspn(printed, "\n");
        if (read_line(printed, length, &found)) {
            line *item =
                array_add((void **)&list->items, &list->count, &list->capacity, sizeof *item);
            if (!item)
                return false;
            *item = found;
        }
        printed += length + (printed[length] == '\n');
    }
    return true;
}

static bool is_same_thing(const line *a, const line *b)
{
    return a->kind == b->kind && a->length == b->length &&
           memcmp(a->label, b->label, a->length) == 0;
}

static bool is_same_value(const line *a, const line *b)
{
    return !a->digest || memcmp(a->digest, b->digest, hex_length) == 0;
}

/* Pair what means the same thing. Looking goes on where it last led to something, so that texts
 * that hardly differ are read once. */
static void match_lines(line_list *ours, line_list *theirs)
{
    size_t next = 0;
    for (size_t i = 0; i < ours->count; i++) {
        for (size_t tried = 0; tried < theirs->count; tried++) {
            size_t k = (next + tried) % theirs->count;
            if (theirs->items[k].match != unmatched ||
                !is_same_thing(&ours->items[i], &theirs->items[k]))
                continue;
            ours->items[i].match = (long)k;
            theirs->items[k].match = (long)i;
            next = k + 1;
            break;
        }
    }
}

/* ---- what differs ---- */

static void tell(text *reasons, const line *line, const char *what)
{
    text_format(reasons, "%.*s%s\n", (int)line->length, line->label, what);
}

/* Whether a word of the list in line `at` is not where it was. */
static bool words_tell(const line_list *list, size_t at)
{
    long last = unmatched;
    for (size_t i = at + 1; i < list->count && list->items[i].kind == '-'; i++) {
        if (list->items[i].match <= last)
            return true;
        last = list->items[i].match;
    }
    return false;
}

/* A list is told of by its words; by its name only where they tell nothing: what differs was cut. */
static void tell_of_lists(const line_list *ours, const line_list *theirs, text *reasons)
{
    for (size_t i = 0; i < ours->count; i++) {
        const line *line = &ours->items[i];
        if (line->kind != '+' || line->match == unmatched ||
            is_same_value(line, &theirs->items[line->match]))
            continue;
        if (!words_tell(ours, i) && !words_tell(theirs, (size_t)line->match))
            tell(reasons, line, " list has changed");
    }
}

/* The first of ours that stands behind what it stood before; the order of all others follows. */
static void tell_of_order(const line_list *ours, text *reasons)
{
    long last = unmatched;
    for (size_t i = 0; i < ours->count; i++) {
        const line *line = &ours->items[i];
        if (line->match == unmatched || line->kind == '+')
            continue;
        if (line->match < last) {
            tell(reasons, line, " comes in another order");
            return;
        }
        last = line->match;
    }
}

static void tell_of_things(const line_list *ours, const line_list *theirs, text *reasons)
{
    for (size_t i = 0; i < ours->count; i++) {
        const line *line = &ours->items[i];
        if (line->kind == '+')
            continue;
        if (line->match == unmatched)
            tell(reasons, line, " is new");
        else if (!is_same_value(line, &theirs->items[line->match]))
            tell(reasons, line, " has changed");
    }
    for (size_t i = 0; i < theirs->count; i++)
        if (theirs->items[i].kind != '+' && theirs->items[i].match == unmatched)
            tell(reasons, &theirs->items[i], " is gone");
}

char *ingredients_compare(const ingredients *list, const char *printed)
{
    line_list ours = {0}, theirs = {0};
    text reasons = {0};
    char *now = ingredients_print(list);
    if (strncmp(printed, format_line, sizeof format_line - 1) != 0) {
        text_add_string(&reasons, "what it was built of before is not known\n");
        goto cleanup;
    }
    text_add(&reasons, "", 0);
    if (!now || !read_lines(now, &ours) || !read_lines(printed, &theirs)) {
        reasons.failed = true;
        goto cleanup;
    }
    match_lines(&ours, &theirs);
    tell_of_things(&ours, &theirs, &reasons);
    tell_of_order(&ours, &reasons);
    tell_of_lists(&ours, &theirs, &reasons);
cleanup:
    free(now);
    free(ours.items);
    free(theirs.items);
    return text_take(&reasons);
}
