/* test_os_limits.c - how much of the machine may be used: control groups of both versions,
 * affinity, processor features. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/linux_cgroup.h"
#include "os/os.h"

/* A system's /proc and /sys, as far as they are read. */
static char root[] = "/tmp/kiln-limits-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    *strrchr(full, '/') = '\0';
    assert_int_equal(os_make_directories(full), 0);
    snprintf(full, sizeof full, "%s%s", root, path);
    FILE *out = fopen(full, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void start_over(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s/*", root);
    assert_int_equal(system(command), 0);
}

static void test_no_groups(void **state)
{
    (void)state;
    cgroup_limits limits;
    start_over();
    cgroup_read_limits(root, &limits);
    assert_true(isinf(limits.processors));
    assert_true(limits.memory_total == UINT64_MAX && limits.memory_available == UINT64_MAX);
}

static void test_version_2(void **state)
{
    (void)state;
    cgroup_limits limits;
    start_over();
    put("/proc/self/cgroup", "0::/user/session\n");
    put("/proc/self/mountinfo",
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
    put("/sys/fs/cgroup/user/session/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/user/session/memory.max", "max\n");
    put("/sys/fs/cgroup/user/session/memory.current", "5000\n");
    cgroup_read_limits(root, &limits);
    assert_true(isinf(limits.processors) && limits.memory_total == UINT64_MAX);
    /* The group above binds too; pages of files that are not in use are as good as free. */
    put("/sys/fs/cgroup/user/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/user/memory.max", "1000000\n");
    put("/sys/fs/cgroup/user/memory.current", "700000\n");
    put("/sys/fs/cgroup/user/memory.stat",
        "anon 100\ninactive_file_x 5\ninactive_file 200000\nactive_file 7\n");
    cgroup_read_limits(root, &limits);
    assert_true(fabs(limits.processors - 1.5) < 0.001);
    assert_int_equal(limits.memory_total, 1000000);
    assert_int_equal(limits.memory_available, 500000);
    put("/sys/fs/cgroup/user/session/cpu.max", "50000 100000\n");
    put("/sys/fs/cgroup/user/session/memory.max", "4000\n");
    cgroup_read_limits(root, &limits);
    assert_true(fabs(limits.processors - 0.5) < 0.001);
    assert_int_equal(limits.memory_total, 4000);
    assert_int_equal(limits.memory_available, 0);
}

static void test_version_1(void **state)
{
    (void)state;
    cgroup_limits limits;
    start_over();
    put("/proc/self/cgroup",
        "12:cpuset:/x\n5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n");
    /* A container sees its own group at the mount. */
    put("/proc/self/mountinfo",
        "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 /docker/abc /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n"
        "34 31 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
    put("/sys/fs/cgroup/memory/memory.stat", "cache 1\ntotal_inactive_file 400000\n");
    cgroup_read_limits(root, &limits);
    assert_true(fabs(limits.processors - 2.5) < 0.001);
    assert_int_equal(limits.memory_total, 3000000);
    assert_int_equal(limits.memory_available, 2400000);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    cgroup_read_limits(root, &limits);
    assert_true(isinf(limits.processors) && limits.memory_total == UINT64_MAX);
}

static void test_garbage(void **state)
{
    (void)state;
    cgroup_limits limits;
    start_over();
    put("/proc/self/cgroup", "\n0:\n0::\nxyz\n0::/a\n1:memory:/../..\n");
    put("/proc/self/mountinfo", "\n - \n1 2 3 - cgroup2 x y\n31 23 0:28 / /m rw - cgroup2 c rw\n");
    put("/m/a/cpu.max", "100000 0\n");
    put("/m/a/memory.max", "lots\n");
    put("/m/a/memory.current", "-3\n");
    cgroup_read_limits(root, &limits);
    assert_true(isinf(limits.processors) && limits.memory_total == UINT64_MAX);
}

static void one_processor_part(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    if (sched_setaffinity(0, sizeof set, &set) == 0 && os_job_count(1) != 1)
        _exit(1);
    struct rlimit limit = {1 << 30, 1 << 30};
    if (setrlimit(RLIMIT_AS, &limit) == 0 && os_memory_total() > 1 << 30)
        _exit(2);
}

static void test_this_machine(void **state)
{
    (void)state;
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_true(os_job_count(1) >= 1 && os_job_count(1) <= (unsigned)CPU_COUNT(&set));
    assert_int_equal(os_job_count(UINT64_MAX), 1);
    assert_int_equal(os_job_count(0), os_job_count(1));
    assert_true(os_memory_total() > 16 << 20);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        one_processor_part();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
#else
    (void)one_processor_part;
#endif
}

/* The same on every processor of the machine, and something at all. */
static void test_processor_features(void **state)
{
    (void)state;
    uint8_t first[512], again[512];
    cpu_set_t all, one;
    size_t size = os_processor_features(first, sizeof first);
    assert_true(size > 32 && size <= sizeof first);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
        if (!CPU_ISSET(processor, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(processor, &one);
        assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
        assert_int_equal(os_processor_features(again, sizeof again), size);
        assert_memory_equal(first, again, size);
    }
    sched_setaffinity(0, sizeof all, &all);
    assert_int_equal(os_processor_features(again, 7), 7);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_groups),    cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_version_1),    cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_this_machine), cmocka_unit_test(test_processor_features),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
