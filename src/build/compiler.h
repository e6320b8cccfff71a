/* compiler.h - the compiler process, as a session sees it.
 *
 * It is started at the first need and again whenever it has gone. Its standing with the host is
 * os_spawn_detached's: the host never notices a child. Thread-safe; the mutex inside is held while
 * the process starts and while a job is handed over, never while one runs. */
#ifndef KILN_BUILD_COMPILER_H
#define KILN_BUILD_COMPILER_H

#include "base/digest.h"
#include "base/error.h"

typedef struct store store;
typedef struct compiler compiler;

typedef struct compiler_options {
    const char *path; /* of kiln-compiler; NULL: $KILN_COMPILER, else beside this library */
    uint32_t job_seconds;
    uint64_t job_memory_bytes; /* 0: three quarters of the memory */
} compiler_options;

kiln_status compiler_create(const compiler_options *options, compiler **out, kiln_error **error);
/* Ends the process, and waits until it has gone. NULL is fine. */
void compiler_destroy(compiler *compiler);
void compiler_stop(compiler *compiler);

/* What names this compiler in keys. A cache remembers it, so that a warm load starts no process;
 * store may be NULL. */
kiln_status compiler_identify(compiler *compiler, store *store, int cancel, digest *identity,
                              kiln_error **error);

/* Have a job made; *socket is the host's end of its connection. Errors: COMPILER, IO. */
kiln_status compiler_open_job(compiler *compiler, int cancel, int *socket, kiln_error **error);

/* The fork handlers of a session: hold the mutex over the fork; in the child, drop the connection
 * without a word. */
void compiler_before_fork(compiler *compiler);
void compiler_after_fork(compiler *compiler, bool in_child);

#endif
