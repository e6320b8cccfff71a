/* evict.h - looking through the cache as a whole: listing, checking, evicting.
 *
 * An entry that a live process has loaded holds a shared lock (store.h) and stays. Records that
 * lead to nothing any more go with their contents. Everything here reads the whole cache: it is for
 * people, not for loads. */
#ifndef KILN_BUILD_EVICT_H
#define KILN_BUILD_EVICT_H

#include "build/store.h"

typedef struct cache_entry {
    store_kind kind;
    digest content;
    char *name; /* of the library or source; "" where no record tells */
    uint64_t total_bytes;
    int64_t last_used_ns; /* 0: never noted */
    bool in_use;
} cache_entry;

typedef struct cache_listing {
    cache_entry *items; /* most recently used first */
    size_t count, capacity;
    uint64_t total_bytes; /* of everything in the cache, records and all */
} cache_listing;

kiln_status cache_list(store *store, cache_listing *listing, kiln_error **error);
void cache_listing_destroy(cache_listing *listing);

/* Whether the content is what its name says. */
bool cache_entry_is_whole(store *store, const cache_entry *entry);
/* Remove an entry with all that belongs to it. false where it is in use. */
bool cache_remove(store *store, const cache_entry *entry);
/* Remove records whose every result has lost its content, and what only they need; what is noted of
 * contents that are gone; locks that nobody holds, and what killed writers have left behind, once
 * they are an hour old. The number of records. */
uint64_t cache_sweep(store *store, uint64_t *freed_bytes);
/* The same after everything was removed that is not in use: locks and writers' remains of any age,
 * why loads were misses, what is known of the compiler, and empty folders go too. Statistics stay.
 */
void cache_strip(store *store);

#endif
