/* store.h - the cache directory.
 *
 *     CACHEDIR.TAG                marks a cache for backup programs
 *     records/KK/KEY              what is known of a build (record.h), by its key
 *     images/CC/CONTENT.so        linked images, objects/CC/CONTENT.o objects, by the digest of
 * their bytes symbols/CC/CONTENT          the symbol table of an image, packed as in wire.proto
 *     sources/DIGEST/PATH, debug/CONTENT    memory sources, for debuggers (sources.h)
 *     used/CONTENT                its time is that of the last use
 *     locks/KEY                   flock'ed while the key is being built
 *     reasons/NAME                why the last load of a library was a miss; reasons/NAME.key: what
 * its key was made of statistics                  counters
 *
 * Contents are never modified after publication, and published by rename. Everything belongs to one
 * user: what another one could have written is refused. A damaged entry is a missing entry.
 * Thread-safe: the only state is the descriptor of the directory and the memory of which contents
 * this process has digested. Eviction stands in evict.c. */
#ifndef KILN_BUILD_STORE_H
#define KILN_BUILD_STORE_H

#include "base/digest.h"
#include "base/error.h"
#include "build/record.h"

typedef enum store_kind { STORE_IMAGE, STORE_OBJECT, STORE_SYMBOLS, STORE_KIND_COUNT } store_kind;

typedef struct store store;

/* Open, and make where need be, the cache at an absolute path. Errors: IO (it cannot be made, or is
 * not private). */
kiln_status store_open(const char *path, store **out, kiln_error **error);
void store_close(store *store);
/* See to it that the descriptor of the directory still is that: a host may have closed it, or even
 * made something else of its number. To be called before a load. */
void store_check_root(store *store);
const char *store_path(const store *store);
int store_directory(const store *store);
/* Images can be mapped from it (it is not mounted noexec). */
bool store_is_executable(const store *store);

/* The record of a key. false where there is none that is whole and ours. */
bool store_read_record(store *store, const digest *key, record *record);
/* Publish it. Errors are not the load's: false, and errno tells. */
bool store_write_record(store *store, const digest *key, record *record);

/* Open a content for reading, whole and as it was published: its identity is `identity`, or its
 * digest is right, and then *identity is updated; *refreshed is set where it had to be digested. The descriptor holds a shared
 * lock, by which eviction sees that it is in use. -1: it is missing or damaged; a damaged one is
 * removed. */
int store_open_content(store *store, store_kind kind, const digest *content, os_identity *identity,
                       bool *refreshed);
/* The same of the content of a result, whose record is told what was found out: publish it where
 * *refreshed is set. *identity: the content's. */
int store_open_result(store *store, store_kind kind, record *record, uint32_t index,
                      os_identity *identity, bool *refreshed);
/* Publish the first `size` bytes of a descriptor under their digest. */
bool store_add_content(store *store, store_kind kind, const digest *content, int fd, size_t size,
                       os_identity *identity);
bool store_add_bytes(store *store, store_kind kind, const digest *content, const void *bytes,
                     size_t size);
/* The absolute path of a content, malloc'd. */
char *store_content_path(const store *store, store_kind kind, const digest *content);
void store_name_content(store_kind kind, const digest *content, char *name, size_t capacity);

void store_mark_used(store *store, const digest *content);

/* The lock file of a key, to be flock'ed by the compiler process. -1 where none can be had (a
 * read-only cache). */
int store_open_lock(store *store, const digest *key);

/* A small file of the cache: `name` below the root, its directory made where missing. */
bool store_write_file(store *store, const char *name, const void *bytes, size_t size);
bool store_read_file(store *store, const char *name, uint8_t **bytes, size_t *size);

/* The fork handlers of a session; NULL is fine. */
void store_before_fork(store *store);
void store_after_fork(store *store);

/* Add to the counters of hits and misses. */
void store_count(store *store, uint64_t hits, uint64_t misses);
void store_counters(store *store, uint64_t *hits, uint64_t *misses);

#endif
