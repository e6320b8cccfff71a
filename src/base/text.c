/* text.c - growing byte buffers and lists of strings: see text.h. */
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static bool text_reserve(text *t, size_t extra)
{
    if (t->failed)
        return false;
    if (extra >= SIZE_MAX - t->length) {
        t->failed = true;
        return false;
    }
    size_t needed = t->length + extra + 1;
    if (needed <= t->capacity)
        return true;
    size_t capacity = t->capacity < 64 ? 64 : t->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *bytes = realloc(t->bytes, capacity);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

bool text_add(text *t, const void *bytes, size_t length)
{
    if (!text_reserve(t, length))
        return false;
    if (length)
        memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
    return true;
}

bool text_add_string(text *t, const char *string)
{
    return text_add(t, string, strlen(string));
}

/* Most of what is printed is short: it is printed twice only where it does not fit. */
bool text_vformat(text *t, const char *format, va_list arguments)
{
    enum { usual_length = 60 };
    va_list again;
    if (!text_reserve(t, usual_length))
        return false;
    size_t room = t->capacity - t->length;
    va_copy(again, arguments);
    int length = vsnprintf(t->bytes + t->length, room, format, arguments);
    bool fits = length >= 0 && (size_t)length < room;
    bool done = fits || (length >= 0 && text_reserve(t, (size_t)length));
    if (fits) {
        t->length += (size_t)length;
    } else if (done) {
        vsnprintf(t->bytes + t->length, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    } else {
        t->bytes[t->length] = '\0';
    }
    va_end(again);
    return done;
}

bool text_format(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool done = text_vformat(t, format, arguments);
    va_end(arguments);
    return done;
}

char *text_take(text *t)
{
    if (t->failed || !text_reserve(t, 0)) {
        text_destroy(t);
        return NULL;
    }
    t->bytes[t->length] = '\0';
    char *bytes = t->bytes;
    *t = (text){0};
    return bytes;
}

const char *text_string(const text *t)
{
    return t->bytes ? t->bytes : "";
}

void text_destroy(text *t)
{
    free(t->bytes);
    *t = (text){0};
}

char *text_print(const char *format, ...)
{
    text t = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vformat(&t, format, arguments);
    va_end(arguments);
    return text_take(&t);
}

bool string_list_take(string_list *list, char *string)
{
    if (!string)
        return false;
    /* One more than asked for, so that the terminating NULL has its place. */
    if (!array_reserve((void **)&list->items, &list->capacity, list->count + 2,
                       sizeof *list->items)) {
        free(string);
        return false;
    }
    list->items[list->count++] = string;
    list->items[list->count] = NULL;
    return true;
}

bool string_list_add(string_list *list, const char *string)
{
    return string_list_take(list, strdup(string));
}

bool string_list_add_bytes(string_list *list, const void *bytes, size_t length)
{
    text t = {0};
    text_add(&t, bytes, length);
    return string_list_take(list, text_take(&t));
}

bool string_list_add_all(string_list *list, const char *const *strings)
{
    for (; strings && *strings; strings++)
        if (!string_list_add(list, *strings))
            return false;
    return true;
}

bool string_list_contains(const string_list *list, const char *string)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], string) == 0)
            return true;
    return false;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void string_list_sort(string_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare_strings);
}

void string_list_destroy(string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (string_list){0};
}

const char *const *string_list_view(const string_list *list)
{
    static const char *const empty[] = {NULL};
    return list->items ? (const char *const *)list->items : empty;
}
