/* digest.h - the cryptographic digest that names builds and contents: BLAKE2b-256 (RFC 7693), by
 * libsodium.
 *
 * What is digested as a sequence of fields goes through digest_field, which puts each field's
 * length before it, so that no two sequences give the same bytes. */
#ifndef KILN_BASE_DIGEST_H
#define KILN_BASE_DIGEST_H

#include <sodium/crypto_generichash.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { digest_size = 32, digest_hex_size = 2 * digest_size + 1 };

typedef struct digest {
    uint8_t bytes[digest_size];
} digest;

typedef struct digest_state {
    crypto_generichash_state blake2b;
} digest_state;

void digest_begin(digest_state *state);
void digest_add(digest_state *state, const void *bytes, size_t size);
void digest_field(digest_state *state, const void *bytes, size_t size);
void digest_string(digest_state *state, const char *string);
void digest_number(digest_state *state, uint64_t number);
digest digest_end(digest_state *state);

digest digest_of(const void *bytes, size_t size);
bool digest_equal(const digest *a, const digest *b);
bool digest_is_zero(const digest *d);
void digest_hex(const digest *d, char hex[digest_hex_size]);
bool digest_from_hex(const char *hex, digest *d);

#endif
