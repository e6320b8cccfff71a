/* sources.h - memory sources and headers, kept in the cache so that debuggers can show them.
 *
 *     sources/DIGEST/kiln/LIBRARY/PATH    a file, by the digest of its content
 *     debug/CONTENT                       which of them an image's debug information names
 *
 * A path follows from the file alone, so that an object which the cache lends to a later build still
 * names what it was made of. Whatever no image names is swept (evict.c). No state; any thread. */
#ifndef KILN_BUILD_SOURCES_H
#define KILN_BUILD_SOURCES_H

#include "build/build.h"

enum { sources_id_size = 33 }; /* of DIGEST above, with its NUL */

/* Add the arguments by which debug information names the kept files. false when out of memory. */
bool sources_add_debug_paths(const build *build, string_list *arguments);

/* Keep the memory files of a build for the image `content`. Failures are nobody's loss but a
 * debugger's. */
void sources_keep(const build *build, const digest *content);

#endif
