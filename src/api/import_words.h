/* import_words.h - the words of a command line that a build has written down.
 *
 * Splits by the shell's quoting, expands response files, skips the compiler's name. What the words
 * mean is import_arguments.h's. Any thread. */
#ifndef KILN_API_IMPORT_WORDS_H
#define KILN_API_IMPORT_WORDS_H

#include "base/error.h"
#include "base/text.h"

/* Where a command line comes from: for messages, and to resolve relative paths. */
typedef struct import_place {
    const char *database;  /* the file */
    size_t entry;          /* from 1 */
    const char *directory; /* absolute; in which the build runs the command */
    kiln_error **error;
} import_place;

/* An error that names the database and the entry. */
kiln_status import_wrong(const import_place *place, kiln_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How words are quoted: as the shell reads a command, or as GNU tools read a response file. */
typedef enum import_quoting { IMPORT_SHELL, IMPORT_RESPONSE_FILE } import_quoting;

/* Split a text into words. false with *problem (a static string; NULL: out of memory) where it
 * cannot be. */
bool import_split(const char *bytes, size_t size, import_quoting quoting, string_list *words,
                  const char **problem);

/* Add the words of a command to `arguments`, without the compiler's name and those who were asked
 * to call it (ccache ...), and with the words of response files (@file) in their place. Errors:
 * SPEC, NOT_FOUND (a response file), IO, NO_MEMORY. */
kiln_status import_words_expand(const import_place *place, const string_list *words,
                                string_list *arguments);

#endif
