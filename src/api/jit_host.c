/* jit_host.c - see jit_host.h. */
#include "api/jit_host.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/live_library.h"
#include "api/session.h"
#include "api/thread_waits.h"
#include "base/path.h"
#include "base/text.h"
#include "os/os.h"

/* ---- the plugin ---- */

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static const jit_plugin *plugin;

static char *path_beside_libkiln(void)
{
    char *library = os_path_of_address((const void *)(uintptr_t)path_beside_libkiln);
    char *folder = library ? path_parent(library) : NULL;
    char *path = folder ? path_join(folder, "libkiln-jit.so") : NULL;
    free(folder);
    free(library);
    return path;
}

static kiln_status open_plugin(const char *path, kiln_error **error)
{
    char *message = NULL;
    void *handle;
    if (os_load(path, false, &handle, &message)) {
        kiln_status status =
            message ? error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                                "cannot load the engine for live code: %s (install libkiln-jit, or "
                                "say where it is: KILN_JIT_PLUGIN, or the option plugin_path)",
                                message)
                    : error_no_memory(error);
        free(message);
        return status;
    }
    const jit_plugin *(*table)(void) =
        (const jit_plugin *(*)(void))(uintptr_t)os_lookup(handle, JIT_PLUGIN_SYMBOL);
    const jit_plugin *found = table ? table() : NULL;
    if (!found || found->version != jit_plugin_version)
        return error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                         "'%s' is no engine for live code of this version of libkiln", path);
    plugin = found;
    return KILN_OK;
}

kiln_status jit_plugin_load(const char *path, const jit_plugin **out, kiln_error **error)
{
    kiln_status status = KILN_OK;
    pthread_mutex_lock(&loading);
    if (!plugin) {
        const char *named = path ? path : secure_getenv("KILN_JIT_PLUGIN");
        char *own = named && *named ? strdup(named) : path_beside_libkiln();
        status = own ? open_plugin(own, error) : error_no_memory(error);
        free(own);
    }
    *out = plugin;
    pthread_mutex_unlock(&loading);
    return status;
}

void jit_before_fork(void)
{
    pthread_mutex_lock(&loading);
    if (plugin)
        plugin->before_fork(os_exit_list_hold, os_exit_list_release);
    else
        os_exit_list_hold(/*wait_ms=*/100);
}

void jit_after_fork(bool in_child)
{
    os_exit_list_release(in_child);
    if (plugin)
        plugin->after_fork(in_child);
    pthread_mutex_unlock(&loading);
}

const jit_plugin *jit_plugin_loaded(void)
{
    return plugin;
}

/* ---- what it asks for ---- */

static kiln_status fail(kiln_error **error, kiln_status code, kiln_phase phase, const char *message)
{
    return error_set(error, code, phase, "%s", message);
}

static void add_missing(kiln_error *error, const char *name)
{
    char *demangled = os_demangle(name);
    error_add_missing_symbol(error, name, demangled ? demangled : name, "", NULL);
    free(demangled);
}

static const char *error_text(const kiln_error *error)
{
    return error ? kiln_error_rendered(error) : "out of memory";
}

char *jit_emulated_name(const char *name)
{
    return text_print("__emutls_v.%s", name);
}

/* A name that a spec may have. */
static char *spec_name(const char *name)
{
    char *made = strdup(name);
    for (char *c = made; c && *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._+-", *c))
            *c = '_';
    return made;
}

kiln_status jit_compile_ir(const kiln_jit *jit, const char *name, const void *bytes, size_t size,
                           kiln_outputs **outputs, kiln_error **error)
{
    bool is_bitcode = size >= 4 && memcmp(bytes, "BC\xc0\xde", 4) == 0;
    const kiln_compile_options options = {.size = sizeof options, .kind = KILN_OUTPUT_OBJECT};
    const char *const arguments[] = {jit->optimisation, "-fPIC", "-femulated-tls", NULL};
    char *own = spec_name(name);
    char *path = own ? text_print("%s.%s", own, is_bitcode ? "bc" : "ll") : NULL;
    kiln_spec *spec = path ? kiln_spec_create(own) : NULL;
    kiln_status status = spec ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK) {
        kiln_spec_add_memory_source(spec, path, bytes, size, NULL);
        kiln_spec_add_arguments(spec, KILN_PRIVATE, arguments);
        status = kiln_compile(jit->session, spec, &options, outputs, error);
    }
    kiln_spec_destroy(spec);
    free(path);
    free(own);
    return status;
}

static kiln_status load_object(void *data, const char *name, const void *bytes, size_t size,
                               bool cxx, const jit_symbol *symbols, size_t count, void **library,
                               kiln_error **error)
{
    const kiln_jit *jit = data;
    char *own = spec_name(name);
    char *path = own ? text_print("%s.o", own) : NULL;
    kiln_spec *spec = path ? kiln_spec_create(own) : NULL;
    kiln_library *loaded = NULL;
    kiln_status status = spec ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK) {
        kiln_spec_add_memory_source(spec, path, bytes, size, NULL);
        if (cxx)
            kiln_spec_add_arguments(spec, KILN_PRIVATE,
                                    (const char *const[]){"-lstdc++", "-lm", NULL});
        for (size_t i = 0; i < count; i++)
            kiln_spec_add_host_symbol(spec, symbols[i].name, symbols[i].address);
        status = kiln_library_load_spec(jit->session, spec, NULL, &loaded, error);
    }
    *library = loaded;
    kiln_spec_destroy(spec);
    free(path);
    free(own);
    return status;
}

/* By the linker's name alone. */
static void *library_symbol(void *library, const char *name)
{
    const kiln_library *found = library;
    if (found->live)
        return live_definition(found, name);
    return found->hot ? kiln_library_data(found, name, NULL)
                      : load_symbol_address(found->loaded, name);
}

static bool library_may_define(void *library, const char *name)
{
    const kiln_library *found = library;
    return found->live || found->hot || load_symbol_address(found->loaded, name);
}

static kiln_status close_library(void *library, char id[jit_image_id_size])
{
    static_assert((int)jit_image_id_size >= (int)record_image_id_size, "an id has room");
    const kiln_library *closed = library;
    snprintf(id, jit_image_id_size, "%s", closed->image->id);
    return kiln_library_close(library);
}

static bool has_left(const char *id)
{
    load_collect();
    return !load_is_mapped(id);
}

static void keep_library(void *library)
{
    const kiln_library *kept = library;
    if (kept->loaded) /* live ones are another engine's code */
        load_keep(kept->loaded);
}

static void tell_object(void *data, const char *name, const void *begin, size_t size, bool removed)
{
    const kiln_jit *jit = data;
    jit->object_callback(&(kiln_jit_object){.size = sizeof(kiln_jit_object),
                                            .name = name,
                                            .address = begin,
                                            .size_bytes = size,
                                            .removed = removed},
                         jit->object_data);
}

static void *call_failed(void *data, const char *function, const char *message)
{
    const kiln_jit *jit = data;
    kiln_function instead =
        jit->call_failed ? jit->call_failed(function, message, jit->call_failed_data) : NULL;
    if (instead)
        return (void *)(uintptr_t)instead;
    fprintf(stderr, "kiln: '%s' was called, and cannot be compiled: %s\n", function, message);
    fflush(stderr);
    abort();
}

jit_host jit_host_of(kiln_jit *jit)
{
    return (jit_host){.data = jit,
                      .fail = fail,
                      .add_missing = add_missing,
                      .error_text = error_text,
                      .error_destroy = kiln_error_destroy,
                      .load_object = load_object,
                      .library_symbol = library_symbol,
                      .library_may_define = library_may_define,
                      .close_library = close_library,
                      .has_left = has_left,
                      .keep_library = keep_library,
                      .wait_begin = thread_wait_begin,
                      .wait_end = thread_wait_end,
                      .wait_over = thread_wait_over,
                      .call_failed = call_failed,
                      .exit_list_enter = os_exit_list_enter,
                      .exit_list_leave = os_exit_list_leave,
                      .object_event = jit->object_callback ? tell_object : NULL};
}
