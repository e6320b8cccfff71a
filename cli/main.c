/* main.c - the command `kiln`: finds the command that was named, prints help; sees at the end that
 * what was printed has arrived, and that --json has its object where the command failed.
 *
 * Uses libkiln through kiln.h alone, as any host does. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "command_line.h"
#include "json_text.h"
#include "kiln.h"
#include "message.h"
#include "output.h"

static const cli_command *const commands[] = {
    &command_run,   &command_watch, &command_load, &command_symbols,
    &command_build, &command_cache, &command_why,  &command_doctor,
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    }
    return NULL;
}

static int print_overview(FILE *stream)
{
    fputs("kiln - dlopen() for C and C++ source\n\n"
          "usage: kiln COMMAND [option ...] [INPUT ...]\n\n",
          stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nTry:\n"
          "  kiln run hello.c                     compile and run, in memory\n"
          "  kiln load --json -O3 src/*.cpp       load, and report how that went\n"
          "  kiln build -o libfoo.so foo.c        the same ahead of time\n"
          "  kiln help run                        everything about a command\n"
          "  kiln doctor                          see whether all that is needed is there\n",
          stream);
    return CLI_OK;
}

static int print_help(const cli_command *command)
{
    printf("kiln %s - %s\n\nusage: kiln %s %s\n\n%s\nExamples:\n%s\nOptions:\n", command->name,
           command->summary, command->name, command->synopsis, command->description,
           command->examples);
    cli_options_print(stdout, command);
    return CLI_OK;
}

static int print_version(void)
{
    printf("kiln %s\n", KILN_VERSION_STRING);
    if (strcmp(kiln_version(), KILN_VERSION_STRING) != 0)
        printf("libkiln %s\n", kiln_version());
    return CLI_OK;
}

static int help(const char *name)
{
    if (name == NULL)
        return print_overview(stdout);
    const cli_command *command = find_command(name);
    if (command != NULL)
        return print_help(command);
    message_error("there is no command '%s'; see 'kiln help'", name);
    return CLI_FAILURE;
}

/* A command line that could not be read to its end may ask for JSON behind that. */
static bool asks_for_json(const cli_command *command, char *const *words)
{
    bool asks = false;
    for (; (command->option_groups & OPTIONS_JSON) != 0 && *words != NULL; words++)
        asks |= strcmp(*words, "--json") == 0;
    return asks;
}

/* Why a command failed, as the object that a program waits for. */
static void print_failure(void)
{
    const said_error *said = message_first_error();
    if (said->error != NULL)
        json_print(json_error(said->error));
    else if (said->text != NULL)
        json_print(json_failure(said->status, said->text));
}

static int run_command(const cli_command *command, char *const *words)
{
    cli_options options;
    int code = CLI_FAILURE;
    bool json;
    if (cli_options_read(&options, command, words)) {
        message_set_color(options.color);
        json = options.json;
        code = options.help ? print_help(command) : command->run(&options);
    } else {
        json = asks_for_json(command, words);
    }
    if (code == CLI_FAILURE && json)
        print_failure();
    cli_options_destroy(&options);
    return code;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return CLI_FAILURE;
    }
    const char *word = argv[1];
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return help(argv[2]);
    if (strcmp(word, "--version") == 0)
        return print_version();
    const cli_command *command = find_command(word);
    if (command != NULL)
        return run_command(command, argv + 2);
    message_error("there is no command '%s'; see 'kiln help'; to run a source: kiln run FILE",
                  word);
    return CLI_FAILURE;
}

int main(int argc, char **argv)
{
    output_begin();
    int code = dispatch(argc, argv);
    if (!output_finish())
        code = CLI_FAILURE;
    message_forget();
    return code;
}
