/* inputs.c - the set of everything a build has looked at: see inputs.h.
 *
 * A hash table with linear probing over an array in order of arrival; FNV-1a (Fowler, Noll, Vo) is
 * good enough for paths, whose number is a few thousand. */
#include "build/inputs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static uint64_t hash_path(const char *path, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)path[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static size_t find_slot(const input_set *set, const char *path, size_t length)
{
    size_t slot = hash_path(path, length) & (set->slot_count - 1);
    while (set->slots[slot]) {
        const char *other = set->items[set->slots[slot] - 1].path;
        if (strncmp(other, path, length) == 0 && other[length] == '\0')
            break;
        slot = (slot + 1) & (set->slot_count - 1);
    }
    return slot;
}

static bool grow_slots(input_set *set)
{
    if (set->count * 2 < set->slot_count)
        return true;
    size_t slot_count = set->slot_count ? set->slot_count * 2 : 256;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return false;
    free(set->slots);
    set->slots = slots;
    set->slot_count = slot_count;
    for (size_t i = 0; i < set->count; i++)
        slots[find_slot(set, set->items[i].path, strlen(set->items[i].path))] = (uint32_t)i + 1;
    return true;
}

/* Whether one disk can have shown both; *stronger: the report that says more is the new one. */
static bool agree(const input *old, input_state state, const os_identity *identity,
                  const digest *content, bool *stronger)
{
    *stronger = false;
    if (old->state == state) {
        if (state == INPUT_READ && content && !digest_is_zero(content)) {
            if (digest_is_zero(&old->content)) {
                *stronger = true;
                return os_identity_equal(&old->identity, identity);
            }
            return digest_equal(&old->content, content);
        }
        return state == INPUT_ABSENT || state == INPUT_EXISTS ||
               os_identity_equal(&old->identity, identity);
    }
    *stronger = old->state == INPUT_EXISTS;
    return (old->state == INPUT_EXISTS && state != INPUT_ABSENT) ||
           (state == INPUT_EXISTS && old->state != INPUT_ABSENT);
}

/* The clock is one input whatever asked for it: it holds as long as every interval does. */
static const char clock_path[] = "/clock";

static void narrow(os_identity *interval, const os_identity *other)
{
    if (other->ctime_ns > interval->ctime_ns)
        interval->ctime_ns = other->ctime_ns;
    if (other->mtime_ns < interval->mtime_ns)
        interval->mtime_ns = other->mtime_ns;
}

static void fill(input *item, input_state state, const os_identity *identity, const digest *content)
{
    item->state = state;
    item->identity = identity ? *identity : (os_identity){0};
    item->content = content ? *content : (digest){0};
}

bool input_set_add(input_set *set, const char *path, size_t path_length, input_state state,
                   const os_identity *identity, const digest *content)
{
    assert(state < INPUT_STATE_COUNT);
    bool exact = state == INPUT_TIMESTAMP;
    if (exact)
        state = INPUT_EXISTS;
    if (state == INPUT_CLOCK) {
        path = clock_path;
        path_length = sizeof clock_path - 1;
    }
    if (!grow_slots(set))
        return false;
    size_t slot = find_slot(set, path, path_length);
    if (set->slots[slot]) {
        input *old = &set->items[set->slots[slot] - 1];
        bool stronger;
        if (state == INPUT_CLOCK && old->state == INPUT_CLOCK) {
            narrow(&old->identity, identity);
            return true;
        }
        old->exact |= exact;
        if (!agree(old, state, identity, content, &stronger)) {
            if (!set->changed)
                set->changed = strdup(old->path);
            return true;
        }
        if (stronger)
            fill(old, state, identity, content);
        return true;
    }
    char *copy = strndup(path, path_length);
    input *item =
        copy ? array_add((void **)&set->items, &set->count, &set->capacity, sizeof *item) : NULL;
    if (!item) {
        free(copy);
        return false;
    }
    item->path = copy;
    item->exact = exact;
    fill(item, state, identity, content);
    set->slots[slot] = (uint32_t)set->count;
    return true;
}

bool input_set_add_all(input_set *set, const input_set *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const input *item = &from->items[i];
        if (!input_set_add(set, item->path, strlen(item->path), item->state, &item->identity,
                           &item->content) ||
            (item->exact && !input_set_add(set, item->path, strlen(item->path), INPUT_TIMESTAMP,
                                           &item->identity, NULL)))
            return false;
    }
    if (from->changed && !set->changed)
        set->changed = strdup(from->changed);
    return true;
}

const input *input_set_find(const input_set *set, const char *path)
{
    if (set->slot_count == 0)
        return NULL;
    size_t slot = find_slot(set, path, strlen(path));
    return set->slots[slot] ? &set->items[set->slots[slot] - 1] : NULL;
}

static int compare_inputs(const void *left, const void *right)
{
    const char *a = ((const input *)left)->path, *b = ((const input *)right)->path;
    size_t a_directory = (size_t)(strrchr(a, '/') - a), b_directory = (size_t)(strrchr(b, '/') - b);
    size_t shorter = a_directory < b_directory ? a_directory : b_directory;
    int order = memcmp(a, b, shorter);
    if (order)
        return order;
    if (a_directory != b_directory)
        return a_directory < b_directory ? -1 : 1;
    return strcmp(a + a_directory, b + b_directory);
}

void input_set_sort(input_set *set)
{
    if (set->count > 1)
        qsort(set->items, set->count, sizeof *set->items, compare_inputs);
    free(set->slots);
    set->slots = NULL;
    set->slot_count = 0;
}

void input_set_destroy(input_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->items[i].path);
    free(set->items);
    free(set->slots);
    free(set->changed);
    *set = (input_set){0};
}
