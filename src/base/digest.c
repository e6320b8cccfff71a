/* digest.c - BLAKE2b-256 by libsodium: see digest.h. */
#include "base/digest.h"

#include <assert.h>
#include <pthread.h>
#include <sodium/core.h>
#include <sodium/utils.h>
#include <string.h>

/* From this size on the fastest implementation for the processor pays for choosing it, which a warm
 * load, with its few kilobytes of key, would otherwise pay in vain. The digest is the same either
 * way. */
enum { choose_size = 64 * 1024 };

static void choose_implementation(void)
{
    int chosen = sodium_init();
    (void)chosen; /* where it fails, the portable implementation stays */
}

void digest_begin(digest_state *state)
{
    int failed = crypto_generichash_init(&state->blake2b, NULL, 0, digest_size);
    assert(!failed);
    (void)failed;
}

void digest_add(digest_state *state, const void *bytes, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (size >= choose_size)
        pthread_once(&once, choose_implementation);
    if (size)
        crypto_generichash_update(&state->blake2b, bytes, size);
}

void digest_number(digest_state *state, uint64_t number)
{
    uint8_t little_endian[8];
    for (int i = 0; i < 8; i++)
        little_endian[i] = (uint8_t)(number >> (8 * i));
    digest_add(state, little_endian, sizeof little_endian);
}

void digest_field(digest_state *state, const void *bytes, size_t size)
{
    digest_number(state, size);
    digest_add(state, bytes, size);
}

void digest_string(digest_state *state, const char *string)
{
    digest_field(state, string, strlen(string));
}

digest digest_end(digest_state *state)
{
    digest result;
    crypto_generichash_final(&state->blake2b, result.bytes, digest_size);
    return result;
}

digest digest_of(const void *bytes, size_t size)
{
    digest_state state;
    digest_begin(&state);
    digest_add(&state, bytes, size);
    return digest_end(&state);
}

bool digest_equal(const digest *a, const digest *b)
{
    return memcmp(a->bytes, b->bytes, digest_size) == 0;
}

bool digest_is_zero(const digest *d)
{
    static const digest zero;
    return digest_equal(d, &zero);
}

void digest_hex(const digest *d, char hex[digest_hex_size])
{
    sodium_bin2hex(hex, digest_hex_size, d->bytes, digest_size);
}

bool digest_from_hex(const char *hex, digest *d)
{
    size_t length;
    const char *end;
    return sodium_hex2bin(d->bytes, digest_size, hex, strlen(hex), NULL, &length, &end) == 0 &&
           length == digest_size && *end == '\0';
}
