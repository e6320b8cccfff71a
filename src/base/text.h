/* text.h - growing byte buffers and lists of strings.
 *
 * A `text` is bytes with a length, always NUL-terminated, so that it serves paths, messages and
 * binary data alike. Adders return false when memory runs out and mark the text as failed; later
 * adders then do nothing, so a chain of them needs one check at its end. Zero-initialised structs
 * are empty. One owner at a time. */
#ifndef KILN_BASE_TEXT_H
#define KILN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct text {
    char *bytes; /* NULL while nothing was added */
    size_t length;
    size_t capacity;
    bool failed;
} text;

bool text_add(text *t, const void *bytes, size_t length);
bool text_add_string(text *t, const char *string);
bool text_format(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool text_vformat(text *t, const char *format, va_list arguments);
/* The bytes as a string that the caller frees; the text is empty afterwards. NULL if it failed. */
char *text_take(text *t);
/* What stands there, "" for nothing. */
const char *text_string(const text *t);
void text_destroy(text *t);

/* A malloc'd printf. NULL when out of memory. */
char *text_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Strings that are owned, in order. `items` ends with NULL once anything was added. */
typedef struct string_list {
    char **items;
    size_t count;
    size_t capacity;
} string_list;

bool string_list_add(string_list *list, const char *string);
bool string_list_add_bytes(string_list *list, const void *bytes, size_t length);
/* Takes the string over, also when it fails. NULL fails. */
bool string_list_take(string_list *list, char *string);
/* strings: ends with NULL, or NULL. */
bool string_list_add_all(string_list *list, const char *const *strings);
bool string_list_contains(const string_list *list, const char *string);
void string_list_sort(string_list *list);
void string_list_destroy(string_list *list);
/* The list as NULL-terminated array, also while it is empty. */
const char *const *string_list_view(const string_list *list);

#endif
