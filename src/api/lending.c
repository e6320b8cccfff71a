/* lending.c - see lending.h. A list: only libraries with host symbols are in it. */
#include "api/lending.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

struct lending {
    lending *next;
    char *name; /* of the library */
    digest addresses;
    unsigned number, references;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* a leaf */
static lending *lendings;

static digest digest_symbols(const kiln_spec *spec)
{
    digest_state state;
    digest_begin(&state);
    for (size_t i = 0; i < spec->host_symbol_count; i++) {
        digest_string(&state, spec->host_symbols[i].name);
        digest_number(&state, (uintptr_t)spec->host_symbols[i].address);
    }
    return digest_end(&state);
}

static lending *find(const char *name, const digest *addresses)
{
    for (lending *entry = lendings; entry; entry = entry->next)
        if (strcmp(entry->name, name) == 0 && digest_equal(&entry->addresses, addresses))
            return entry;
    return NULL;
}

/* The least that no other set of that name has: images of small numbers are in the cache already. */
static unsigned free_number(const char *name)
{
    for (unsigned number = 0;; number++) {
        const lending *entry = lendings;
        while (entry && (entry->number != number || strcmp(entry->name, name) != 0))
            entry = entry->next;
        if (!entry)
            return number;
    }
}

static lending *create(const char *name, const digest *addresses)
{
    lending *made = calloc(1, sizeof *made);
    char *copy = strdup(name);
    if (!made || !copy) {
        free(made);
        free(copy);
        return NULL;
    }
    *made = (lending){
        .next = lendings, .name = copy, .addresses = *addresses, .number = free_number(name)};
    lendings = made;
    return made;
}

bool lending_acquire(const kiln_spec *spec, lending **out)
{
    *out = NULL;
    if (spec->host_symbol_count == 0)
        return true;
    digest addresses = digest_symbols(spec);
    pthread_mutex_lock(&mutex);
    lending *entry = find(spec->name, &addresses);
    if (!entry)
        entry = create(spec->name, &addresses);
    if (entry)
        entry->references++;
    pthread_mutex_unlock(&mutex);
    *out = entry;
    return entry != NULL;
}

lending *lending_retain(lending *lending)
{
    if (!lending)
        return NULL;
    pthread_mutex_lock(&mutex);
    lending->references++;
    pthread_mutex_unlock(&mutex);
    return lending;
}

void lending_release(lending *lending)
{
    if (!lending)
        return;
    pthread_mutex_lock(&mutex);
    bool last = --lending->references == 0;
    struct lending **link = &lendings;
    while (last && *link != lending)
        link = &(*link)->next;
    if (last)
        *link = lending->next;
    pthread_mutex_unlock(&mutex);
    if (!last)
        return;
    free(lending->name);
    free(lending);
}

unsigned lending_number(const lending *lending)
{
    return lending ? lending->number : 0;
}

void lending_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void lending_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
