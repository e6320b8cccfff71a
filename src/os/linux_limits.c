/* linux_limits.c - how much of the machine this process may use: see os.h. No state; any thread. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "os/linux_cgroup.h"

static unsigned allowed_processors(void)
{
    /* The mask must be as large as the kernel's, which
     * may know more processors than cpu_set_t does. */
    for (int capacity = CPU_SETSIZE; capacity <= 1 << 20; capacity *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)capacity);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)capacity);
        int failed = sched_getaffinity(0, size, set);
        int error = errno;
        int count = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
        if (error != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* The kernel's estimate of what can be had without swapping; UINT64_MAX where it gives none. */
static uint64_t system_memory_available(void)
{
    uint8_t *bytes;
    size_t size;
    if (os_read_file(AT_FDCWD, "/proc/meminfo", &bytes, &size))
        return UINT64_MAX;
    unsigned long long kib;
    const char *line = strstr((const char *)bytes, "MemAvailable:");
    bool found = line && sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    free(bytes);
    return found ? kib * 1024 : UINT64_MAX;
}

unsigned os_job_count(uint64_t bytes_per_job)
{
    cgroup_limits limits;
    cgroup_read_limits("", &limits);
    unsigned count = allowed_processors();
    /* Half a processor and more is worth a job of its own. */
    if (limits.processors < count)
        count = (unsigned)(limits.processors + 0.5);
    uint64_t available = system_memory_available();
    if (limits.memory_available < available)
        available = limits.memory_available;
    if (bytes_per_job > 0 && available / bytes_per_job < count)
        count = (unsigned)(available / bytes_per_job);
    return count > 0 ? count : 1;
}

uint64_t os_memory_total(void)
{
    cgroup_limits limits;
    cgroup_read_limits("", &limits);
    uint64_t total = limits.memory_total;
    struct sysinfo system;
    if (sysinfo(&system) == 0 && (uint64_t)system.totalram * system.mem_unit < total)
        total = (uint64_t)system.totalram * system.mem_unit;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < total)
        total = limit.rlim_cur;
    return total;
}
