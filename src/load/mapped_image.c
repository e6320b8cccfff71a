/* mapped_image.c - the registry of mapped images: see mapped_image.h.
 *
 * A linked list: a process maps tens of images, at most hundreds. */
#include "load/mapped_image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "os/os.h"

struct mapped_image {
    mapped_image *next;
    char *id;
    char *path;
    char *name;
    int fd;             /* -1: the image is a file */
    os_identity file;   /* what fd is: a host may close what is not its own */
    size_t holders;     /* loads that hold it; 0: it waits to leave */
    uint64_t changes;   /* how often that has changed */
    uint64_t addresses; /* of its host symbols, as a digest */
    bool is_library;    /* not one of Kiln's own making */
};

/* Guards the list and the entries' counts. A leaf: nothing
 * else is locked or called under it but malloc. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static mapped_image *registry;
static atomic_size_t waiting_count; /* entries without holders: a hint that saves the lock */
static atomic_uint created_count;

void mapped_images_before_fork(void)
{
    pthread_mutex_lock(&registry_mutex);
}

void mapped_images_after_fork(void)
{
    pthread_mutex_unlock(&registry_mutex);
}

/* ---- entries ---- */

bool mapped_image_is_shared(const mapped_image *entry)
{
    pthread_mutex_lock(&registry_mutex);
    bool shared = entry->holders > 1;
    pthread_mutex_unlock(&registry_mutex);
    return shared;
}

static void destroy_entry(mapped_image *entry)
{
    if (!entry)
        return;
    if (entry->fd >= 0 && os_is_same_file(entry->fd, &entry->file))
        close(entry->fd);
    free(entry->id);
    free(entry->path);
    free(entry->name);
    free(entry);
}

static mapped_image *find_entry(const char *id)
{
    for (mapped_image *entry = registry; entry; entry = entry->next)
        if (strcmp(entry->id, id) == 0)
            return entry;
    return NULL;
}

static void remove_entry(mapped_image *entry)
{
    mapped_image **link = &registry;
    while (*link != entry) {
        assert(*link);
        link = &(*link)->next;
    }
    *link = entry->next;
}

static void hold(mapped_image *entry)
{
    entry->changes++;
    if (entry->holders++ == 0)
        atomic_fetch_sub(&waiting_count, 1);
}

static void insert_entry(mapped_image *entry)
{
    entry->holders = 1;
    entry->next = registry;
    registry = entry;
}

/* Take over a descriptor, and name it for the loader, which goes by names first: where a host has
 * closed the number of an image that is still mapped, that name is taken, and another number is
 * needed. false, with errno: the descriptor is closed. */
static bool take_descriptor(mapped_image *entry, int fd)
{
    char path[64];
    os_kind kind;
    for (;;) {
        entry->fd = fd;
        os_fd_path(fd, path, sizeof path);
        os_identify_fd(fd, &kind, &entry->file);
        if (!os_is_loaded(path)) {
            entry->path = strdup(path);
            return entry->path != NULL;
        }
        fd = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
        int saved = errno;
        close(entry->fd);
        errno = saved;
        if (fd < 0)
            break;
    }
    entry->fd = -1;
    return false;
}

/* Names and addresses in no order: FNV-1a (Fowler, Noll, Vo) of each pair, added up. */
static uint64_t digest_addresses(const load_image *image)
{
    uint64_t sum = image->host_symbol_count;
    for (size_t i = 0; i < image->host_symbol_count; i++) {
        uint64_t hash = 0xcbf29ce484222325u ^ (uintptr_t)image->host_symbols[i].address;
        for (const char *c = image->host_symbols[i].name; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
        sum += hash ^ hash >> 32;
    }
    return sum;
}

static kiln_status make_entry(const load_image *image, mapped_image **made, kiln_error **error)
{
    bool in_memory = image->fd >= 3;
    assert(in_memory || image->path);
    mapped_image *entry = calloc(1, sizeof *entry);
    if (!entry)
        return error_no_memory(error);
    entry->is_library = true;
    entry->addresses = digest_addresses(image);
    entry->fd = -1;
    int fd = in_memory ? fcntl(image->fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (in_memory && (fd < 0 || !take_descriptor(entry, fd))) {
        int saved = errno;
        destroy_entry(entry);
        return saved == ENOMEM ? error_no_memory(error)
                               : error_set_errno(error, KILN_IO, KILN_PHASE_BIND, saved,
                                                 "cannot keep the image of '%s' open", image->name);
    }
    if (!in_memory)
        entry->path = strdup(image->path);
    entry->id = strdup(image->id ? image->id : image->path);
    entry->name = strdup(image->name);
    if (!entry->path || !entry->id || !entry->name) {
        destroy_entry(entry);
        return error_no_memory(error);
    }
    *made = entry;
    return KILN_OK;
}

kiln_status mapped_image_acquire(const load_image *image, mapped_image **entry, bool *is_new,
                                 kiln_error **error)
{
    const char *id = image->id ? image->id : image->path;
    kiln_status status = KILN_OK;
    mapped_image *made = NULL;
    pthread_mutex_lock(&registry_mutex);
    mapped_image *found = find_entry(id);
    if (!found) {
        /* Outside the lock, since the loader is asked; another thread may do the same. */
        pthread_mutex_unlock(&registry_mutex);
        status = make_entry(image, &made, error);
        if (status != KILN_OK)
            return status;
        pthread_mutex_lock(&registry_mutex);
        found = find_entry(id);
    }
    bool inserted = !found;
    if (!found) {
        insert_entry(made);
        found = made;
    } else if (found->addresses == digest_addresses(image)) {
        hold(found);
    } else {
        status = KILN_BIND;
    }
    pthread_mutex_unlock(&registry_mutex);
    if (!inserted)
        destroy_entry(made);
    if (found && status == KILN_BIND)
        return error_set(error, KILN_BIND, KILN_PHASE_BIND,
                         "library '%s' is loaded already, with other addresses of its host "
                         "symbols: close it first, "
                         "or lend the same addresses",
                         image->name);
    if (status == KILN_OK) {
        *entry = found;
        *is_new = inserted;
    }
    return status;
}

kiln_status mapped_image_create(const char *what, const void *bytes, size_t size,
                                mapped_image **entry, kiln_error **error)
{
    mapped_image *made = calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error);
    made->name = strdup(what);
    made->id = text_print("%s-%u", what, atomic_fetch_add(&created_count, 1));
    made->fd = -1;
    int fd = os_memfd_with(what, bytes, size, true);
    bool taken = fd >= 0 && take_descriptor(made, fd);
    int saved = errno;
    if (!made->name || !made->id || !taken) {
        bool refused = !taken && made->name && made->id && saved != ENOMEM;
        destroy_entry(made);
        return refused ? error_set_errno(error, KILN_IO, KILN_PHASE_BIND, saved,
                                         "cannot make a file in memory")
                       : error_no_memory(error);
    }
    pthread_mutex_lock(&registry_mutex);
    insert_entry(made);
    pthread_mutex_unlock(&registry_mutex);
    *entry = made;
    return KILN_OK;
}

bool mapped_image_release(mapped_image *entry)
{
    if (!entry)
        return false;
    bool mapped = false, looked = false;
    uint64_t changes = 0;
    pthread_mutex_lock(&registry_mutex);
    /* Somebody who held it meanwhile may have mapped it, or closed it: then it is looked at again. */
    while (entry->holders == 1 && (!looked || changes != entry->changes)) {
        changes = entry->changes;
        pthread_mutex_unlock(&registry_mutex);
        mapped = os_is_loaded(entry->path);
        looked = true;
        pthread_mutex_lock(&registry_mutex);
    }
    assert(entry->holders > 0);
    entry->changes++;
    bool waits = --entry->holders == 0;
    bool gone = waits && !mapped;
    if (gone)
        remove_entry(entry);
    else if (waits)
        atomic_fetch_add(&waiting_count, 1);
    pthread_mutex_unlock(&registry_mutex);
    if (gone)
        destroy_entry(entry);
    return waits && !gone;
}

/* Hold the next entry in the list that waits (or the next library that does not), behind one that
 * is held or from the start. */
static mapped_image *hold_next(const mapped_image *after, bool waiting)
{
    pthread_mutex_lock(&registry_mutex);
    mapped_image *entry = after ? after->next : registry;
    while (entry && (waiting ? entry->holders > 0 : !entry->holders || !entry->is_library))
        entry = entry->next;
    if (entry)
        hold(entry);
    pthread_mutex_unlock(&registry_mutex);
    return entry;
}

size_t mapped_image_collect(void)
{
    size_t left = 0;
    if (atomic_load(&waiting_count) == 0)
        return 0;
    mapped_image *entry = hold_next(NULL, true);
    while (entry) {
        bool is_library = entry->is_library;
        os_collect(entry->path);
        mapped_image *next = hold_next(entry, true);
        left += mapped_image_release(entry) && is_library;
        entry = next;
    }
    return left;
}

void mapped_image_visit(bool (*visit)(mapped_image *entry, void *user_data), void *user_data)
{
    bool goes_on = true;
    mapped_image *entry = hold_next(NULL, false);
    while (entry) {
        goes_on = goes_on && visit(entry, user_data);
        mapped_image *next = goes_on ? hold_next(entry, false) : NULL;
        mapped_image_release(entry);
        entry = next;
    }
}

bool mapped_image_exists(const char *id)
{
    pthread_mutex_lock(&registry_mutex);
    bool exists = find_entry(id) != NULL;
    pthread_mutex_unlock(&registry_mutex);
    return exists;
}

const char *mapped_image_path(const mapped_image *entry)
{
    return entry->path;
}

const char *mapped_image_name(const mapped_image *entry)
{
    return entry->name;
}
