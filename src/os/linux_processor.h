/* linux_processor.h - what depends on the processor; one file for each implements it
 * (linux_x86_64.c). */
#ifndef KILN_OS_LINUX_PROCESSOR_H
#define KILN_OS_LINUX_PROCESSOR_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether a dynamic relocation fills an entry of the global offset table, which nobody changes,
 * with the plain address of its symbol. */
bool linux_relocation_is_address(Elf64_Xword info);
/* Whether it stores the number of the module that defines its thread-local symbol, with the
 * variable's offset there in the word behind it: the argument of __tls_get_addr. */
bool linux_relocation_is_thread_module(Elf64_Xword info);

/* Where a thread ran when it got a signal. context: what its handler is given. */
uintptr_t linux_code_address(const void *context);

/* os_processor_features (os.h) stands in the same file. */

#endif
