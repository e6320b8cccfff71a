/* environment.h - the environment variables that a compilation depends on.
 *
 * They are part of every key, and the only ones that a job gets to see. */
#ifndef KILN_BUILD_ENVIRONMENT_H
#define KILN_BUILD_ENVIRONMENT_H

#include "base/text.h"

/* "NAME=value" of each that is set, in a fixed order. false when out of memory. */
bool environment_collect(string_list *list);

#endif
