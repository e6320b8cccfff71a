/* build_units.c - compiling the units of a library, each from the cache or by a job.
 *
 * The calling thread drives up to `jobs` jobs at once by poll. After a failure no more are begun,
 * but those under way are heard out, so that their errors are reported too. A single unit is
 * compiled by the lead job, which then need not be forked again for the link. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build_generation.h"
#include "build/build_steps.h"
#include "os/os.h"

/* What a job may need, for the number of jobs that memory allows. */
enum { job_memory_estimate = 512 << 20 };

typedef struct running {
    job job;
    size_t unit;
    int64_t begin_ns;
} running;

typedef struct compilation {
    miss *miss;
    digest *keys; /* one a unit; zero where there is no cache */
    running *running;
    size_t running_count, next, finished, total;
    kiln_status status;
    kiln_error **error;
    Kiln__Wire__DiagnosticList **failures; /* of every failed unit */
    size_t failure_count;
    const char *failed_path;
    bool refreshed;
} compilation;

/* Only the first failure is told; what other jobs meet afterwards has no object to go to. */
static kiln_error **first_error(const compilation *compilation)
{
    bool first = compilation->status == KILN_OK && compilation->failure_count == 0;
    return first ? compilation->error : NULL;
}

/* ---- the cache of objects ---- */

static bool name_unit_key(compilation *compilation, size_t index)
{
    build *build = compilation->miss->build;
    ingredients list = {0};
    key_context context = build_key_context(build);
    context.package_arguments = &compilation->miss->package_compile;
    key_of_unit(build->spec, &build->units.items[index],
                &compilation->miss->source_arguments[index], &context, &list);
    bool named = !list.failed;
    if (named)
        compilation->keys[index] = ingredients_digest(&list);
    ingredients_destroy(&list);
    return named;
}

/* The inputs alone of one result, for whoever asks later which units an edit touches. */
static void report_inputs_of_record(const compilation *compilation, size_t index,
                                    const record *record, uint32_t result)
{
    unit_report *reports = compilation->miss->build->unit_reports;
    record_entry entry = {.name = "", .fixed = {.unit_count = 1}};
    input_set inputs = {0};
    char *changed = NULL;
    if (reports && index < compilation->miss->build->unit_report_count &&
        record_add_inputs(record, result, &inputs)) {
        input_set_sort(&inputs);
        unit_report_destroy(&reports[index]);
        record_make(&reports[index].inputs, NULL, &inputs, &entry, compilation->miss->begun_file_ns,
                    &changed);
    }
    free(changed);
    input_set_destroy(&inputs);
}

static bool take_object(compilation *compilation, size_t index, record *record, uint32_t result,
                        bool *refreshed)
{
    miss *miss = compilation->miss;
    store *store = miss->build->context->store;
    record_entry entry = record_result(record, result);
    os_identity identity;
    int fd = store_open_result(store, STORE_OBJECT, record, result, &identity, refreshed);
    if (fd < 0)
        return false;
    unit_result *unit = &miss->results[index];
    unit->path = store_content_path(store, STORE_OBJECT, &entry.fixed.content);
    unit->content = entry.fixed.content;
    unit->size = identity.size;
    unit->cxx = entry.fixed.needs_cxx;
    store_mark_used(store, &unit->content);
    close(fd);
    unit->hit = unit->done = unit->path && record_add_inputs(record, result, &miss->inputs) &&
                             build_repeat_warnings(miss->build, &entry, &miss->warnings);
    if (unit->done)
        report_inputs_of_record(compilation, index, record, result);
    return unit->done;
}

static bool find_object(compilation *compilation, size_t index)
{
    build *build = compilation->miss->build;
    store *store = build->context->store;
    record record;
    if (!store || build->generation || !name_unit_key(compilation, index) ||
        !store_read_record(store, &compilation->keys[index], &record))
        return false;
    record_check_options options = {.trust_system = build->context->trust_system};
    bool found = false;
    for (uint32_t i = 0; !found && i < record.result_count; i++) {
        record_check_report report;
        if (record_check(&record, i, &options, &report))
            found = take_object(compilation, index, &record, i, &report.refreshed);
        if (found && report.refreshed) {
            record_seal(&record);
            store_write_record(store, &compilation->keys[index], &record);
        }
        free(report.mismatch);
    }
    record_destroy(&record);
    return found;
}

static bool has_any_input(const record *record, uint32_t result, const string_list *paths)
{
    input_set inputs = {0};
    bool found = !record_add_inputs(record, result, &inputs);
    for (size_t i = 0; !found && i < paths->count; i++)
        found = input_set_find(&inputs, paths->items[i]) != NULL;
    input_set_destroy(&inputs);
    return found;
}

/* A unit that came from the cache within its library's image: its own record tells whether an edit
 * touches it. */
static bool is_untouched(compilation *compilation, size_t index)
{
    build *build = compilation->miss->build;
    const generation_request *generation = build->generation;
    record record;
    if (!generation || !generation->unknown[index] || !build->context->store ||
        !name_unit_key(compilation, index) ||
        !store_read_record(build->context->store, &compilation->keys[index], &record))
        return false;
    bool untouched = false;
    for (uint32_t i = 0; !untouched && i < record.result_count; i++) {
        record_check_options options = {.trust_system = build->context->trust_system};
        record_check_report report;
        if (has_any_input(&record, i, generation->changed))
            continue;
        untouched = record_check(&record, i, &options, &report);
        free(report.mismatch);
        if (untouched)
            report_inputs_of_record(compilation, index, &record, i);
    }
    generation->edited[index] = !untouched;
    record_destroy(&record);
    return untouched;
}

/* Publish an object and its record. What lies in the cache then needs no descriptor any more. */
static void store_object(compilation *compilation, size_t index,
                         const Kiln__Wire__CompileReply *reply, const input_set *inputs)
{
    miss *miss = compilation->miss;
    store *store = miss->build->context->store;
    unit_result *unit = &miss->results[index];
    const char *path = miss->build->units.items[index].path;
    record_entry entry = {.name = path,
                          .fixed = {.content = unit->content,
                                    .content_size = unit->size,
                                    .unit_count = 1,
                                    .needs_cxx = unit->cxx,
                                    .name_size = (uint32_t)strlen(path)}};
    if (!store || digest_is_zero(&compilation->keys[index]) ||
        !store_add_content(store, STORE_OBJECT, &unit->content, unit->fd, (size_t)unit->size,
                           &entry.fixed.content_identity))
        return;
    uint8_t *diagnostics = NULL;
    if (reply->diagnostics && reply->diagnostics->n_diagnostics) {
        entry.fixed.diagnostics_size =
            (uint32_t)protobuf_c_message_get_packed_size(&reply->diagnostics->base);
        diagnostics = malloc(entry.fixed.diagnostics_size);
        if (!diagnostics)
            return;
        protobuf_c_message_pack(&reply->diagnostics->base, diagnostics);
        entry.diagnostics = diagnostics;
    }
    record old = {0}, made;
    char *changed;
    store_read_record(store, &compilation->keys[index], &old);
    if (record_make(&made, &old, inputs, &entry, miss->begun_file_ns, &changed)) {
        store_write_record(store, &compilation->keys[index], &made);
        record_destroy(&made);
    }
    store_mark_used(store, &unit->content);
    unit->path = store_content_path(store, STORE_OBJECT, &unit->content);
    if (unit->path) {
        close(unit->fd);
        unit->fd = -1;
    }
    record_destroy(&old);
    free(changed);
    free(diagnostics);
}

/* ---- requests and replies ---- */

static void tell_started(const compilation *compilation, size_t index)
{
    build *build = compilation->miss->build;
    build_emit(build, &(kiln_event){.kind = KILN_EVENT_UNIT_STARTED,
                                    .unit = build->units.items[index].path,
                                    .done = (uint32_t)compilation->finished,
                                    .total = (uint32_t)compilation->total});
}

static void tell_finished(compilation *compilation, size_t index, double seconds)
{
    build *build = compilation->miss->build;
    compilation->finished++;
    build_emit(build, &(kiln_event){.kind = KILN_EVENT_UNIT_FINISHED,
                                    .unit = build->units.items[index].path,
                                    .done = (uint32_t)compilation->finished,
                                    .total = (uint32_t)compilation->total,
                                    .seconds = seconds,
                                    .hit = compilation->miss->results[index].hit});
}

static const char *language_of(const kiln_spec *spec, const unit *unit)
{
    const char *own = spec_source_language(unit->source);
    if (own)
        return own;
    if (spec->language && (spec->force_language || input_kind_of(unit->path) == INPUT_UNKNOWN))
        return spec->language;
    return input_kind_of(unit->path) == INPUT_UNKNOWN ? "c" : "";
}

/* false when out of memory. id: lives as long as the request. */
static bool ask_for_hot(const build *build, size_t index, job *job, char id[hot_unit_id_size],
                        Kiln__Wire__HotRequest *hot, Kiln__Wire__Compile *request)
{
    const generation_request *generation = build->generation;
    if (build->context->hot == HOT_OFF || !hot_unit_is_hot(&build->units.items[index]))
        return true;
    kiln__wire__hot_request__init(hot);
    hot_unit_id(&build->units, index, id);
    hot->unit = wire_bytes(id);
    hot->whole = build->context->hot == HOT_WHOLE;
    hot->generation = generation ? generation->number : 1;
    hot->has_baseline = generation != NULL;
    hot->only_source = generation && generation->only_source[index];
    hot->follow_up = generation && generation->follow_up;
    request->hot = hot;
    return !generation || job_attach(job, generation->baseline_fd, &hot->baseline_fd);
}

static kiln_status send_compile(compilation *compilation, size_t index, job *job)
{
    miss *miss = compilation->miss;
    const unit *unit = &miss->build->units.items[index];
    string_list arguments = {0};
    kiln_status status;
    ProtobufCBinaryData *list = NULL;
    Kiln__Wire__Compile request = KILN__WIRE__COMPILE__INIT;
    Kiln__Wire__HotRequest hot;
    char id[hot_unit_id_size];
    if (build_compile_arguments(miss, index, &arguments) &&
        (list = calloc(arguments.count + 1, sizeof *list)) &&
        ask_for_hot(miss->build, index, job, id, &hot, &request)) {
        for (size_t i = 0; i < arguments.count; i++)
            list[i] = wire_bytes(arguments.items[i]);
        request.source = wire_bytes(unit->path);
        request.language = wire_bytes(language_of(miss->build->spec, unit));
        request.arguments = list;
        request.n_arguments = arguments.count;
        request.output = (Kiln__Wire__OutputKind)miss->build->output;
        request.codegen_units = build_codegen_units(miss->build);
        status = job_send(job, WIRE_COMPILE, &request.base, first_error(compilation));
    } else {
        status = error_no_memory(first_error(compilation));
    }
    free(list);
    string_list_destroy(&arguments);
    return status;
}

/* A unit that does not compile: its diagnostics wait until the others under way are heard. */
static kiln_status keep_failure(compilation *compilation, size_t index,
                                Kiln__Wire__CompileReply *reply)
{
    Kiln__Wire__DiagnosticList **failures =
        realloc(compilation->failures, (compilation->failure_count + 1) * sizeof *failures);
    if (!failures)
        return error_no_memory(first_error(compilation));
    compilation->failures = failures;
    failures[compilation->failure_count++] = reply->diagnostics;
    reply->diagnostics = NULL;
    if (!compilation->failed_path)
        compilation->failed_path = compilation->miss->build->units.items[index].path;
    return KILN_COMPILE;
}

/* Without a cache an object goes to the lead at once: a library of a thousand units must not cost
 * the host as many descriptors. */
static kiln_status forward_object(compilation *compilation, unit_result *unit)
{
    kiln_status status = job_forward(&compilation->miss->lead, unit->fd, &unit->lead_index,
                                     first_error(compilation));
    if (status != KILN_OK)
        return status;
    unit->in_lead = true;
    close(unit->fd);
    unit->fd = -1;
    return KILN_OK;
}

/* What a reply tells for later generations. false when out of memory. */
static bool report_unit(compilation *compilation, size_t index, job *job,
                        const Kiln__Wire__CompileReply *reply, const input_set *inputs)
{
    unit_report *reports = compilation->miss->build->unit_reports;
    if (!reports || index >= compilation->miss->build->unit_report_count)
        return true;
    unit_report *report = &reports[index];
    unit_report_destroy(report);
    record_entry entry = {.name = "", .fixed = {.unit_count = 1}};
    char *changed = NULL;
    record_make(&report->inputs, NULL, inputs, &entry, compilation->miss->begun_file_ns, &changed);
    free(changed);
    if (!reply->ok)
        return true;
    int fd = reply->has_hot ? job_take_fd(job, reply->hot_fd) : -1;
    if (fd < 0)
        return true;
    /* Its writer has left it at its end. */
    bool done =
        lseek(fd, 0, SEEK_SET) == 0 && os_read_fd(fd, &report->table, &report->table_size) == 0;
    close(fd);
    return done;
}

static kiln_status take_reply(compilation *compilation, size_t index, job *job,
                              Kiln__Wire__CompileReply *reply)
{
    miss *miss = compilation->miss;
    unit_result *unit = &miss->results[index];
    input_set inputs = {0};
    if (!reply->ok) {
        /* What it looked for in vain, too, may come to be there. */
        if (miss->build->unit_reports && job_inputs(reply->n_inputs, reply->inputs, &inputs)) {
            input_set_sort(&inputs);
            report_unit(compilation, index, job, reply, &inputs);
        }
        input_set_destroy(&inputs);
        return keep_failure(compilation, index, reply);
    }
    unit->fd = reply->has_output ? job_take_fd(job, reply->output_fd) : -1;
    if (unit->fd < 0 || reply->output_digest.len != digest_size)
        return error_set(first_error(compilation), KILN_COMPILER, KILN_PHASE_COMPILE,
                         "the compiler sent no output for '%s'", job->subject);
    memcpy(unit->content.bytes, reply->output_digest.data, digest_size);
    unit->size = reply->output_size;
    unit->cxx = reply->cxx;
    unit->done = true;
    kiln_status status = KILN_OK;
    if (!job_inputs(reply->n_inputs, reply->inputs, &inputs) ||
        !input_set_add_all(&miss->inputs, &inputs) ||
        !build_keep_warnings(miss->build, reply->diagnostics, &miss->warnings))
        status = error_no_memory(first_error(compilation));
    input_set_sort(&inputs);
    if (status == KILN_OK && !report_unit(compilation, index, job, reply, &inputs))
        status = error_no_memory(first_error(compilation));
    if (status == KILN_OK && !miss->build->generation)
        store_object(compilation, index, reply, &inputs);
    if (status == KILN_OK && unit->fd >= 0 && miss->links && job != &miss->lead)
        status = forward_object(compilation, unit);
    input_set_destroy(&inputs);
    return status;
}

static kiln_status receive_unit(compilation *compilation, size_t index, job *job, int64_t begin_ns)
{
    ProtobufCMessage *message;
    kiln_status status =
        job_receive(job, WIRE_COMPILE_REPLY, &kiln__wire__compile_reply__descriptor, &message,
                    first_error(compilation));
    if (status != KILN_OK)
        return status;
    status = take_reply(compilation, index, job, (Kiln__Wire__CompileReply *)message);
    protobuf_c_message_free_unpacked(message, NULL);
    tell_finished(compilation, index, build_seconds_since(begin_ns));
    return status;
}

/* ---- the loop ---- */

static void note(compilation *compilation, kiln_status status)
{
    if (compilation->status == KILN_OK)
        compilation->status = status;
}

static void begin_unit(compilation *compilation, size_t index)
{
    running *running = &compilation->running[compilation->running_count];
    const char *path = compilation->miss->build->units.items[index].path;
    *running = (struct running){.unit = index, .begin_ns = os_clock_steady_ns()};
    tell_started(compilation, index);
    kiln_status status =
        build_open_job(compilation->miss->build, path, &running->job, first_error(compilation));
    if (status == KILN_OK) {
        status = send_compile(compilation, index, &running->job);
        if (status == KILN_OK) {
            compilation->running_count++;
            return;
        }
        job_close(&running->job);
    }
    note(compilation, status);
}

static void end_running(compilation *compilation, size_t place)
{
    job_close(&compilation->running[place].job);
    compilation->running[place] = compilation->running[--compilation->running_count];
}

static void await_some(compilation *compilation, struct pollfd *fds)
{
    size_t count = compilation->running_count;
    for (size_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = compilation->running[i].job.socket, .events = POLLIN};
    fds[count] = (struct pollfd){.fd = compilation->miss->build->context->cancel, .events = POLLIN};
    if (poll(fds, count + 1, -1) < 0) {
        if (errno != EINTR)
            note(compilation, error_set_errno(first_error(compilation), KILN_IO, KILN_PHASE_COMPILE,
                                              errno, "cannot wait for jobs"));
        return;
    }
    for (size_t i = count; i-- > 0;) {
        /* A cancellation is found by the reception itself, which then fails. */
        if (!fds[i].revents && !fds[count].revents)
            continue;
        running *running = &compilation->running[i];
        kiln_status status =
            receive_unit(compilation, running->unit, &running->job, running->begin_ns);
        note(compilation, status);
        end_running(compilation, i);
    }
}

static bool is_fatal(kiln_status status)
{
    return status != KILN_OK && status != KILN_COMPILE;
}

static void run_jobs(compilation *compilation)
{
    build *build = compilation->miss->build;
    size_t jobs = build->context->jobs ? build->context->jobs : os_job_count(job_memory_estimate);
    compilation->running = calloc(jobs, sizeof *compilation->running);
    struct pollfd *fds = calloc(jobs + 1, sizeof *fds);
    if (!compilation->running || !fds)
        note(compilation, error_no_memory(first_error(compilation)));
    while (!is_fatal(compilation->status)) {
        while (compilation->status == KILN_OK && compilation->running_count < jobs &&
               compilation->next < build->units.count) {
            size_t index = compilation->next++;
            if (!compilation->miss->results[index].done && build_compiles(build, index))
                begin_unit(compilation, index);
        }
        if (compilation->running_count == 0)
            break;
        await_some(compilation, fds);
    }
    while (compilation->running_count)
        end_running(compilation, compilation->running_count - 1);
    free(compilation->running);
    free(fds);
}

static void compile_in_lead(compilation *compilation, size_t index)
{
    miss *miss = compilation->miss;
    int64_t begin = os_clock_steady_ns();
    tell_started(compilation, index);
    miss->lead.subject = miss->build->units.items[index].path;
    kiln_status status = send_compile(compilation, index, &miss->lead);
    if (status == KILN_OK)
        status = receive_unit(compilation, index, &miss->lead, begin);
    miss->lead_holds_object = status == KILN_OK;
    miss->lead_unit = index;
    note(compilation, status);
}

static kiln_status tell_failures(compilation *compilation)
{
    if (compilation->failure_count == 0)
        return compilation->status;
    Kiln__Wire__DiagnosticList all = KILN__WIRE__DIAGNOSTIC_LIST__INIT;
    size_t count = 0;
    for (size_t i = 0; i < compilation->failure_count; i++)
        count += compilation->failures[i] ? compilation->failures[i]->n_diagnostics : 0;
    all.diagnostics = calloc(count + 1, sizeof *all.diagnostics);
    text summary = {0}, what = {0};
    for (size_t i = 0; all.diagnostics && i < compilation->failure_count; i++) {
        const Kiln__Wire__DiagnosticList *list = compilation->failures[i];
        for (size_t k = 0; list && k < list->n_diagnostics; k++)
            all.diagnostics[all.n_diagnostics++] = list->diagnostics[k];
        if (list && list->summary.len)
            text_add(&summary, list->summary.data, list->summary.len);
    }
    all.summary = wire_bytes(text_string(&summary));
    text_format(&what, "cannot compile '%s'", compilation->failed_path);
    if (compilation->failure_count > 1)
        text_format(&what, " and %zu more", compilation->failure_count - 1);
    if (compilation->error && *compilation->error) {
        kiln_error_destroy(*compilation->error);
        *compilation->error = NULL;
    }
    bool done = all.diagnostics && !summary.failed && !what.failed;
    kiln_status status = done ? build_failed(KILN_COMPILE, KILN_PHASE_COMPILE, text_string(&what),
                                             &all, compilation->error)
                              : error_no_memory(compilation->error);
    free(all.diagnostics);
    text_destroy(&summary);
    text_destroy(&what);
    return status;
}

kiln_status build_units(miss *miss, kiln_error **error)
{
    build *build = miss->build;
    compilation compilation = {.miss = miss, .error = error, .status = KILN_OK};
    int64_t begin = os_clock_steady_ns();
    size_t missing = 0, last = 0;
    compilation.keys = calloc(build->units.count + 1, sizeof *compilation.keys);
    if (!compilation.keys)
        return error_no_memory(error);
    for (size_t i = 0; i < build->units.count; i++)
        compilation.total += build_compiles(build, i);
    for (size_t i = 0; i < build->units.count; i++) {
        if (!build_compiles(build, i) || is_untouched(&compilation, i))
            continue;
        if (find_object(&compilation, i)) {
            tell_finished(&compilation, i, 0);
            continue;
        }
        missing++;
        last = i;
    }
    if (missing == 1 && miss->lead.socket >= 0)
        compile_in_lead(&compilation, last);
    else if (missing)
        run_jobs(&compilation);
    kiln_status status = tell_failures(&compilation);
    for (size_t i = 0; i < compilation.failure_count; i++)
        kiln__wire__diagnostic_list__free_unpacked(compilation.failures[i], NULL);
    free(compilation.failures);
    free(compilation.keys);
    build->seconds[KILN_PHASE_COMPILE] += build_seconds_since(begin);
    return status;
}
