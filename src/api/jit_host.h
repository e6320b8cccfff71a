/* jit_host.h - what libkiln does for libkiln-jit (jit/jit_plugin.h), and where that is loaded. */
#ifndef KILN_API_JIT_HOST_H
#define KILN_API_JIT_HOST_H

#include "jit/jit_plugin.h"

struct kiln_jit {
    kiln_session *session;
    jit_engine *engine;
    bool ir_in_process;
    char optimisation[4];
    kiln_jit_object_callback object_callback;
    void *object_data;
    kiln_jit_call_failed call_failed;
    void *call_failed_data;
};

/* The plugin, loaded at the first call and for good. path: NULL: where it lies by default. Errors:
 * UNSUPPORTED, NO_MEMORY. */
kiln_status jit_plugin_load(const char *path, const jit_plugin **plugin, kiln_error **error);
/* The fork handlers. Links may load libraries: before those of sessions. Meanwhile libc's list of exit
 * handlers is held (os/os.h). */
void jit_before_fork(void);
void jit_after_fork(bool in_child);
/* The plugin, which was loaded. */
const jit_plugin *jit_plugin_loaded(void);

/* Compile IR or bitcode to an object that the engine can link, in the compiler's process. The caller
 * destroys the outputs; there is one. Errors: any of a compilation's. */
kiln_status jit_compile_ir(const kiln_jit *jit, const char *name, const void *bytes, size_t size,
                           kiln_outputs **outputs, kiln_error **error);

/* The name of what describes a thread-local variable (LLVM's emulated TLS); malloc'd. */
char *jit_emulated_name(const char *name);

/* The functions for one JIT, which is their data. */
jit_host jit_host_of(kiln_jit *jit);

#endif
