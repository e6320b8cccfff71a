/* linux_descriptor.h - what the Linux files share about descriptors. */
#ifndef KILN_OS_LINUX_DESCRIPTOR_H
#define KILN_OS_LINUX_DESCRIPTOR_H

/* The descriptor, or a close-on-exec copy at 3 or above where it is one of the standard three: in a
 * host that has closed those, the next descriptor would be taken for standard output. fd is closed
 * where it is replaced and on failure; a negative one is passed on with errno as it is. */
int linux_above_standard(int fd);

/* close() that leaves errno alone; takes -1. */
void linux_close(int fd);

#endif
