/* command_line.h - a command line, read.
 *
 * Kiln's own options are in one table, which the help is printed from; everything else that starts
 * with `-` is Clang's and kept as it was given, in order. Reading touches the file system only for
 * `@file` and to see whether an input is a script. */
#ifndef KILN_CLI_COMMAND_LINE_H
#define KILN_CLI_COMMAND_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "command.h"
#include "kiln.h"
#include "words.h"

/* Groups of options; a command takes one or more. */
enum {
    OPTIONS_COMMON = 1 << 0,   /* every command's */
    OPTIONS_COMPILER = 1 << 1, /* the compiler process and its limits */
    OPTIONS_INPUTS = 1 << 2,   /* INPUTs and Clang's flags */
    OPTIONS_LOAD = 1 << 3,     /* how a library is loaded */
    OPTIONS_PROGRAM = 1 << 4,  /* the arguments of a program: scripts and `--` */
    OPTIONS_JSON = 1 << 5,
    OPTIONS_OUTPUT = 1 << 6,
    OPTIONS_COLLECT = 1 << 7,
    OPTIONS_SYMBOLS = 1 << 8,
    OPTIONS_WATCH = 1 << 9, /* a program that runs is watched */
    OPTIONS_HOT = 1 << 10   /* how code that can be replaced is built */
};

/* An INPUT: a file, "-" or a name, and the language that an -x before it asks for (NULL: by its
 * name). */
typedef struct cli_input {
    const char *path;
    const char *language;
} cli_input;

typedef struct cli_options {
    const cli_command *command;
    kiln_session_options session;
    const char *engine;
    bool lazy;
    kiln_hot_mode hot; /* off: it was not asked for */
    bool watch, no_follow_up;
    const char *manifest; /* NULL: looked for upwards */
    const char
        *commands; /* a compile_commands.json or its directory, which names are looked up in */
    const char *output;
    const char *kind;
    bool json;
    bool verbose;
    bool mangled;
    bool color; /* settled: option, NO_COLOR, terminal */
    bool help;
    bool has_max_bytes, has_max_age;
    uint64_t max_bytes, max_age_seconds;
    cli_input *inputs;
    size_t input_count;
    bool is_script;      /* the last input is one */
    word_list arguments; /* Clang's flags */
    word_list packages;  /* of --pkg */
    word_list program;   /* what follows `--` or a script */
    word_list words;     /* of commands that take no INPUT */
    word_list line;      /* owns the strings that the pointers above point to */
} cli_options;

/* Read what follows the command's name. On failure the reason is printed, and false returned;
 * *options must be destroyed either way. */
bool cli_options_read(cli_options *options, const cli_command *command, char *const *words);
void cli_options_destroy(cli_options *options);

/* Print the options of a command, from the table. */
void cli_options_print(FILE *stream, const cli_command *command);

#endif
