/* reload_calls.c - hot libraries: see kiln.h, "Hot libraries".
 *
 * The libraries of one hot load share what they were built from: a copy of the load's closure. A
 * reload goes through it as a load does, dependencies first; of each library only what was edited
 * is compiled. One thread at a time works on a library: the others wait on the session's condition.
 * Compiling, mapping and publishing happen outside of the session's mutex. */
#include <stdlib.h>
#include <string.h>

#include "api/load_calls.h"
#include "api/reload_calls.h"
#include "os/os.h"

struct kiln_reload {
    hot_report report; /* of all libraries; its generation is that of the one asked for */
    bool changed, compiled;
    double seconds;
};

/* ---- making and ending ---- */

hot_closure *hot_closure_create(const closure *closure)
{
    hot_closure *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    shared->references = 1;
    if (closure_copy(closure, &shared->closure))
        return shared;
    free(shared);
    return NULL;
}

void hot_closure_release(hot_closure *shared)
{
    if (!shared || atomic_fetch_sub(&shared->references, 1) != 1)
        return;
    closure_destroy(&shared->closure);
    free(shared);
}

kiln_status library_make_hot(kiln_library *library, hot_closure *shared, size_t index,
                             const closure *closure, const bind_options *options,
                             kiln_error **error)
{
    struct hot_library *made = calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error);
    node *node = &closure->nodes[index];
    kiln_status status = hot_create(library->image, library->loaded, &node->inputs, node->reports,
                                    node->report_count, &made->hot, error);
    if (status != KILN_OK) {
        free(made);
        return status;
    }
    atomic_fetch_add(&shared->references, 1);
    made->shared = shared;
    made->index = index;
    made->gives_way = -1;
    made->mode = options->hot;
    made->refuses_unseen = options->refuse_unseen;
    library->hot = made;
    return KILN_OK;
}

kiln_status library_close_hot(kiln_library *library)
{
    kiln_library_unwatch(library);
    /* What another session holds stays mapped, and is that one's. */
    bool is_shared = load_is_shared(library->loaded);
    hot_close(library->hot->hot);
    return !is_shared && load_is_mapped(library->image->id) ? KILN_PENDING : KILN_OK;
}

void library_end_hot(kiln_library *library)
{
    struct hot_library *ended = library->hot;
    if (!ended)
        return;
    hot_edit_destroy(&ended->prepared);
    hot_destroy(ended->hot);
    hot_closure_release(ended->shared);
    free(ended);
    library->hot = NULL;
}

/* ---- one at a time ---- */

/* gives_way: an eventfd that makes this thread give up its turn, which others may raise; -1: none. */
static void take_turn(kiln_library *library, int gives_way)
{
    struct hot_library *own = library->hot;
    kiln_session *session = library->session;
    pthread_mutex_lock(&session->mutex);
    while (own->busy) {
        raise_flag(own->gives_way);
        pthread_cond_wait(&session->flights_changed, &session->mutex);
    }
    own->busy = true;
    own->gives_way = gives_way;
    pthread_mutex_unlock(&session->mutex);
}

static void end_turn(kiln_library *library)
{
    kiln_session *session = library->session;
    pthread_mutex_lock(&session->mutex);
    library->hot->busy = false;
    library->hot->gives_way = -1;
    pthread_cond_broadcast(&session->flights_changed);
    pthread_mutex_unlock(&session->mutex);
}

/* It is this thread's turn. */
static void drop_prepared(kiln_library *library)
{
    pthread_mutex_lock(&library->session->mutex);
    library->hot->is_prepared = false;
    pthread_mutex_unlock(&library->session->mutex);
    hot_edit_destroy(&library->hot->prepared);
}

kiln_status library_check_hot(const kiln_library *library, kiln_error **error)
{
    if (library->hot)
        return KILN_OK;
    return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                     "library '%s' was not loaded hot: set `hot` in the load options",
                     library->image->name);
}

/* ---- reloading ---- */

typedef struct reloading {
    event_sink events;
    int cancel;      /* a descriptor that becomes readable when it is to be given up; -1: never */
    bool follows_up; /* kiln_reload_options.follow_up */
    hot_policy policy;
    kiln_reload *report;
    kiln_error **error;
} reloading;

/* Moves what one library's report holds to the end of the whole one. */
static bool add_report(kiln_reload *whole, hot_report *part)
{
    bool done = string_list_add_all(&whole->report.files, string_list_view(&part->files)) &&
                string_list_add_all(&whole->report.functions, string_list_view(&part->functions));
    size_t count = whole->report.notice_count + part->notice_count;
    struct hot_notice *notices =
        realloc(whole->report.notices, (count + 1) * sizeof *whole->report.notices);
    if (!notices)
        return false;
    if (part->notice_count)
        memcpy(notices + whole->report.notice_count, part->notices,
               part->notice_count * sizeof *notices);
    whole->report.notices = notices;
    whole->report.notice_count = whole->report.notice_capacity = count;
    part->notice_count = 0;
    whole->report.publish_seconds += part->publish_seconds;
    whole->report.moved += part->moved;
    whole->changed |= part->generation != 0;
    return done;
}

/* `main` is called once, and what waits in it never returns to its entry. */
static bool note_running(hot_report *report)
{
    bool is_told = !string_list_contains(&report->functions, "main");
    for (size_t i = 0; !is_told && i < report->notice_count; i++)
        is_told = report->notices[i].kind == KILN_NOTICE_RUNNING &&
                  strcmp(report->notices[i].symbol, "main") == 0;
    if (is_told)
        return true;
    return hot_report_add(report, KILN_NOTICE_RUNNING, "main", "main",
                          "a call of it that is in progress goes on in the code that it began in",
                          "");
}

/* The host symbols that a generation takes, with the addresses that the library was lent. */
static load_symbol *lend(const kiln_spec *spec, const image *image, size_t *count)
{
    load_symbol *symbols = calloc(image->host_symbols.count + 1, sizeof *symbols);
    *count = 0;
    for (size_t i = 0; symbols && i < image->host_symbols.count; i++)
        for (size_t k = 0; k < spec->host_symbol_count; k++)
            if (strcmp(spec->host_symbols[k].name, image->host_symbols.items[i]) == 0)
                symbols[(*count)++] = (load_symbol){.name = spec->host_symbols[k].name,
                                                    .address = spec->host_symbols[k].address};
    return symbols;
}

static kiln_status publish(reloading *reloading, kiln_library *library, hot_edit *edit)
{
    struct hot_library *own = library->hot;
    const kiln_spec *spec = own->shared->closure.nodes[own->index].spec;
    hot_report report = {0};
    load_symbol *symbols = NULL;
    size_t symbol_count = 0;
    uint32_t next = hot_generation(own->hot) + 1;
    if (edit->image) {
        symbols = lend(spec, edit->image, &symbol_count);
        if (!symbols)
            return error_no_memory(reloading->error);
        if (own->before && !edit->follow_up)
            own->before(library, next, own->hook_data);
    }
    /* The hooks come in pairs, whatever comes of it. */
    bool is_hooked = edit->image && own->after && !edit->follow_up;
    kiln_status status = hot_publish(own->hot, edit, symbols, symbol_count, library->global,
                                     &report, reloading->error);
    free(symbols);
    bool published = status == KILN_OK && report.generation;
    if (status == KILN_OK &&
        (!note_running(&report) || (reloading->report && !add_report(reloading->report, &report))))
        status = error_no_memory(reloading->error);
    hot_report_destroy(&report);
    if (is_hooked)
        own->after(library, hot_generation(own->hot), own->hook_data);
    if (published) {
        event_sink_emit(&reloading->events, &(kiln_event){.size = sizeof(kiln_event),
                                                          .kind = KILN_EVENT_RELOADED,
                                                          .library = library->image->name,
                                                          .done = next});
    }
    return status;
}

/* What a build is linked against: dependencies that are hot may have brought symbols since they were
 * loaded. A list that takes the place of the build's; NULL when out of memory. */
static image **later_images(const kiln_library *library, const build *build, size_t *count)
{
    size_t capacity = build->dependency_count;
    for (size_t i = 0; i < library->dependency_count; i++)
        if (library->dependencies[i]->hot)
            capacity += hot_images(library->dependencies[i]->hot->hot, NULL);
    image **images = calloc(capacity + 1, sizeof *images);
    if (!images)
        return NULL;
    memcpy(images, build->dependencies, build->dependency_count * sizeof *images);
    *count = build->dependency_count;
    for (size_t i = 0; i < library->dependency_count; i++)
        if (library->dependencies[i]->hot) {
            size_t own = hot_images(library->dependencies[i]->hot->hot, images + *count);
            /* The first one is among the build's already. */
            memmove(images + *count, images + *count + 1, (own - 1) * sizeof *images);
            *count += own - 1;
        }
    return images;
}

static hot_policy policy_of(const kiln_reload_options *options)
{
    return (hot_policy){.accept_layouts = options->accept_layouts,
                        .migrate = options->migrate,
                        .migrate_data = options->migrate_data};
}

/* Compile what was edited; edit->edited_count tells whether anything was. */
static kiln_status compile_edits(reloading *reloading, kiln_library *library, hot_edit *edit)
{
    struct hot_library *own = library->hot;
    const closure *closure = &own->shared->closure;
    build_context context =
        session_context(library->session, reloading->events, own->mode, reloading->cancel);
    hot_policy policy = reloading->policy;
    node_build building;
    image **images = NULL;
    policy.library = library;
    policy.refuse_unseen = own->refuses_unseen;
    kiln_status status = node_build_begin(closure, &closure->nodes[own->index], &context, &building,
                                          reloading->error);
    if (status != KILN_OK)
        return status;
    status = build_begin(&building.build, reloading->error);
    if (status == KILN_OK)
        status = hot_find_edits(own->hot, &building.build, edit, reloading->error);
    if (status == KILN_OK && edit->edited_count) {
        images = later_images(library, &building.build, &building.build.dependency_count);
        if (!images)
            status = error_no_memory(reloading->error);
    }
    if (images) {
        building.build.dependencies = images;
        status = hot_compile(own->hot, &building.build, &policy, edit, reloading->error);
    }
    free(images);
    node_build_end(&building);
    return status;
}

static kiln_status reload_edits(reloading *reloading, kiln_library *library, bool follow_up)
{
    hot_edit edit = {.follow_up = follow_up};
    kiln_status status = compile_edits(reloading, library, &edit);
    if (status == KILN_OK && edit.edited_count)
        status = publish(reloading, library, &edit);
    if (reloading->report)
        reloading->report->compiled |= edit.edited_count > 0;
    hot_edit_destroy(&edit);
    return status;
}

/* What a watch has prepared is made anew, since it may be of yesterday. */
static kiln_status reload_one(reloading *reloading, kiln_library *library)
{
    drop_prepared(library);
    kiln_status status = reload_edits(reloading, library, false);
    if (status == KILN_OK && reloading->follows_up && hot_is_stale(library->hot->hot))
        status = reload_edits(reloading, library, true);
    return status;
}

static kiln_status reload_with_dependencies(reloading *reloading, kiln_library *library)
{
    kiln_status status = KILN_OK;
    for (size_t i = 0; status == KILN_OK && i < library->dependency_count; i++)
        if (library->dependencies[i]->hot)
            status = reload_with_dependencies(reloading, library->dependencies[i]);
    if (status != KILN_OK)
        return status;
    take_turn(library, reloading->cancel);
    status = reload_one(reloading, library);
    end_turn(library);
    return status;
}

static kiln_status reload(kiln_library *library, event_sink events,
                          const kiln_reload_options *options, int cancel, kiln_reload **report,
                          kiln_error **error)
{
    int64_t begin_ns = os_clock_steady_ns();
    kiln_reload_options ours;
    kiln_status status = options_read(&ours, sizeof ours, options, "reload", error);
    kiln_reload *made = status == KILN_OK && report ? calloc(1, sizeof *made) : NULL;
    if (status != KILN_OK)
        return status;
    if (report && !made)
        return error_no_memory(error);
    reloading reloading = {.events = events,
                           .cancel = cancel,
                           .follows_up = ours.follow_up,
                           .policy = policy_of(&ours),
                           .report = made,
                           .error = error};
    session_count_busy(library->session, 1);
    status = reload_with_dependencies(&reloading, library);
    /* Dependencies that came before what failed stay reloaded. */
    bool is_told = made && (status == KILN_OK || made->changed);
    if (is_told && !reload_note_others(library, &made->report) && status == KILN_OK)
        status = error_no_memory(error);
    session_count_busy(library->session, -1);
    if (!is_told) {
        kiln_reload_destroy(made);
        return status;
    }
    made->report.generation = hot_generation(library->hot->hot);
    made->seconds = (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
    *report = made;
    return status;
}

kiln_status library_reload(kiln_library *library, const kiln_reload_options *options,
                           kiln_reload **report, kiln_error **error)
{
    return reload(library, session_sink(library->session), options, -1, report, error);
}

kiln_status library_reload_quietly(kiln_library *library, const kiln_reload_options *options,
                                   int cancel, kiln_reload **report, kiln_error **error)
{
    return reload(library, (event_sink){0}, options, cancel, report, error);
}

/* ---- compiled by one thread, published by another ---- */

static kiln_status prepare_edits(reloading *reloading, kiln_library *library, library_watch *watch,
                                 bool follow_up, bool *compiled)
{
    struct hot_library *own = library->hot;
    hot_edit edit = {.follow_up = follow_up};
    int64_t begin_ns = os_clock_steady_ns();
    kiln_status status = compile_edits(reloading, library, &edit);
    if (status == KILN_OK && edit.edited_count && !edit.image) {
        /* Only tables: no code changes. Those of what waits, a follow-up, are of before. */
        drop_prepared(library);
        status = publish(reloading, library, &edit);
    }
    *compiled |= edit.edited_count > 0;
    if (status != KILN_OK || !edit.image) {
        hot_edit_destroy(&edit);
        return status;
    }
    hot_edit_destroy(&own->prepared);
    own->prepared = edit;
    own->prepare_seconds = (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
    own->waiter = watch;
    pthread_mutex_lock(&library->session->mutex);
    own->is_prepared = true;
    own->published = KILN_OK;
    pthread_mutex_unlock(&library->session->mutex);
    return KILN_PENDING;
}

static kiln_status prepare_one(reloading *reloading, kiln_library *library, library_watch *watch,
                               bool *compiled)
{
    kiln_status status = prepare_edits(reloading, library, watch, false, compiled);
    if (status == KILN_OK && reloading->follows_up && hot_is_stale(library->hot->hot))
        status = prepare_edits(reloading, library, watch, true, compiled);
    return status;
}

kiln_status library_prepare(kiln_library *library, library_watch *watch,
                            const kiln_reload_options *options, int cancel, kiln_library **prepared,
                            bool *compiled, kiln_error **error)
{
    kiln_status status = KILN_OK;
    for (size_t i = 0; status == KILN_OK && i < library->dependency_count; i++)
        if (library->dependencies[i]->hot)
            status = library_prepare(library->dependencies[i], watch, options, cancel, prepared,
                                     compiled, error);
    if (status != KILN_OK)
        return status;
    reloading reloading = {.cancel = cancel,
                           .follows_up = options->follow_up,
                           .policy = policy_of(options),
                           .error = error};
    take_turn(library, cancel);
    session_count_busy(library->session, 1);
    status = prepare_one(&reloading, library, watch, compiled);
    session_count_busy(library->session, -1);
    end_turn(library);
    *prepared = library;
    return status;
}

bool library_fails_still(kiln_library *library)
{
    take_turn(library, -1);
    bool fails = hot_fails_still(library->hot->hot, library->session->trust_system_headers);
    end_turn(library);
    for (size_t i = 0; !fails && i < library->dependency_count; i++)
        fails = library->dependencies[i]->hot && library_fails_still(library->dependencies[i]);
    return fails;
}

static void publish_prepared(kiln_library *library)
{
    struct hot_library *own = library->hot;
    kiln_error *error = NULL;
    kiln_reload report = {0};
    reloading reloading = {
        .events = session_sink(library->session), .cancel = -1, .report = &report, .error = &error};
    int64_t begin_ns = os_clock_steady_ns();
    take_turn(library, -1);
    pthread_mutex_lock(&library->session->mutex);
    library_watch *watch = own->waiter;
    bool was_prepared = own->is_prepared;
    if (was_prepared)
        watch_hold(watch);
    pthread_mutex_unlock(&library->session->mutex);
    kiln_status status = KILN_OK;
    if (was_prepared)
        status = publish(&reloading, library, &own->prepared);
    if (was_prepared && status == KILN_OK &&
        !reload_note_others(watch_library(watch), &report.report))
        status = error_no_memory(&error);
    report.report.generation = hot_generation(own->hot);
    report.seconds = own->prepare_seconds + (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
    pthread_mutex_lock(&library->session->mutex);
    own->published = status;
    pthread_mutex_unlock(&library->session->mutex);
    drop_prepared(library);
    end_turn(library);
    if (was_prepared) {
        watch_tell(watch, status == KILN_OK ? &report : NULL, error);
        pthread_mutex_lock(&library->session->mutex);
        watch_let_go(watch);
        pthread_mutex_unlock(&library->session->mutex);
    }
    kiln_error_destroy(error);
    hot_report_destroy(&report.report);
}

bool session_publish_prepared(kiln_session *session, bool *watched)
{
    bool worked = false;
    for (;;) {
        kiln_library *found = NULL;
        pthread_mutex_lock(&session->mutex);
        for (kiln_library *library = session->libraries; library && !found;
             library = library->next) {
            *watched |= library->hot && library->hot->watch;
            if (library->hot && library->hot->is_prepared)
                found = library;
        }
        if (found)
            found->references++;
        pthread_mutex_unlock(&session->mutex);
        if (!found)
            return worked;
        publish_prepared(found);
        library_release(found);
        worked = true;
    }
}

void *library_hot_symbol(const kiln_library *library, const char *name, bool function)
{
    bool is_function;
    void *address = hot_find_symbol(library->hot->hot, name, &is_function);
    return address && is_function == function ? address : NULL;
}

/* ---- the calls of kiln.h ---- */

kiln_status kiln_library_reload(kiln_library *library, const kiln_reload_options *options,
                                kiln_reload **report, kiln_error **error)
{
    if (error)
        *error = NULL;
    if (report)
        *report = NULL;
    if (!library)
        return error_null(error, "library");
    kiln_status status = library_check_hot(library, error);
    return status == KILN_OK ? library_reload(library, options, report, error) : status;
}

uint32_t kiln_library_generation(const kiln_library *library)
{
    return library && library->hot ? hot_generation(library->hot->hot) : 0;
}

kiln_status kiln_library_roll_back(kiln_library *library, kiln_reload **report, kiln_error **error)
{
    if (error)
        *error = NULL;
    if (!library)
        return error_null(error, "library");
    kiln_status status = library_check_hot(library, error);
    if (status != KILN_OK)
        return status;
    kiln_reload *made = calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error);
    take_turn(library, -1);
    status = hot_roll_back(library->hot->hot, &made->report, error);
    /* It was compiled against what was there before. */
    if (status == KILN_OK)
        drop_prepared(library);
    end_turn(library);
    made->changed = status == KILN_OK;
    if (status == KILN_OK && report)
        *report = made;
    else
        kiln_reload_destroy(made);
    return status;
}

/* Where a guarded call has ended, and what has come of it. */
static kiln_status tell_crash(const kiln_library *library, const os_crash *crash,
                              kiln_status rolled_back, uint32_t generation, kiln_error **error)
{
    text words = {0};
    text_format(&words, "a guarded call crashed: SIG%s", crash->name);
    if (crash->address)
        text_format(&words, " at address 0x%zx", (size_t)crash->address);
    if (crash->function)
        text_format(&words, ", in or behind '%s'", crash->function);
    if (rolled_back == KILN_OK)
        text_format(&words, "; library '%s' was rolled back to the code of generation %u",
                    library->image->name, generation);
    else if (rolled_back == KILN_NOT_FOUND)
        text_format(&words, "; library '%s' runs its first code: there is nothing to go back to",
                    library->image->name);
    else
        text_format(&words, "; library '%s' could not be rolled back", library->image->name);
    kiln_status status =
        words.failed ? error_no_memory(error)
                     : error_set(error, KILN_CRASHED, KILN_PHASE_BIND, "%s", text_string(&words));
    text_destroy(&words);
    return status;
}

kiln_status kiln_library_call_guarded(kiln_library *library, void (*function)(void *),
                                      void *argument, kiln_reload **report, kiln_error **error)
{
    os_crash crash = {0};
    kiln_reload *made = NULL;
    if (error)
        *error = NULL;
    if (report)
        *report = NULL;
    if (!library || !function)
        return error_null(error, library ? "function" : "library");
    kiln_status status = library_check_hot(library, error);
    if (status != KILN_OK || os_call_guarded(function, argument, &crash))
        return status;
    status = kiln_library_roll_back(library, &made, NULL);
    uint32_t generation = made ? made->report.generation : 0;
    status = tell_crash(library, &crash, status, generation, error);
    free(crash.function);
    if (report)
        *report = made;
    else
        kiln_reload_destroy(made);
    return status;
}

kiln_status kiln_library_reset_variable(kiln_library *library, const char *name, kiln_error **error)
{
    if (error)
        *error = NULL;
    if (!library || !name)
        return error_null(error, library ? "name" : "library");
    kiln_status status = library_check_hot(library, error);
    if (status != KILN_OK)
        return status;
    take_turn(library, -1);
    status = hot_reset_variable(library->hot->hot, name, error);
    end_turn(library);
    return status;
}

kiln_status kiln_library_set_reload_hooks(kiln_library *library, kiln_reload_hook before,
                                          kiln_reload_hook after, void *user_data)
{
    if (!library || !library->hot)
        return KILN_INVALID_ARGUMENT;
    take_turn(library, -1);
    library->hot->before = before;
    library->hot->after = after;
    library->hot->hook_data = user_data;
    end_turn(library);
    return KILN_OK;
}

uint32_t kiln_reload_generation(const kiln_reload *report)
{
    return report->report.generation;
}

bool reload_compiled(const kiln_reload *report)
{
    return report->compiled;
}

bool kiln_reload_changed(const kiln_reload *report)
{
    return report->changed;
}

double kiln_reload_seconds(const kiln_reload *report)
{
    return report->seconds;
}

double kiln_reload_publish_seconds(const kiln_reload *report)
{
    return report->report.publish_seconds;
}

size_t kiln_reload_file_count(const kiln_reload *report)
{
    return report->report.files.count;
}

const char *kiln_reload_file(const kiln_reload *report, size_t index)
{
    return index < report->report.files.count ? report->report.files.items[index] : NULL;
}

size_t kiln_reload_function_count(const kiln_reload *report)
{
    return report->report.functions.count;
}

const char *kiln_reload_function(const kiln_reload *report, size_t index)
{
    return index < report->report.functions.count ? report->report.functions.items[index] : NULL;
}

size_t kiln_reload_moved_count(const kiln_reload *report)
{
    return report->report.moved;
}

size_t kiln_reload_notice_count(const kiln_reload *report)
{
    return report->report.notice_count;
}

kiln_status kiln_reload_notice(const kiln_reload *report, size_t index, kiln_notice *notice)
{
    if (index >= report->report.notice_count || notice->size < sizeof notice->size)
        return KILN_INVALID_ARGUMENT;
    const struct hot_notice *from = &report->report.notices[index];
    kiln_notice ours = {.kind = (kiln_notice_kind)from->kind,
                        .symbol = from->symbol,
                        .display = from->display,
                        .detail = from->detail,
                        .variable = from->variable};
    result_write(notice, &ours, sizeof ours);
    return KILN_OK;
}

void kiln_reload_destroy(kiln_reload *report)
{
    if (!report)
        return;
    hot_report_destroy(&report->report);
    free(report);
}
