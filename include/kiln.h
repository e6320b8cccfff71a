/* kiln.h - dlopen() for C and C++ source.
 *
 * Simple use, on the default session:
 *
 *     kiln_library *library;
 *     kiln_error *error;
 *     if (kiln_library_open(NULL, "add.c", NULL, &library, &error) != KILN_OK) { ... }
 *     int (*add)(int, int) = (int (*)(int, int))kiln_library_function(library, "add", NULL);
 *     kiln_library_close(library);
 *
 * Explicit use: create a session (kiln_session_create), describe libraries (kiln_spec_*), register
 * them (kiln_session_register), load them by name (kiln_library_load). Advanced use: loads that are
 * begun, polled and cancelled (kiln_load_*); compilation without loading (kiln_compile); the cache
 * (kiln_cache_*).
 *
 * Rules that hold for every function:
 *   - Functions that can fail return a kiln_status, or NULL. `error` may be NULL; where it is not,
 *     *error is set to NULL on success and, on failure, to an object that the caller frees with
 *     kiln_error_destroy. Outputs are set only on success.
 *   - Strings that come in are NUL-terminated bytes, copied before the call returns. Paths are
 *     bytes, not necessarily UTF-8; relative ones are resolved against the spec's working directory
 *     (default: that of the process when the spec was created).
 *   - A string list is an array of pointers that ends with NULL. NULL means an empty list.
 *   - Option structs start with `size`; set it to sizeof the struct. Zero in a field means its
 *     default, NULL for the whole struct means all defaults. A larger struct from a newer header is
 *     accepted if the extra bytes are zero.
 *   - Destroyers and closers accept NULL.
 *   - A session may be used by any thread at any time, but for its destruction. A spec, a load and
 *     an error belong to one thread at a time.
 *   - Event callbacks run only on a thread that is inside a call of that session, never while Kiln
 *     holds a lock that calls of other threads need, but for one: while a JIT links, for which code was
 *     promised from source or becomes an image, its other calls wait. They may call Kiln, except to
 *     destroy the session or the load at hand, or to close or load the library at hand.
 *   - "Blocks" means that the call may wait for compilation; the others return in microseconds or
 *     do bounded file-system work. Calls on a JIT also wait for other threads' calls on it.
 *   - After fork() the child may go on using Kiln: it starts a compiler process of its own when it
 *     needs one. A JIT in which another thread was in the middle of something for a second is lost
 *     there: calls on it fail with UNSUPPORTED. Neither does a session mind a host that closes every descriptor (closefrom).
 *   - A call needs up to 64 KiB of stack, beside what constructors and callbacks use.
 *
 * Sources run with the privileges of the process that loads them. Loading a source is running it.
 */
#ifndef KILN_H
#define KILN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_VERSION_MAJOR 0
#define KILN_VERSION_MINOR 1
#define KILN_VERSION_PATCH 0
#define KILN_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define KILN_API __attribute__((visibility("default")))
#else
#define KILN_API
#endif

/* -----------------------------------------------------------------------------------------------
 * Status and errors
 */

typedef enum kiln_status {
    KILN_OK = 0,
    KILN_PENDING = 1,          /* not finished yet */
    KILN_INVALID_ARGUMENT = 2, /* an argument of the call is not acceptable */
    KILN_NO_MEMORY = 3,
    KILN_NOT_FOUND = 4,      /* there is no such file, library or symbol */
    KILN_ALREADY_EXISTS = 5, /* the name is taken */
    KILN_AMBIGUOUS = 6,      /* the name has several meanings */
    KILN_SPEC = 7,           /* the spec or the manifest is wrong */
    KILN_CYCLE = 8,          /* libraries depend on each other in a circle */
    KILN_COMPILE = 9,        /* a source does not compile */
    KILN_LINK = 10,          /* the objects do not link */
    KILN_BIND = 11,      /* the image cannot be bound: a symbol or a shared library is missing */
    KILN_COMPILER = 12,  /* the compiler process is missing, of another version, or died */
    KILN_LIMIT = 13,     /* a job exceeded its limit of time or memory */
    KILN_CANCELLED = 14, /* the load was cancelled */
    KILN_IO = 15,        /* the operating system refused */
    KILN_UNSUPPORTED = 16,
    KILN_INTERNAL = 17, /* a defect in Kiln */
    KILN_REFUSED = 18,  /* an edit does not fit the data that a hot library has; code is in use */
    KILN_CRASHED = 19   /* a guarded call crashed */
} kiln_status;

/* What Kiln was doing. Errors carry one; load reports give the time of each. */
typedef enum kiln_phase {
    KILN_PHASE_SPEC = 0,
    KILN_PHASE_LOOKUP = 1, /* looking into the cache, and at the inputs */
    KILN_PHASE_PLAN = 2,
    KILN_PHASE_COMPILE = 3,
    KILN_PHASE_LINK = 4,
    KILN_PHASE_PUBLISH = 5, /* into the cache */
    KILN_PHASE_BIND = 6     /* mapping, binding, constructors */
} kiln_phase;
#define KILN_PHASE_COUNT 7

typedef enum kiln_severity {
    KILN_SEVERITY_NOTE,
    KILN_SEVERITY_REMARK,
    KILN_SEVERITY_WARNING,
    KILN_SEVERITY_ERROR,
    KILN_SEVERITY_FATAL
} kiln_severity;

/* A replacement that the compiler proposes. Lines and columns count from 1; columns are bytes. */
typedef struct kiln_fixit {
    const char *file;
    uint32_t line, column, end_line,
        end_column; /* the range that is replaced; its end is exclusive */
    const char *replacement;
} kiln_fixit;

/* One message of the compiler. Every pointer is valid as long as the object that handed it out. */
typedef struct kiln_diagnostic {
    size_t size; /* of this struct, as libkiln knows it */
    kiln_severity severity;
    const char *file;                            /* NULL where there is no position */
    uint32_t line, column, end_line, end_column; /* from 1, columns in bytes; 0: none */
    const char *message;
    const char *option; /* "-Wunused-variable", or NULL */
    const char
        *rendered; /* as clang prints it, with the source line, its notes, and a final newline */
    const struct kiln_diagnostic *notes;
    size_t note_count;
    const kiln_fixit *fixits;
    size_t fixit_count;
} kiln_diagnostic;

typedef struct kiln_error kiln_error;

/* The name of a status ("KILN_COMPILE") and its meaning in one phrase. Static strings; any thread.
 * Since 0.1. */
KILN_API const char *kiln_status_name(kiln_status status);
KILN_API const char *kiln_status_text(kiln_status status);
/* The name of a phase ("compile"). A static string; any thread. Since 0.1. */
KILN_API const char *kiln_phase_name(kiln_phase phase);

/* The parts of an error. `message` is one or more lines without a final newline: what was wrong,
 * where, what to do. `rendered` is the text to print: the diagnostics as clang prints them, then
 * the message; it ends with a newline. Strings and diagnostics live as long as the error. error
 * must not be NULL. Since 0.1. */
KILN_API kiln_status kiln_error_code(const kiln_error *error);
KILN_API kiln_phase kiln_error_phase(const kiln_error *error);
KILN_API const char *kiln_error_message(const kiln_error *error);
KILN_API const char *kiln_error_rendered(const kiln_error *error);
KILN_API size_t kiln_error_diagnostic_count(const kiln_error *error);
KILN_API const kiln_diagnostic *kiln_error_diagnostic(const kiln_error *error, size_t index);

/* One symbol that a failed bind looked for in vain. `provider` is an installed shared library that
 * defines it, or NULL where none was found. */
typedef struct kiln_missing_symbol {
    size_t size;
    const char *name;
    const char *demangled;
    const char *needed_by; /* the library that refers to it; "" by a JIT */
    const char *provider;
} kiln_missing_symbol;

/* The missing symbols of a KILN_BIND error; they live as long as the error. Since 0.1. */
KILN_API size_t kiln_error_missing_symbol_count(const kiln_error *error);
KILN_API const kiln_missing_symbol *kiln_error_missing_symbol(const kiln_error *error,
                                                              size_t index);

/* Free an error with all that it handed out. NULL is fine. Since 0.1. */
KILN_API void kiln_error_destroy(kiln_error *error);

/* The version of the library at run time ("0.1.0"). A static string; any thread. Since 0.1. */
KILN_API const char *kiln_version(void);

/* -----------------------------------------------------------------------------------------------
 * Sessions
 */

typedef struct kiln_session kiln_session;
typedef struct kiln_spec kiln_spec;
typedef struct kiln_library kiln_library;

typedef enum kiln_event_kind {
    KILN_EVENT_LOOKUP_HIT,    /* the cache has the library */
    KILN_EVENT_LOOKUP_MISS,   /* it has not; `text` says why */
    KILN_EVENT_UNIT_STARTED,  /* `unit` of `done`/`total` is being compiled */
    KILN_EVENT_UNIT_FINISHED, /* `seconds`; `hit` where its object came from the cache */
    KILN_EVENT_LINK_STARTED,
    KILN_EVENT_LINK_FINISHED, /* `seconds` */
    KILN_EVENT_LOADED,        /* `seconds` in all */
    KILN_EVENT_CLOSED,        /* the image has left the address space */
    KILN_EVENT_DIAGNOSTIC,    /* `diagnostic`: a warning or remark, repeated on a hit */
    KILN_EVENT_WARNING,       /* `text`: something that surely was not meant, and the remedy */
    KILN_EVENT_AUTO_LOADED,   /* `unit`: a shared library that auto_load brought in */
    KILN_EVENT_RELOADED       /* a hot library has new code; `done`: its generation */
} kiln_event_kind;

/* What the event callback is told. Pointers are valid during the callback. */
typedef struct kiln_event {
    size_t size;
    kiln_event_kind kind;
    const char *library; /* its name */
    const char *unit;    /* the source, or NULL */
    uint32_t done, total;
    double seconds;
    bool hit;
    const char *text;
    const kiln_diagnostic *diagnostic;
} kiln_event;

typedef void (*kiln_event_callback)(const kiln_event *event, void *user_data);

typedef struct kiln_session_options {
    size_t size;
    const char *cache_directory; /* default: $KILN_CACHE_DIR, else $XDG_CACHE_HOME/kiln, else
                                    ~/.cache/kiln */
    bool no_cache;               /* touch no disk at all; also $KILN_NO_CACHE */
    uint32_t
        jobs; /* at once; default: $KILN_JOBS, else what affinity, cgroup and free memory allow */
    const char *compiler_path; /* of kiln-compiler; default: $KILN_COMPILER, else beside libkiln */
    uint32_t job_seconds;      /* wall-clock limit of a job; default 600 */
    uint64_t
        job_memory_bytes; /* address-space limit of a job; default: three quarters of the memory */
    bool trust_system_headers; /* check what is below /usr and /lib by its directory alone */
    bool auto_load;            /* load the installed shared library that defines a missing symbol */
    kiln_event_callback event_callback;
    void *event_user_data;
} kiln_session_options;

/* Create a session. Starts no process and reads no file but the cache directory's. The caller
 * destroys it. Does not block. Errors: INVALID_ARGUMENT (also: the cache directory is the empty
 * string, $KILN_JOBS is no number from 1 to 4095), UNSUPPORTED (options of a newer header),
 * NO_MEMORY, IO. Since 0.1. */
KILN_API kiln_status kiln_session_create(const kiln_session_options *options,
                                         kiln_session **session, kiln_error **error);

/* Close every library that is still loaded, end the compiler process, free the session. Handles of
 * its libraries are void afterwards; loads that were begun end as CANCELLED and are still to be
 * destroyed. No other thread may be inside a call of the session. The default session need not be
 * destroyed. NULL is fine. Since 0.1. */
KILN_API void kiln_session_destroy(kiln_session *session);

/* The session that functions use where they are given NULL. Made at first use with default options;
 * lives as long as the process. NULL when out of memory. Any thread. Since 0.1. */
KILN_API kiln_session *kiln_session_default(void);

/* A descriptor that becomes readable when kiln_session_dispatch has work: a load has progressed,
 * events wait, an edit of a watched library was compiled and waits to be published. Owned by the session; poll it, never read it. -1 where none can be had. Since 0.1.
 */
KILN_API int kiln_session_descriptor(kiln_session *session);

/* Deliver waiting events, finish loads that were begun, and publish edits of watched libraries, on
 * this thread. Waits for at most timeout_ms milliseconds for something to do (0: not at all,
 * negative: as long as it takes while a load is under way or a library is watched). Since 0.1. */
KILN_API kiln_status kiln_session_dispatch(kiln_session *session, int timeout_ms,
                                           kiln_error **error);

/* End the compiler process, if one runs and no load is under way (else KILN_PENDING); the next miss
 * starts another. Since 0.1. */
KILN_API kiln_status kiln_session_stop_compiler(kiln_session *session);

/* The cache directory in use, or NULL without a cache. Owned by the session. Since 0.1. */
KILN_API const char *kiln_session_cache_directory(const kiln_session *session);

/* -----------------------------------------------------------------------------------------------
 * Specs: what to build
 *
 * Adders copy what they are given and return a status; the first that fails is also kept and
 * reported by the call that uses the spec, so their results need not be checked one by one. Nothing
 * is read from disk before that call.
 *
 * A file's kind follows from its name: .c | .cc .cpp .cxx .c++ .C | .s (assembly) .S (with
 * preprocessor) | .ll (LLVM IR) | .bc (bitcode) | .o | .a | .so and .so.N (a shared library). A
 * source may carry arguments of its own in a comment that starts its first line or, after `#!`, its
 * second: `//kiln: -O2 --pkg sdl2`.
 */

typedef enum kiln_scope {
    KILN_PRIVATE, /* for the library's own sources */
    KILN_PUBLIC   /* for these and for the sources of its dependents */
} kiln_scope;

/* An empty spec. name: what registry, messages and reports call it; letters, digits and ._+- only.
 * NULL when out of memory. The caller destroys it. Since 0.1. */
KILN_API kiln_spec *kiln_spec_create(const char *name);
/* Free a spec. Registered copies and loaded libraries do not mind. NULL is fine. Since 0.1. */
KILN_API void kiln_spec_destroy(kiln_spec *spec);
/* Its name; lives as long as the spec. Since 0.1. */
KILN_API const char *kiln_spec_name(const kiln_spec *spec);

/* Against what relative paths are resolved. Since 0.1. */
KILN_API kiln_status kiln_spec_set_directory(kiln_spec *spec, const char *directory);

/* Add a file: a source, object, bitcode, IR, assembly, archive or shared library. A path with * ? [
 * or ** is a pattern whose matches are looked up at each load, so new files are noticed. arguments:
 * Clang's, for this source alone (after the spec's); NULL for none. Since 0.1. */
KILN_API kiln_status kiln_spec_add_source(kiln_spec *spec, const char *path,
                                          const char *const *arguments);

/* The same from memory. path: its name in messages, debug information and __FILE__, relative to a
 * virtual directory; its extension gives its kind. Since 0.1. */
KILN_API kiln_status kiln_spec_add_memory_source(kiln_spec *spec, const char *path,
                                                 const void *bytes, size_t size,
                                                 const char *const *arguments);

/* A header in memory. `#include "path"` and `#include <path>` find it before any -I directory.
 * Since 0.1. */
KILN_API kiln_status kiln_spec_add_memory_header(kiln_spec *spec, const char *path,
                                                 const void *bytes, size_t size);

/* Clang's arguments, in order. Public ones also serve the sources of dependents. Those that choose
 * outputs or run other code (-o -c -E -S -M* -save-temps -fplugin= -Xclang -load) are refused.
 * Defaults that stand before them: -O2 -gline-tables-only -fPIC. Since 0.1. */
KILN_API kiln_status kiln_spec_add_arguments(kiln_spec *spec, kiln_scope scope,
                                             const char *const *arguments);

/* The language of sources whose name does not tell ("c", "c++", or any of Clang's -x), or of all
 * where force is true; the standard ("c17", "c++20"). Since 0.1. */
KILN_API kiln_status kiln_spec_set_language(kiln_spec *spec, const char *language, bool force);
KILN_API kiln_status kiln_spec_set_standard(kiln_spec *spec, const char *standard);

/* Another library of the registry, by name. It is loaded first. Since 0.1. */
KILN_API kiln_status kiln_spec_add_dependency(kiln_spec *spec, const char *name);

/* A pkg-config package, by name, with an optional version constraint ("zlib >= 1.2"). Since 0.1. */
KILN_API kiln_status kiln_spec_add_package(kiln_spec *spec, const char *package);

/* Lend the host's function or data to the library under a name. It is found after the library's own
 * definitions, its dependencies, archives and shared libraries, and before the symbols that the
 * process exports. The address must stay valid while the library is loaded. While a
 * library is loaded, loading it with other addresses gives another library beside it, with a state
 * of its own. Since 0.1. */
KILN_API kiln_status kiln_spec_add_host_symbol(kiln_spec *spec, const char *name,
                                               const void *address);

/* Read one library's spec from text, in the manifest's schema (docs/manifest.md) without the
 * `libraries` level: `name`, `sources`, ... origin: what messages call the text. Errors: SPEC,
 * NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_spec_parse(const char *text, size_t size, const char *origin,
                                     kiln_spec **spec, kiln_error **error);

/* -----------------------------------------------------------------------------------------------
 * The registry: a session's specs by name
 */

/* Register a copy of the spec. Errors: ALREADY_EXISTS, SPEC, NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_session_register(kiln_session *session, const kiln_spec *spec,
                                           kiln_error **error);

/* Forget a name. Loaded libraries stay. Errors: NOT_FOUND. Since 0.1. */
KILN_API kiln_status kiln_session_unregister(kiln_session *session, const char *name,
                                             kiln_error **error);

/* A copy of a registered spec, to be changed and loaded apart; the caller destroys it.
 * Errors: NOT_FOUND, NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_session_spec(kiln_session *session, const char *name, kiln_spec **spec,
                                       kiln_error **error);

/* Whether a library of that name is registered; is loaded, by any handle. Since 0.1. */
KILN_API bool kiln_session_is_registered(kiln_session *session, const char *name);
KILN_API bool kiln_session_is_loaded(kiln_session *session, const char *name);

/* The registered names, sorted, as a string list; the caller frees it with kiln_names_destroy.
 * Since 0.1. */
KILN_API kiln_status kiln_session_names(kiln_session *session, char ***names, size_t *count,
                                        kiln_error **error);
/* Free a list of names. NULL is fine. Since 0.1. */
KILN_API void kiln_names_destroy(char **names);

/* Register every library of a manifest. path: the file; NULL: kiln.yaml in the current directory or
 * the nearest above it (NOT_FOUND where there is none). All or nothing. A file that another user
 * could have written is refused. Errors name file, line and field: SPEC, NOT_FOUND, ALREADY_EXISTS,
 * IO, NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_session_read_manifest(kiln_session *session, const char *path,
                                                kiln_error **error);

/* Register a target of a compile_commands.json (path: the file or its directory) as `name`. target:
 * which; NULL where the database has but one, else AMBIGUOUS with the list. Flags that choose
 * outputs are dropped. Errors: NOT_FOUND, AMBIGUOUS, SPEC, ALREADY_EXISTS, IO, NO_MEMORY. Since
 * 0.1. */
KILN_API kiln_status kiln_session_import_commands(kiln_session *session, const char *path,
                                                  const char *target, const char *name,
                                                  kiln_error **error);

/* -----------------------------------------------------------------------------------------------
 * Libraries: loading, symbols, closing
 */

typedef enum kiln_visibility {
    KILN_LOCAL, /* only the handle gives out symbols */
    KILN_GLOBAL /* dlsym(RTLD_DEFAULT) and later dlopen()s see them: any FFI of the process finds
                   them */
} kiln_visibility;

/* Whether the code of a library can be replaced while it runs: see "Hot libraries" below. */
typedef enum kiln_hot_mode {
    KILN_HOT_OFF,
    KILN_HOT_ISLANDS, /* each function by itself; none is inlined into another */
    KILN_HOT_WHOLE    /* the functions of a source together, optimised as usual */
} kiln_hot_mode;

typedef struct kiln_load_options {
    size_t size;
    kiln_visibility visibility;
    const char
        *engine;    /* NULL or "image"; "jit": in memory, by the engine for live code, where nothing
                           of the library needs a linker, else by the image engine: see kiln_report */
    bool auto_load; /* as the session's, for this load */
    kiln_hot_mode hot; /* of the library and its dependencies; default arguments are then -O1 -g */
    bool refuse_unseen_layouts; /* hot: an edit is refused, too, where no variable holds the record
                                   that it changes, but other memory may. Default: it is told */
    bool
        lazy; /* functions are generated when they are called first: by the engine "jit", which this
                  chooses where none is named */
} kiln_load_options;

/* Load a registered library and its dependencies. The inputs are looked at every time: a library
 * that is loaded already and has not changed is handed out again, counted; one that has changed is
 * loaded anew beside the old one, which its holders keep. A library that is loaded hot already is
 * reloaded and handed out again. Constructors run on this thread. Blocks. Errors: any. Since 0.1. */
KILN_API kiln_status kiln_library_load(kiln_session *session, const char *name,
                                       const kiln_load_options *options, kiln_library **library,
                                       kiln_error **error);

/* The same for a spec that is not registered. Since 0.1. */
KILN_API kiln_status kiln_library_load_spec(kiln_session *session, const kiln_spec *spec,
                                            const kiln_load_options *options,
                                            kiln_library **library, kiln_error **error);

/* The same for one file, with default arguments. Since 0.1. */
KILN_API kiln_status kiln_library_open(kiln_session *session, const char *path,
                                       const kiln_load_options *options, kiln_library **library,
                                       kiln_error **error);

/* Give back one reference. The last one runs the library's destructors on this thread and takes the
 * image out of the address space: OK. PENDING: it cannot leave yet, since a thread still owes the
 * destructor of a thread_local of the library (it leaves at a later call of Kiln after that thread
 * has ended), or since the program itself found a symbol of it by dlsym(RTLD_DEFAULT), which binds
 * it for ever. Addresses from the library must not be used afterwards. Since 0.1. */
KILN_API kiln_status kiln_library_close(kiln_library *library);

typedef void (*kiln_function)(void);

/* A function, or a variable, of the library itself (not of its dependencies), by its symbol's name
 * or by its C++ name: "ns::f" or, where that is overloaded, "ns::f(int)". By the symbol's name
 * either call finds either kind, as dlsym does. The address is good until the last close. NULL on
 * failure. Errors: NOT_FOUND, AMBIGUOUS (the message lists the candidates), NO_MEMORY. Since 0.1.
 */
KILN_API kiln_function kiln_library_function(const kiln_library *library, const char *name,
                                             kiln_error **error);
KILN_API void *kiln_library_data(const kiln_library *library, const char *name, kiln_error **error);

typedef enum kiln_symbol_kind {
    KILN_SYMBOL_FUNCTION,
    KILN_SYMBOL_DATA,
    KILN_SYMBOL_THREAD_LOCAL, /* its address is the calling thread's */
    KILN_SYMBOL_OTHER
} kiln_symbol_kind;

typedef struct kiln_symbol {
    size_t size; /* set by the caller */
    const char *name;
    const char *demangled; /* as name where it is not a C++ name */
    kiln_symbol_kind kind;
    uint64_t size_bytes;
    void *address;
    bool weak;
} kiln_symbol;

/* The library's own exported definitions, sorted by name. Strings live as long as the library.
 * index below the count. Since 0.1. */
KILN_API size_t kiln_library_symbol_count(const kiln_library *library);
KILN_API kiln_status kiln_library_symbol(const kiln_library *library, size_t index,
                                         kiln_symbol *symbol);

/* How a library came to be loaded. Strings live as long as the library. */
typedef struct kiln_report {
    size_t size; /* set by the caller */
    const char *name;
    const char *engine; /* "image" or "jit" */
    bool hit;           /* of this library alone; dependencies have reports of their own */
    const char *image;  /* the file that is mapped; "" by "jit", which has none */
    const char *key; /* the build's name in the cache, in hexadecimal; by "jit" a digest of what it
                           was made of */
    size_t input_count; /* files, directories and absences that were recorded */
    size_t unit_count;
    size_t symbol_count;
    const char *miss_reason; /* NULL on a hit */
    double total_seconds;
    double
        seconds[KILN_PHASE_COUNT]; /* by kiln_phase; new phases come behind, so this stays last */
} kiln_report;

/* Since 0.1. */
KILN_API kiln_status kiln_library_report(const kiln_library *library, kiln_report *report);

/* -----------------------------------------------------------------------------------------------
 * Hot libraries: code that is replaced while it runs (docs/hot-reload.md)
 *
 * A library that was loaded with kiln_load_options.hot takes edits of its sources without being
 * closed. Each reload that changes something makes a new generation of it:
 *   - functions: every address that was ever obtained, and every pointer to a function that is
 *     stored in data, tables of virtual functions included, reaches the newest code; a call that is
 *     in progress ends in the code that it began in, which stays mapped;
 *   - data: globals, static variables of files and functions, and thread-locals keep their address
 *     and their value; new ones are initialised; constants get their new values;
 *   - constructors, initialisers and atexit registrations of what exists do not run again;
 *     destructors run at close, in the newest code;
 *   - an edit that does not compile, link or bind, or that does not fit the data, changes nothing;
 *     the library stays edited until a reload succeeds.
 * A reload is a safe point of the thread that asks for it: functions are published one by one, so a
 * thread that runs meanwhile may meet some of an edit's functions old and some new.
 */

typedef enum kiln_notice_kind {
    KILN_NOTICE_INITIALIZER_CHANGED, /* of a variable, which keeps its value; see
                                        kiln_library_reset_variable */
    KILN_NOTICE_FUNCTION_REMOVED,    /* who has its address calls its last code */
    KILN_NOTICE_SIGNATURE_CHANGED,   /* callers that were not compiled anew pass other arguments */
    KILN_NOTICE_LAYOUT_CHANGED,      /* of a record that a variable holds; refused by default */
    KILN_NOTICE_TYPE_CHANGED,        /* of a variable; refused by default */
    KILN_NOTICE_AMBIGUOUS,           /* which variable of a function is which; always refused */
    KILN_NOTICE_DATA_REMOVED,        /* who has its address sees its last value */
    KILN_NOTICE_LAYOUT_UNSEEN,       /* of a record that no variable holds, but other memory may */
    KILN_NOTICE_CONSTANT_REPLACED,   /* it has another place now */
    KILN_NOTICE_RUNNING,             /* calls go on in their old code: of `main`, and of what the
                                        thread that reloads is in */
    KILN_NOTICE_OTHER_LIBRARY        /* one that is not reloaded with this one was built from an
                                        edited file, too, and keeps what it has inlined of it */
} kiln_notice_kind;

/* Something that an edit does not change, or not for everybody. Strings live as long as the report.
 */
typedef struct kiln_notice {
    size_t size; /* set by the caller */
    kiln_notice_kind kind;
    const char *symbol;   /* the linker's name, or a type's */
    const char *display;  /* the name as people know it */
    const char *detail;   /* a phrase: what, and why */
    const char *variable; /* which holds a record; "" where there is none */
} kiln_notice;

/* One thing whose layout an edit changes. Strings live during the call. */
typedef struct kiln_migration {
    size_t size;           /* set by Kiln */
    kiln_notice_kind kind; /* LAYOUT_CHANGED, LAYOUT_UNSEEN or TYPE_CHANGED */
    const char *type;      /* the record that changes; "" of TYPE_CHANGED */
    const char *detail;    /* a phrase: what changes */
    const char
        *variable;    /* that holds it, maybe through members and pointers; "" of LAYOUT_UNSEEN */
    const void *from; /* the variable as it is, and its size in bytes; NULL and 0 where it has no
                             single address (thread-locals) or there is none */
    uint64_t from_size;
    void *to; /* the variable as the new code will see it: the same place, unless its own type
                 changes; then it holds its initial value */
    uint64_t to_size;
} kiln_migration;

/* Called for each such thing when the new code is mapped and not published yet, on the thread that
 * publishes: bring the data to its new layout. No other thread may use it meanwhile. false: refuse
 * the edit; then nothing is published, and what was written in place so far stays written. It may
 * call the library, whose code is the old one, but not reload or close it. */
typedef bool (*kiln_migrate_callback)(kiln_library *library, const kiln_migration *migration,
                                      void *user_data);

typedef struct kiln_reload_options {
    size_t size;
    bool accept_layouts; /* records and variables may change their layout: the host has seen to the
                            data, or it does not matter */
    kiln_migrate_callback migrate; /* not NULL: layouts may change, since this sees to the data */
    void *migrate_data;            /* for migrate */
    bool
        follow_up; /* afterwards, compile again what stands at other lines of its source than it was
                       compiled from, so that __LINE__ and debug information are right: whole sources,
                       which takes its time. A watch does that by itself */
} kiln_reload_options;

/* What a reload did. */
typedef struct kiln_reload kiln_reload;

/* Look at the inputs of a hot library and of its dependencies, compile what was edited, and publish
 * it, on this thread. *report (may be NULL): what was done; the caller destroys it. Blocks while it
 * compiles; of several threads that ask at a time, one works and the others wait. Errors:
 * INVALID_ARGUMENT (the library was not loaded hot), REFUSED (the edit does not fit the data; the
 * message names type, field and variable), any of a load's; then the library is as it was. *report is
 * NULL then or, where dependencies were reloaded before that, tells what was done to them. Since 0.1. */
KILN_API kiln_status kiln_library_reload(kiln_library *library, const kiln_reload_options *options,
                                         kiln_reload **report, kiln_error **error);

/* The parts of a report. generation: of the library asked for, after the reload; `changed`: whether
 * anything was published. Files are those that were found edited, as far as that is known.
 * Functions and notices: of the dependencies, too. Strings live as long as the report; index below
 * the count. Since 0.1. */
KILN_API uint32_t kiln_reload_generation(const kiln_reload *report);
KILN_API bool kiln_reload_changed(const kiln_reload *report);
/* Looking, compiling and publishing; not what an edit of a watched library waited for a dispatch. */
KILN_API double kiln_reload_seconds(const kiln_reload *report);
/* Of that: while entries were being led to new code, and constants written. */
KILN_API double kiln_reload_publish_seconds(const kiln_reload *report);
KILN_API size_t kiln_reload_file_count(const kiln_reload *report);
KILN_API const char *kiln_reload_file(const kiln_reload *report, size_t index);
KILN_API size_t kiln_reload_function_count(const kiln_reload *report);
KILN_API const char *kiln_reload_function(const kiln_reload *report, size_t index);
/* How many functions were published only because they stand at other lines of their sources now:
 * kiln_reload_options.follow_up. They are not among the functions. */
KILN_API size_t kiln_reload_moved_count(const kiln_reload *report);
KILN_API size_t kiln_reload_notice_count(const kiln_reload *report);
KILN_API kiln_status kiln_reload_notice(const kiln_reload *report, size_t index,
                                        kiln_notice *notice);
/* Free a report. NULL is fine. Since 0.1. */
KILN_API void kiln_reload_destroy(kiln_reload *report);

/* How many generations a hot library has had: 1 after its load; 0 of one that is not hot. Since
 * 0.1. */
KILN_API uint32_t kiln_library_generation(const kiln_library *library);

/* Lead every function that the newest edit changed back to its code before. Data stays. The
 * library counts as edited: the next reload compiles it again. *report (may be NULL): the functions.
 * Called again, it goes back one more. Errors: INVALID_ARGUMENT, NOT_FOUND (there is no generation
 * before), NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_library_roll_back(kiln_library *library, kiln_reload **report,
                                            kiln_error **error);

/* Call a function, of the library most likely, on this thread. Where it crashes (an invalid access or
 * instruction, an arithmetic trap, an overflow of the stack, abort) and the library has a newer
 * generation than its first, it is rolled back as by kiln_library_roll_back, and the call returns
 * CRASHED: *report (may be NULL; NULL where there was nothing to roll back) tells the functions, the
 * error what happened and where. What the function has done until then is done: frames are left
 * without destructors, locks that it holds stay locked. It must not call Kiln, and the call must not
 * be made in a reload's hook. Meanwhile the process's handlers of these signals are Kiln's, which
 * hand on what does not concern guarded calls. Errors: INVALID_ARGUMENT, CRASHED, NO_MEMORY. Since
 * 0.1. */
KILN_API kiln_status kiln_library_call_guarded(kiln_library *library, void (*function)(void *),
                                               void *argument, kiln_reload **report,
                                               kiln_error **error);

/* Give one variable of a hot library the initial value that its source has now, after a reload has
 * told KILN_NOTICE_INITIALIZER_CHANGED of it. name: as in the notice, either way. Not atomic.
 * Errors: INVALID_ARGUMENT, NOT_FOUND, AMBIGUOUS, UNSUPPORTED (code computes the value, it is
 * thread-local, or larger than a megabyte). Since 0.1. */
KILN_API kiln_status kiln_library_reset_variable(kiln_library *library, const char *name,
                                                 kiln_error **error);

/* What a watch found out: a report of what was published, or why that failed. Both live during the
 * call. */
typedef void (*kiln_watch_callback)(kiln_library *library, const kiln_reload *report,
                                    const kiln_error *error, void *user_data);

typedef struct kiln_watch_options {
    size_t size;
    bool publish_at_once; /* by the watch's own thread, as soon as an edit is compiled: for hosts
                             that have no loop. Default: in kiln_session_dispatch, which is the
                             host's safe point */
    bool accept_layouts;  /* as in kiln_reload_options */
    kiln_watch_callback callback; /* on the thread that publishes; failures to compile, too. It must
                                     not close, reload or unwatch a library */
    void *user_data;
    kiln_migrate_callback migrate; /* as in kiln_reload_options */
    void *migrate_data;
    bool no_follow_up; /* code stays at the lines that it was compiled from until it is edited.
                          Default: a second after the last edit, a follow-up begins
                          (kiln_reload_options.follow_up), in the background and at low priority. It
                          gives way to edits and to calls, and waits the longer the longer the last one took */
} kiln_watch_options;

/* Watch the sources of a hot library and of its hot dependencies, every header that they read, names
 * that were looked for in vain, and patterns: an edit is compiled on a thread of its own, which has
 * all signals blocked, and published as the options say. With kiln_session_dispatch the session's
 * descriptor becomes readable when there is something to publish. An edit made while another one is
 * compiled is not lost. Ends with the library, or kiln_library_unwatch. After a fork only the parent
 * goes on watching. Errors: INVALID_ARGUMENT, ALREADY_EXISTS (it is watched), IO (a limit of the
 * system), NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_library_watch(kiln_library *library, const kiln_watch_options *options,
                                        kiln_error **error);
/* Stop; waits for a compilation that is under way. What was compiled and not published is found
 * again by the next reload. A library that is not watched is fine. Since 0.1. */
KILN_API void kiln_library_unwatch(kiln_library *library);

/* Functions to be called before and after the code of a hot library is replaced, on the thread that
 * reloads, each with the generation that is to be, or is; not for a follow-up. Where publication
 * fails, the one after it is called with the generation that stays. NULL: none. They may call the
 * library, not reload or close it. Errors: INVALID_ARGUMENT. Since 0.1. */
typedef void (*kiln_reload_hook)(kiln_library *library, uint32_t generation, void *user_data);
KILN_API kiln_status kiln_library_set_reload_hooks(kiln_library *library, kiln_reload_hook before,
                                                   kiln_reload_hook after, void *user_data);

/* -----------------------------------------------------------------------------------------------
 * Loads under way
 *
 * A load that was begun is compiled beside the host; it is finished - mapped, constructors run - on
 * the thread that calls kiln_load_poll, kiln_load_wait or kiln_session_dispatch.
 */

typedef struct kiln_load kiln_load;

/* Begin to load a registered library (spec NULL) or a spec (name NULL). The caller destroys the
 * load. Errors: any that shows at once. Since 0.1. */
KILN_API kiln_status kiln_load_begin(kiln_session *session, const char *name, const kiln_spec *spec,
                                     const kiln_load_options *options, kiln_load **load,
                                     kiln_error **error);

/* PENDING, or the outcome; OK hands the library out, once. Does not block, but for a library of the engine
 * "jit" that turns out to need a linker, or depends on libraries in a session without a cache. Since 0.1. */
KILN_API kiln_status kiln_load_poll(kiln_load *load, kiln_library **library, kiln_error **error);

/* Wait for the outcome for at most timeout_ms (negative: as long as it takes). PENDING when time
 * ran out. Blocks. Since 0.1. */
KILN_API kiln_status kiln_load_wait(kiln_load *load, int timeout_ms, kiln_library **library,
                                    kiln_error **error);

/* Ask for the end. The outcome is CANCELLED, unless the load was done before. Any thread. Since
 * 0.1. */
KILN_API void kiln_load_cancel(kiln_load *load);

/* Cancel if need be, wait for the end, free. A library that was never handed out is closed. Since
 * 0.1. */
KILN_API void kiln_load_destroy(kiln_load *load);

/* -----------------------------------------------------------------------------------------------
 * Live code: objects, bitcode and IR that exist only in memory
 *
 * For authors of languages and JIT compilers. A JIT links code of theirs - in LLVM's ORC, which
 * libkiln-jit brings into the process when the first one is created - next to libraries that come from
 * source. Code is added to dylibs, which see each other in an order that the host gives; it is linked
 * when something of it is looked up first, or is needed by what is. A host with an llvm::Module of its
 * own hands it over as bitcode (llvm::WriteBitcodeToFile).
 *
 * What the code may do: everything that it may do in a shared library. Constructors run when it is
 * linked, by the thread that looked it up; destructors and atexit handlers when it is removed, or the
 * process ends. Objects with thread-local variables of their own, ifuncs or more than 256 sections, which
 * JITLink cannot link, are loaded by the image engine, and found like all others. What programs see
 * otherwise (dladdr, dlsym, backtrace) stands in docs/live-code.md.
 *
 * Any thread may make any of these calls; a JIT does one thing at a time, and its other calls wait for that.
 * Constructors and destructors run after and before that, by themselves: they may make these calls, and wait
 * for threads that do; but those of images and shared libraries run within it, and may not wait so. Who finds
 * something that another thread has linked waits until its constructors have run. In a child of a fork,
 * calls fail with UNSUPPORTED if the JIT is lost: see above.
 */

typedef struct kiln_jit kiln_jit;
typedef struct kiln_jit_dylib kiln_jit_dylib; /* lives as long as its JIT */
typedef struct kiln_jit_code kiln_jit_code;   /* what one call has added, until it is removed */

/* An object that was linked into memory, or that is removed, by kiln_jit_remove or with its JIT; while
 * threads owe it destructors its memory stays still. Images are not told. name: of the object or function,
 * or of the addition; the address tells which one it is. */
typedef struct kiln_jit_object {
    size_t size;
    const char *name;
    const void *address; /* of its code and data, from the first byte to the last */
    size_t size_bytes;
    bool removed;
} kiln_jit_object;
typedef void (*kiln_jit_object_callback)(const kiln_jit_object *object, void *user_data);

/* A function that was to be compiled at its first call could not be, on the thread that calls it. What
 * it returns is called instead, with the same arguments; the next call tries again. NULL: abort(). It
 * may also end the thread, or leave by longjmp. */
typedef kiln_function (*kiln_jit_call_failed)(const char *function, const char *message,
                                              void *user_data);

typedef struct kiln_jit_options {
    size_t size;
    const char *optimisation; /* of IR and bitcode: "-O0" to "-O3". Default: -O2 */
    bool ir_in_process; /* compile IR and bitcode in this process, some milliseconds faster than in
                           kiln-compiler, and without its cache: for hosts that trust what makes them.
                           LLVM ends the process over input that is not as it should be, and does not
                           always see that in time */
    size_t
        address_space_bytes; /* reserved for code and data, within reach of each other. Default: a
                                   gigabyte, or as much of it as the system gives */
    bool perf_map;           /* tell perf the functions, in /tmp/perf-PID.map */
    kiln_jit_object_callback
        object_callback; /* on the thread that links or removes, with a lock held:
                                                 it must not call Kiln. For hosts that symbolise their
                                                 own back traces */
    void *object_data;
    kiln_jit_call_failed call_failed; /* default: the reason on standard error, and abort() */
    void *call_failed_data;
    const char
        *plugin_path; /* of libkiln-jit.so, which the first JIT of the process loads for good.
                                Default: $KILN_JIT_PLUGIN, else beside libkiln */
} kiln_jit_options;

/* Create a JIT. session: whose image engine loads what JITLink cannot link, and whose compiler and
 * cache serve specs; it must outlive the JIT. NULL: the default one. The caller destroys it. Errors:
 * INVALID_ARGUMENT, UNSUPPORTED (libkiln-jit cannot be loaded, or is of another version), NO_MEMORY
 * (of address space, too), INTERNAL. Since 0.1. */
KILN_API kiln_status kiln_jit_create(kiln_session *session, const kiln_jit_options *options,
                                     kiln_jit **jit, kiln_error **error);
/* Remove all code, the newest first, and free the JIT with its dylibs and the handles of code. No thread
 * may be inside of its code or calls. What a thread owes a destructor still, and what that needs, stays in
 * memory for good. NULL is fine. Since 0.1. */
KILN_API void kiln_jit_destroy(kiln_jit *jit);
/* The memory that its code and data take, in bytes; of NULL none. Since 0.1. */
KILN_API size_t kiln_jit_memory_bytes(const kiln_jit *jit);

typedef struct kiln_jit_dylib_options {
    size_t size;
    bool
        no_process_symbols; /* its code does not see what the program and its shared libraries export */
} kiln_jit_dylib_options;

/* Add a dylib. Its code sees its own definitions, then those of the dylibs of its search order, then the
 * process's. name: NAME.process, NAME.path and kiln.runtime are taken, too. Errors: ALREADY_EXISTS,
 * NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_dylib(kiln_jit *jit, const char *name,
                                        const kiln_jit_dylib_options *options,
                                        kiln_jit_dylib **dylib, kiln_error **error);
/* What it sees after itself, in this order; for what is linked from now on. What those see in their own
 * orders is not seen. Errors: INVALID_ARGUMENT (a dylib of another JIT). Since 0.1. */
KILN_API kiln_status kiln_jit_set_search_order(kiln_jit_dylib *dylib, kiln_jit_dylib *const *order,
                                               size_t count, kiln_error **error);

/* Add an object, a static archive (whose members are linked as they are needed), LLVM IR as text, or
 * bitcode: which of them it is, the bytes tell. They are copied. name: in messages; adding the same
 * bytes under the same name again gives the code that there is, counted; other bytes are an error.
 * *code may be asked for by nobody (NULL). Blocks for IR and bitcode. Errors: INVALID_ARGUMENT (no code,
 * damaged, of another processor; the message says what is wrong with it), COMPILE (the same, of IR and
 * bitcode, and of what is neither ELF nor an archive), ALREADY_EXISTS (the name; a symbol that the dylib
 * has), NO_MEMORY, any of a compilation's. Since 0.1. */
KILN_API kiln_status kiln_jit_add_bytes(kiln_jit_dylib *dylib, const char *name, const void *bytes,
                                        size_t size, kiln_jit_code **code, kiln_error **error);
/* Add bitcode that was not optimised (KILN_OUTPUT_RAW_BITCODE, or Clang's -emit-llvm -Xclang
 * -disable-llvm-passes) and is trusted: each of its functions is optimised and generated when it is
 * called first, by the thread that calls it, at a level of its own ("-O0" to "-O3"; NULL: the JIT's).
 * Only its data, and its constructors, are there before. A function has one address, that of a stub
 * which leads to it. See kiln_jit_options.call_failed. The same bytes for another level are other ones.
 * Errors: INVALID_ARGUMENT (no bitcode, of another processor), BIND (it cannot be taken apart: see
 * docs/live-code.md), ALREADY_EXISTS, NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_lazy(kiln_jit_dylib *dylib, const char *name, const void *bytes,
                                       size_t size, const char *optimisation, kiln_jit_code **code,
                                       kiln_error **error);

typedef struct kiln_jit_spec_options {
    size_t size;
    bool lazy_functions; /* functions are generated when they are called first, at the level that
                                   the spec's arguments ask for */
    const char *const
        *symbols; /* names that it defines, ended by NULL. Default: not known; then it is
                                   compiled when a name is looked for that nobody else has */
    const char
        *engine; /* "jit", the default, or "image": whose code it becomes. What needs a linker
                                   (packages, -l, archives among its sources) becomes an image anyway */
} kiln_jit_spec_options;

/* Promise a library from source: nothing is compiled until one of its symbols is looked up, or code
 * that is being linked needs one, or kiln_jit_link asks for it. The spec is copied; where it becomes code of
 * the JIT, what it depends on has to be in the dylib, or in its search order. Errors: INVALID_ARGUMENT,
 * ALREADY_EXISTS, SPEC, NO_MEMORY; those of its compilation come from the look-up. Since 0.1. */
KILN_API kiln_status kiln_jit_add_spec(kiln_jit_dylib *dylib, const kiln_spec *spec,
                                       const kiln_jit_spec_options *options, kiln_jit_code **code,
                                       kiln_error **error);

/* What kiln_jit_add_bytes takes, from a file; a shared library, too. Blocks for IR and bitcode. Errors: also
 * NOT_FOUND, IO. Since 0.1. */
KILN_API kiln_status kiln_jit_add_file(kiln_jit_dylib *dylib, const char *path,
                                       kiln_jit_code **code, kiln_error **error);
/* A shared library, by path or by the name that dlopen takes. It stays loaded. Errors: NOT_FOUND (or
 * damaged: what the loader says), ALREADY_EXISTS, NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_shared_library(kiln_jit_dylib *dylib, const char *path,
                                                 kiln_jit_code **code, kiln_error **error);
/* Shared libraries that are loaded when they are missing: a symbol that neither code of the dylib nor its
 * search order nor the process has is looked for in those of the directories, in this order (ended by
 * NULL), and the first that exports it is loaded with what it needs, and stays. Weak references load
 * nothing. Which libraries export what is read when a symbol is missing first, and again after a directory
 * has changed. Dylibs in whose order this one is do not look there. Errors: INVALID_ARGUMENT (none),
 * NOT_FOUND (no such directory), NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_library_path(kiln_jit_dylib *dylib,
                                               const char *const *directories, kiln_jit_code **code,
                                               kiln_error **error);
/* A library that is loaded, by either engine, which is held until the code is removed. Errors:
 * ALREADY_EXISTS (the dylib has it, or another of its name), NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_library(kiln_jit_dylib *dylib, kiln_library *library,
                                          kiln_jit_code **code, kiln_error **error);

typedef struct kiln_jit_symbol {
    const char *name;
    const void *address;
} kiln_jit_symbol;

/* Functions and data of the host, under names. name: of all together. To remove them takes the names
 * away; code that was linked keeps the addresses. Errors: ALREADY_EXISTS, NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_symbols(kiln_jit_dylib *dylib, const char *name,
                                          const kiln_jit_symbol *symbols, size_t count,
                                          kiln_jit_code **code, kiln_error **error);
/* What the process exports, as dlsym(RTLD_DEFAULT) finds it, and what of the C library, libm and the C++
 * library it does not have loaded yet: for a dylib that was made without. Errors: NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_jit_add_process_symbols(kiln_jit_dylib *dylib, kiln_jit_code **code,
                                                  kiln_error **error);

/* Remove what one call has added, once for each time that it was. Its destructors run, its symbols are
 * not found any more, its memory goes back to the system: OK. PENDING: it is not found any more either,
 * but some thread still owes the destructor of one of its thread-locals, or of those of code that needs
 * it and was removed before; its memory stays until that thread has ended, and the next look-up, link,
 * addition of code or removal on the JIT then runs its destructors. REFUSED, with the reason: other code
 * refers to it, this thread is running it, a thread is running its constructors or removing it, or it is
 * not linked and a link of this thread's is under way (in constructors of images); then nothing has
 * happened. While its destructors run, other code that needs it does not link (BIND), and its name is
 * taken. Names that the host or a shared library lends go at any time, since the addresses stay. The handle
 * ends with OK and with PENDING. Addresses that the host or another thread keeps lead nowhere afterwards,
 * which nobody can check. Blocks until other threads have run its constructors. Since 0.1. */
KILN_API kiln_status kiln_jit_remove(kiln_jit_code *code, kiln_error **error);
/* Link all of what one call has added, and run its constructors, without a look-up: of a promise, too; of an
 * archive nothing. Of functions that are generated at their first call, all symbols have to be there.
 * Blocks. Errors: as of a look-up. Since 0.1. */
KILN_API kiln_status kiln_jit_link(kiln_jit_code *code, kiln_error **error);

/* A function, or a variable (of thread-local ones, the calling thread's), that code of the dylib would see:
 * its own, its search order's, the process's, a library path's; linked if it is not yet; its
 * constructors have run. name: the symbol's or, of what code of the dylib itself defines, a C++ name,
 * as kiln_library_function takes it. Hidden symbols are not found. NULL on failure. Blocks while it compiles and links. Errors:
 * NOT_FOUND, AMBIGUOUS (the message lists the candidates), BIND (it needs symbols that are missing;
 * the error lists all), any of a compilation's. Since 0.1. */
KILN_API kiln_function kiln_jit_function(kiln_jit_dylib *dylib, const char *name,
                                         kiln_error **error);
KILN_API void *kiln_jit_data(kiln_jit_dylib *dylib, const char *name, kiln_error **error);

/* Call back for every symbol that was added to the dylib, sorted by name, until it returns false; those of a
 * promise when it is kept, none of libraries and of the process. What the host has lent is of kind OTHER.
 * address is NULL in them: looking one up links it. size_bytes 0: not known. The callback must not call
 * Kiln. Since 0.1. */
KILN_API kiln_status kiln_jit_list(kiln_jit_dylib *dylib,
                                   bool (*callback)(const kiln_symbol *symbol, void *user_data),
                                   void *user_data, kiln_error **error);

/* -----------------------------------------------------------------------------------------------
 * Compile only, for hosts with a loader of their own and for shipping ahead of time
 */

typedef enum kiln_output_kind {
    KILN_OUTPUT_OBJECT, /* position independent, one a source */
    KILN_OUTPUT_BITCODE,
    KILN_OUTPUT_IR,
    KILN_OUTPUT_ASSEMBLY,
    KILN_OUTPUT_ARCHIVE,        /* one for the spec */
    KILN_OUTPUT_SHARED_LIBRARY, /* one for the spec, to be installed: it names no image of the cache
                                 */
    KILN_OUTPUT_RAW_BITCODE     /* one a source, not optimised yet: what kiln_jit_add_lazy takes */
} kiln_output_kind;

typedef struct kiln_compile_options {
    size_t size;
    kiln_output_kind kind;
    bool merge; /* objects or bitcode: link them into one */
} kiln_compile_options;

typedef struct kiln_outputs kiln_outputs;

/* Compile a spec without loading it. Cached as loads are. The caller destroys the outputs. Blocks.
 * Errors: any. Since 0.1. */
KILN_API kiln_status kiln_compile(kiln_session *session, const kiln_spec *spec,
                                  const kiln_compile_options *options, kiln_outputs **outputs,
                                  kiln_error **error);
/* How many outputs there are. Since 0.1. */
KILN_API size_t kiln_outputs_count(const kiln_outputs *outputs);

typedef struct kiln_output {
    size_t size;        /* set by the caller */
    const char *source; /* the source, or the spec's name for merged outputs */
    const void *bytes;
    size_t size_bytes;
    bool hit;
} kiln_output;

/* Pointers live as long as the outputs. Since 0.1. */
KILN_API kiln_status kiln_outputs_get(const kiln_outputs *outputs, size_t index,
                                      kiln_output *output);
/* Free outputs with their bytes. NULL is fine. Since 0.1. */
KILN_API void kiln_outputs_destroy(kiln_outputs *outputs);

/* -----------------------------------------------------------------------------------------------
 * The cache
 */

typedef struct kiln_cache_statistics {
    size_t size; /* set by the caller */
    uint64_t entry_count;
    uint64_t total_bytes;
    uint64_t hits, misses; /* since the cache was made; counted at session end */
    uint64_t in_use_count; /* entries that a live process has loaded */
} kiln_cache_statistics;

/* Count what the cache holds. Reads the whole cache directory. Errors: NOT_FOUND (the session has
 * no cache), NO_MEMORY. Since 0.1. */
KILN_API kiln_status kiln_cache_statistics_read(kiln_session *session,
                                                kiln_cache_statistics *statistics,
                                                kiln_error **error);

typedef struct kiln_cache_entry {
    size_t size;
    const char *key;
    const char *name; /* the library, or the source of a cached object */
    const char *kind; /* "image" or "object" */
    uint64_t total_bytes;
    int64_t last_used_unix; /* seconds */
    bool in_use;
} kiln_cache_entry;

/* Call back for each entry, most recently used first, until the callback returns false. Since 0.1.
 */
KILN_API kiln_status kiln_cache_list(kiln_session *session,
                                     bool (*callback)(const kiln_cache_entry *, void *),
                                     void *user_data, kiln_error **error);

/* Check every entry against its digest; bad ones are removed. Since 0.1. */
KILN_API kiln_status kiln_cache_verify(kiln_session *session, uint64_t *checked, uint64_t *removed,
                                       kiln_error **error);

/* Remove the least recently used entries until the cache is at most max_bytes large and no entry is
 * older than max_age_seconds (0: no limit). Entries in use stay. Since 0.1. */
KILN_API kiln_status kiln_cache_collect(kiln_session *session, uint64_t max_bytes,
                                        uint64_t max_age_seconds, uint64_t *removed,
                                        uint64_t *freed_bytes, kiln_error **error);

/* Remove everything that is not in use. Since 0.1. */
KILN_API kiln_status kiln_cache_clear(kiln_session *session, uint64_t *removed, kiln_error **error);

/* Why the last load of `library` (NULL: the last load of any) was a miss, as text for people, one
 * reason a line. The caller frees it with kiln_string_destroy. NOT_FOUND where no miss is recorded.
 * Since 0.1. */
KILN_API kiln_status kiln_cache_explain(kiln_session *session, const char *library, char **text,
                                        kiln_error **error);
/* Free a string that a call handed out. NULL is fine. Since 0.1. */
KILN_API void kiln_string_destroy(char *string);

#ifdef __cplusplus
}
#endif

#endif
