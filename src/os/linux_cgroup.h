/* linux_cgroup.h - the limits that control groups set for this process. */
#ifndef KILN_OS_LINUX_CGROUP_H
#define KILN_OS_LINUX_CGROUP_H

#include <stdint.h>

/* Where no group sets a limit, the fields say so with infinity and UINT64_MAX. */
typedef struct cgroup_limits {
    double processors;
    uint64_t memory_total;     /* bytes that the groups may use in all */
    uint64_t memory_available; /* of these, what is free or could be freed by dropping file pages */
} cgroup_limits;

/* Read version 2 and version 1 hierarchies; every group from this process's up to the root counts.
 * root: a directory that /proc and /sys are looked up in, "" for the system's. What cannot be read
 * sets no limit. Any thread. */
void cgroup_read_limits(const char *root, cgroup_limits *limits);

#endif
