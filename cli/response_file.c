/* response_file.c - `@file`: see response_file.h.
 *
 * The rules are those of LLVM's TokenizeGNUCommandLine, so that a file which serves clang serves here. */
#include "response_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Read one word, whose first byte is at `text`, into `word`, which has room for all of the text.
 * Returns what follows. */
static const char *split_word(const char *text, const char *end, char *word)
{
    char quote = '\0';
    for (; text < end && (quote != '\0' || !is_blank(*text)); text++) {
        if (*text == '\\' && text + 1 < end) {
            *word++ = *++text;
        } else if (quote != '\0' && *text == quote) {
            quote = '\0';
        } else if (quote == '\0' && (*text == '\'' || *text == '"')) {
            quote = *text;
        } else {
            *word++ = *text;
        }
    }
    *word = '\0';
    return text;
}

void response_text_split(const char *text, size_t size, word_list *words)
{
    const char *end = text + size;
    char *word = own(malloc(size + 1));
    for (;;) {
        while (text < end && is_blank(*text))
            text++;
        if (text == end)
            break;
        text = split_word(text, end, word);
        word_list_add(words, word);
    }
    free(word);
}

int read_whole(int fd, char **bytes, size_t *size)
{
    size_t capacity = 1 << 16;
    size_t used = 0;
    char *buffer = own(malloc(capacity));
    for (;;) {
        if (used + 1 == capacity) {
            capacity *= 2;
            buffer = own(realloc(buffer, capacity));
        }
        ssize_t got = read(fd, buffer + used, capacity - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int reason = errno;
            free(buffer);
            errno = reason;
            return -1;
        }
        if (got == 0)
            break;
        used += (size_t)got;
    }
    buffer[used] = '\0';
    *bytes = buffer;
    *size = used;
    return 0;
}

int response_file_read(const char *path, word_list *words)
{
    char *text = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = read_whole(fd, &text, &size);
    int reason = errno;
    close(fd);
    if (result == 0)
        response_text_split(text, size, words);
    free(text);
    errno = reason;
    return result;
}
