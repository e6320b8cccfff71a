/* import_arguments.h - a build's command line for one source, made fit for a spec.
 *
 * Splits command lines into words and sorts the words: what describes how to compile goes on, what
 * chooses outputs, runs other code or only another compiler knows is dropped, and what depends on
 * the build's directory is made independent of it. Knows no database and no target. Any thread. */
#ifndef KILN_API_IMPORT_ARGUMENTS_H
#define KILN_API_IMPORT_ARGUMENTS_H

#include "api/import_words.h"

typedef struct import_command {
    string_list arguments; /* Clang's, in order; without the source, outputs and -x */
    string_list libraries; /* -l and -L, which serve the link alone */
    char *language;        /* of -x; NULL: by the source's name */
    char *output;          /* of -o, as it stands there; NULL: none */
    bool makes_pch;        /* the command makes a precompiled header, and nothing to load */
} import_command;

/* Sort the words of a command, expanded. shared: it is known to go into a shared library, whose
 * hidden symbols stay hidden; elsewhere -fvisibility says nothing about what a library offers, and
 * is dropped. Errors: SPEC, NOT_FOUND (a response file), IO, NO_MEMORY. */
kiln_status import_command_read(const import_place *place, const string_list *words, bool shared,
                                import_command *command);
void import_command_destroy(import_command *command);

/* How many words from *arguments on belong together (an option and its value), in what
 * import_command_read made. */
size_t import_unit_length(const char *const *arguments);

/* -l, -L, -pthread and -Wl,-rpath of a linker's command line. false when out of memory.
 * skipped_root: run paths below it are left out; NULL: none are. */
bool import_link_argument(const char *word, const char *skipped_root, string_list *arguments);

#endif
