/* Entries that are led to other bodies, one by one and under threads that call them; constants that
 * are written over; what is refused, and that it changes nothing. Entries are made here, byte by
 * byte, as compiler/hot_entry.cpp makes them. */
#include "test_base_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/os.h"
#include "reload/patch.h"

#if defined(__x86_64__)

typedef int (*function)(void);

enum { entry_size = 64, entries_offset = 16 };

/* Pages of entries, each returning its number; executable and not writable. */
static uint8_t *make_entries(size_t count, bool is_protected)
{
    static const uint8_t plain[] = {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
    static const uint8_t guarded[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x40, 0};
    uint8_t *code = mmap(NULL, count * entry_size + entry_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(code != MAP_FAILED);
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = code + i * entry_size;
        memset(at, 0xcc, 8);
        at += entries_offset;
        if (is_protected) {
            memcpy(at, guarded, sizeof guarded);
            at += sizeof guarded;
        }
        memcpy(at, plain, sizeof plain);
        at += sizeof plain;
        *at++ = 0xb8; /* mov $i, %eax; ret */
        memcpy(at, &(uint32_t){(uint32_t)i}, 4);
        at[4] = 0xc3;
    }
    assert_int_equal(mprotect(code, count * entry_size + entry_size, PROT_READ | PROT_EXEC), 0);
    return code;
}

static void *entry_of(uint8_t *code, size_t index)
{
    return code + index * entry_size + entries_offset;
}

static int call(const void *entry)
{
    return ((function)(uintptr_t)entry)();
}

static int answer_a(void)
{
    return 1000000;
}
static int answer_b(void)
{
    return 2000000;
}

static void lead(void *entry, const void *target)
{
    const patch patch = {.entry = entry, .target = target};
    assert_int_equal(patch_publish(&patch, 1, NULL, 0, NULL), KILN_OK);
}

static void check_shape(bool is_protected)
{
    uint8_t *code = make_entries(3, is_protected);
    void *entry = entry_of(code, 1);
    os_protection before, after;
    assert_int_equal(os_protection_of(entry, &before), 0);
    assert_true(os_entry_is_patchable(entry) && !os_entry_target(entry));
    assert_int_equal(patch_check(entry, "f", NULL), KILN_OK);
    assert_int_equal(call(entry), 1);
    lead(entry, (void *)(uintptr_t)answer_a);
    assert_int_equal(call(entry), 1000000);
    assert_true(os_entry_target(entry) == (void *)(uintptr_t)answer_a);
    assert_true(os_entry_is_patchable(entry));
    lead(entry, (void *)(uintptr_t)answer_b);
    assert_int_equal(call(entry), 2000000);
    /* Its neighbours are as they were; and back. */
    assert_int_equal(call(entry_of(code, 0)) + call(entry_of(code, 2)), 2);
    lead(entry, NULL);
    assert_int_equal(call(entry), 1);
    assert_int_equal(os_protection_of(entry, &after), 0);
    assert_true(after.executable && !after.writable && before.executable && !before.writable);
}

static void test_both_shapes(void **state)
{
    (void)state;
    check_shape(false);
    check_shape(true);
}

static const char some_text[] = "constant text of some length";
static const char *const some_pointers[] = {"first", "other"}; /* read-only after relocation */

/* What the compiler knows nothing of. */
static void *hidden(const void *address)
{
    __asm__ volatile("" : "+r"(address));
    return (void *)(uintptr_t)address;
}

static void test_other_bytes_are_refused(void **state)
{
    (void)state;
    uint8_t *code = make_entries(2, false);
    const patch patches[] = {
        {.entry = entry_of(code, 0), .target = (void *)(uintptr_t)answer_a},
        {.entry = (uint8_t *)entry_of(code, 1) + 8, .target = (void *)(uintptr_t)answer_a}};
    const patch_data items[] = {{.place = hidden(some_text), .bytes = "CON", .size = 3}};
    kiln_error *error = NULL;
    assert_false(os_entry_is_patchable((void *)(uintptr_t)answer_a));
    assert_int_equal(patch_publish(patches, 2, items, 1, &error), KILN_UNSUPPORTED);
    kiln_error_destroy(error);
    assert_int_equal(call(entry_of(code, 0)), 0);
    assert_string_equal(hidden(some_text), "constant text of some length");
    assert_int_equal(patch_check((void *)(uintptr_t)answer_a, "answer_a", NULL), KILN_UNSUPPORTED);
}

/* ---- while threads call ---- */

enum { stress_entries = 3000, stress_threads = 8 };
static uint8_t *stress_code;
static atomic_bool stress_ends;
static atomic_ulong stress_calls, stress_wrong;

static void *call_all(void *data)
{
    unsigned long calls = 0, wrong = 0;
    (void)data;
    while (!atomic_load_explicit(&stress_ends, memory_order_relaxed)) {
        for (int i = 0; i < stress_entries; i++, calls++) {
            int value = call(entry_of(stress_code, (size_t)i));
            wrong += value != i && value != 1000000 && value != 2000000;
        }
    }
    atomic_fetch_add(&stress_calls, calls);
    atomic_fetch_add(&stress_wrong, wrong);
    return NULL;
}

/* The publisher stays on one processor, the callers go where they like: on both. */
static void test_publishing_under_callers(void **state)
{
    (void)state;
    static patch patches[stress_entries];
    static const function targets[] = {answer_a, answer_b, NULL};
    int rounds = getenv("KILN_TEST_LONG") ? 20000 : 500;
    pthread_t threads[stress_threads];
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    stress_code = make_entries(stress_entries, false);
    for (int i = 0; i < stress_threads; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_all, NULL), 0);
    sched_setaffinity(0, sizeof first, &first);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < stress_entries; i++)
            patches[i] = (patch){.entry = entry_of(stress_code, (size_t)i),
                                 .target = (void *)(uintptr_t)targets[(round + i) % 3]};
        assert_int_equal(patch_publish(patches, stress_entries, NULL, 0, NULL), KILN_OK);
    }
    atomic_store(&stress_ends, true);
    for (int i = 0; i < stress_threads; i++)
        pthread_join(threads[i], NULL);
    assert_true(stress_calls > 0);
    assert_int_equal(stress_wrong, 0);
    for (int i = 0; i < stress_entries; i++) {
        int expected = targets[(rounds - 1 + i) % 3] ? targets[(rounds - 1 + i) % 3]() : i;
        assert_int_equal(call(entry_of(stress_code, (size_t)i)), expected);
    }
}

/* ---- constants ---- */

static void test_constants(void **state)
{
    (void)state;
    static const char *const second = "second";
    char *text = hidden(some_text);
    const char **pointers = hidden(some_pointers);
    os_protection before, after;
    assert_int_equal(os_protection_of(text, &before), 0);
    assert_false(before.writable);
    /* Not at the edges of words. */
    const patch_data items[] = {
        {.place = text + 3, .bytes = "STANT TEXT", .size = 10},
        {.place = pointers, .bytes = hidden(&second), .size = sizeof second}};
    assert_int_equal(patch_publish(NULL, 0, items, 2, NULL), KILN_OK);
    assert_string_equal(hidden(text), "conSTANT TEXT of some length");
    assert_string_equal(*(const char **)hidden(pointers), "second");
    assert_int_equal(os_protection_of(text, &after), 0);
    assert_true(after.readable && !after.writable && after.executable == before.executable);
    assert_int_equal(os_protection_of(pointers, &after), 0);
    assert_false(after.writable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_shapes),
        cmocka_unit_test(test_other_bytes_are_refused),
        cmocka_unit_test(test_publishing_under_callers),
        cmocka_unit_test(test_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    return 77;
}
#endif
