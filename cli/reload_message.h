/* reload_message.h - what is said of edits that were published, or could not be. */
#ifndef KILN_CLI_RELOAD_MESSAGE_H
#define KILN_CLI_RELOAD_MESSAGE_H

#include "command_line.h"

/* Watch a library, and say what each edit of it comes to: beside the program's own output, so each
 * message is one write. at_once: nobody dispatches. false: it was said why not. */
bool reload_message_watch(kiln_library *library, const cli_options *options, bool at_once);

#endif
