/* linux_code.c - protection of mapped pages: see os.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/os.h"

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* The kernel alone knows: RELRO and other libraries change what the headers of a file say. */
int os_protection_of(const void *address, os_protection *protection)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], bits[5];
    unsigned long begin, end;
    bool found = false;
    if (!maps)
        return -1;
    while (!found && fgets(line, sizeof line, maps))
        found = sscanf(line, "%lx-%lx %4s", &begin, &end, bits) == 3 &&
                (uintptr_t)address >= begin && (uintptr_t)address < end;
    fclose(maps);
    if (!found) {
        errno = EFAULT;
        return -1;
    }
    *protection = (os_protection){.readable = bits[0] == 'r',
                                  .writable = bits[1] == 'w',
                                  .executable = bits[2] == 'x',
                                  .begin = begin,
                                  .end = end};
    return 0;
}

static int protect(void *address, size_t size, const os_protection *protection, bool writable)
{
    uintptr_t page = os_page_size();
    uintptr_t begin = (uintptr_t)address & ~(page - 1);
    uintptr_t end = ((uintptr_t)address + size + page - 1) & ~(page - 1);
    int bits = (protection->readable ? PROT_READ : 0) | (protection->executable ? PROT_EXEC : 0) |
               (protection->writable || writable ? PROT_WRITE : 0);
    return mprotect((void *)begin, end - begin, bits);
}

int os_make_writable(void *address, size_t size, const os_protection *protection)
{
    return protect(address, size, protection, true);
}

void os_restore_protection(void *address, size_t size, const os_protection *protection)
{
    int kept = errno;
    protect(address, size, protection, false);
    errno = kept;
}
