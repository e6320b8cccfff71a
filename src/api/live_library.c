/* live_library.c - see live_library.h. */
#include "api/live_library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/jit_host.h"
#include "api/live_flight.h"
#include "base/array.h"
#include "build/units.h"
#include "os/os.h"
#include "wire.pb-c.h"

struct live_library {
    kiln_jit_dylib *dylib;
    kiln_jit_code **code; /* in the order of addition */
    size_t count, capacity;
};

/* ---- whether it can be ---- */

/* Assembly has no functions that could be generated one by one. */
static bool is_code(input_kind kind, bool lazy)
{
    return kind == INPUT_C || kind == INPUT_CXX || kind == INPUT_IR || kind == INPUT_BITCODE ||
           (!lazy && (kind == INPUT_ASSEMBLY || kind == INPUT_ASSEMBLY_CPP));
}

static bool needs_linker(const char *argument)
{
    static const char *const harmless[] = {"-lm", "-lc", "-lpthread", "-ldl", "-lrt", "-lstdc++"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(argument, harmless[i]) == 0)
            return false;
    return strncmp(argument, "-l", 2) == 0 || strncmp(argument, "-L", 2) == 0 ||
           strncmp(argument, "-Wl,", 4) == 0 || strncmp(argument, "-fsanitize", 10) == 0 ||
           strncmp(argument, "-flto", 5) == 0 || strcmp(argument, "-Xlinker") == 0;
}

bool live_is_possible(const kiln_spec *spec, const bind_options *options)
{
    bool possible = !options->global && options->hot == HOT_OFF && !spec->packages.count &&
                    spec->source_count > 0;
    for (size_t i = 0; possible && i < spec->source_count; i++)
        possible =
            is_code(units_kind(spec, &spec->sources[i], spec->sources[i].path), options->lazy);
    for (size_t i = 0; possible && i < spec->argument_count; i++)
        possible = !needs_linker(spec->arguments[i].text);
    return possible;
}

/* ---- the session's JIT ---- */

static kiln_jit *existing_jit(kiln_session *session)
{
    pthread_mutex_lock(&session->mutex);
    kiln_jit *jit = session->jit;
    pthread_mutex_unlock(&session->mutex);
    return jit;
}

static kiln_status jit_of(kiln_session *session, kiln_jit **jit, kiln_error **error)
{
    kiln_jit *made = NULL;
    *jit = existing_jit(session);
    if (*jit)
        return KILN_OK;
    kiln_status status = kiln_jit_create(session, NULL, &made, error);
    if (status != KILN_OK)
        return status;
    pthread_mutex_lock(&session->mutex);
    if (!session->jit) {
        session->jit = made;
        made = NULL;
    }
    *jit = session->jit;
    pthread_mutex_unlock(&session->mutex);
    kiln_jit_destroy(made);
    return KILN_OK;
}

void live_end(kiln_session *session)
{
    kiln_jit_destroy(session->jit);
    session->jit = NULL;
}

/* ---- what it is made of ---- */

typedef struct loading {
    kiln_session *session;
    const kiln_spec *spec;
    const bind_options *options;
    kiln_library **dependencies;
    size_t dependency_count;
    kiln_outputs *outputs;
    digest content; /* of all that it is made of, and was lent */
    bool hit;
    kiln_error **error;
} loading;

static void loading_end(loading *loading)
{
    for (size_t i = 0; i < loading->dependency_count; i++)
        kiln_library_close(loading->dependencies[i]);
    free(loading->dependencies);
    kiln_outputs_destroy(loading->outputs);
}

static kiln_status load_dependencies(loading *loading)
{
    const string_list *names = &loading->spec->dependencies;
    const kiln_load_options same = {
        .size = sizeof same, .engine = "jit", .lazy = loading->options->lazy};
    loading->dependencies = calloc(names->count + 1, sizeof *loading->dependencies);
    kiln_status status = loading->dependencies ? KILN_OK : error_no_memory(loading->error);
    for (size_t i = 0; status == KILN_OK && i < names->count; i++) {
        status = kiln_library_load(loading->session, names->items[i], &same,
                                   &loading->dependencies[i], loading->error);
        loading->dependency_count += status == KILN_OK;
    }
    return status;
}

kiln_status live_compile(kiln_session *session, const kiln_spec *spec, bool lazy,
                         const build_context *context, kiln_outputs **outputs, kiln_error **error)
{
    static const char *const emulated[] = {"-femulated-tls", NULL};
    /* Merged: what its sources do at load and at the end has one order. */
    const kiln_compile_options how = {.size = sizeof how,
                                      .kind = lazy ? KILN_OUTPUT_RAW_BITCODE : KILN_OUTPUT_OBJECT,
                                      .merge = true};
    kiln_status status = spec_check(spec, error);
    if (status != KILN_OK)
        return status;
    kiln_spec *own = spec_copy(spec);
    if (!own || kiln_spec_add_arguments(own, KILN_PRIVATE, emulated) != KILN_OK)
        status = error_no_memory(error);
    if (status == KILN_OK)
        status = session_compile(session, own, &how, context, outputs, error);
    kiln_spec_destroy(own);
    return status;
}

static kiln_status compile_dependency(kiln_session *session, const kiln_spec *spec,
                                      const bind_options *options, const build_context *context,
                                      kiln_error **error)
{
    kiln_outputs *outputs = NULL;
    closure closure;
    if (live_is_possible(spec, options)) {
        kiln_status status = live_compile(session, spec, options->lazy, context, &outputs, error);
        kiln_outputs_destroy(outputs);
        return status;
    }
    kiln_spec *own = spec_copy(spec);
    if (!own)
        return error_no_memory(error);
    kiln_status status = session_build(session, own, context, &closure, error);
    if (status == KILN_OK)
        closure_destroy(&closure);
    return status;
}

kiln_status live_compile_dependencies(kiln_session *session, const kiln_spec *spec,
                                      const bind_options *options, const build_context *context,
                                      kiln_error **error)
{
    build_context silent = *context;
    silent.events = (event_sink){0}; /* warnings come when it is loaded */
    closure closure;
    size_t *direct;
    if (!context->store)
        return KILN_OK;
    kiln_status status =
        session_find_dependencies(session, spec, &silent, false, &closure, &direct, error);
    if (status != KILN_OK)
        return status;
    for (size_t i = 0; status == KILN_OK && i < closure.count; i++)
        status = compile_dependency(session, closure.nodes[i].spec, options, &silent, error);
    free(direct);
    closure_destroy(&closure);
    return status;
}

static void digest_loading(loading *loading)
{
    digest_state state;
    digest_begin(&state);
    digest_string(&state, loading->spec->name);
    digest_number(&state, loading->options->lazy);
    loading->hit = true;
    for (size_t i = 0; i < kiln_outputs_count(loading->outputs); i++) {
        kiln_output output = {.size = sizeof output};
        kiln_outputs_get(loading->outputs, i, &output);
        digest_field(&state, output.bytes, output.size_bytes);
        loading->hit &= output.hit;
    }
    for (size_t i = 0; i < loading->dependency_count; i++)
        digest_string(&state, loading->dependencies[i]->image->id);
    for (size_t i = 0; i < loading->spec->host_symbol_count; i++) {
        digest_string(&state, loading->spec->host_symbols[i].name);
        digest_number(&state, (uintptr_t)loading->spec->host_symbols[i].address);
    }
    loading->content = digest_end(&state);
}

/* ---- adding it to the JIT ---- */

static kiln_status keep_code(struct live_library *live, kiln_status status, kiln_jit_code *code,
                             kiln_error **error)
{
    if (status != KILN_OK)
        return status;
    kiln_jit_code **place =
        array_add((void **)&live->code, &live->count, &live->capacity, sizeof *place);
    if (!place)
        return error_no_memory(error);
    *place = code;
    return KILN_OK;
}

kiln_status live_add_host_symbols(kiln_jit_dylib *dylib, const kiln_spec *spec,
                                  kiln_jit_code **code, kiln_error **error)
{
    jit_symbol *symbols = calloc(spec->host_symbol_count + 1, sizeof *symbols);
    jit_code *made = NULL;
    char *name = text_print("%s#host", spec->name);
    kiln_status status = symbols && name ? KILN_OK : error_no_memory(error);
    for (size_t i = 0; status == KILN_OK && i < spec->host_symbol_count; i++)
        symbols[i] = (jit_symbol){spec->host_symbols[i].name,
                                  (void *)(uintptr_t)spec->host_symbols[i].address};
    if (status == KILN_OK)
        status = jit_plugin_loaded()->add_symbols((jit_dylib *)dylib, name, symbols,
                                                  spec->host_symbol_count, true, &made, error);
    free(symbols);
    free(name);
    *code = (kiln_jit_code *)made;
    return status;
}

kiln_status live_add_output(kiln_jit_dylib *dylib, const kiln_spec *spec, bool lazy,
                            const kiln_outputs *outputs, kiln_jit_code **code, kiln_error **error)
{
    char level[4];
    kiln_output output = {.size = sizeof output};
    kiln_outputs_get(outputs, 0, &output); /* merged: there is one */
    char *name = text_print("%s#0", output.source);
    if (!name)
        return error_no_memory(error);
    spec_optimisation(spec, level);
    kiln_status status =
        lazy ? kiln_jit_add_lazy(dylib, name, output.bytes, output.size_bytes, level, code, error)
             : kiln_jit_add_bytes(dylib, name, output.bytes, output.size_bytes, code, error);
    free(name);
    return status;
}

/* What a library sees: its dependencies, and theirs, each once. */
typedef struct view {
    kiln_library **items;
    size_t count, capacity;
} view;

static bool add_view(view *view, kiln_library *const *libraries, size_t count)
{
    size_t first = view->count;
    for (size_t i = 0; i < count; i++) {
        bool is_known = false;
        for (size_t k = 0; k < view->count; k++)
            is_known |= view->items[k] == libraries[i];
        kiln_library **place = is_known ? NULL
                                        : array_add((void **)&view->items, &view->count,
                                                    &view->capacity, sizeof *place);
        if (!is_known && !place)
            return false;
        if (place)
            *place = libraries[i];
    }
    for (size_t i = first, end = view->count; i < end; i++)
        if (!add_view(view, view->items[i]->dependencies, view->items[i]->dependency_count))
            return false;
    return true;
}

/* Those that are live are seen as dylibs, all others as the image engine's. */
static kiln_status add_dependencies(loading *loading, struct live_library *live)
{
    view view = {0};
    kiln_status status = KILN_OK;
    if (!add_view(&view, loading->dependencies, loading->dependency_count))
        status = error_no_memory(loading->error);
    kiln_jit_dylib **order = calloc(view.count + 1, sizeof *order);
    size_t count = 0;
    if (status == KILN_OK && !order)
        status = error_no_memory(loading->error);
    for (size_t i = 0; status == KILN_OK && i < view.count; i++) {
        kiln_jit_code *code = NULL;
        if (view.items[i]->live) {
            order[count++] = view.items[i]->live->dylib;
            continue;
        }
        status = kiln_jit_add_library(live->dylib, view.items[i], &code, loading->error);
        status = keep_code(live, status, code, loading->error);
    }
    if (status == KILN_OK)
        status = kiln_jit_set_search_order(live->dylib, order, count, loading->error);
    free(order);
    free(view.items);
    return status;
}

static kiln_status add_all(loading *loading, struct live_library *live)
{
    kiln_jit_code *code = NULL;
    kiln_status status = KILN_OK;
    if (loading->spec->host_symbol_count) {
        status = live_add_host_symbols(live->dylib, loading->spec, &code, loading->error);
        status = keep_code(live, status, code, loading->error);
    }
    if (status == KILN_OK)
        status = add_dependencies(loading, live);
    if (status == KILN_OK) {
        status = kiln_jit_add_process_symbols(live->dylib, &code, loading->error);
        status = keep_code(live, status, code, loading->error);
    }
    /* The last one: it is removed first, and then still finds what its destructors need. */
    if (status == KILN_OK) {
        status = live_add_output(live->dylib, loading->spec, loading->options->lazy,
                                 loading->outputs, &code, loading->error);
        status = keep_code(live, status, code, loading->error);
    }
    for (size_t i = 0; status == KILN_OK && i < live->count; i++)
        status = kiln_jit_link(live->code[i], loading->error);
    return status;
}

/* *pending: what cannot leave yet: the first that could not, since that was removed before what it uses. */
static kiln_status remove_all(struct live_library *live, const void **pending)
{
    kiln_status status = KILN_OK;
    *pending = NULL;
    /* Sources refer to each other: together they are in use by nobody. */
    for (size_t i = live->count; i-- > 0;)
        if (jit_plugin_loaded()->remove_anyway((jit_code *)live->code[i]) == KILN_PENDING) {
            if (status == KILN_OK)
                *pending = live->code[i];
            status = KILN_PENDING;
        }
    jit_plugin_loaded()->remove_dylib((jit_dylib *)live->dylib);
    free(live->code);
    free(live);
    return status;
}

bool live_has_departed(kiln_session *session, const void *pending)
{
    /* What an engine held went with it. */
    const kiln_jit *jit = existing_jit(session);
    return !jit || jit_plugin_loaded()->has_departed(jit->engine, pending);
}

bool live_is_linking(const kiln_session *session)
{
    return session->jit && jit_plugin_loaded()->is_linking(session->jit->engine);
}

/* ---- its symbols ---- */

typedef struct symbol_list {
    kiln_jit_dylib *dylib;
    Kiln__Wire__Symbol *items;
    char **names; /* two a symbol */
    size_t count, capacity, name_count, name_capacity;
    bool failed;
} symbol_list;

static ProtobufCBinaryData copy_name(symbol_list *list, const char *name)
{
    char **place =
        array_add((void **)&list->names, &list->name_count, &list->name_capacity, sizeof *place);
    char *copy = place ? strdup(name) : NULL;
    if (place)
        *place = copy;
    list->failed |= !copy;
    return (ProtobufCBinaryData){.len = copy ? strlen(copy) : 0, .data = (uint8_t *)copy};
}

static bool find_emulated(jit_dylib *dylib, const char *name, void **control)
{
    char *emulated = jit_emulated_name(name);
    bool found = emulated && jit_plugin_loaded()->lookup_own(dylib, emulated, control);
    free(emulated);
    return found;
}

/* A control block begins with it (LLVM's emulated TLS), but for an image's variable. 0: not known. */
static uint64_t size_of_emulated(kiln_jit_dylib *dylib, const char *name)
{
    void *control;
    size_t size = 0;
    if (find_emulated((jit_dylib *)dylib, name, &control))
        memcpy(&size, control, sizeof size);
    return size == SIZE_MAX ? 0 : size;
}

static bool list_symbol(const kiln_symbol *symbol, void *data)
{
    symbol_list *list = data;
    bool is_thread_local = symbol->kind == KILN_SYMBOL_THREAD_LOCAL;
    Kiln__Wire__Symbol *place =
        array_add((void **)&list->items, &list->count, &list->capacity, sizeof *place);
    if (!place) {
        list->failed = true;
        return false;
    }
    kiln__wire__symbol__init(place);
    place->name = copy_name(list, symbol->name);
    place->demangled = copy_name(list, symbol->demangled == symbol->name ? "" : symbol->demangled);
    place->kind = (uint32_t)symbol->kind;
    place->weak = symbol->weak;
    place->size =
        is_thread_local ? size_of_emulated(list->dylib, symbol->name) : symbol->size_bytes;
    return !list->failed;
}

static int compare_symbols(const void *a, const void *b)
{
    const Kiln__Wire__Symbol *first = a, *second = b;
    return strcmp((const char *)first->name.data, (const char *)second->name.data);
}

static bool write_symbols(kiln_jit_dylib *dylib, image *image)
{
    Kiln__Wire__SymbolTable table = KILN__WIRE__SYMBOL_TABLE__INIT;
    symbol_list list = {.dylib = dylib};
    kiln_jit_list(dylib, list_symbol, &list, NULL);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, compare_symbols);
    table.symbols = calloc(list.count + 1, sizeof *table.symbols);
    bool done = !list.failed && table.symbols;
    for (size_t i = 0; done && i < list.count; i++)
        table.symbols[table.n_symbols++] = &list.items[i];
    size_t size = done ? kiln__wire__symbol_table__get_packed_size(&table) : 0;
    uint8_t *bytes = done ? malloc(size + 1) : NULL;
    if (bytes) {
        kiln__wire__symbol_table__pack(&table, bytes);
        image->symbol_table = bytes;
        image->symbol_table_size = size;
        image->symbol_count = list.count;
    }
    for (size_t i = 0; i < list.name_count; i++)
        free(list.names[i]);
    free(list.names);
    free(list.items);
    free(table.symbols);
    return bytes != NULL;
}

void *live_definition(const kiln_library *library, const char *name)
{
    void *address;
    jit_dylib *dylib = (jit_dylib *)library->live->dylib;
    return jit_plugin_loaded()->lookup_own(dylib, name, &address) ? address : NULL;
}

void *live_address(const kiln_library *library, const char *name)
{
    jit_dylib *dylib = (jit_dylib *)library->live->dylib;
    void *address = live_definition(library, name);
    if (address)
        return address;
    return find_emulated(dylib, name, &address) ? jit_plugin_loaded()->thread_local_address(address)
                                                : NULL;
}

/* ---- the library ---- */

static image *make_image(const loading *loading, const char *id)
{
    image *made = image_create(loading->spec->name, &loading->content);
    if (!made)
        return NULL;
    snprintf(made->id, sizeof made->id, "%s", id);
    made->hit = loading->hit;
    made->path = strdup("");
    if (made->path && outputs_describe(loading->outputs, made))
        return made;
    image_release(made);
    return NULL;
}

static kiln_library *make_library(loading *loading, struct live_library *live, image *image)
{
    kiln_library *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->session = loading->session;
    made->image = image;
    made->live = live;
    made->references = 1;
    made->dependencies = loading->dependencies;
    made->dependency_count = loading->dependency_count;
    loading->dependencies = NULL;
    loading->dependency_count = 0;
    digest_hex(&image->key, made->key);
    memcpy(made->seconds, image->seconds, sizeof made->seconds);
    pthread_mutex_init(&made->symbols_mutex, NULL);
    pthread_mutex_lock(&loading->session->mutex);
    made->next = loading->session->libraries;
    loading->session->libraries = made;
    pthread_mutex_unlock(&loading->session->mutex);
    return made;
}

static kiln_status make(loading *loading, const char *id, kiln_library **out)
{
    static atomic_uint serial;
    /* Behind the host's symbols: see add_all. */
    const kiln_jit_dylib_options bare = {.size = sizeof bare, .no_process_symbols = true};
    kiln_jit *jit;
    kiln_status status = jit_of(loading->session, &jit, loading->error);
    if (status != KILN_OK)
        return status;
    struct live_library *live = calloc(1, sizeof *live);
    image *image = make_image(loading, id);
    char *name = text_print("%s.%u", loading->spec->name, atomic_fetch_add(&serial, 1));
    if (!live || !image || !name)
        status = error_no_memory(loading->error);
    if (status == KILN_OK)
        status = kiln_jit_add_dylib(jit, name, &bare, &live->dylib, loading->error);
    free(name);
    if (status != KILN_OK) {
        image_release(image);
        free(live);
        return status;
    }
    status = add_all(loading, live);
    if (status == KILN_OK && !write_symbols(live->dylib, image))
        status = error_no_memory(loading->error);
    kiln_library *made = status == KILN_OK ? make_library(loading, live, image) : NULL;
    if (status == KILN_OK && !made)
        status = error_no_memory(loading->error);
    if (status != KILN_OK) {
        const void *pending;
        remove_all(live, &pending);
        image_release(image);
        return status;
    }
    *out = made;
    return KILN_OK;
}

kiln_status live_load(kiln_session *session, const kiln_spec *spec, const bind_options *options,
                      kiln_outputs *outputs, int64_t begin_ns, const event_sink *events,
                      kiln_library **library, kiln_error **error)
{
    loading loading = {
        .session = session, .spec = spec, .options = options, .outputs = outputs, .error = error};
    char hex[digest_hex_size], id[record_image_id_size];
    kiln_status status = load_dependencies(&loading);
    int64_t bind_ns = os_clock_steady_ns();
    if (status == KILN_OK) {
        digest_loading(&loading);
        digest_hex(&loading.content, hex);
        snprintf(id, sizeof id, "jit-%.32s", hex);
        struct live_flight flight;
        status = live_flight_begin(session, id, &flight, library, error);
        if (status == KILN_OK && !*library) {
            status = make(&loading, id, library);
            live_flight_end(session, &flight);
        }
    }
    if (status == KILN_OK) {
        double seconds = (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
        pthread_mutex_lock(&session->mutex);
        if ((*library)->total_seconds == 0) { /* whoever made it reports it */
            (*library)->seconds[KILN_PHASE_BIND] = (double)(os_clock_steady_ns() - bind_ns) * 1e-9;
            (*library)->total_seconds = seconds;
        }
        pthread_mutex_unlock(&session->mutex);
        event_sink_emit(events, &(kiln_event){.size = sizeof(kiln_event),
                                              .kind = KILN_EVENT_LOADED,
                                              .library = spec->name,
                                              .hit = loading.hit,
                                              .seconds = seconds});
    }
    loading_end(&loading);
    return status;
}

kiln_status live_close(kiln_library *library, const void **pending)
{
    struct live_library *live = library->live;
    library->live = NULL;
    return remove_all(live, pending);
}
