/* test_base_digest.c - BLAKE2b-256: known answers, and sequences of fields that cannot be confused. */
#include "test_base_fixture.h"

#include "base/digest.h"

static void check(const digest *d, const char *expected)
{
    char hex[digest_hex_size];
    digest_hex(d, hex);
    assert_string_equal(hex, expected);
}

/* Answers of the reference implementation of RFC 7693, at a digest size of 32 without a key. */
static void test_known_answers(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % 251);
    digest empty = digest_of("", 0), abc = digest_of("abc", 3),
           some = digest_of(bytes, sizeof bytes);
    check(&empty, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    check(&abc, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    check(&some, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331");
}

/* Large contents take another implementation, chosen for the processor; the answer is the same. */
static void test_large_contents(void **state)
{
    (void)state;
    static uint8_t bytes[256 * 1024];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    digest whole = digest_of(bytes, sizeof bytes);
    check(&whole, "3d0fb4e0a71b6ea49038f9dc8bd42d8839d6829b2c69470a3fa486b472f72da5");
    digest_state state_of_pieces;
    digest_begin(&state_of_pieces);
    for (size_t at = 0; at < sizeof bytes; at += 1024)
        digest_add(&state_of_pieces, bytes + at, 1024);
    digest pieces = digest_end(&state_of_pieces);
    assert_true(digest_equal(&whole, &pieces));
}

static void test_fields_have_their_length_before_them(void **state)
{
    (void)state;
    digest_state s;
    digest_begin(&s);
    digest_string(&s, "ab");
    digest_field(&s, "c", 1);
    digest_number(&s, 0x0102030405060708);
    digest d = digest_end(&s);
    check(&d, "5e18cf3925722b90dc40bc73bd3ea066ef6de918d4ee01775eb348aee7b91899");
}

static void test_sequences_differ_from_their_concatenation(void **state)
{
    (void)state;
    static const char *const sequences[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}};
    digest digests[4];
    for (size_t i = 0; i < 4; i++) {
        digest_state s;
        digest_begin(&s);
        digest_string(&s, sequences[i][0]);
        digest_string(&s, sequences[i][1]);
        digests[i] = digest_end(&s);
        for (size_t k = 0; k < i; k++)
            assert_false(digest_equal(&digests[i], &digests[k]));
    }
}

static void test_hex_and_back(void **state)
{
    (void)state;
    digest d = digest_of("x", 1), back = {0}, zero = {0};
    char hex[digest_hex_size];
    digest_hex(&d, hex);
    assert_int_equal(strlen(hex), 64);
    assert_true(digest_from_hex(hex, &back));
    assert_true(digest_equal(&d, &back));
    assert_false(digest_is_zero(&d));
    assert_true(digest_is_zero(&zero));
}

static void test_what_is_no_digest_is_refused(void **state)
{
    (void)state;
    digest d;
    char hex[digest_hex_size + 2];
    memset(hex, 'a', sizeof hex);
    hex[64] = '\0';
    assert_true(digest_from_hex(hex, &d));
    hex[63] = '\0';
    assert_false(digest_from_hex(hex, &d));
    hex[62] = '\0';
    assert_false(digest_from_hex(hex, &d));
    memset(hex, 'a', 65);
    hex[65] = '\0';
    assert_false(digest_from_hex(hex, &d));
    hex[64] = 'a';
    hex[65] = 'a';
    hex[66] = '\0';
    assert_false(digest_from_hex(hex, &d));
    hex[64] = '\0';
    hex[10] = 'g';
    assert_false(digest_from_hex(hex, &d));
    assert_false(digest_from_hex("", &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_large_contents),
        cmocka_unit_test(test_fields_have_their_length_before_them),
        cmocka_unit_test(test_sequences_differ_from_their_concatenation),
        cmocka_unit_test(test_hex_and_back),
        cmocka_unit_test(test_what_is_no_digest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
