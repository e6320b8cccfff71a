/* response_file.h - `@file`: words of a command line that stand in a file.
 *
 * GNU quoting, as Clang and gcc read it: blanks separate, ' and " group, a backslash takes the next
 * byte as it is, inside of quotes too. */
#ifndef KILN_CLI_RESPONSE_FILE_H
#define KILN_CLI_RESPONSE_FILE_H

#include "words.h"

/* Add the words of a text to a list. */
void response_text_split(const char *text, size_t size, word_list *words);

/* Add the words of a file to a list; 0, or -1 with errno. */
int response_file_read(const char *path, word_list *words);

/* Read everything up to end of file; 0, or -1 with errno. *bytes is the caller's, with a NUL after
 * the last. */
int read_whole(int fd, char **bytes, size_t *size);

#endif
