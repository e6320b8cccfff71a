/* library.c - loaded libraries: mapping a closure, handing out references, closing.
 *
 * A session has one library object for each image that it has loaded, counted by the handles that
 * it gave out and by dependents. Mapping and unmapping happen outside of the session's mutex, since
 * constructors and destructors run then. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/live_library.h"
#include "api/session.h"
#include "base/array.h"
#include "base/path.h"
#include "os/os.h"

/* ---- the session's list; the mutex is held ---- */

static kiln_library *find_library(const kiln_session *session, const image *image)
{
    for (kiln_library *library = session->libraries; library; library = library->next)
        if (strcmp(library->image->id, image->id) == 0)
            return library;
    return NULL;
}

kiln_library *session_find_library(kiln_session *session, const image *image)
{
    pthread_mutex_lock(&session->mutex);
    kiln_library *library = find_library(session, image);
    if (library)
        library->references++;
    pthread_mutex_unlock(&session->mutex);
    return library;
}

image *session_find_hot(kiln_session *session, const digest *key)
{
    image *found = NULL;
    pthread_mutex_lock(&session->mutex);
    for (kiln_library *library = session->libraries; library && !found; library = library->next)
        if (library->hot && digest_equal(&library->image->key, key))
            found = image_retain(library->image);
    pthread_mutex_unlock(&session->mutex);
    return found;
}

static void unlink_library(kiln_library *library)
{
    for (kiln_library **link = &library->session->libraries; *link; link = &(*link)->next) {
        if (*link == library) {
            *link = library->next;
            return;
        }
    }
}

/* An image that no cache keeps is remembered as long as a library of it is loaded. */
static void forget_uncached(kiln_session *session, const image *image)
{
    for (size_t i = 0; i < session->uncached_count; i++) {
        if (strcmp(session->uncached[i]->id, image->id) == 0) {
            image_release(session->uncached[i]);
            session->uncached[i] = session->uncached[--session->uncached_count];
            return;
        }
    }
}

void session_forget_unused(kiln_session *session)
{
    pthread_mutex_lock(&session->mutex);
    for (size_t i = session->uncached_count; i-- > 0;) {
        if (find_library(session, session->uncached[i]))
            continue;
        image_release(session->uncached[i]);
        session->uncached[i] = session->uncached[--session->uncached_count];
    }
    pthread_mutex_unlock(&session->mutex);
}

/* ---- closing ---- */

static void library_free(kiln_library *library)
{
    symbol_index_destroy(library->symbols);
    library_end_hot(library);
    pthread_mutex_destroy(&library->symbols_mutex);
    image_release(library->image);
    lending_release(library->lending);
    free(library->dependencies);
    free(library);
}

static void tell_closed(kiln_session *session, const char *name)
{
    event_sink sink = session_sink(session);
    event_sink_emit(
        &sink,
        &(kiln_event){.size = sizeof(kiln_event), .kind = KILN_EVENT_CLOSED, .library = name});
}

static void await_again(kiln_session *session, departure *departure)
{
    pthread_mutex_lock(&session->mutex);
    departure->next = session->departing;
    session->departing = departure;
    pthread_mutex_unlock(&session->mutex);
}

/* An image that cannot leave yet: session_collect tells when it has. */
static void await_departure(kiln_session *session, const kiln_library *library, const void *pending)
{
    departure *made = calloc(1, sizeof *made);
    if (!made)
        return;
    *made = (departure){.image = image_retain(library->image),
                        .lending = lending_retain(library->lending),
                        .pending = pending};
    await_again(session, made);
}

static void departure_end(departure *departure)
{
    image_release(departure->image);
    lending_release(departure->lending);
    free(departure);
}

void departures_end(departure *first)
{
    while (first) {
        departure *next = first->next;
        departure_end(first);
        first = next;
    }
}

kiln_status library_release(kiln_library *library)
{
    kiln_session *session = library->session;
    pthread_mutex_lock(&session->mutex);
    bool last = --library->references == 0;
    if (last) {
        unlink_library(library);
        forget_uncached(session, library->image);
    }
    pthread_mutex_unlock(&session->mutex);
    if (!last)
        return KILN_OK;
    const void *pending = NULL;
    kiln_status status = library->live  ? live_close(library, &pending)
                         : library->hot ? library_close_hot(library)
                                        : load_close(library->loaded);
    if (status == KILN_OK)
        tell_closed(session, library->image->name);
    else
        await_departure(session, library, pending);
    for (size_t i = 0; i < library->dependency_count; i++)
        library_release(library->dependencies[i]);
    library_free(library);
    return status;
}

/* Asking may run what is left of them, which may call Kiln: nothing is locked. */
void session_collect(kiln_session *session)
{
    load_collect();
    pthread_mutex_lock(&session->mutex);
    departure *left = session->departing;
    session->departing = NULL;
    pthread_mutex_unlock(&session->mutex);
    while (left) {
        departure *one = left;
        left = one->next;
        if (one->pending ? !live_has_departed(session, one->pending)
                         : load_is_mapped(one->image->id)) {
            await_again(session, one);
            continue;
        }
        tell_closed(session, one->image->name);
        departure_end(one);
    }
}

kiln_status kiln_library_close(kiln_library *library)
{
    if (!library)
        return KILN_OK;
    kiln_session *session = library->session;
    kiln_status status = library_release(library);
    session_collect(session);
    return status;
}

/* ---- mapping ---- */

typedef struct binding {
    kiln_session *session;
    const closure *closure;
    const bind_options *options;
    load_image *images;       /* one a node, the same order */
    load_symbol **symbols;    /* one array a node */
    digest *lent;             /* one a node: what its host symbols come to */
    kiln_library **libraries; /* one a node, a reference each; NULL: not yet */
    hot_closure *shared;      /* of a hot load */
    bool was_loaded;          /* the library asked for was there before */
    kiln_error **error;
} binding;

/* The host symbols that the image really takes, with the addresses that this load lends. */
static bool lend_symbols(binding *binding, size_t index)
{
    const node *node = &binding->closure->nodes[index];
    const string_list *used = &node->image->host_symbols;
    load_symbol *symbols = calloc(used->count + 1, sizeof *symbols);
    if (!symbols)
        return false;
    size_t count = 0;
    for (size_t i = 0; i < used->count; i++)
        for (size_t k = 0; k < node->spec->host_symbol_count; k++)
            if (strcmp(node->spec->host_symbols[k].name, used->items[i]) == 0)
                symbols[count++] = (load_symbol){.name = node->spec->host_symbols[k].name,
                                                 .address = node->spec->host_symbols[k].address};
    digest_state state;
    digest_begin(&state);
    for (size_t i = 0; i < count; i++) {
        digest_string(&state, symbols[i].name);
        digest_number(&state, (uintptr_t)symbols[i].address);
    }
    binding->lent[index] = digest_end(&state);
    binding->symbols[index] = symbols;
    binding->images[index].host_symbols = symbols;
    binding->images[index].host_symbol_count = count;
    return true;
}

static bool binding_begin(binding *binding)
{
    size_t count = binding->closure->count;
    binding->images = calloc(count, sizeof *binding->images);
    binding->symbols = calloc(count, sizeof *binding->symbols);
    binding->libraries = calloc(count, sizeof *binding->libraries);
    binding->lent = calloc(count, sizeof *binding->lent);
    if (binding->options->hot != HOT_OFF)
        binding->shared = hot_closure_create(binding->closure);
    if (!binding->images || !binding->symbols || !binding->lent || !binding->libraries ||
        (binding->options->hot != HOT_OFF && !binding->shared))
        return false;
    for (size_t i = 0; i < count; i++) {
        const image *image = binding->closure->nodes[i].image;
        bool in_memory = !image->in_cache || strncmp(image->path, "/proc/", 6) == 0;
        binding->images[i] = (load_image){.name = image->name,
                                          .id = image->id,
                                          .path = image->path,
                                          .fd = in_memory ? image_fd(image) : -1};
        if (!lend_symbols(binding, i))
            return false;
    }
    return true;
}

static void binding_end(binding *binding)
{
    for (size_t i = 0; binding->symbols && i < binding->closure->count; i++)
        free(binding->symbols[i]);
    for (size_t i = binding->closure->count; binding->libraries && i-- > 0;)
        if (binding->libraries[i])
            library_release(binding->libraries[i]);
    hot_closure_release(binding->shared);
    free(binding->images);
    free(binding->symbols);
    free(binding->lent);
    free(binding->libraries);
}

/* The images of a node and of all that it depends on, in the closure's order. */
static void gather(const closure *closure, size_t index, bool *wanted)
{
    wanted[index] = true;
    const node *node = &closure->nodes[index];
    for (size_t i = 0; i < node->dependency_count; i++)
        if (!wanted[node->dependencies[i]])
            gather(closure, node->dependencies[i], wanted);
}

/* The cache may have been moved or cleared since the image was opened: then its descriptor serves
 * instead of its path. */
static bool take_descriptors(const binding *binding, const size_t *indices, load_image *images,
                             size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        os_kind kind, there = OS_ABSENT;
        os_identity identity, identity_there;
        const image *image = binding->closure->nodes[indices[i]].image;
        int fd = image_fd(image);
        if (images[i].fd >= 3 || fd < 0 || os_identify_fd(fd, &kind, &identity))
            continue;
        if (os_identify(AT_FDCWD, image->path, &there, &identity_there) == 0 &&
            there != OS_ABSENT && os_identity_equal(&identity, &identity_there))
            continue;
        images[i].fd = fd;
        any = true;
    }
    return any;
}

static kiln_status map_node(binding *binding, size_t index, loaded **out)
{
    const closure *closure = binding->closure;
    bool *wanted = calloc(closure->count, sizeof *wanted);
    size_t *indices = calloc(closure->count, sizeof *indices);
    load_image *images = calloc(closure->count, sizeof *images);
    kiln_status status = KILN_NO_MEMORY;
    kiln_error *error = NULL;
    if (wanted && indices && images) {
        load_request request = {.images = images,
                                .visibility = binding->options->global ? KILN_GLOBAL : KILN_LOCAL,
                                .auto_load = binding->options->auto_load};
        gather(closure, index, wanted);
        for (size_t i = 0; i < closure->count; i++) {
            if (!wanted[i])
                continue;
            indices[request.count] = i;
            images[request.count++] = binding->images[i];
        }
        status = load_open(&request, out, &error);
        if (status != KILN_OK && take_descriptors(binding, indices, images, request.count)) {
            kiln_error_destroy(error);
            error = NULL;
            status = load_open(&request, out, &error);
        }
    } else {
        error_no_memory(&error);
    }
    if (binding->error)
        *binding->error = error;
    else
        kiln_error_destroy(error);
    free(wanted);
    free(indices);
    free(images);
    return status;
}

static kiln_library *library_create(binding *binding, size_t index, loaded *loaded)
{
    const node *node = &binding->closure->nodes[index];
    kiln_library *library = calloc(1, sizeof *library);
    kiln_library **dependencies = calloc(node->dependency_count + 1, sizeof *dependencies);
    if (!library || !dependencies) {
        free(library);
        free(dependencies);
        return NULL;
    }
    library->session = binding->session;
    library->image = image_retain(node->image);
    library->loaded = loaded;
    library->references = 1;
    library->global = binding->options->global;
    library->dependencies = dependencies;
    library->lent = binding->lent[index];
    library->lending = lending_retain(node->lending);
    memcpy(library->seconds, node->image->seconds, sizeof library->seconds);
    digest_hex(&node->image->key, library->key);
    pthread_mutex_init(&library->symbols_mutex, NULL);
    return library;
}

/* Another thread may have come first: then its object serves, and the loader has only counted once
 * more. */
static kiln_library *enter(binding *binding, size_t index, kiln_library *fresh)
{
    kiln_session *session = binding->session;
    const node *node = &binding->closure->nodes[index];
    pthread_mutex_lock(&session->mutex);
    kiln_library *library = find_library(session, node->image);
    if (library) {
        library->references++;
    } else {
        for (size_t i = 0; i < node->dependency_count; i++) {
            fresh->dependencies[i] = binding->libraries[node->dependencies[i]];
            fresh->dependencies[i]->references++;
        }
        fresh->dependency_count = node->dependency_count;
        fresh->next = session->libraries;
        session->libraries = fresh;
    }
    pthread_mutex_unlock(&session->mutex);
    return library;
}

static kiln_library *find_loaded(binding *binding, size_t index)
{
    pthread_mutex_lock(&binding->session->mutex);
    kiln_library *library = find_library(binding->session, binding->closure->nodes[index].image);
    if (library)
        library->references++;
    pthread_mutex_unlock(&binding->session->mutex);
    return library;
}

/* One mapped image has one set of host symbols. */
static kiln_status check_lent(binding *binding, size_t index, const kiln_library *library)
{
    if (digest_equal(&library->lent, &binding->lent[index]))
        return KILN_OK;
    return error_set(binding->error, KILN_BIND, KILN_PHASE_BIND,
                     "library '%s' is loaded already, with other addresses of its host symbols: "
                     "close it first, or give the other one another name",
                     library->image->name);
}

/* Flags of a library that other threads may have been given already. */
static bool get_flag(kiln_session *session, const bool *flag)
{
    pthread_mutex_lock(&session->mutex);
    bool value = *flag;
    pthread_mutex_unlock(&session->mutex);
    return value;
}

static void set_flag(kiln_session *session, bool *flag)
{
    pthread_mutex_lock(&session->mutex);
    *flag = true;
    pthread_mutex_unlock(&session->mutex);
}

static kiln_status make_global(binding *binding, kiln_library *library)
{
    if (!binding->options->global || get_flag(binding->session, &library->global))
        return KILN_OK;
    kiln_status status = load_make_global(library->loaded, binding->error);
    if (status == KILN_OK)
        set_flag(binding->session, &library->global);
    return status;
}

/* mapped: the node's image if it was mapped by the caller, who gives it up; else NULL. */
static kiln_status bind_node(binding *binding, size_t index, loaded *mapped)
{
    kiln_library *library = mapped ? NULL : find_loaded(binding, index);
    if (!library) {
        kiln_status status = mapped ? KILN_OK : map_node(binding, index, &mapped);
        if (status != KILN_OK)
            return status;
        kiln_library *fresh = library_create(binding, index, mapped);
        if (!fresh) {
            load_close(mapped);
            return error_no_memory(binding->error);
        }
        status = binding->shared ? library_make_hot(fresh, binding->shared, index, binding->closure,
                                                    binding->options, binding->error)
                                 : KILN_OK;
        if (status != KILN_OK) {
            load_close(mapped);
            library_free(fresh);
            return status;
        }
        library = enter(binding, index, fresh);
        if (library) {
            load_close(fresh->loaded);
            library_free(fresh);
        } else {
            library = fresh;
        }
    }
    binding->libraries[index] = library;
    kiln_status status = check_lent(binding, index, library);
    return status == KILN_OK ? make_global(binding, library) : status;
}

/* The library itself is mapped first, with all that it needs: so everything that is loaded together
 * shares one scope, and weak data unifies. The dependencies, mapped thereby, then get objects of
 * their own. */
static kiln_status bind_all(binding *binding)
{
    size_t last = binding->closure->count - 1;
    loaded *mapped = NULL;
    kiln_status status = KILN_OK;
    kiln_library *known = find_loaded(binding, last);
    binding->was_loaded = known != NULL;
    if (known) {
        binding->libraries[last] = known;
        status = check_lent(binding, last, known);
    } else {
        status = map_node(binding, last, &mapped);
    }
    for (size_t i = 0; status == KILN_OK && i < last; i++)
        status = bind_node(binding, i, NULL);
    if (status == KILN_OK && known)
        return make_global(binding, known);
    if (status == KILN_OK)
        return bind_node(binding, last, mapped);
    load_close(mapped);
    return status;
}

/* ---- what was surely not meant ---- */

typedef struct duplicate_report {
    const kiln_library *library;
    kiln_library **others; /* a reference each */
    const loaded **loaded; /* theirs */
    size_t count;
    const event_sink *events;
} duplicate_report;

static const char *name_of_other(const duplicate_report *report, const loaded *loaded)
{
    size_t i = 0;
    while (i < report->count && report->loaded[i] != loaded)
        i++;
    assert(i < report->count);
    return report->others[i]->image->name;
}

/* Each reference is bound to what its spec declares, so this is no error; but one state exists
 * twice. */
static void warn_of_duplicate(const load_duplicate *duplicate, void *data)
{
    const duplicate_report *report = data;
    const char *library = report->library->image->name;
    if (!duplicate->is_state)
        return;
    char *words =
        duplicate->other
            ? text_print("the variable '%s' exists twice: library '%s' defines it, and library "
                         "'%s' as well; if they are to share it, define it in one and declare that "
                         "one as a dependency of the other",
                         duplicate->symbol, library, name_of_other(report, duplicate->other))
            : text_print("the variable '%s' exists twice: library '%s' defines it, and the program "
                         "as well%s; if they are to share it, declare it `extern` in the library "
                         "and lend it as a host symbol",
                         duplicate->symbol, library,
                         duplicate->exported ? "" : " (without exporting it)");
    if (words)
        event_sink_emit(report->events, &(kiln_event){.size = sizeof(kiln_event),
                                                      .kind = KILN_EVENT_WARNING,
                                                      .library = library,
                                                      .text = words});
    free(words);
}

static bool gather_others(duplicate_report *report)
{
    kiln_session *session = report->library->session;
    size_t count = 0;
    pthread_mutex_lock(&session->mutex);
    for (const kiln_library *other = session->libraries; other; other = other->next)
        count++;
    report->others = calloc(count, sizeof *report->others);
    report->loaded = calloc(count, sizeof *report->loaded);
    bool done = report->others && report->loaded;
    for (kiln_library *other = session->libraries; done && other; other = other->next) {
        if (other == report->library)
            continue;
        other->references++;
        report->others[report->count] = other;
        report->loaded[report->count++] = other->loaded;
    }
    pthread_mutex_unlock(&session->mutex);
    return done;
}

/* Only for a host that listens, and behind a miss: reading symbol tables, the program's above all,
 * takes milliseconds. */
static void look_for_duplicates(kiln_library *library, const event_sink *events)
{
    if (!library->session->event_callback || library->image->hit)
        return;
    duplicate_report report = {.library = library, .events = events};
    if (gather_others(&report))
        load_find_duplicates(library->loaded, report.loaded, report.count, true, warn_of_duplicate,
                             &report, NULL);
    for (size_t i = 0; i < report.count; i++)
        library_release(report.others[i]);
    free(report.others);
    free(report.loaded);
}

static void tell_auto_loaded(const kiln_library *library, const event_sink *events)
{
    const char *const *paths = load_auto_loaded(library->loaded);
    for (; paths && *paths; paths++) {
        char *words =
            text_print("loaded '%s', which defines symbols that nothing else does", *paths);
        if (words)
            event_sink_emit(events, &(kiln_event){.size = sizeof(kiln_event),
                                                  .kind = KILN_EVENT_AUTO_LOADED,
                                                  .library = library->image->name,
                                                  .unit = *paths,
                                                  .text = words});
        free(words);
    }
}

static double seconds_since(int64_t begin_ns)
{
    return (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
}

/* Whoever made the library reports it. */
static bool complete_report(kiln_library *library, int64_t begin_ns, int64_t bind_ns)
{
    kiln_session *session = library->session;
    pthread_mutex_lock(&session->mutex);
    bool is_new = library->total_seconds == 0;
    if (is_new) {
        library->seconds[KILN_PHASE_BIND] = seconds_since(bind_ns);
        library->total_seconds = seconds_since(begin_ns);
    }
    pthread_mutex_unlock(&session->mutex);
    return is_new;
}

kiln_status session_bind(kiln_session *session, const closure *closure, const bind_options *options,
                         int64_t begin_ns, const event_sink *events, kiln_library **out,
                         kiln_error **error)
{
    binding binding = {.session = session, .closure = closure, .options = options, .error = error};
    int64_t bind_ns = os_clock_steady_ns();
    kiln_status status = binding_begin(&binding) ? bind_all(&binding) : error_no_memory(error);
    if (status == KILN_OK) {
        kiln_library *library = binding.libraries[closure->count - 1];
        binding.libraries[closure->count - 1] = NULL;
        if (complete_report(library, begin_ns, bind_ns)) {
            tell_auto_loaded(library, events);
            look_for_duplicates(library, events);
        }
        *out = library;
        event_sink_emit(events, &(kiln_event){.size = sizeof(kiln_event),
                                              .kind = KILN_EVENT_LOADED,
                                              .library = library->image->name,
                                              .hit = library->image->hit,
                                              .seconds = seconds_since(begin_ns)});
    }
    /* Its sources may have been edited since it was loaded. */
    if (status == KILN_OK && binding.was_loaded && (*out)->hot) {
        status = library_reload(*out, NULL, NULL, error);
        if (status != KILN_OK)
            library_release(*out);
    }
    binding_end(&binding);
    return status;
}

/* ---- the calls of kiln.h ---- */

kiln_status bind_options_read(const kiln_session *session, const kiln_load_options *options,
                              bind_options *out, kiln_error **error)
{
    kiln_load_options ours;
    kiln_status status = options_read(&ours, sizeof ours, options, "load", error);
    if (status != KILN_OK)
        return status;
    if (ours.visibility != KILN_LOCAL && ours.visibility != KILN_GLOBAL)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC, "no such visibility: %d",
                         (int)ours.visibility);
    bool is_live = ours.engine && strcmp(ours.engine, "jit") == 0;
    if (ours.engine && strcmp(ours.engine, "image") != 0 && !is_live)
        return error_set(error, KILN_UNSUPPORTED, KILN_PHASE_SPEC,
                         "there is no engine '%s' in this version: use 'image' or 'jit'",
                         ours.engine);
    if (ours.lazy && ours.engine && !is_live)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "functions at their first call are the engine 'jit's, not 'image's");
    if (ours.hot != KILN_HOT_OFF && ours.hot != KILN_HOT_ISLANDS && ours.hot != KILN_HOT_WHOLE)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC, "no such hot mode: %d",
                         (int)ours.hot);
    *out = (bind_options){.hot = (hot_mode)ours.hot,
                          .refuse_unseen = ours.refuse_unseen_layouts,
                          .global = ours.visibility == KILN_GLOBAL,
                          .live = is_live || ours.lazy,
                          .lazy = ours.lazy,
                          .auto_load = ours.auto_load || session->auto_load};
    return KILN_OK;
}

/* Takes the spec over. */
static kiln_status load_as_image(kiln_session *session, kiln_spec *spec,
                                 const bind_options *options, int64_t begin_ns,
                                 const event_sink *events, kiln_library **library,
                                 kiln_error **error)
{
    closure closure;
    build_context context = session_context(session, *events, options->hot, -1);
    kiln_status status = session_build(session, spec, &context, &closure, error);
    if (status == KILN_OK) {
        status = session_bind(session, &closure, options, begin_ns, events, library, error);
        closure_destroy(&closure);
    }
    if (status != KILN_OK)
        session_forget_unused(session);
    return status;
}

/* Takes the spec over. */
static kiln_status load(kiln_session *session, kiln_spec *spec, const kiln_load_options *options,
                        kiln_library **library, kiln_error **error)
{
    int64_t begin_ns = os_clock_steady_ns();
    bind_options bind;
    event_sink events = session_sink(session);
    session_collect(session);
    kiln_status status = bind_options_read(session, options, &bind, error);
    if (status != KILN_OK) {
        kiln_spec_destroy(spec);
        return status;
    }
    if (bind.live && live_is_possible(spec, &bind)) {
        kiln_outputs *outputs = NULL;
        build_context context = session_context(session, events, HOT_OFF, -1);
        status = live_compile(session, spec, bind.lazy, &context, &outputs, error);
        if (status == KILN_OK)
            status = live_load(session, spec, &bind, outputs, begin_ns, &events, library, error);
        /* What it lacks a linker may find. */
        if (status == KILN_BIND && error) {
            kiln_error_destroy(*error);
            *error = NULL;
        }
        if (status == KILN_BIND)
            return load_as_image(session, spec, &bind, begin_ns, &events, library, error);
        kiln_spec_destroy(spec);
        return status;
    }
    return load_as_image(session, spec, &bind, begin_ns, &events, library, error);
}

kiln_status kiln_library_load(kiln_session *session, const char *name,
                              const kiln_load_options *options, kiln_library **library,
                              kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!name || !library)
        return error_null(error, name ? "library" : "name");
    kiln_spec *spec = NULL;
    kiln_status status = session_find_spec(session, name, NULL, &spec, error);
    return status == KILN_OK ? load(session, spec, options, library, error) : status;
}

kiln_status kiln_library_load_spec(kiln_session *session, const kiln_spec *spec,
                                   const kiln_load_options *options, kiln_library **library,
                                   kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!spec || !library)
        return error_null(error, spec ? "library" : "spec");
    kiln_spec *copy = session ? spec_copy(spec) : NULL;
    return copy ? load(session, copy, options, library, error) : error_no_memory(error);
}

/* A library's name from a file's: what no name may hold becomes an underscore. */
static char *name_of_file(const char *path)
{
    const char *file = path_name(path), *end = path_extension(path);
    char *name = strndup(file, (size_t)(end - file));
    for (char *at = name; at && *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
              (*at >= '0' && *at <= '9') || strchr("._+-", *at)) ||
            (at == name && strchr(".-", *at)))
            *at = '_';
    return name;
}

kiln_status kiln_library_open(kiln_session *session, const char *path,
                              const kiln_load_options *options, kiln_library **library,
                              kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!path || !library)
        return error_null(error, path ? "library" : "path");
    char *name = session ? name_of_file(path) : NULL;
    kiln_spec *spec = name ? kiln_spec_create(*name ? name : "library") : NULL;
    free(name);
    if (!spec)
        return error_no_memory(error);
    kiln_spec_add_source(spec, path, NULL);
    return load(session, spec, options, library, error);
}

bool kiln_session_is_loaded(kiln_session *session, const char *name)
{
    session = session_or_default(session);
    if (!session || !name)
        return false;
    bool found = false;
    pthread_mutex_lock(&session->mutex);
    for (kiln_library *library = session->libraries; library && !found; library = library->next)
        found = strcmp(library->image->name, name) == 0;
    pthread_mutex_unlock(&session->mutex);
    return found;
}

kiln_status kiln_library_report(const kiln_library *library, kiln_report *report)
{
    const image *image = library->image;
    kiln_report ours = {.name = image->name,
                        .engine = library->live ? "jit" : "image",
                        .hit = image->hit,
                        .image = library->live ? "" : load_path(library->loaded),
                        .key = library->key,
                        .input_count = image->input_count,
                        .unit_count = image->unit_count,
                        .symbol_count = image->symbol_count,
                        .miss_reason = image->miss_reason};
    pthread_mutex_lock(&library->session->mutex);
    ours.total_seconds = library->total_seconds;
    memcpy(ours.seconds, library->seconds, sizeof ours.seconds);
    pthread_mutex_unlock(&library->session->mutex);
    if (report->size < sizeof report->size)
        return KILN_INVALID_ARGUMENT;
    result_write(report, &ours, sizeof ours);
    return KILN_OK;
}
