/* import_commands.h - a spec from a build's compile_commands.json.
 *
 * Any project whose build writes such a database loads without a spec of its own: the commands of
 * one target become the sources and arguments of one library. Where CMake's File API tells more
 * (import_cmake.h), the project's libraries that the target links become part of it, and others are
 * linked. Reads the disk; registers nothing. Any thread. */
#ifndef KILN_API_IMPORT_COMMANDS_H
#define KILN_API_IMPORT_COMMANDS_H

#include "base/error.h"

/* path: the database, or the directory that it lies in. target: which; NULL where there is but one;
 * "" for the commands that belong to none. name: the spec's. The caller destroys the spec. Messages
 * name file and entry. Errors: NOT_FOUND, AMBIGUOUS (lists the targets), SPEC, IO, NO_MEMORY. */
kiln_status import_commands(const char *path, const char *target, const char *name,
                            kiln_spec **spec, kiln_error **error);

#endif
