/* cache_calls.c - the cache, as people look at it: kiln_cache_*. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/session.h"
#include "build/evict.h"
#include "os/os.h"

static kiln_status store_of(kiln_session **session, store **store, kiln_error **error)
{
    if (error)
        *error = NULL;
    *session = session_or_default(*session);
    if (!*session)
        return error_no_memory(error);
    *store = (*session)->store;
    if (*store)
        store_check_root(*store);
    return *store ? KILN_OK
                  : error_set(error, KILN_NOT_FOUND, KILN_PHASE_LOOKUP,
                              "this session works without a cache");
}

/* The store of a session and all that is in it; the listing is the caller's. */
static kiln_status list_store(kiln_session **session, store **store, cache_listing *listing,
                              kiln_error **error)
{
    kiln_status status = store_of(session, store, error);
    return status == KILN_OK ? cache_list(*store, listing, error) : status;
}

kiln_status kiln_cache_statistics_read(kiln_session *session, kiln_cache_statistics *statistics,
                                       kiln_error **error)
{
    store *store;
    cache_listing listing;
    if (error)
        *error = NULL;
    if (!statistics)
        return error_null(error, "statistics");
    kiln_status status = list_store(&session, &store, &listing, error);
    if (status != KILN_OK)
        return status;
    kiln_cache_statistics ours = {.entry_count = listing.count, .total_bytes = listing.total_bytes};
    for (size_t i = 0; i < listing.count; i++)
        ours.in_use_count += listing.items[i].in_use;
    store_counters(store, &ours.hits, &ours.misses);
    ours.hits += session->hits;
    ours.misses += session->misses;
    cache_listing_destroy(&listing);
    if (statistics->size < sizeof statistics->size)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_LOOKUP,
                         "the field `size` of the statistics is not set");
    result_write(statistics, &ours, sizeof ours);
    return KILN_OK;
}

kiln_status kiln_cache_list(kiln_session *session,
                            bool (*callback)(const kiln_cache_entry *, void *), void *user_data,
                            kiln_error **error)
{
    store *store;
    cache_listing listing;
    kiln_status status = list_store(&session, &store, &listing, error);
    if (status != KILN_OK)
        return status;
    bool more = true;
    for (size_t i = 0; more && i < listing.count; i++) {
        const cache_entry *item = &listing.items[i];
        char hex[digest_hex_size];
        digest_hex(&item->content, hex);
        kiln_cache_entry entry = {.size = sizeof entry,
                                  .key = hex,
                                  .name = item->name,
                                  .kind = item->kind == STORE_IMAGE ? "image" : "object",
                                  .total_bytes = item->total_bytes,
                                  .last_used_unix = item->last_used_ns / 1000000000,
                                  .in_use = item->in_use};
        more = callback(&entry, user_data);
    }
    cache_listing_destroy(&listing);
    return KILN_OK;
}

kiln_status kiln_cache_verify(kiln_session *session, uint64_t *checked, uint64_t *removed,
                              kiln_error **error)
{
    store *store;
    cache_listing listing;
    uint64_t bad = 0, freed = 0;
    kiln_status status = list_store(&session, &store, &listing, error);
    if (status != KILN_OK)
        return status;
    for (size_t i = 0; i < listing.count; i++)
        if (!cache_entry_is_whole(store, &listing.items[i]) &&
            cache_remove(store, &listing.items[i]))
            bad++;
    cache_sweep(store, &freed);
    if (checked)
        *checked = listing.count;
    if (removed)
        *removed = bad;
    cache_listing_destroy(&listing);
    return KILN_OK;
}

kiln_status kiln_cache_collect(kiln_session *session, uint64_t max_bytes, uint64_t max_age_seconds,
                               uint64_t *removed, uint64_t *freed_bytes, kiln_error **error)
{
    store *store;
    cache_listing listing;
    kiln_status status = list_store(&session, &store, &listing, error);
    if (status != KILN_OK)
        return status;
    uint64_t count = 0, freed = 0, left = listing.total_bytes;
    int64_t now_ns = os_clock_file_ns();
    for (size_t i = listing.count; i-- > 0;) {
        const cache_entry *entry = &listing.items[i];
        uint64_t age = now_ns > entry->last_used_ns
                           ? (uint64_t)(now_ns - entry->last_used_ns) / 1000000000u
                           : 0;
        bool too_old = max_age_seconds && age > max_age_seconds;
        bool too_much = max_bytes && left > max_bytes;
        if ((too_old || too_much) && cache_remove(store, entry)) {
            count++;
            freed += entry->total_bytes;
            left -= entry->total_bytes < left ? entry->total_bytes : left;
        }
    }
    cache_sweep(store, &freed);
    if (removed)
        *removed = count;
    if (freed_bytes)
        *freed_bytes = freed;
    cache_listing_destroy(&listing);
    return KILN_OK;
}

kiln_status kiln_cache_clear(kiln_session *session, uint64_t *removed, kiln_error **error)
{
    store *store;
    cache_listing listing;
    uint64_t count = 0;
    kiln_status status = list_store(&session, &store, &listing, error);
    if (status != KILN_OK)
        return status;
    for (size_t i = 0; i < listing.count; i++)
        count += cache_remove(store, &listing.items[i]);
    if (count == 0 && listing.count > 0 &&
        faccessat(store_directory(store), ".", W_OK, AT_EACCESS) != 0)
        status = error_set_errno(error, KILN_IO, KILN_PHASE_LOOKUP, errno,
                                 "cannot remove anything from the cache directory '%s'",
                                 store_path(store));
    else
        cache_strip(store);
    if (removed)
        *removed = count;
    cache_listing_destroy(&listing);
    return status;
}

kiln_status kiln_cache_explain(kiln_session *session, const char *library, char **text,
                               kiln_error **error)
{
    store *store;
    uint8_t *bytes = NULL;
    size_t size;
    kiln_status status = store_of(&session, &store, error);
    if (status != KILN_OK)
        return status;
    char *last = NULL;
    if (!library && store_read_file(store, "last-miss", &bytes, &size))
        library = last = (char *)bytes;
    char name[512];
    snprintf(name, sizeof name, "reasons/%s", library ? library : "");
    if (!library || strchr(library, '/') || !store_read_file(store, name, &bytes, &size)) {
        status = error_set(error, KILN_NOT_FOUND, KILN_PHASE_LOOKUP,
                           library ? "no miss of '%s' is recorded in this cache"
                                   : "no miss is recorded in this cache",
                           library);
    } else {
        *text = text_print("%s was not in the cache:\n%s\n", library, (const char *)bytes);
        free(bytes);
        status = *text ? KILN_OK : error_no_memory(error);
    }
    free(last);
    return status;
}

void kiln_string_destroy(char *string)
{
    free(string);
}
