/* misuse_exhaustion.c - descriptors, address space and memory used up in the host: an error, or a
 * load that works; never a crash, a hang or a leak, and the next load works.
 *
 * This program replaces the allocator of the whole process by one that can be told to fail: libkiln
 * allocates through it, as it would through any host's. */
#include "host_process.h"
#include "load_result.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CACHE scratch("cache")

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_SANITIZER 1
#else
#define HAVE_SANITIZER 0
#endif

/* ---- an allocator that fails on demand ---- */

static long allocations, fail_at, outstanding; /* atomics; fail_at 0: never */
static bool fail_all_later, armed;

#if !HAVE_SANITIZER
#pragma GCC visibility push(default) /* the allocator of libkiln too */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static bool must_fail(void)
{
    if (!__atomic_load_n(&armed, __ATOMIC_RELAXED))
        return false;
    long number = __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    if (number != fail_at && !(fail_all_later && fail_at > 0 && number > fail_at))
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory)
{
    if (memory)
        __atomic_add_fetch(&outstanding, 1, __ATOMIC_RELAXED);
    return memory;
}

void *malloc(size_t size)
{
    return must_fail() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    if (must_fail())
        return NULL;
    void *memory = __libc_realloc(old, size);
    return old ? memory : counted(memory);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail() ? NULL : counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (must_fail())
        return ENOMEM;
    *memory = counted(__libc_memalign(alignment, size));
    return *memory ? 0 : ENOMEM;
}

extern void __libc_free(void *memory);

void free(void *memory)
{
    if (memory)
        __atomic_sub_fetch(&outstanding, 1, __ATOMIC_RELAXED);
    __libc_free(memory);
}

#pragma GCC visibility pop
#endif

/* ---- the sweep ---- */

static void need_own_allocator(void)
{
    if (HAVE_SANITIZER)
        skip("a sanitizer brings its own allocator");
}

typedef struct attempt {
    kiln_status status;
    int value;
    long allocations;
} attempt;

/* One load and close in an existing session, or in one of its own, with the Nth allocation failing.
 * Everything that the test itself allocates is allocated before. */
static attempt load_with_failure(kiln_session *session, const char *cache, const kiln_spec *spec,
                                 long at, bool all_later)
{
    attempt result = {.status = KILN_OK};
    kiln_session_options options = session_options(cache, NULL);
    kiln_session *own = NULL;
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    allocations = 0;
    fail_at = at;
    fail_all_later = all_later;
    __atomic_store_n(&armed, true, __ATOMIC_SEQ_CST);
    if (!session)
        result.status = kiln_session_create(&options, &own, &error);
    if (result.status == KILN_OK)
        result.status =
            kiln_library_load_spec(session ? session : own, spec, NULL, &library, &error);
    __atomic_store_n(&armed, false, __ATOMIC_SEQ_CST);
    result.allocations = allocations;
    if (result.status == KILN_OK) {
        result.value = call_int(library, "value");
        CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    } else {
        CHECK(error && kiln_error_code(error) == result.status);
        CHECK(*kiln_error_message(error) && *kiln_error_rendered(error));
    }
    kiln_error_destroy(error);
    kiln_session_destroy(own);
    return result;
}

static kiln_spec *project(void)
{
    write_file(scratch("main.c"), "//kiln: -Wall\n#include <string.h>\nint value(void) { int "
                                  "unused; return strlen(\"four\"); }\n");
    write_file(scratch("base.c"), "int base(void) { return 1; }\n");
    kiln_spec *spec = spec_of_file("project", scratch("main.c"));
    kiln_spec_add_host_symbol(spec, "lent", (void *)project);
    return spec;
}

/* Say what went wrong at one step, and go on: a sweep shows all its findings at once. */
static unsigned check_step(const attempt *failed, const attempt *next, long at)
{
    /* The loader's own failures are BIND: all it gives is a text. */
    bool expected = failed->status == KILN_OK
                        ? failed->value == 4
                        : failed->status == KILN_NO_MEMORY || failed->status == KILN_BIND;
    if (!expected) {
        fprintf(stderr, "allocation %ld fails: the load gives %s, value %d\n", at,
                kiln_status_name(failed->status), failed->value);
        return 1;
    }
    if (next->status != KILN_OK || next->value != 4) {
        fprintf(stderr, "after allocation %ld failed the next load gives %s\n", at,
                kiln_status_name(next->status));
        return 1;
    }
    return 0;
}

static void sweep(kiln_session *session, const char *cache, const kiln_spec *spec, bool cold,
                  bool all_later)
{
    need_own_allocator();
    attempt whole = load_with_failure(session, cache, spec, 0, false);
    CHECK_STATUS(whole.status, KILN_OK, NULL);
    CHECK(whole.allocations > 10);
    /* A cold load costs tens of milliseconds: at most 200 of them. */
    long step = cold && whole.allocations > 200 ? whole.allocations / 200 + 1 : 1;
    unsigned wrong = 0;
    for (long at = 1; at <= whole.allocations; at += step) {
        if (cold && cache)
            remove_tree(cache);
        attempt failed = load_with_failure(session, cache, spec, at, all_later);
        attempt next = load_with_failure(session, cache, spec, 0, false);
        wrong += check_step(&failed, &next, at);
    }
    CHECK_INT(wrong, 0);
}

TEST(each_allocation_of_a_warm_load_fails)
{
    kiln_spec *spec = project();
    sweep(NULL, CACHE, spec, false, false);
}

TEST(allocations_of_a_warm_load_fail_from_one_on)
{
    kiln_spec *spec = project();
    sweep(NULL, CACHE, spec, false, true);
}

TEST(each_allocation_of_a_cold_load_fails)
{
    kiln_spec *spec = project();
    kiln_session *session = session_create(CACHE, NULL);
    sweep(session, CACHE, spec, true, false);
    kiln_session_destroy(session);
}

TEST(allocations_of_a_cold_load_fail_from_one_on)
{
    kiln_spec *spec = project();
    kiln_session *session = session_create(CACHE, NULL);
    sweep(session, CACHE, spec, true, true);
    kiln_session_destroy(session);
}

TEST(each_allocation_without_a_cache_fails)
{
    kiln_spec *spec = project();
    kiln_session *session = session_create(NULL, NULL);
    sweep(session, NULL, spec, true, false);
    kiln_session_destroy(session);
}

TEST(each_allocation_for_a_failing_load_fails)
{
    need_own_allocator();
    write_file(scratch("bad.c"), "int counter;\nint x = conter;\nint y = nowhere;\n");
    kiln_session *session = session_create(CACHE, NULL);
    unsigned wrong = 0;
    for (long at = 1;; at += 3) {
        kiln_library *library;
        kiln_error *error = NULL;
        kiln_spec *spec = spec_of_file("bad", scratch("bad.c"));
        allocations = 0;
        fail_at = at;
        fail_all_later = false;
        __atomic_store_n(&armed, true, __ATOMIC_SEQ_CST);
        kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
        __atomic_store_n(&armed, false, __ATOMIC_SEQ_CST);
        if (status != KILN_COMPILE && status != KILN_NO_MEMORY) {
            fprintf(stderr, "allocation %ld fails: the load gives %s\n", at,
                    kiln_status_name(status));
            wrong++;
        }
        CHECK(error && *kiln_error_rendered(error));
        kiln_error_destroy(error);
        kiln_spec_destroy(spec);
        if (at > allocations)
            break;
    }
    CHECK_INT(wrong, 0);
    kiln_session_destroy(session);
}

/* Each failure once to fill what is allocated once for all, then once more: nothing may be left. */
TEST(nothing_leaks)
{
    need_own_allocator();
    kiln_spec *spec = project();
    const char *cache = CACHE;
    load_with_failure(NULL, cache, spec, 0, false);
    attempt whole = load_with_failure(NULL, cache, spec, 0, false);
    unsigned wrong = 0;
    for (long at = 0; at <= whole.allocations; at++) {
        load_with_failure(NULL, cache, spec, at, false);
        long before = outstanding;
        load_with_failure(NULL, cache, spec, at, false);
        if (outstanding != before) {
            fprintf(stderr, "allocation %ld fails: %ld blocks are left\n", at,
                    outstanding - before);
            wrong++;
        }
    }
    CHECK_INT(wrong, 0);
}

/* Adders keep a failure of theirs for the call that uses the spec. */
TEST(each_allocation_of_a_spec_fails)
{
    need_own_allocator();
    kiln_session *session = session_create(NULL, NULL);
    unsigned tolerated = 0;
    for (long at = 1;; at++) {
        kiln_library *library;
        kiln_error *error = NULL;
        allocations = 0;
        fail_at = at;
        fail_all_later = false;
        __atomic_store_n(&armed, true, __ATOMIC_SEQ_CST);
        kiln_spec *spec = kiln_spec_create("spec");
        if (spec) {
            kiln_spec_set_directory(spec, "/tmp");
            kiln_spec_add_memory_source(spec, "main.c", "int value(void) { return 4; }\n", 30,
                                        (const char *const[]){"-O0", NULL});
            kiln_spec_add_memory_header(spec, "h.h", "", 0);
            kiln_spec_add_arguments(spec, KILN_PRIVATE,
                                    (const char *const[]){"-DX", "-DY=1", NULL});
            kiln_spec_add_host_symbol(spec, "lent", (void *)project);
            kiln_spec_set_standard(spec, "c17");
        }
        __atomic_store_n(&armed, false, __ATOMIC_SEQ_CST);
        bool failed = at <= allocations;
        if (spec) {
            kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
            tolerated += failed && status == KILN_OK;
            if (status != KILN_OK || !failed)
                CHECK_STATUS(status, failed ? KILN_NO_MEMORY : KILN_OK, &error);
            if (status == KILN_OK)
                kiln_library_close(library);
            kiln_error_destroy(error);
            kiln_spec_destroy(spec);
        }
        if (!failed)
            break;
    }
    CHECK(tolerated <= 1); /* glibc's getcwd does without the realloc that shrinks its result */
    kiln_session_destroy(session);
}

/* ---- descriptors and address space ---- */

static kiln_spec *simple_project(int number)
{
    char *path = scratch("simple%d.c", number);
    write_file(path, text_of("int value(void) { return %d; }\n", number));
    return spec_of_file(text_of("simple%d", number), path);
}

/* How many more descriptors this process may open. */
static void leave_descriptors(int count)
{
    struct rlimit limit;
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(lowest >= 0);
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)(lowest + count);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int with_few_descriptors(void *argument)
{
    int count = *(int *)argument;
    struct rlimit whole;
    getrlimit(RLIMIT_NOFILE, &whole);
    kiln_session *session = session_create(CACHE, NULL);
    kiln_library *library;
    kiln_error *error;
    kiln_spec *spec = simple_project(1), *warm = simple_project(2);
    leave_descriptors(count);
    for (int i = 0; i < 2; i++) {
        kiln_status status =
            kiln_library_load_spec(session, i ? warm : spec, NULL, &library, &error);
        if (status == KILN_OK) {
            CHECK_INT(call_int(library, "value"), i + 1);
            CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
        } else if (status != KILN_IO && status != KILN_COMPILER && status != KILN_BIND &&
                   status != KILN_NO_MEMORY) {
            support_fail(__FILE__, __LINE__, "with %d descriptors the load gives %s: %s", count,
                         kiln_status_name(status), kiln_error_rendered(error));
        }
        kiln_error_destroy(error);
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &whole), 0);
    for (int i = 0; i < 2; i++) { /* the session has recovered */
        CHECK_STATUS(kiln_library_load_spec(session, i ? warm : spec, NULL, &library, &error),
                     KILN_OK, &error);
        CHECK_INT(call_int(library, "value"), i + 1);
        kiln_library_close(library);
    }
    kiln_session_destroy(session);
    return 0;
}

TEST(descriptors_used_up)
{
    load_result warm = try_load(scratch("warm"), simple_project(2));
    CHECK_TEXT(warm.error, "");
    for (int count = 0; count < 32; count++) {
        remove_tree(CACHE);
        copy_tree(scratch("warm"), CACHE);
        int status = in_child(with_few_descriptors, &count);
        if (status != 0)
            support_fail(__FILE__, __LINE__, "with %d descriptors: status %d", count, status);
    }
}

static int with_little_memory(void *argument)
{
    size_t room = *(size_t *)argument << 10;
    unsigned long pages;
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    kiln_spec *spec = simple_project(1), *warm = simple_project(2);
    struct rlimit whole, limit = {.rlim_cur = pages * 4096 + room, .rlim_max = RLIM_INFINITY};
    getrlimit(RLIMIT_AS, &whole);
    if (setrlimit(RLIMIT_AS, &limit) < 0)
        return 77;
    for (int i = 0; i < 2; i++) {
        load_result result = try_load(CACHE, i ? warm : spec);
        if (result.status == KILN_OK && result.value != i + 1)
            return 2;
        if (result.status == KILN_INTERNAL)
            return 3;
    }
    setrlimit(RLIMIT_AS, &whole);
    load_result result = try_load(CACHE, spec);
    return result.status == KILN_OK && result.value == 1 ? 0 : 4;
}

TEST(address_space_used_up)
{
    if (HAVE_SANITIZER)
        skip("a sanitizer reserves address space");
    load_result warm = try_load(scratch("warm"), simple_project(2));
    CHECK_TEXT(warm.error, "");
    static const size_t kilobytes[] = {0,    64,   128,  256,   512,   1024,
                                       2048, 4096, 8192, 16384, 65536, 262144};
    for (size_t i = 0; i < sizeof kilobytes / sizeof *kilobytes; i++) {
        size_t room = kilobytes[i];
        remove_tree(CACHE);
        copy_tree(scratch("warm"), CACHE);
        int status = in_child(with_little_memory, &room);
        if (status != 0)
            support_fail(__FILE__, __LINE__, "with %zu KiB: status %d", room, status);
    }
}

static int under_file_size_limit(void *unused)
{
    (void)unused;
    kiln_spec *spec = simple_project(1);
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = RLIM_INFINITY};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    load_result result = try_load(CACHE, spec);
    return result.status == KILN_INTERNAL || (result.status == KILN_OK && result.value != 1);
}

TEST(file_size_limited)
{
    CHECK_INT(in_child(under_file_size_limit, NULL), 0);
}

TEST(processes_used_up)
{
    if (geteuid() == 0)
        skip("the limit of processes does not hold for root");
    struct rlimit limit = {1, 1};
    kiln_session *session = session_create(NULL, NULL);
    CHECK_INT(setrlimit(RLIMIT_NPROC, &limit), 0);
    kiln_spec *spec = simple_project(1);
    kiln_error *error = load_spec_fails(session, spec, KILN_COMPILER);
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}
