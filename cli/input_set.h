/* input_set.h - from the INPUTs of a command line to what libkiln loads.
 *
 * A file that exists wins; a name is looked up in the manifest, or in the compile_commands.json of
 * --commands. One name alone is that library; beside files a name is a dependency of the library
 * that the files make. */
#ifndef KILN_CLI_INPUT_SET_H
#define KILN_CLI_INPUT_SET_H

#include <stdbool.h>

#include "command_line.h"
#include "kiln.h"

/* Either a registered name, or a spec and its name: the two arguments of kiln_load_begin. */
typedef struct input_set {
    const char *name; /* NULL where there is a spec */
    kiln_spec *spec;
    char *title; /* the library's name, for messages */
} input_set;

/* Make sense of the inputs; reads standard input where one is `-`, and registers what the manifest
 * has where a name needs it. false after the reason was printed. inputs must be destroyed either
 * way. */
bool input_set_make(input_set *inputs, kiln_session *session, const cli_options *options);
void input_set_destroy(input_set *inputs);

/* What a library made of this file is called: its name without directory and extension, as a spec
 * allows it. The caller frees it. */
char *input_library_name(const char *path);

#endif
