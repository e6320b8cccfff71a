/* jit_plugin.h - the contract between libkiln and libkiln-jit.so.
 *
 * The plugin brings LLVM's ORC and JITLink into the process; libkiln loads it when the first engine is
 * made, asks for its table of functions by JIT_PLUGIN_SYMBOL, and keeps it. Nothing of LLVM crosses
 * this line, and no exception does. Errors are made by the host's functions, since they belong to
 * libkiln. Every function may be called by any thread; an engine does one thing at a time, and runs
 * code of others - constructors, handlers - without holding a lock that calls of the code itself need. */
#ifndef KILN_JIT_JIT_PLUGIN_H
#define KILN_JIT_JIT_PLUGIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kiln.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version is raised with every change of what follows: both sides share its structs. */
enum { jit_plugin_version = 2, jit_image_id_size = 128 };
#define JIT_PLUGIN_SYMBOL "kiln_jit_plugin"

typedef struct jit_engine jit_engine;
typedef struct jit_dylib jit_dylib; /* lives as long as its engine */
typedef struct jit_code jit_code;   /* what was added by one call; lives until it is removed */

typedef struct jit_symbol {
    const char *name;
    void *address;
} jit_symbol;

/* What the plugin asks of libkiln. */
typedef struct jit_host {
    void *data; /* for all of these */
    /* Make an error (base/error.h). error may be NULL. */
    kiln_status (*fail)(kiln_error **error, kiln_status code, kiln_phase phase,
                        const char *message);
    void (*add_missing)(kiln_error *error, const char *name);
    const char *(*error_text)(const kiln_error *error); /* rendered; of NULL, too */
    void (*error_destroy)(kiln_error *error);
    /* Have the image engine load an object that JITLink cannot link; symbols: the addresses of what it
     * does not define. cxx: it needs the run-time library of C++. *library: for the next two. */
    kiln_status (*load_object)(void *data, const char *name, const void *bytes, size_t size,
                               bool cxx, const jit_symbol *symbols, size_t count, void **library,
                               kiln_error **error);
    void *(*library_symbol)(void *library, const char *name);    /* NULL: it has none */
    bool (*library_may_define)(void *library, const char *name); /* links nothing */
    /* OK, or PENDING: it leaves later; id: by which has_left knows it. */
    kiln_status (*close_library)(void *library, char id[jit_image_id_size]);
    bool (*has_left)(const char *id);    /* may run what is left of images */
    void (*keep_library)(void *library); /* its image stays for good, though it is closed */
    /* An object was linked into memory, or is about to leave it. size: in bytes. NULL: nobody asks. */
    void (*object_event)(void *data, const char *name, const void *begin, size_t size,
                         bool removed);
    /* thread_waits.h: the caller waits for a thread that runs constructors, until `what`. */
    bool (*wait_begin)(pthread_t awaited, const void *what);
    void (*wait_end)(void);
    void (*wait_over)(const void *what);
    /* A function that was to be compiled at its first call could not be: never returns, or returns the
     * address that the call goes to instead. */
    void *(*call_failed)(void *data, const char *function, const char *message);
    /* Of libc's list of exit handlers: os/os.h. */
    void (*exit_list_enter)(void);
    void (*exit_list_leave)(void);
} jit_host;

typedef struct jit_config {
    jit_host host;
    unsigned optimisation; /* 0 .. 3, for IR and bitcode that are not lazy */
    size_t slab_bytes;     /* of address space; 0: a gigabyte */
    bool perf_map;         /* write /tmp/perf-PID.map */
} jit_config;

/* What kind of input bytes are is read from the bytes. */
typedef struct jit_input {
    const char *name; /* in messages, and by which it is known in its dylib */
    const void *bytes;
    size_t size;
    bool
        lazy; /* of bitcode that was not optimised: functions are generated when they are called first */
    unsigned optimisation; /* of lazy ones: 0 .. 3 */
    const void
        *made_of; /* the bytes that it was compiled from: by which it is known; NULL: its own */
    size_t made_of_size;
} jit_input;

/* Something that is made when one of these names is looked up first: `keep` then adds to the dylib what
 * defines them, and says so with keep_with. No names: when one is looked up that nobody else has. */
typedef struct jit_promise {
    const char *name;
    const char *const *symbols;
    size_t symbol_count;
    kiln_status (*keep)(void *data, jit_dylib *dylib, jit_code *promise, kiln_error **error);
    void (*destroy)(void *data);
    void *data;
} jit_promise;

typedef struct jit_plugin {
    uint32_t version;
    kiln_status (*create)(const jit_config *config, jit_engine **engine, kiln_error **error);
    void (*destroy)(jit_engine *engine);
    kiln_status (*add_dylib)(jit_engine *engine, const char *name, jit_dylib **dylib,
                             kiln_error **error);
    /* After itself and what the engine defines, in this order. */
    kiln_status (*set_search_order)(jit_dylib *dylib, jit_dylib *const *order, size_t count,
                                    kiln_error **error);
    /* Objects, IR, bitcode and archives; everything is copied. *code: the one that there is, where
     * the same bytes were added under the name before. */
    kiln_status (*add)(jit_dylib *dylib, const jit_input *input, jit_code **code,
                       kiln_error **error);
    kiln_status (*add_shared_library)(jit_dylib *dylib, const char *path, jit_code **code,
                                      kiln_error **error);
    kiln_status (*add_process)(jit_dylib *dylib, jit_code **code, kiln_error **error);
    /* Shared libraries that are loaded when nobody else has a symbol of theirs. */
    kiln_status (*add_library_path)(jit_dylib *dylib, const char *const *directories, size_t count,
                                    jit_code **code, kiln_error **error);
    /* library: for jit_host's functions; the code owns it once this has succeeded. */
    kiln_status (*add_library)(jit_dylib *dylib, const char *name, void *library, jit_code **code,
                               kiln_error **error);
    /* last: they give way to all definitions of the dylib. */
    kiln_status (*add_symbols)(jit_dylib *dylib, const char *name, const jit_symbol *symbols,
                               size_t count, bool last, jit_code **code, kiln_error **error);
    /* The promise's data is the plugin's from here on, whatever comes of it. */
    kiln_status (*add_promise)(jit_dylib *dylib, const jit_promise *promise, jit_code **code,
                               kiln_error **error);
    /* Code that a promise has added, which goes when the promise is removed. */
    void (*keep_with)(jit_code *promise, jit_code *code);
    kiln_status (*remove)(jit_code *code, kiln_error **error);
    /* Whether code whose removal was PENDING is gone by now. */
    bool (*has_departed)(jit_engine *engine, const jit_code *code);
    /* Whether the calling thread is within a link, or a callback with the lock held. Never blocks. */
    bool (*is_linking)(jit_engine *engine);
    /* As remove, whoever refers to it; OK or PENDING. */
    kiln_status (*remove_anyway)(jit_code *code);
    /* A dylib from which everything was removed. */
    void (*remove_dylib)(jit_dylib *dylib);
    kiln_status (*link)(jit_code *code, kiln_error **error);
    /* The dylib's own definition; false: it has none. */
    bool (*lookup_own)(jit_dylib *dylib, const char *name, void **address);
    /* The calling thread's variable, of the address of "__emutls_v.NAME". */
    void *(*thread_local_address)(void *control);
    kiln_status (*lookup)(jit_dylib *dylib, const char *name, void **address, kiln_error **error);
    /* Call back for every symbol that is defined, sorted by name; size: 0: not known. */
    kiln_status (*visit)(jit_dylib *dylib, bool (*visit)(void *data, const kiln_symbol *symbol),
                         void *data, kiln_error **error);
    void *(*host_data)(jit_dylib *dylib); /* jit_host.data */
    size_t (*memory)(jit_engine *engine); /* bytes that code and data take */
    /* The fork handlers, of all engines. hold, release: os_exit_list_hold and _release; what is held is
     * kept, for the host to release. In a child, functions fail with UNSUPPORTED for an engine in
     * which another thread was linking, remove_anyway with PENDING, and destroy leaves it. */
    void (*before_fork)(bool (*hold)(unsigned wait_ms), void (*release)(bool in_child));
    void (*after_fork)(bool in_child);
} jit_plugin;

#ifdef __cplusplus
}
#endif

#endif
