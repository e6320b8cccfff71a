/* words.h - lists of strings, numbers with units, and memory that is never wanting.
 *
 * A command of `kiln` has nothing to save when memory runs out: own() ends the process, so callers
 * see no NULL. Not for threads: a list belongs to who made it. Knows nothing of options. */
#ifndef KILN_CLI_WORDS_H
#define KILN_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing list of strings that it owns; items[count] is NULL, so that `items` serves as a string
 * list of kiln.h. An empty list is all zero. */
typedef struct word_list {
    char **items;
    size_t count;
    size_t capacity;
} word_list;

/* Hand back a fresh allocation; where it is NULL, say so on standard error and exit with 125. */
void *own(void *memory);
/* A string made by printf's rules; the caller frees it. */
char *own_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

void word_list_add(word_list *list, const char *word);
/* Add one string for another list of strings, ended by NULL. */
void word_list_add_all(word_list *list, char *const *words);
void word_list_destroy(word_list *list);

/* Read a size in bytes: digits and an optional K, M, G or T (powers of 1024). */
bool parse_size(const char *text, uint64_t *bytes);
/* Read a duration: digits and an optional s, m, h or d. */
bool parse_seconds(const char *text, uint64_t *seconds);

/* How many bytes must be put in, taken out or changed to get from a to b; 99 where one is longer
 * than 32. */
unsigned edit_distance(const char *a, const char *b);

/* Write a size as people read it ("3.2 MiB"), and a duration ("12.3 ms", "4.1 s", "2 min 5 s").
 * Returns buffer. */
#define UNIT_TEXT_CAPACITY 32
char *format_size(uint64_t bytes, char buffer[UNIT_TEXT_CAPACITY]);
char *format_seconds(double seconds, char buffer[UNIT_TEXT_CAPACITY]);

#endif
