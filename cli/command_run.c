/* command_run.c - `kiln run`: load the inputs as one library and be its program.
 *
 * The process that runs main is this one. So that it finds what a program of its own would find -
 * one thread, no child, its own name - everything of Kiln but the loaded image is over before main
 * is called. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "input_set.h"
#include "message.h"
#include "reload_message.h"

typedef int (*main_function)(int, char **, char **);

/* argv as a program of this name would get it. Strings are copies that main may write to. */
static void make_program_line(const cli_options *options, const input_set *inputs, word_list *line)
{
    const char *name = options->input_count == 0 ? inputs->title : options->inputs[0].path;
    if (options->is_script)
        name = options->inputs[options->input_count - 1].path;
    word_list_add(line, name);
    word_list_add_all(line, options->program.items);
}

/* Be the program: does not return. The library stays loaded until the process has ended, so that
 * its exit handlers and destructors run in exit as those of any program do; unloading it first
 * would pull it from under its own threads. */
static _Noreturn void call_main(main_function program, word_list *line)
{
    const char *slash = strrchr(line->items[0], '/');
    program_invocation_name = line->items[0];
    program_invocation_short_name = slash != NULL ? (char *)slash + 1 : line->items[0];
    errno = 0;
    /* A main of fewer parameters ignores the others: such calls are alike on every system that Kiln
     * runs on. */
    exit(program((int)line->count, line->items, environ));
}

/* Whether every input is a shared library, by its name: they are found as the dynamic linker finds
 * them, and give the library nothing of its own. */
static bool has_only_linked(const cli_options *options)
{
    for (size_t i = 0; i < options->input_count; i++) {
        const char *slash = strrchr(options->inputs[i].path, '/');
        const char *end = strstr(slash != NULL ? slash : options->inputs[i].path, ".so");
        if (end == NULL || (end[3] != '\0' && end[3] != '.'))
            return false;
    }
    return options->input_count > 0;
}

/* Load and look for main; NULL after the reason was printed. */
static main_function load_program(kiln_session *session, const cli_options *options,
                                  const input_set *inputs, kiln_library **library)
{
    kiln_error *error = NULL;
    if (cli_session_load(session, options, inputs, library, &error) != KILN_OK) {
        message_report(error);
        return NULL;
    }
    kiln_function program = kiln_library_function(*library, "main", &error);
    if (program != NULL)
        return (main_function)program;
    if (error != NULL && kiln_error_code(error) == KILN_NOT_FOUND) {
        kiln_error_destroy(error);
        if (has_only_linked(options))
            message_error("'%s' is a shared library, which the loaded one is linked to: its 'main' "
                          "is not called; give a source or object that has one",
                          options->inputs[0].path);
        else
            message_error(
                "'%s' has no function 'main' to call; 'kiln load' loads a library as it is",
                inputs->title);
    } else {
        message_report(error);
    }
    return NULL;
}

static int run(const cli_options *options)
{
    input_set inputs = {0};
    word_list line = {0};
    main_function program = NULL;
    kiln_library *library = NULL;
    kiln_session *session = cli_session_open(options);
    if (session == NULL || !input_set_make(&inputs, session, options))
        goto cleanup;
    program = load_program(session, options, &inputs, &library);
    if (program == NULL)
        goto cleanup;
    make_program_line(options, &inputs, &line);
    /* A program has no loop of Kiln's: who watches publishes. */
    if (options->watch && !reload_message_watch(library, options, true))
        goto cleanup;
    if (!options->watch)
        kiln_session_stop_compiler(session);
    call_main(program, &line);
cleanup:
    input_set_destroy(&inputs);
    kiln_session_destroy(session);
    return CLI_FAILURE;
}

const cli_command command_run = {
    .name = "run",
    .summary = "load sources as one library and call its main",
    .synopsis = "[option ...] INPUT ... [-- ARG ...]",
    .description =
        "Compiles and loads the INPUTs in memory, calls main, and exits with its status. The "
        "second run\n"
        "comes from the cache. INPUT is any mix of\n"
        "  .c .cc .cpp .cxx .c++ .C      C and C++ sources\n"
        "  .s .S .ll .bc .o .a .so       assembly, LLVM IR, bitcode, objects, archives, libraries\n"
        "  NAME                          a library of kiln.yaml (an existing file wins)\n"
        "  -                             standard input, C unless -x says otherwise\n"
        "Clang's flags are taken as they are (-I -D -O -g -std= -f -m -W -x -l -L -Wl, @file ...); "
        "-O2\n"
        "-gline-tables-only -fPIC stand before them. What follows `--`, or an INPUT whose first "
        "line\n"
        "starts with `#!`, is the program's. Kiln's own failure exits 125. With --watch the "
        "program's code\n"
        "is replaced while it runs, when a source or a header is edited; -O1 -g -fPIC are the "
        "defaults then.\n",
    .examples = "  kiln run hello.c\n"
                "  kiln run -std=c++20 -O3 main.cpp util.cpp -lm -- input.txt --fast\n"
                "  kiln run --pkg sdl2 game.c\n"
                "  kiln run --watch --pkg sdl2 game.c\n"
                "  echo 'int main(void) { return 7; }' | kiln run -\n"
                "  As the first line of a script:  #!/usr/bin/env -S kiln run\n",
    .option_groups = OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_LOAD |
                     OPTIONS_PROGRAM | OPTIONS_WATCH | OPTIONS_HOT,
    .run = run,
};
