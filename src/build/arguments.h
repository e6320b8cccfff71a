/* arguments.h - which of Clang's arguments a spec may carry.
 *
 * Arguments that choose outputs, write files, start other programs or load code into the compiler
 * have no meaning in a build that happens in memory; they are refused by name, whoever they are
 * for: the driver, the front end, LLVM or the linker. What follows an option as its value is not
 * looked at. Whoever imports foreign command lines drops them with the same table. */
#ifndef KILN_BUILD_ARGUMENTS_H
#define KILN_BUILD_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* The index of the first refused argument of a string list, or -1. *reason: why, a static string.
 * *taken: how many arguments it spans (`-o x` spans two, `-Xlinker -Map -Xlinker x` four). */
long arguments_find_refused(const char *const *arguments, const char **reason, size_t *taken);

/* Add to `list` one argument of a spec, so that it means the same in another directory: paths of
 * -I, -L, -include and their kind are made absolute, behind -Xclang too. What is meant to be looked
 * for (the file of -include where the directory has none) or is below the system's root (-I=dir)
 * stays. previous: the argument before it, or NULL. false when out of memory. */
bool arguments_add_absolute(string_list *list, const char *previous, const char *argument,
                            const char *directory);

/* Whether the argument after it is its value, or what it hands on to somebody (-Xclang, -mllvm). */
bool argument_has_value(const char *argument);

/* Whether an argument asks for what this machine's processor can do (-march=native and the like).
 */
bool argument_is_native(const char *argument);
bool arguments_are_native(const string_list *list);

#endif
