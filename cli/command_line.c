/* command_line.c - see command_line.h.
 *
 * One pass from left to right over a list of words that grows where `@file` stands. Pointers in
 * cli_options point into that list's strings, which never move. */
#include "command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clang_flags.h"
#include "message.h"
#include "response_file.h"

/* Guards against response files that name each other in a circle. */
#define MAX_RESPONSE_FILES 256

typedef enum option_id {
    OPTION_AUTO_LOAD,
    OPTION_LAZY,
    OPTION_CACHE_DIRECTORY,
    OPTION_COLOR,
    OPTION_COMMANDS,
    OPTION_COMPILER,
    OPTION_ENGINE,
    OPTION_HELP,
    OPTION_HOT,
    OPTION_JOBS,
    OPTION_JSON,
    OPTION_KIND,
    OPTION_MANGLED,
    OPTION_MANIFEST,
    OPTION_MAX_AGE,
    OPTION_MAX_SIZE,
    OPTION_MEMORY_LIMIT,
    OPTION_NO_CACHE,
    OPTION_NO_FOLLOW_UP,
    OPTION_OUTPUT,
    OPTION_PACKAGE,
    OPTION_TIME_LIMIT,
    OPTION_TRUST_SYSTEM_HEADERS,
    OPTION_VERBOSE,
    OPTION_WATCH
} option_id;

typedef struct option_row {
    const char *name;
    const char *short_name; /* or NULL */
    const char *value;      /* what help calls it; NULL: the option has none */
    option_id id;
    unsigned group;
    const char *help;
} option_row;

static const option_row option_table[] = {
    {"--output", "-o", "FILE", OPTION_OUTPUT, OPTIONS_OUTPUT,
     "the file to write; its extension chooses the kind"},
    {"--kind", NULL, "KIND", OPTION_KIND, OPTIONS_OUTPUT,
     "shared, archive, object, bitcode, ir or assembly"},
    {"--json", NULL, NULL, OPTION_JSON, OPTIONS_JSON, "print JSON for programs"},
    {"--mangled", NULL, NULL, OPTION_MANGLED, OPTIONS_SYMBOLS,
     "print C++ names as the linker sees them"},
    {"--max-size", NULL, "SIZE", OPTION_MAX_SIZE, OPTIONS_COLLECT,
     "how large the cache may stay (gc; from 1; default 5G)"},
    {"--max-age", NULL, "TIME", OPTION_MAX_AGE, OPTIONS_COLLECT,
     "remove what was not used for so long (gc; from 1s; default 30d)"},
    {"--pkg", NULL, "NAME", OPTION_PACKAGE, OPTIONS_INPUTS,
     "use a pkg-config package (\"zlib\", \"zlib >= 1.2\")"},
    {"--manifest", NULL, "FILE", OPTION_MANIFEST, OPTIONS_INPUTS,
     "look names up here, not in the nearest kiln.yaml"},
    {"--commands", NULL, "PATH", OPTION_COMMANDS, OPTIONS_INPUTS,
     "names are targets of this compile_commands.json"},
    {"--engine", NULL, "NAME", OPTION_ENGINE, OPTIONS_LOAD,
     "how code gets into the process: image, or jit"},
    {"--lazy", NULL, NULL, OPTION_LAZY, OPTIONS_LOAD,
     "compile each function when it is called first (engine jit)"},
    {"--auto-load", NULL, NULL, OPTION_AUTO_LOAD, OPTIONS_LOAD,
     "load the installed library that has a missing symbol"},
    {"--watch", NULL, NULL, OPTION_WATCH, OPTIONS_WATCH,
     "replace the code of the running program when a source or header is edited"},
    {"--hot", NULL, "MODE", OPTION_HOT, OPTIONS_HOT,
     "how code that can be replaced is built: islands, or whole"},
    {"--no-follow-up", NULL, NULL, OPTION_NO_FOLLOW_UP, OPTIONS_HOT,
     "leave code at the lines that it was compiled from until it is edited"},
    {"--jobs", NULL, "N", OPTION_JOBS, OPTIONS_COMPILER, "how many compilations run at once"},
    {"--compiler", NULL, "PATH", OPTION_COMPILER, OPTIONS_COMPILER, "the kiln-compiler to use"},
    {"--time-limit", NULL, "TIME", OPTION_TIME_LIMIT, OPTIONS_COMPILER,
     "how long one compilation may take (default 10m)"},
    {"--memory-limit", NULL, "SIZE", OPTION_MEMORY_LIMIT, OPTIONS_COMPILER,
     "how much memory one compilation may take"},
    {"--trust-system-headers", NULL, NULL, OPTION_TRUST_SYSTEM_HEADERS, OPTIONS_INPUTS,
     "check headers below /usr, and /lib, by their directory alone"},
    {"--no-cache", NULL, NULL, OPTION_NO_CACHE, OPTIONS_INPUTS, "touch no disk at all"},
    {"--cache-dir", NULL, "DIR", OPTION_CACHE_DIRECTORY, OPTIONS_COMMON, "where the cache is"},
    {"--color", NULL, "WHEN", OPTION_COLOR, OPTIONS_COMMON, "auto, always or never"},
    {"--verbose", "-v", NULL, OPTION_VERBOSE, OPTIONS_COMMON,
     "say what is done, and how long it took"},
    {"--help", "-h", NULL, OPTION_HELP, OPTIONS_COMMON, "print this"},
};
#define OPTION_COUNT (sizeof option_table / sizeof *option_table)

typedef enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color_choice;

/* The state of one reading. */
typedef struct line_reader {
    cli_options *options;
    size_t next;          /* in options->line */
    unsigned expansions;  /* of response files, so far */
    bool plain;           /* after `--`: no more options */
    const char *language; /* of the last -x; NULL: by name */
    color_choice color;
} line_reader;

static bool takes(const line_reader *reader, unsigned group)
{
    return (reader->options->command->option_groups & group) != 0;
}

static const char *next_word(line_reader *reader)
{
    const word_list *line = &reader->options->line;
    return reader->next < line->count ? line->items[reader->next++] : NULL;
}

static bool read_hot_mode(const char *value, kiln_hot_mode *mode)
{
    if (strcmp(value, "islands") == 0)
        *mode = KILN_HOT_ISLANDS;
    else if (strcmp(value, "whole") == 0)
        *mode = KILN_HOT_WHOLE;
    else
        message_error("--hot is '%s': it can be islands or whole", value);
    return *mode != KILN_HOT_OFF;
}

static bool read_color(line_reader *reader, const char *value)
{
    if (strcmp(value, "always") == 0)
        reader->color = COLOR_ALWAYS;
    else if (strcmp(value, "never") == 0)
        reader->color = COLOR_NEVER;
    else if (strcmp(value, "auto") == 0)
        reader->color = COLOR_AUTO;
    else
        return message_error("--color takes auto, always or never, not '%s'", value), false;
    return true;
}

static bool read_size_option(const char *name, const char *text, uint64_t *bytes)
{
    if (parse_size(text, bytes))
        return true;
    message_error("%s takes a size such as 512M or 2G, not '%s'", name, text);
    return false;
}

static bool read_seconds_option(const char *name, const char *text, uint64_t *seconds)
{
    if (parse_seconds(text, seconds))
        return true;
    message_error("%s takes a time such as 90s, 10m or 30d, not '%s'", name, text);
    return false;
}

static bool read_number_option(const char *name, const char *text, uint64_t *number)
{
    if (text[strspn(text, "0123456789")] == '\0' && parse_size(text, number))
        return true;
    message_error("%s takes a number, not '%s'", name, text);
    return false;
}

/* Store a number from 1 on that fits into 32 bits: zero would mean the default to the API. */
static bool store_count(const char *name, const char *text, uint64_t value, uint32_t *count)
{
    if (value == 0 || value > UINT32_MAX)
        return message_error("%s: '%s' is out of range", name, text), false;
    *count = (uint32_t)value;
    return true;
}

static bool store_bytes(const char *name, const char *text, uint64_t value, uint64_t *bytes)
{
    if (value == 0)
        return message_error("%s: '%s' is out of range", name, text), false;
    *bytes = value;
    return true;
}

/* To the API zero is no limit; who types it means that nothing may stay. */
static bool keeps_something(const char *name, uint64_t limit)
{
    if (limit > 0)
        return true;
    message_error("%s 0 would keep nothing; to remove everything: kiln cache clear", name);
    return false;
}

/* Act on one of Kiln's own options. value: NULL for those that have none. */
static bool apply_option(line_reader *reader, const option_row *row, const char *value)
{
    cli_options *options = reader->options;
    uint64_t number = 0;
    switch (row->id) {
    case OPTION_LAZY:
        options->lazy = true;
        return true;
    case OPTION_AUTO_LOAD:
        options->session.auto_load = true;
        return true;
    case OPTION_CACHE_DIRECTORY:
        if (value[0] == '\0')
            return message_error("%s takes a directory, not ''", row->name), false;
        options->session.cache_directory = value;
        return true;
    case OPTION_COLOR:
        return read_color(reader, value);
    case OPTION_COMMANDS:
        options->commands = value;
        return true;
    case OPTION_COMPILER:
        options->session.compiler_path = value;
        return true;
    case OPTION_ENGINE:
        options->engine = value;
        return true;
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_HOT:
        return read_hot_mode(value, &options->hot);
    case OPTION_NO_FOLLOW_UP:
        options->no_follow_up = true;
        return true;
    case OPTION_WATCH:
        options->watch = true;
        return true;
    case OPTION_JOBS:
        return read_number_option(row->name, value, &number) &&
               store_count(row->name, value, number, &options->session.jobs);
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_KIND:
        options->kind = value;
        return true;
    case OPTION_MANGLED:
        options->mangled = true;
        return true;
    case OPTION_MANIFEST:
        options->manifest = value;
        return true;
    case OPTION_MAX_AGE:
        options->has_max_age = true;
        return read_seconds_option(row->name, value, &options->max_age_seconds) &&
               keeps_something(row->name, options->max_age_seconds);
    case OPTION_MAX_SIZE:
        options->has_max_bytes = true;
        return read_size_option(row->name, value, &options->max_bytes) &&
               keeps_something(row->name, options->max_bytes);
    case OPTION_MEMORY_LIMIT:
        return read_size_option(row->name, value, &number) &&
               store_bytes(row->name, value, number, &options->session.job_memory_bytes);
    case OPTION_NO_CACHE:
        options->session.no_cache = true;
        return true;
    case OPTION_OUTPUT:
        options->output = value;
        return true;
    case OPTION_PACKAGE:
        word_list_add(&options->packages, value);
        return true;
    case OPTION_TIME_LIMIT:
        return read_seconds_option(row->name, value, &number) &&
               store_count(row->name, value, number, &options->session.job_seconds);
    case OPTION_TRUST_SYSTEM_HEADERS:
        options->session.trust_system_headers = true;
        return true;
    case OPTION_VERBOSE:
        options->verbose = true;
        return true;
    }
    return false;
}

/* Find the row that a word names. *joined: the value that is in the same word, or NULL. */
static const option_row *find_option(const char *word, const char **joined)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option_row *row = &option_table[i];
        size_t length = strlen(row->name);
        *joined = NULL;
        if (strcmp(word, row->name) == 0)
            return row;
        if (row->short_name != NULL && strcmp(word, row->short_name) == 0)
            return row;
        if (strncmp(word, row->name, length) == 0 && word[length] == '=') {
            *joined = word + length + 1;
            return row;
        }
        if (row->id == OPTION_OUTPUT && strncmp(word, "-o", 2) == 0) {
            *joined = word + 2;
            return row;
        }
    }
    return NULL;
}

static bool read_own_option(line_reader *reader, const option_row *row, const char *word,
                            const char *value)
{
    if (row->value == NULL && value != NULL)
        return message_error("%s takes no value: '%s'", row->name, word), false;
    if (row->value != NULL && value == NULL)
        value = next_word(reader);
    if (row->value != NULL && value == NULL)
        return message_error("'%s' needs a value: %s %s", word, word, row->value), false;
    return apply_option(reader, row, value);
}

/* The option of this command that a mistyped word is closest to, or NULL. Clang has no long option
 * as close to one of ours. */
static const char *suggest(const line_reader *reader, const char *word)
{
    const char *best = NULL;
    unsigned best_distance = 3;
    char name[64];
    size_t length = strcspn(word, "=");
    if (strncmp(word, "--", 2) != 0 || length >= sizeof name)
        return NULL;
    memcpy(name, word, length);
    name[length] = '\0';
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!takes(reader, option_table[i].group))
            continue;
        unsigned distance = edit_distance(name, option_table[i].name);
        if (distance < best_distance) {
            best_distance = distance;
            best = option_table[i].name;
        }
    }
    return best;
}

/* -fcolor-diagnostics and the like are ours to follow: Kiln does the colouring, and they would only
 * make another key. */
static bool read_clang_color(line_reader *reader, const char *word)
{
    if (strcmp(word, "-fcolor-diagnostics") == 0 || strcmp(word, "-fdiagnostics-color") == 0)
        reader->color = COLOR_ALWAYS;
    else if (strcmp(word, "-fno-color-diagnostics") == 0 ||
             strcmp(word, "-fno-diagnostics-color") == 0)
        reader->color = COLOR_NEVER;
    else
        return false;
    return true;
}

static void set_language(line_reader *reader, const char *language)
{
    reader->language = strcmp(language, "none") == 0 ? NULL : language;
}

static bool read_clang_flag(line_reader *reader, const char *word)
{
    const char *value = NULL;
    if (read_clang_color(reader, word))
        return true;
    if (strncmp(word, "-fdiagnostics-color=", 20) == 0)
        return read_color(reader, word + 20);
    if (strncmp(word, "--language=", 11) == 0)
        return set_language(reader, word + 11), true;
    if (strncmp(word, "-x", 2) == 0 && word[2] != '\0')
        return set_language(reader, word + 2), true;
    if (clang_flag_takes_next(word) && (value = next_word(reader)) == NULL)
        return message_error("'%s' needs a value", word), false;
    if (strcmp(word, "-x") == 0 || strcmp(word, "--language") == 0)
        return set_language(reader, value), true;
    word_list_add(&reader->options->arguments, word);
    if (value != NULL)
        word_list_add(&reader->options->arguments, value);
    return true;
}

static bool read_option(line_reader *reader, const char *word)
{
    const char *joined = NULL;
    const cli_command *command = reader->options->command;
    const option_row *row = find_option(word, &joined);
    if (row != NULL && takes(reader, row->group))
        return read_own_option(reader, row, word, joined);
    /* -o, and what begins so, is among the flags that libkiln refuses with its reason. */
    bool is_long = strncmp(word, "--", 2) == 0;
    if (row != NULL && (is_long || !takes(reader, OPTIONS_INPUTS)) && row->id != OPTION_OUTPUT) {
        message_error("'kiln %s' has no option '%s'; see 'kiln help %s'", command->name, row->name,
                      command->name);
        return false;
    }
    const char *suggestion = suggest(reader, word);
    if (suggestion != NULL) {
        message_error("unknown option '%s'; did you mean '%s'?", word, suggestion);
        return false;
    }
    if (takes(reader, OPTIONS_INPUTS))
        return read_clang_flag(reader, word);
    message_error("unknown option '%s'; see 'kiln help %s'", word, command->name);
    return false;
}

/* Put the words of a response file in the place where it stood. */
static bool expand_response_file(line_reader *reader, const char *path)
{
    word_list *line = &reader->options->line;
    word_list words = {0};
    bool ok = false;
    if (++reader->expansions > MAX_RESPONSE_FILES) {
        message_error("too many response files: '@%s' seems to name itself", path);
        goto cleanup;
    }
    if (response_file_read(path, &words) != 0) {
        message_failure(KILN_IO, "cannot read '@%s': %s", path, strerror(errno));
        goto cleanup;
    }
    /* They are added at the end and then change places with what is still to be read. */
    size_t after = line->count - reader->next;
    char **rest = own(malloc((after + 1) * sizeof *rest));
    memcpy(rest, line->items + reader->next, after * sizeof *rest);
    for (size_t i = 0; i < words.count; i++)
        word_list_add(line, words.items[i]);
    memmove(line->items + reader->next, line->items + reader->next + after,
            words.count * sizeof *rest);
    memcpy(line->items + reader->next + words.count, rest, after * sizeof *rest);
    free(rest);
    ok = true;
cleanup:
    word_list_destroy(&words);
    return ok;
}

/* A script is a file whose first line starts with `#!`. Only regular files are opened: looking into a
 * pipe would take away what is to be compiled. */
static bool is_script(const char *path)
{
    struct stat status;
    char start[2];
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool found = read(fd, start, sizeof start) == 2 && memcmp(start, "#!", 2) == 0;
    close(fd);
    return found;
}

static void take_program_arguments(line_reader *reader)
{
    const char *word;
    while ((word = next_word(reader)) != NULL)
        word_list_add(&reader->options->program, word);
}

static void add_input(line_reader *reader, const char *path)
{
    cli_options *options = reader->options;
    options->inputs =
        own(reallocarray(options->inputs, options->input_count + 1, sizeof *options->inputs));
    options->inputs[options->input_count++] = (cli_input){path, reader->language};
    if (takes(reader, OPTIONS_PROGRAM) && strcmp(path, "-") != 0 && is_script(path)) {
        options->is_script = true;
        take_program_arguments(reader);
    }
}

static bool read_word(line_reader *reader, const char *word)
{
    if (!reader->plain && strcmp(word, "--") == 0) {
        reader->plain = true;
        if (takes(reader, OPTIONS_PROGRAM))
            take_program_arguments(reader);
        return true;
    }
    if (!reader->plain && word[0] == '@' && word[1] != '\0')
        return expand_response_file(reader, word + 1);
    if (!reader->plain && word[0] == '-' && word[1] != '\0')
        return read_option(reader, word);
    if (takes(reader, OPTIONS_INPUTS))
        add_input(reader, word);
    else
        word_list_add(&reader->options->words, word);
    return true;
}

/* A command that takes INPUTs needs one, unless a database may name it. */
static bool has_inputs(const line_reader *reader)
{
    const cli_options *options = reader->options;
    if (!takes(reader, OPTIONS_INPUTS) || options->input_count > 0 || options->commands != NULL)
        return true;
    message_error("no INPUT; see 'kiln help %s'", options->command->name);
    return false;
}

bool cli_options_read(cli_options *options, const cli_command *command, char *const *words)
{
    line_reader reader = {.options = options};
    const char *word;
    bool ok = true;
    *options = (cli_options){.command = command, .session = {.size = sizeof options->session}};
    word_list_add_all(&options->line, words);
    while (ok && !options->help && (word = next_word(&reader)) != NULL)
        ok = read_word(&reader, word);
    if (ok && !options->help)
        ok = has_inputs(&reader);
    options->color = reader.color == COLOR_ALWAYS ||
                     (reader.color == COLOR_AUTO && message_terminal_has_color());
    return ok;
}

void cli_options_destroy(cli_options *options)
{
    free(options->inputs);
    word_list_destroy(&options->arguments);
    word_list_destroy(&options->packages);
    word_list_destroy(&options->program);
    word_list_destroy(&options->words);
    word_list_destroy(&options->line);
    *options = (cli_options){0};
}

void cli_options_print(FILE *stream, const cli_command *command)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option_row *row = &option_table[i];
        char left[64];
        if ((command->option_groups & row->group) == 0)
            continue;
        snprintf(left, sizeof left, "%s%s%s%s%s", row->short_name != NULL ? row->short_name : "",
                 row->short_name != NULL ? ", " : "", row->name, row->value != NULL ? " " : "",
                 row->value != NULL ? row->value : "");
        fprintf(stream, "  %-24s %s\n", left, row->help);
    }
}
