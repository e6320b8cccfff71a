/* load.h - from an image to a library: map it with its dependencies and host symbols, look symbols
 * up, let it go.
 *
 * Images are mapped by the system's loader. What is process-wide there is process-wide here too:
 * images of one id are one image, whatever session asks for it, and each load counts once. Every
 * function may be called by any thread; constructors and destructors run on the calling thread,
 * without any lock of Kiln's. */
#ifndef KILN_LOAD_H
#define KILN_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kiln.h"

/* A name and address that the host lends to a library. */
typedef struct load_symbol {
    const char *name; /* not empty */
    const void *address;
} load_symbol;

/* An image as the linking side makes it: the soname is its id; strong definitions have the id as
 * their version, weak variables the version KILN_SHARED; it names its direct dependencies' ids in
 * DT_NEEDED; references to them have the hidden bit in their version, those to host symbols the
 * high bit in their name's first byte. */
typedef struct load_image {
    const char *name;                /* the library's, for messages */
    const char *id;                  /* NULL: path */
    const char *path;                /* the file to map; not used where fd is given */
    int fd;                          /* a memfd to map, which stays the caller's; below 3: none */
    const load_symbol *host_symbols; /* lent to this image; others don't see them */
    size_t host_symbol_count;
} load_image;

typedef struct load_request {
    const load_image *images; /* dependencies before dependents; the last is the library */
    size_t count;             /* at least 1 */
    kiln_visibility visibility;
    bool auto_load; /* load the installed shared libraries that define what is missing */
} load_request;

/* A library that is mapped. */
typedef struct loaded loaded;

/* Map the images and bind everything. An image that is mapped already is counted once more. Nothing
 * stays behind on failure. Errors: BIND (all missing symbols are listed, or what the loader says),
 * IO, NO_MEMORY. */
kiln_status load_open(const load_request *request, loaded **library, kiln_error **error);

/* Give the library back and free it: OK when each of its images that nobody else holds has left the
 * address space, PENDING when one cannot leave yet; load_collect lets it go later. Destructors run
 * here. NULL is OK. */
kiln_status load_close(loaded *library);

/* Close several libraries of which each may call into any other, whatever their images need: all
 * destructors run before the first image leaves. libraries[i] may be NULL. OK or PENDING as above,
 * for all of them; NO_MEMORY where the system's loader has no room for that: then none is closed. */
kiln_status load_close_together(loaded **libraries, size_t count);

/* The fork handlers. */
void load_before_fork(void);
void load_after_fork(void);

/* Let go what has become free since it was closed. The number of images that are still waiting;
 * costs nothing when there were none. */
size_t load_collect(void);

/* Whether an image of that id is mapped by Kiln in this process, also while it waits to leave. */
bool load_is_mapped(const char *id);

/* Whether another load of this process, of any session, holds the library's image too: then it stays
 * mapped when this one is closed. */
bool load_is_shared(const loaded *library);

/* Never take the library's image out of the address space, though it is closed. Without memory for that
 * it may leave. */
void load_keep(const loaded *library);

/* Make the library and its dependencies visible to
 * dlsym(RTLD_DEFAULT) and to what is loaded later. */
kiln_status load_make_global(loaded *library, kiln_error **error);

/* The address of one of the library's own exported definitions, not of a dependency's; NULL where
 * there is none. Of a weak variable that is shared with another library, the one that is used; of a
 * thread-local variable, the calling thread's. */
void *load_symbol_address(const loaded *library, const char *name);

/* The file that is mapped; lives as long as the library. */
const char *load_path(const loaded *library);

/* The shared libraries that auto_load has brought in, as
 * a string list that lives as long as the library. */
const char *const *load_auto_loaded(const loaded *library);

/* ---- what was surely not meant (duplicates.c) ---- */

/* A strong definition of the library that exists a second time. */
typedef struct load_duplicate {
    const char *symbol;
    const loaded *other; /* the library that defines it too; NULL: the host program */
    bool exported;       /* the host exports it (it was linked with -rdynamic, or the like) */
    bool is_variable;    /* not a function */
    bool is_state;       /* a writable variable, of one size in both */
} load_duplicate;

typedef void (*load_duplicate_callback)(const load_duplicate *duplicate, void *user_data);

/* Call back for each strong exported definition of `library` that one of `others` or, where
 * with_host is set, the host program defines as well. Reads their symbol tables from their files: a
 * matter of microseconds for each library, of milliseconds for a large host program, so it belongs
 * behind a miss, not in every load. Kiln binds each reference to what its spec declares, and two
 * functions of one name are no mistake; but where is_state is set, a state that was meant to be one
 * exists twice. The remedy: define it once, and declare the dependency or, for the host's, lend it
 * as a host symbol. */
kiln_status load_find_duplicates(const loaded *library, const loaded *const *others,
                                 size_t other_count, bool with_host,
                                 load_duplicate_callback callback, void *user_data,
                                 kiln_error **error);

#endif
