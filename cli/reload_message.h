/* reload_message.h - what is said of edits that were published, or could not be. */
#ifndef KILN_CLI_RELOAD_MESSAGE_H
#define KILN_CLI_RELOAD_MESSAGE_H

#include "kiln.h"

/* A kiln_watch_callback. It may run beside the program's own output: each message is one write. */
void reload_message(kiln_library *library, const kiln_reload *report, const kiln_error *error,
                    void *user_data);

#endif
