/* import_words.c - the words of a command line: see import_words.h.
 *
 * Nothing is expanded as a shell would (variables, patterns): databases hold words that are quoted,
 * not scripts. */
#include "api/import_words.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "os/os.h"

/* Where a splitter stands. */
typedef struct splitter {
    text word;
    bool in_word; /* quotes begin a word that may stay empty */
    char quote;   /* the quote that is open, or 0 */
} splitter;

/* The bytes that a backslash and what follows it stand for; how many of the text they take. */
static size_t take_escape(splitter *s, const char *at, size_t left, import_quoting quoting)
{
    char next = left > 1 ? at[1] : '\0';
    bool special = next && strchr("$`\"\\\n", next);
    if (left == 1 || (quoting == IMPORT_SHELL && s->quote == '"' && !special)) {
        text_add(&s->word, "\\", 1);
        return 1;
    }
    if (next != '\n' || quoting == IMPORT_RESPONSE_FILE)
        text_add(&s->word, at + 1, 1);
    return 2;
}

/* Hand a finished word over; blanks in a row end none. */
static bool end_word(splitter *s, string_list *words)
{
    if (!s->in_word)
        return true;
    s->in_word = false;
    return string_list_take(words, text_take(&s->word));
}

bool import_split(const char *bytes, size_t size, import_quoting quoting, string_list *words,
                  const char **problem)
{
    splitter s = {0};
    *problem = NULL;
    for (size_t i = 0; i < size;) {
        char c = bytes[i];
        bool verbatim = quoting == IMPORT_SHELL && s.quote == '\'';
        if (c == '\\' && !verbatim) {
            s.in_word = true;
            i += take_escape(&s, bytes + i, size - i, quoting);
            continue;
        }
        i++;
        if (s.quote && c == s.quote) {
            s.quote = 0;
        } else if (!s.quote && (c == '\'' || c == '"')) {
            s.quote = c;
            s.in_word = true;
        } else if (!s.quote && isspace((unsigned char)c)) {
            if (!end_word(&s, words))
                return false;
        } else {
            s.in_word = true;
            text_add(&s.word, &c, 1);
        }
    }
    if (s.quote) {
        text_destroy(&s.word);
        *problem = s.quote == '"' ? "a double quote is not closed" : "a single quote is not closed";
        return false;
    }
    return end_word(&s, words);
}

enum { max_files = 1000, max_words = 1 << 20, max_file_bytes = 64 << 20 };

/* The expansion of one command. */
typedef struct expansion {
    const import_place *place;
    string_list *words;
    unsigned files; /* read so far: their number bounds how they refer to each other */
} expansion;

kiln_status import_wrong(const import_place *place, kiln_status code, const char *format, ...)
{
    text words = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vformat(&words, format, arguments);
    va_end(arguments);
    kiln_status status = words.failed
                             ? error_no_memory(place->error)
                             : error_set(place->error, code, KILN_PHASE_SPEC, "'%s': entry %zu: %s",
                                         place->database, place->entry, text_string(&words));
    text_destroy(&words);
    return status;
}

static kiln_status expand(expansion *e, char *const *words, size_t count);

/* Looked at before it is opened, since opening a pipe would wait. */
static kiln_status read_response_file(const import_place *place, const char *path, uint8_t **bytes,
                                      size_t *size)
{
    os_kind kind = OS_OTHER;
    os_identity identity;
    int outcome = os_identify(AT_FDCWD, path, &kind, &identity);
    if (outcome == 0 && (kind == OS_ABSENT || kind == OS_DIRECTORY)) {
        errno = kind == OS_ABSENT ? ENOENT : EISDIR;
        outcome = -1;
    }
    if (outcome == 0 && (kind != OS_FILE || identity.size > max_file_bytes))
        return import_wrong(place, KILN_SPEC, "the response file '%s' is no file, or too large",
                            path);
    if (outcome == 0)
        outcome = os_read_file(AT_FDCWD, path, bytes, size);
    if (outcome == 0)
        return KILN_OK;
    return import_wrong(place, errno == ENOENT ? KILN_NOT_FOUND : KILN_IO,
                        "cannot read the response file '%s': %s", path, strerror(errno));
}

/* CMake names the C++ modules that a source needs in a file of this kind. The build alone makes it,
 * and a source without modules does not miss it. */
static bool is_absent_module_map(const char *path)
{
    os_kind kind;
    os_identity identity;
    return strcmp(path_extension(path), ".modmap") == 0 &&
           os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind == OS_ABSENT;
}

/* Put the words of a response file in the place of `@file`. */
static kiln_status expand_file(expansion *e, const char *name)
{
    const import_place *place = e->place;
    string_list words = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    const char *problem = NULL;
    kiln_status status = KILN_OK;
    char *path = path_join(place->directory, name);
    if (!path)
        return error_no_memory(place->error);
    if (is_absent_module_map(path))
        goto cleanup;
    if (++e->files > max_files) {
        status = import_wrong(place, KILN_SPEC, "more than %d response files, the last '%s'",
                              max_files, path);
        goto cleanup;
    }
    if ((status = read_response_file(place, path, &bytes, &size)) != KILN_OK)
        goto cleanup;
    if (import_split((const char *)bytes, size, IMPORT_RESPONSE_FILE, &words, &problem))
        status = expand(e, words.items, words.count);
    else
        status = problem ? import_wrong(place, KILN_SPEC, "'%s': %s", path, problem)
                         : error_no_memory(place->error);
cleanup:
    string_list_destroy(&words);
    free(bytes);
    free(path);
    return status;
}

static kiln_status expand(expansion *e, char *const *words, size_t count)
{
    kiln_status status = KILN_OK;
    for (size_t i = 0; i < count && status == KILN_OK; i++) {
        if (e->words->count >= max_words)
            return import_wrong(e->place, KILN_SPEC, "more than %d words", max_words);
        if (words[i][0] == '@' && words[i][1])
            status = expand_file(e, words[i] + 1);
        else if (!string_list_add(e->words, words[i]))
            status = error_no_memory(e->place->error);
    }
    return status;
}

/* The first word behind the compiler's name, and behind those who were asked to call it. */
static size_t skip_compiler(const string_list *words)
{
    static const char *const wrappers[] = {
        "ccache", "distcc", "sccache", "icecc", "buildcache",      "gomacc",
        "env",    "nice",   "time",    "cmake", "__run_co_compile"};
    size_t i = 0;
    while (i < words->count) {
        const char *name = path_name(words->items[i++]);
        bool wrapper = false;
        for (size_t k = 0; k < sizeof wrappers / sizeof *wrappers; k++)
            wrapper |= strcmp(name, wrappers[k]) == 0;
        if (!wrapper)
            break;
        /* Its options, what it puts into the environment, and numbers (nice -n 5). */
        while (i < words->count && (words->items[i][0] == '-' || strchr(words->items[i], '=') ||
                                    isdigit((unsigned char)words->items[i][0])))
            i++;
    }
    return i;
}

kiln_status import_words_expand(const import_place *place, const string_list *words,
                                string_list *arguments)
{
    size_t first = skip_compiler(words);
    expansion e = {.place = place, .words = arguments};
    return expand(&e, words->items + first, words->count - first);
}
