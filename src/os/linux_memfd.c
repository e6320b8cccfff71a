/* linux_memfd.c - anonymous files and mappings: see os.h. No state; any thread. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/linux_descriptor.h"

/* Since Linux 6.3; a kernel or C library that does not know them does without. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 16u
#endif

int os_memfd_create(const char *name, bool executable)
{
    char shortened[200]; /* the kernel takes 249 bytes */
    snprintf(shortened, sizeof shortened, "%s", name);
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(shortened, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(shortened, flags);
    return linux_above_standard(fd);
}

int os_memfd_with(const char *name, const void *bytes, size_t size, bool executable)
{
    int fd = os_memfd_create(name, executable);
    if (fd >= 0 && os_write_all(fd, bytes, size)) {
        linux_close(fd);
        return -1;
    }
    return fd;
}

int os_memfd_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

void os_fd_path(int fd, char *path, size_t capacity)
{
    /* By number, not /proc/self: a debugger opens the path too. */
    snprintf(path, capacity, "/proc/%ld/fd/%d", (long)getpid(), fd);
}

static const uint8_t empty_file[1];

int os_map_file(int fd, size_t size, const void **bytes)
{
    if (size == 0) {
        *bytes = empty_file;
        return 0;
    }
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return -1;
    *bytes = mapped;
    return 0;
}

int os_map_copy(int fd, size_t size, uint8_t **bytes)
{
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return -1;
    *bytes = mapped;
    return 0;
}

void os_unmap(const void *bytes, size_t size)
{
    if (bytes && bytes != empty_file)
        munmap((void *)bytes, size);
}
