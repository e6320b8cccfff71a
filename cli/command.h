/* command.h - what a command of `kiln` is, and how one ends.
 *
 * Each command_*.c defines one, with its help beside its code; main.c dispatches to them. */
#ifndef KILN_CLI_COMMAND_H
#define KILN_CLI_COMMAND_H

/* Exit codes. A program that `kiln run` runs has its own. */
enum {
    CLI_OK = 0,
    CLI_NO = 1, /* the answer is no: doctor found a problem, verify damage, why nothing to tell */
    CLI_FAILURE = 125 /* Kiln could not do it; the reason is on standard error */
};

struct cli_options;

typedef struct cli_command {
    const char *name;
    const char *summary;     /* one line in `kiln help` */
    const char *synopsis;    /* what follows the name on a command line */
    const char *description; /* paragraphs, lines already broken */
    const char *examples;    /* lines, two blanks before each */
    unsigned option_groups;  /* which options it takes: OPTIONS_... of command_line.h */
    int (*run)(const struct cli_options *options);
} cli_command;

extern const cli_command command_run;
extern const cli_command command_watch;
extern const cli_command command_load;
extern const cli_command command_symbols;
extern const cli_command command_build;
extern const cli_command command_cache;
extern const cli_command command_why;
extern const cli_command command_doctor;

#endif
