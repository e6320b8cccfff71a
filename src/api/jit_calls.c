/* jit_calls.c - live code: see kiln.h. The handles of dylibs and of code are the plugin's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/jit_host.h"
#include "api/live_library.h"
#include "api/session.h"
#include "base/path.h"
#include "base/text.h"
#include "build/spec.h"
#include "os/os.h"

static jit_dylib *inner_dylib(kiln_jit_dylib *dylib)
{
    return (jit_dylib *)dylib;
}

static kiln_status begin(const void *argument, const char *name, kiln_error **error)
{
    if (error)
        *error = NULL;
    return argument ? KILN_OK : error_null(error, name);
}

/* ---- JITs and dylibs ---- */

static kiln_status read_optimisation(const char *text, unsigned *level, kiln_error **error)
{
    *level = 2;
    if (!text)
        return KILN_OK;
    if (strlen(text) == 3 && strncmp(text, "-O", 2) == 0 && text[2] >= '0' && text[2] <= '3') {
        *level = (unsigned)(text[2] - '0');
        return KILN_OK;
    }
    return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                     "the JIT's optimisation is '%s': it has to be one of -O0 -O1 -O2 -O3", text);
}

kiln_status kiln_jit_create(kiln_session *session, const kiln_jit_options *options, kiln_jit **jit,
                            kiln_error **error)
{
    kiln_jit_options ours;
    jit_config config = {0};
    const jit_plugin *plugin;
    kiln_status status = begin(jit, "jit", error);
    if (status == KILN_OK)
        status = options_read(&ours, sizeof ours, options, "JIT", error);
    if (status == KILN_OK)
        status = read_optimisation(ours.optimisation, &config.optimisation, error);
    if (status == KILN_OK)
        status = jit_plugin_load(ours.plugin_path, &plugin, error);
    if (status != KILN_OK)
        return status;
    session = session_or_default(session);
    kiln_jit *made = session ? calloc(1, sizeof *made) : NULL;
    if (!made)
        return error_no_memory(error);
    made->session = session;
    made->object_callback = ours.object_callback;
    made->object_data = ours.object_data;
    made->call_failed = ours.call_failed;
    made->call_failed_data = ours.call_failed_data;
    made->ir_in_process = ours.ir_in_process;
    snprintf(made->optimisation, sizeof made->optimisation, "-O%u", config.optimisation & 3);
    config.host = jit_host_of(made);
    config.slab_bytes = ours.address_space_bytes;
    config.perf_map = ours.perf_map;
    status = plugin->create(&config, &made->engine, error);
    if (status != KILN_OK) {
        free(made);
        return status;
    }
    *jit = made;
    return KILN_OK;
}

void kiln_jit_destroy(kiln_jit *jit)
{
    if (!jit)
        return;
    jit_plugin_loaded()->destroy(jit->engine);
    free(jit);
}

size_t kiln_jit_memory_bytes(const kiln_jit *jit)
{
    return jit ? jit_plugin_loaded()->memory(jit->engine) : 0;
}

kiln_status kiln_jit_add_dylib(kiln_jit *jit, const char *name,
                               const kiln_jit_dylib_options *options, kiln_jit_dylib **dylib,
                               kiln_error **error)
{
    kiln_jit_dylib_options ours;
    jit_dylib *made;
    jit_code *code;
    kiln_status status = begin(jit, "jit", error);
    if (status == KILN_OK && (!name || !dylib))
        status = error_null(error, name ? "dylib" : "name");
    if (status == KILN_OK)
        status = options_read(&ours, sizeof ours, options, "dylib", error);
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add_dylib(jit->engine, name, &made, error);
    if (status == KILN_OK && !ours.no_process_symbols)
        status = jit_plugin_loaded()->add_process(made, &code, error);
    if (status == KILN_OK)
        *dylib = (kiln_jit_dylib *)made;
    return status;
}

kiln_status kiln_jit_set_search_order(kiln_jit_dylib *dylib, kiln_jit_dylib *const *order,
                                      size_t count, kiln_error **error)
{
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && count && !order)
        status = error_null(error, "order");
    return status == KILN_OK ? jit_plugin_loaded()->set_search_order(
                                   inner_dylib(dylib), (jit_dylib *const *)order, count, error)
                             : status;
}

/* ---- adding ---- */

static kiln_status give(kiln_status status, jit_code *made, kiln_jit_code **code)
{
    if (status == KILN_OK && code)
        *code = (kiln_jit_code *)made;
    return status;
}

static bool is_ir(const void *bytes, size_t size)
{
    bool is_elf = size >= 4 && memcmp(bytes, "\177ELF", 4) == 0;
    bool is_archive = size >= 7 && memcmp(bytes, "!<arch>", 7) == 0;
    bool is_thin_archive = size >= 7 && memcmp(bytes, "!<thin>", 7) == 0;
    return !is_elf && !is_archive && !is_thin_archive;
}

static kiln_status add_ir(kiln_jit_dylib *dylib, const jit_input *input, jit_code **code,
                          kiln_error **error)
{
    kiln_outputs *outputs;
    kiln_output output = {.size = sizeof output};
    const kiln_jit *jit = jit_plugin_loaded()->host_data(inner_dylib(dylib));
    if (jit->ir_in_process)
        return jit_plugin_loaded()->add(inner_dylib(dylib), input, code, error);
    kiln_status status =
        jit_compile_ir(jit, input->name, input->bytes, input->size, &outputs, error);
    if (status != KILN_OK)
        return status;
    kiln_outputs_get(outputs, 0, &output);
    const jit_input object = {.name = input->name,
                              .bytes = output.bytes,
                              .size = output.size_bytes,
                              .made_of = input->bytes,
                              .made_of_size = input->size};
    status = jit_plugin_loaded()->add(inner_dylib(dylib), &object, code, error);
    kiln_outputs_destroy(outputs);
    return status;
}

kiln_status kiln_jit_add_bytes(kiln_jit_dylib *dylib, const char *name, const void *bytes,
                               size_t size, kiln_jit_code **code, kiln_error **error)
{
    const jit_input input = {.name = name, .bytes = bytes, .size = size};
    jit_code *made = NULL;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && (!name || !bytes))
        status = error_null(error, name ? "bytes" : "name");
    if (status == KILN_OK && !size)
        status = error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC, "'%s' is empty", name);
    if (status == KILN_OK && is_ir(bytes, size))
        status = add_ir(dylib, &input, &made, error);
    else if (status == KILN_OK)
        status = jit_plugin_loaded()->add(inner_dylib(dylib), &input, &made, error);
    return give(status, made, code);
}

kiln_status kiln_jit_add_lazy(kiln_jit_dylib *dylib, const char *name, const void *bytes,
                              size_t size, const char *optimisation, kiln_jit_code **code,
                              kiln_error **error)
{
    jit_input input = {.name = name, .bytes = bytes, .size = size, .lazy = true};
    jit_code *made = NULL;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && (!name || !bytes))
        status = error_null(error, name ? "bytes" : "name");
    if (status != KILN_OK)
        return status;
    const kiln_jit *jit = jit_plugin_loaded()->host_data(inner_dylib(dylib));
    status = read_optimisation(optimisation ? optimisation : jit->optimisation, &input.optimisation,
                               error);
    if (status == KILN_OK && (size < 4 || memcmp(bytes, "BC\xc0\xde", 4) != 0))
        status =
            error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC, "'%s' is no bitcode", name);
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add(inner_dylib(dylib), &input, &made, error);
    return give(status, made, code);
}

/* ---- promises ---- */

typedef struct promise {
    kiln_session *session;
    kiln_spec *spec;
    bool lazy_functions, as_image;
} promise;

static void promise_destroy(void *data)
{
    promise *promise = data;
    kiln_spec_destroy(promise->spec);
    free(promise);
}

static kiln_status keep_by_image(const promise *promise, jit_dylib *dylib, jit_code *owner,
                                 kiln_error **error)
{
    kiln_library *library;
    jit_code *code;
    char *name = text_print("%s#image", promise->spec->name);
    if (!name)
        return error_no_memory(error);
    kiln_status status =
        kiln_library_load_spec(promise->session, promise->spec, NULL, &library, error);
    if (status == KILN_OK) {
        status = jit_plugin_loaded()->add_library(dylib, name, library, &code, error);
        if (status == KILN_OK)
            jit_plugin_loaded()->keep_with(owner, code);
        else
            kiln_library_close(library);
    }
    free(name);
    return status;
}

static kiln_status keep(void *data, jit_dylib *dylib, jit_code *owner, kiln_error **error)
{
    const promise *promise = data;
    kiln_jit_dylib *outer = (kiln_jit_dylib *)dylib;
    kiln_outputs *outputs;
    kiln_jit_code *code;
    if (promise->as_image)
        return keep_by_image(promise, dylib, owner, error);
    build_context context =
        session_context(promise->session, session_sink(promise->session), HOT_OFF, -1);
    kiln_status status = live_compile(promise->session, promise->spec, promise->lazy_functions,
                                      &context, &outputs, error);
    if (status != KILN_OK)
        return status;
    if (promise->spec->host_symbol_count) {
        status = live_add_host_symbols(outer, promise->spec, &code, error);
        if (status == KILN_OK)
            jit_plugin_loaded()->keep_with(owner, (jit_code *)code);
    }
    /* The last one: it is removed first, and then still finds what its destructors need. */
    if (status == KILN_OK)
        status =
            live_add_output(outer, promise->spec, promise->lazy_functions, outputs, &code, error);
    if (status == KILN_OK)
        jit_plugin_loaded()->keep_with(owner, (jit_code *)code);
    kiln_outputs_destroy(outputs);
    return status;
}

static kiln_status read_engine(const kiln_jit_spec_options *options, const kiln_spec *spec,
                               bool *as_image, kiln_error **error)
{
    const bind_options plain = {.live = true, .lazy = options->lazy_functions};
    const char *engine = options->engine ? options->engine : "jit";
    if (strcmp(engine, "jit") != 0 && strcmp(engine, "image") != 0)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "there is no engine '%s' in this version: use 'image' or 'jit'", engine);
    *as_image = strcmp(engine, "image") == 0 || !live_is_possible(spec, &plain);
    return KILN_OK;
}

kiln_status kiln_jit_add_spec(kiln_jit_dylib *dylib, const kiln_spec *spec,
                              const kiln_jit_spec_options *options, kiln_jit_code **code,
                              kiln_error **error)
{
    kiln_jit_spec_options ours;
    jit_code *made = NULL;
    bool as_image = false;
    size_t count = 0;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && !spec)
        status = error_null(error, "spec");
    if (status == KILN_OK)
        status = options_read(&ours, sizeof ours, options, "spec", error);
    if (status == KILN_OK)
        status = spec_check(spec, error);
    if (status == KILN_OK)
        status = read_engine(&ours, spec, &as_image, error);
    if (status != KILN_OK)
        return status;
    promise *promise = calloc(1, sizeof *promise);
    if (!promise)
        return error_no_memory(error);
    const kiln_jit *jit = jit_plugin_loaded()->host_data(inner_dylib(dylib));
    *promise = (struct promise){.session = jit->session,
                                .spec = spec_copy(spec),
                                .lazy_functions = ours.lazy_functions,
                                .as_image = as_image};
    if (!promise->spec) {
        promise_destroy(promise);
        return error_no_memory(error);
    }
    while (ours.symbols && ours.symbols[count])
        count++;
    const jit_promise what = {.name = spec->name,
                              .symbols = ours.symbols,
                              .symbol_count = count,
                              .keep = keep,
                              .destroy = promise_destroy,
                              .data = promise};
    status = jit_plugin_loaded()->add_promise(inner_dylib(dylib), &what, &made, error);
    return give(status, made, code);
}

static bool is_shared_library(const uint8_t *bytes, size_t size)
{
    enum { type_at = 16, dynamic = 3 }; /* ELF's e_type, ET_DYN */
    return size > type_at && memcmp(bytes, "\177ELF", 4) == 0 && bytes[type_at] == dynamic;
}

kiln_status kiln_jit_add_file(kiln_jit_dylib *dylib, const char *path, kiln_jit_code **code,
                              kiln_error **error)
{
    uint8_t *bytes = NULL;
    size_t size;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && !path)
        status = error_null(error, "path");
    if (status != KILN_OK)
        return status;
    if (os_read_file(AT_FDCWD, path, &bytes, &size))
        return error_set_errno(error, errno == ENOENT ? KILN_NOT_FOUND : KILN_IO, KILN_PHASE_SPEC,
                               errno, "cannot read '%s'", path);
    if (is_shared_library(bytes, size)) {
        /* The loader looks elsewhere for a name without a folder. */
        char *own = strchr(path, '/') ? strdup(path) : text_print("./%s", path);
        status =
            own ? kiln_jit_add_shared_library(dylib, own, code, error) : error_no_memory(error);
        free(own);
    } else {
        status = kiln_jit_add_bytes(dylib, path, bytes, size, code, error);
    }
    free(bytes);
    return status;
}

kiln_status kiln_jit_add_shared_library(kiln_jit_dylib *dylib, const char *path,
                                        kiln_jit_code **code, kiln_error **error)
{
    jit_code *made = NULL;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && !path)
        status = error_null(error, "path");
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add_shared_library(inner_dylib(dylib), path, &made, error);
    return give(status, made, code);
}

static kiln_status check_directories(const char *const *directories, size_t *count,
                                     kiln_error **error)
{
    for (*count = 0; directories[*count]; ++*count) {
        struct stat state;
        const char *path = directories[*count];
        int errno_value = stat(path, &state) ? errno : S_ISDIR(state.st_mode) ? 0 : ENOTDIR;
        if (errno_value)
            return error_set_errno(error, KILN_NOT_FOUND, KILN_PHASE_SPEC, errno_value,
                                   "cannot look for libraries in '%s'", path);
    }
    return *count ? KILN_OK
                  : error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                              "a path of libraries needs a directory");
}

kiln_status kiln_jit_add_library_path(kiln_jit_dylib *dylib, const char *const *directories,
                                      kiln_jit_code **code, kiln_error **error)
{
    jit_code *made = NULL;
    size_t count;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && !directories)
        status = error_null(error, "directories");
    if (status == KILN_OK)
        status = check_directories(directories, &count, error);
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add_library_path(inner_dylib(dylib), directories, count,
                                                       &made, error);
    return give(status, made, code);
}

kiln_status kiln_jit_add_library(kiln_jit_dylib *dylib, kiln_library *library, kiln_jit_code **code,
                                 kiln_error **error)
{
    jit_code *made = NULL;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && !library)
        status = error_null(error, "library");
    if (status != KILN_OK)
        return status;
    pthread_mutex_lock(&library->session->mutex);
    library->references++;
    pthread_mutex_unlock(&library->session->mutex);
    status = jit_plugin_loaded()->add_library(inner_dylib(dylib), library->image->name, library,
                                              &made, error);
    if (status != KILN_OK)
        kiln_library_close(library);
    return give(status, made, code);
}

kiln_status kiln_jit_add_symbols(kiln_jit_dylib *dylib, const char *name,
                                 const kiln_jit_symbol *symbols, size_t count, kiln_jit_code **code,
                                 kiln_error **error)
{
    jit_code *made = NULL;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK && (!name || (count && !symbols)))
        status = error_null(error, name ? "symbols" : "name");
    jit_symbol *inner = status == KILN_OK ? calloc(count + 1, sizeof *inner) : NULL;
    if (status == KILN_OK && !inner)
        status = error_no_memory(error);
    for (size_t i = 0; status == KILN_OK && i < count; i++) {
        inner[i] = (jit_symbol){symbols[i].name, (void *)(uintptr_t)symbols[i].address};
        if (!symbols[i].name)
            status = error_null(error, "symbols[].name");
    }
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add_symbols(inner_dylib(dylib), name, inner, count, false,
                                                  &made, error);
    free(inner);
    return give(status, made, code);
}

kiln_status kiln_jit_add_process_symbols(kiln_jit_dylib *dylib, kiln_jit_code **code,
                                         kiln_error **error)
{
    jit_code *made = NULL;
    kiln_status status = begin(dylib, "dylib", error);
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add_process(inner_dylib(dylib), &made, error);
    return give(status, made, code);
}

kiln_status kiln_jit_link(kiln_jit_code *code, kiln_error **error)
{
    kiln_status status = begin(code, "code", error);
    return status == KILN_OK ? jit_plugin_loaded()->link((jit_code *)code, error) : status;
}

kiln_status kiln_jit_remove(kiln_jit_code *code, kiln_error **error)
{
    kiln_status status = begin(code, "code", error);
    return status == KILN_OK ? jit_plugin_loaded()->remove((jit_code *)code, error) : status;
}
