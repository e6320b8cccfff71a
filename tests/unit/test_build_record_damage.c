/* test_build_record_damage.c - a record whose bytes are not what was written: it is refused, or,
 * where somebody has sealed the damage, nothing in it leads outside of the buffer. That is what
 * AddressSanitizer sees when these tests run with it: every copy is exactly as large as the record.
 */
#include "test_base_fixture.h"

#include "build/record.h"
#include "build/record_format.h"

typedef struct fixture {
    uint8_t *bytes; /* a sealed record of two results */
    size_t size;
} fixture;

static record make(const record *old, const char *text)
{
    static const input_state states[] = {INPUT_READ, INPUT_ABSENT, INPUT_EXISTS, INPUT_LISTED};
    input_set set = {0};
    record made;
    char *changed;
    record_entry entry = {.name = "lib",
                          .diagnostics = (const uint8_t *)"warning",
                          .host_symbols = "one\0two",
                          .fixed = {.image_id = "kiln-0123",
                                    .name_size = 3,
                                    .diagnostics_size = 7,
                                    .host_symbols_size = 8}};
    for (size_t i = 0; i < 8; i++) {
        const char *path = scratch("%zu/%zu", i / 3, i);
        digest content = digest_of(text, strlen(text));
        os_identity identity = {0};
        if (states[i % 4] == INPUT_LISTED) {
            make_directory(path);
        } else if (states[i % 4] != INPUT_ABSENT) {
            write_file(path, "");
        }
        if (states[i % 4] != INPUT_ABSENT)
            identity = identity_of(path);
        assert_true(input_set_add(&set, path, strlen(path), states[i % 4], &identity, &content));
    }
    input_set_sort(&set);
    assert_true(record_make(&made, old, &set, &entry, 0, &changed));
    input_set_destroy(&set);
    return made;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    record one = make(NULL, ""), two = make(&one, "other");
    f->bytes = two.bytes;
    f->size = two.size;
    record_destroy(&one);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    free(f->bytes);
    free(f);
    return 0;
}

static uint8_t *copy(const void *bytes, size_t size)
{
    uint8_t *made = malloc(size ? size : 1);
    memcpy(made, bytes, size);
    return made;
}

/* Everything that can be asked of a record that was accepted. */
static void use(record *record)
{
    static const record_check_options options[] = {{.trust_system = false}, {.trust_system = true}};
    for (uint32_t i = 0; i < record->result_count; i++) {
        record_entry entry = record_result(record, i);
        size_t length = strlen(entry.name) + strlen(entry.fixed.image_id);
        const char *symbol = entry.host_symbols;
        const char *end = symbol + entry.fixed.host_symbols_size;
        while (symbol < end)
            symbol += strlen(symbol) + 1;
        assert_true(length < record->size && symbol <= end);
        digest all = digest_of(entry.diagnostics, entry.fixed.diagnostics_size);
        assert_false(digest_is_zero(&all));
        for (size_t k = 0; k < 2; k++) {
            record_check_report report;
            record_check(record, i, &options[k], &report);
            free(report.mismatch);
        }
        input_set set = {0};
        assert_true(record_add_inputs(record, i, &set));
        input_set_destroy(&set);
        assert_true(record_input_count(record, i) < record->size);
    }
    os_identity identity = {0};
    if (record->result_count)
        record_set_identity(record, 0, &identity, true);
    record_seal(record);
}

static void test_the_record_itself_is_accepted(void **state)
{
    const fixture *f = *state;
    record record;
    assert_true(record_open(&record, copy(f->bytes, f->size), f->size));
    assert_int_equal(record.result_count, 2);
    use(&record);
    record_destroy(&record);
}

static void test_every_flipped_bit_is_seen(void **state)
{
    const fixture *f = *state;
    for (size_t at = 0; at < f->size; at++)
        for (int bit = 0; bit < 8; bit++) {
            record record;
            uint8_t *bytes = copy(f->bytes, f->size);
            bytes[at] ^= (uint8_t)(1 << bit);
            if (record_open(&record, bytes, f->size))
                fail_msg("bit %d of byte %zu of %zu", bit, at, f->size);
            assert_null(record.bytes);
        }
}

static void test_every_truncation_is_seen(void **state)
{
    const fixture *f = *state;
    for (size_t size = 0; size < f->size; size++) {
        record record;
        if (record_open(&record, copy(f->bytes, size), size))
            fail_msg("%zu bytes of %zu", size, f->size);
    }
}

static void test_appended_bytes_are_seen(void **state)
{
    const fixture *f = *state;
    for (size_t more = 1; more < 64; more++) {
        record record;
        uint8_t *bytes = calloc(1, f->size + more);
        memcpy(bytes, f->bytes, f->size);
        assert_false(record_open(&record, bytes, f->size + more));
    }
}

static void test_what_is_no_record(void **state)
{
    (void)state;
    static const char text[] = "KILNREC\nis how a record begins, but no more than that";
    record record;
    assert_false(record_open(&record, copy("", 0), 0));
    for (size_t size = 1; size < sizeof text; size++)
        assert_false(record_open(&record, copy(text, size), size));
}

static bool open_sealed(record *record, uint8_t *bytes, size_t size)
{
    struct record raw = {.bytes = bytes, .size = size};
    record_seal(&raw);
    return record_open(record, bytes, size);
}

/* Another schema is refused although all else is right. */
static void test_another_schema(void **state)
{
    const fixture *f = *state;
    record record;
    uint8_t *bytes = copy(f->bytes, f->size);
    ((record_header *)bytes)->schema++;
    assert_false(open_sealed(&record, bytes, f->size));
}

static void test_sealed_damage_stays_inside(void **state)
{
    const fixture *f = *state;
    static const uint8_t values[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};
    size_t accepted = 0;
    for (size_t at = sizeof(record_header); at < f->size; at++)
        for (size_t i = 0; i < sizeof values; i++) {
            record record;
            uint8_t *bytes = copy(f->bytes, f->size);
            bytes[at] = values[i];
            if (!open_sealed(&record, bytes, f->size))
                continue;
            use(&record);
            record_destroy(&record);
            accepted++;
        }
    /* Most bytes are paths, times and digests, in which anything may stand. */
    assert_true(accepted > f->size);
}

/* Every 32-bit word at its extremes: sizes, counts and offsets. */
static void test_sealed_numbers_stay_inside(void **state)
{
    const fixture *f = *state;
    static const uint32_t values[] = {0, 1, 8, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    for (size_t at = offsetof(record_header, result_count); at + 4 <= f->size; at += 4)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            record record;
            uint8_t *bytes = copy(f->bytes, f->size);
            memcpy(bytes + at, &values[i], 4);
            if (!open_sealed(&record, bytes, f->size))
                continue;
            use(&record);
            record_destroy(&record);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_record_itself_is_accepted),
        cmocka_unit_test(test_every_flipped_bit_is_seen),
        cmocka_unit_test(test_every_truncation_is_seen),
        cmocka_unit_test(test_appended_bytes_are_seen),
        cmocka_unit_test(test_what_is_no_record),
        cmocka_unit_test(test_another_schema),
        cmocka_unit_test(test_sealed_damage_stays_inside),
        cmocka_unit_test(test_sealed_numbers_stay_inside),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, setup, teardown);
}
