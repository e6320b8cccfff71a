/* resolve.c - building a library and everything that it depends on.
 *
 * Dependencies are walked depth first and built before their dependents, each once. Of threads that
 * want the same build, one does it and the others wait for its flight. */
#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/session.h"
#include "base/array.h"
#include "build/build_generation.h"
#include "os/os.h"

/* ---- flights ---- */

/* The mutex is held. */
static flight *find_flight(kiln_session *session, const digest *key)
{
    for (flight *flight = session->flights; flight; flight = flight->next)
        if (digest_equal(&flight->key, key))
            return flight;
    return NULL;
}

static void remove_flight(kiln_session *session, flight *flight)
{
    for (struct flight **link = &session->flights; *link; link = &(*link)->next) {
        if (*link == flight) {
            *link = flight->next;
            return;
        }
    }
}

static void flight_destroy(flight *flight)
{
    kiln_error_destroy(flight->error);
    image_release(flight->image);
    free(flight);
}

/* An image that no cache keeps, built before in this session and still right. The mutex is held. */
static image *find_uncached(kiln_session *session, const build *build)
{
    for (size_t i = session->uncached_count; i-- > 0;) {
        image *image = session->uncached[i];
        if (digest_equal(&image->key, &build->key) && build_image_holds(build, image))
            return image_retain(image);
    }
    return NULL;
}

static void keep_uncached(kiln_session *session, image *image)
{
    if (image->record.result_count == 0)
        return;
    struct image **place = array_add((void **)&session->uncached, &session->uncached_count,
                                     &session->uncached_capacity, sizeof *place);
    if (place)
        *place = image_retain(image);
}

static bool is_cancelled(int cancel)
{
    struct pollfd poll_fd = {.fd = cancel, .events = POLLIN};
    return cancel >= 0 && poll(&poll_fd, 1, 0) > 0;
}

/* Wait for another thread's build. The mutex is held on entry and on return. A waiter looks every
 * now and then whether it was cancelled itself. */
static kiln_status join(kiln_session *session, flight *flight, int cancel, image **out,
                        kiln_error **error)
{
    assert(!*out);
    enum { look_every_ns = 20 * 1000 * 1000 };
    bool cancelled = false;
    flight->waiting++;
    while (!flight->done && !cancelled) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += look_every_ns;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&session->flights_changed, &session->mutex, &until);
        cancelled = is_cancelled(cancel);
    }
    kiln_status status = cancelled ? KILN_CANCELLED : flight->status;
    if (cancelled)
        error_set(error, KILN_CANCELLED, KILN_PHASE_COMPILE, "the load was cancelled");
    else if (status == KILN_OK)
        *out = image_retain(flight->image);
    else if (error)
        *error = error_copy(flight->error);
    if (--flight->waiting == 0 && flight->done)
        flight_destroy(flight);
    return status;
}

static void land(kiln_session *session, flight *flight, kiln_status status, image *image,
                 const kiln_error *error)
{
    pthread_mutex_lock(&session->mutex);
    if (status == KILN_OK)
        keep_uncached(session, image);
    remove_flight(session, flight);
    flight->status = status;
    flight->image = image ? image_retain(image) : NULL;
    flight->error = error_copy(error);
    flight->done = true;
    bool unwanted = flight->waiting == 0;
    pthread_cond_broadcast(&session->flights_changed);
    pthread_mutex_unlock(&session->mutex);
    if (unwanted)
        flight_destroy(flight);
}

static kiln_status fly(kiln_session *session, flight *own, build *build, image **out,
                       kiln_error **error)
{
    kiln_error *failure = NULL;
    kiln_status status = build_finish(build, out, &failure);
    land(session, own, status, *out, failure);
    if (error)
        *error = failure;
    else
        kiln_error_destroy(failure);
    return status;
}

/* What the cache does not have: by another thread's flight, or by one of our own. *stale: the
 * flight that was joined had begun before this call did, so that it may have read sources as they
 * were before: look again. */
static kiln_status build_or_join(kiln_session *session, build *build, int64_t begin_ns, image **out,
                                 bool *stale, kiln_error **error)
{
    *stale = false;
    flight *own = calloc(1, sizeof *own);
    if (!own)
        return error_no_memory(error);
    pthread_mutex_lock(&session->mutex);
    *out = find_uncached(session, build);
    flight *other = *out ? NULL : find_flight(session, &build->key);
    kiln_status status = KILN_OK;
    if (other && pthread_equal(other->builder, pthread_self())) {
        status = error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_COMPILE,
                           "library '%s' is being built by this very thread, whose event callback "
                           "asks for it: load it after the callback has returned",
                           build->spec->name);
    } else if (other) {
        *stale = other->begin_ns < begin_ns;
        status = join(session, other, build->context->cancel, out, error);
        /* That one was given up is no reason to give up the other. */
        *stale |= status == KILN_CANCELLED && !is_cancelled(build->context->cancel);
    } else if (!*out) {
        own->key = build->key;
        own->begin_ns = os_clock_steady_ns();
        own->builder = pthread_self();
        own->next = session->flights;
        session->flights = own;
    }
    bool mine = !*out && !other;
    pthread_mutex_unlock(&session->mutex);
    if (mine)
        return fly(session, own, build, out, error);
    free(own);
    return status;
}

/* What a hit has read, for whoever asks later what was edited since. false when out of memory. */
static bool keep_inputs(const build *build, const image *image, record *kept)
{
    for (uint32_t i = 0; i < build->record.result_count; i++) {
        record_entry entry = record_result(&build->record, i);
        if (!digest_equal(&entry.fixed.content, &image->content))
            continue;
        input_set inputs = {0};
        char *changed = NULL;
        bool done = record_add_inputs(&build->record, i, &inputs);
        input_set_sort(&inputs);
        /* Where something has changed by now, nothing is kept, and all counts as edited. */
        if (done)
            record_make(kept, NULL, &inputs,
                        &(record_entry){.name = "", .fixed = {.unit_count = 1}}, os_clock_file_ns(),
                        &changed);
        free(changed);
        input_set_destroy(&inputs);
        return done;
    }
    return true;
}

/* inputs: of a hot library that the cache has. */
static kiln_status build_node(kiln_session *session, build *build, image **out, record *inputs,
                              kiln_error **error)
{
    int64_t begin_ns = os_clock_steady_ns();
    kiln_status status = build_begin(build, error);
    if (status != KILN_OK)
        return status;
    if (build->context->hot != HOT_OFF) {
        /* One that is loaded takes its edits by a reload. */
        *out = session_find_hot(session, &build->key);
        if (*out)
            return KILN_OK;
        build->unit_reports = unit_reports_create(&build->units);
        build->unit_report_count = build->units.count;
        if (!build->unit_reports)
            return error_no_memory(error);
    }
    for (bool stale = true; stale;) {
        *out = build_lookup(build);
        if (*out) {
            atomic_fetch_add(&session->hits, 1);
            build_emit_hit(build);
            if (build->context->hot != HOT_OFF && !keep_inputs(build, *out, inputs)) {
                image_release(*out);
                *out = NULL;
                return error_no_memory(error);
            }
            return KILN_OK;
        }
        status = build_or_join(session, build, begin_ns, out, &stale, error);
        if (!stale)
            break;
        image_release(*out);
        *out = NULL;
        if (error) {
            kiln_error_destroy(*error);
            *error = NULL;
        }
    }
    if (status == KILN_OK)
        atomic_fetch_add(&session->misses, 1);
    return status;
}

/* ---- a node's surroundings ---- */

/* Everything that a node depends on, each once, dependencies before dependents. */
static bool mark_indirect(const closure *closure, const node *node, bool *marked)
{
    for (size_t i = 0; i < node->dependency_count; i++) {
        size_t index = node->dependencies[i];
        if (!marked[index]) {
            marked[index] = true;
            mark_indirect(closure, &closure->nodes[index], marked);
        }
    }
    return true;
}

kiln_status node_build_begin(const closure *closure, const node *node, const build_context *context,
                             node_build *out, kiln_error **error)
{
    *out = (node_build){0};
    bool *marked = calloc(closure->count + 1, sizeof *marked);
    out->dependencies = calloc(closure->count + 1, sizeof *out->dependencies);
    out->providers = calloc(closure->count + 1, sizeof *out->providers);
    bool done = marked && out->dependencies && out->providers;
    if (done)
        mark_indirect(closure, node, marked);
    /* Indirect ones too, nearest first: their headers travel with public arguments, so do their
     * symbols. */
    for (size_t i = closure->count; done && i-- > 0;) {
        if (!marked[i])
            continue;
        if (closure->nodes[i].image)
            out->dependencies[out->build.dependency_count++] = closure->nodes[i].image;
        out->providers[out->build.provider_count++] = closure->nodes[i].spec;
        done = spec_public_arguments(closure->nodes[i].spec, &out->inherited);
    }
    free(marked);
    out->build.context = context;
    out->build.spec = node->spec;
    out->build.inherited = &out->inherited;
    out->build.dependencies = out->dependencies;
    out->build.providers = out->providers;
    out->build.lending_number = lending_number(node->lending);
    if (done)
        return KILN_OK;
    node_build_end(out);
    return error_no_memory(error);
}

void node_build_end(node_build *out)
{
    build_end(&out->build);
    string_list_destroy(&out->inherited);
    free(out->dependencies);
    free(out->providers);
}

/* ---- the walk ---- */

typedef struct walk {
    kiln_session *session;
    const build_context *context;
    closure *closure;
    bool builds;      /* else nodes have no images */
    string_list path; /* the names from the first library down to the current one */
    kiln_error **error;
} walk;

static kiln_status tell_cycle(walk *walk, const char *name)
{
    text circle = {0};
    size_t first = 0;
    while (strcmp(walk->path.items[first], name) != 0)
        first++;
    for (size_t i = first; i < walk->path.count; i++)
        text_format(&circle, "%s -> ", walk->path.items[i]);
    text_add_string(&circle, name);
    kiln_status status =
        error_set(walk->error, KILN_CYCLE, KILN_PHASE_SPEC,
                  "libraries depend on each other in a circle: %s", text_string(&circle));
    text_destroy(&circle);
    return status;
}

static kiln_status visit(walk *walk, kiln_spec *spec, size_t *index);

static kiln_status visit_name(walk *walk, const char *name, size_t *index)
{
    if (string_list_contains(&walk->path, name))
        return tell_cycle(walk, name);
    for (size_t i = 0; i < walk->closure->count; i++) {
        if (strcmp(walk->closure->nodes[i].spec->name, name) == 0) {
            *index = i;
            return KILN_OK;
        }
    }
    kiln_spec *spec = NULL;
    const char *dependent = walk->path.items[walk->path.count - 1];
    kiln_status status = session_find_spec(walk->session, name, dependent, &spec, walk->error);
    return status == KILN_OK ? visit(walk, spec, index) : status;
}

static kiln_status visit_dependencies(walk *walk, const kiln_spec *spec, size_t *direct)
{
    kiln_status status = KILN_OK;
    if (!string_list_add(&walk->path, spec->name))
        return error_no_memory(walk->error);
    for (size_t i = 0; status == KILN_OK && i < spec->dependencies.count; i++)
        status = visit_name(walk, spec->dependencies.items[i], &direct[i]);
    free(walk->path.items[--walk->path.count]);
    walk->path.items[walk->path.count] = NULL;
    return status;
}

static kiln_status build_visited(walk *walk, node *node)
{
    node_build building = {0};
    kiln_status status =
        node_build_begin(walk->closure, node, walk->context, &building, walk->error);
    if (status != KILN_OK)
        return status;
    status = build_node(walk->session, &building.build, &node->image, &node->inputs, walk->error);
    node->reports = building.build.unit_reports;
    node->report_count = building.build.unit_report_count;
    node_build_end(&building);
    return status;
}

/* Takes the spec over. */
static kiln_status visit(walk *walk, kiln_spec *spec, size_t *index)
{
    node node = {.spec = spec, .dependency_count = spec->dependencies.count};
    kiln_status status = spec_check(spec, walk->error);
    node.dependencies = calloc(node.dependency_count + 1, sizeof *node.dependencies);
    if (status == KILN_OK && (!node.dependencies || !lending_acquire(spec, &node.lending)))
        status = error_no_memory(walk->error);
    if (status == KILN_OK)
        status = visit_dependencies(walk, spec, node.dependencies);
    if (status == KILN_OK && walk->builds)
        status = build_visited(walk, &node);
    struct node *place = NULL;
    if (status == KILN_OK) {
        closure *closure = walk->closure;
        place =
            array_add((void **)&closure->nodes, &closure->count, &closure->capacity, sizeof *place);
        if (!place)
            status = error_no_memory(walk->error);
    }
    if (!place) {
        image_release(node.image);
        lending_release(node.lending);
        unit_reports_destroy(node.reports, node.report_count);
        record_destroy(&node.inputs);
        free(node.dependencies);
        kiln_spec_destroy(spec);
        return status;
    }
    *place = node;
    *index = walk->closure->count - 1;
    return KILN_OK;
}

/* While a load is under way the compiler process is not to be stopped. */
void session_count_busy(kiln_session *session, int change)
{
    pthread_mutex_lock(&session->mutex);
    if (change > 0 || session->busy > 0) /* a fork in between starts anew at 0 */
        session->busy += (unsigned)change;
    pthread_mutex_unlock(&session->mutex);
}

kiln_status session_build(kiln_session *session, kiln_spec *spec, const build_context *context,
                          closure *closure, kiln_error **error)
{
    size_t index;
    walk walk = {
        .session = session, .context = context, .closure = closure, .builds = true, .error = error};
    *closure = (struct closure){0};
    session_count_busy(session, 1);
    kiln_status status = visit(&walk, spec, &index);
    session_count_busy(session, -1);
    string_list_destroy(&walk.path);
    if (status != KILN_OK)
        closure_destroy(closure);
    return status;
}

kiln_status session_find_dependencies(kiln_session *session, const kiln_spec *spec,
                                      const build_context *context, bool builds, closure *closure,
                                      size_t **direct, kiln_error **error)
{
    walk walk = {.session = session,
                 .context = context,
                 .closure = closure,
                 .builds = builds,
                 .error = error};
    *closure = (struct closure){0};
    size_t *indices = calloc(spec->dependencies.count + 1, sizeof *indices);
    if (!indices)
        return error_no_memory(error);
    kiln_status status = visit_dependencies(&walk, spec, indices);
    string_list_destroy(&walk.path);
    if (status == KILN_OK) {
        *direct = indices;
        return KILN_OK;
    }
    free(indices);
    closure_destroy(closure);
    return status;
}

void closure_destroy(closure *closure)
{
    for (size_t i = 0; i < closure->count; i++) {
        kiln_spec_destroy(closure->nodes[i].spec);
        image_release(closure->nodes[i].image);
        lending_release(closure->nodes[i].lending);
        unit_reports_destroy(closure->nodes[i].reports, closure->nodes[i].report_count);
        record_destroy(&closure->nodes[i].inputs);
        free(closure->nodes[i].dependencies);
    }
    free(closure->nodes);
    *closure = (struct closure){0};
}

bool closure_copy(const closure *from, closure *to)
{
    *to = (struct closure){0};
    to->nodes = calloc(from->count + 1, sizeof *to->nodes);
    if (!to->nodes)
        return false;
    for (size_t i = 0; i < from->count; i++) {
        const node *node = &from->nodes[i];
        struct node *copy = &to->nodes[to->count++];
        copy->spec = spec_copy(node->spec);
        copy->image = image_retain(node->image);
        copy->dependencies = calloc(node->dependency_count + 1, sizeof *copy->dependencies);
        copy->lending = lending_retain(node->lending);
        if (!copy->spec || !copy->dependencies) {
            closure_destroy(to);
            return false;
        }
        copy->dependency_count = node->dependency_count;
        memcpy(copy->dependencies, node->dependencies,
               node->dependency_count * sizeof *copy->dependencies);
    }
    return true;
}
