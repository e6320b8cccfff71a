/* build_plan.c - the lead job's first step: the lock, packages, and arguments that sources carry
 * themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "build/arguments.h"
#include "build/build_generation.h"
#include "build/build_steps.h"
#include "os/os.h"

static bool take_strings(size_t count, const ProtobufCBinaryData *from, string_list *to)
{
    for (size_t i = 0; i < count; i++)
        if (!string_list_add_bytes(to, from[i].data, from[i].len))
            return false;
    return true;
}

/* Only text can hold a comment. */
static bool may_carry_arguments(const unit *unit)
{
    return unit->kind == INPUT_C || unit->kind == INPUT_CXX || unit->kind == INPUT_ASSEMBLY_CPP;
}

static kiln_status check_source_arguments(const miss *miss, size_t index, kiln_error **error)
{
    const char *const *arguments = string_list_view(&miss->source_arguments[index]);
    const char *reason;
    size_t taken;
    long refused = arguments_find_refused(arguments, &reason, &taken);
    if (refused < 0)
        return KILN_OK;
    return error_set(error, KILN_SPEC, KILN_PHASE_PLAN,
                     "the argument '%s' in the `//kiln:` comment of '%s' is refused: %s",
                     arguments[refused], miss->build->units.items[index].path, reason);
}

static kiln_status tell_failure(const miss *miss, const Kiln__Wire__DiagnosticList *list,
                                kiln_error **error)
{
    const ProtobufCBinaryData *reason =
        list && list->n_diagnostics ? &list->diagnostics[0]->message : NULL;
    char *what = text_print("cannot plan the build of '%s'%s%.*s", miss->build->spec->name,
                            reason ? ": " : "", reason ? (int)reason->len : 0,
                            reason ? (const char *)reason->data : "");
    kiln_status status =
        what ? build_failed(KILN_SPEC, KILN_PHASE_PLAN, what, list, error) : error_no_memory(error);
    free(what);
    return status;
}

/* A source that is not there is told before a compiler is asked about it. */
static kiln_status check_sources(const build *build, kiln_error **error)
{
    for (size_t i = 0; i < build->units.count; i++) {
        const unit *unit = &build->units.items[i];
        os_kind kind = OS_FILE;
        os_identity identity;
        char *path = unit->source->bytes ? NULL : path_join(build->spec->directory, unit->path);
        bool is_path = path != NULL;
        int failed = path ? os_identify(AT_FDCWD, path, &kind, &identity) : 0;
        int errno_value = errno;
        free(path);
        if (failed)
            return error_set_errno(error, KILN_IO, KILN_PHASE_PLAN, errno_value,
                                   "cannot read '%s' of library '%s'", unit->path,
                                   build->spec->name);
        if (kind == OS_ABSENT)
            return error_set(
                error, KILN_NOT_FOUND, KILN_PHASE_PLAN,
                "there is no file '%s', which library '%s' is made of (directory '%s')", unit->path,
                build->spec->name, build->spec->directory);
        bool is_binary = unit->kind == INPUT_BITCODE || input_kind_is_linked(unit->kind);
        if (is_binary && is_path && kind == OS_FILE && identity.size == 0)
            return error_set(error, KILN_SPEC, KILN_PHASE_PLAN,
                             "'%s' of library '%s' is empty: it was not written, or not whole",
                             unit->path, build->spec->name);
        if (kind == OS_DIRECTORY)
            return error_set(error, KILN_SPEC, KILN_PHASE_PLAN,
                             "'%s' of library '%s' is a directory; name its files, or use a "
                             "pattern like '%s/*.c'",
                             unit->path, build->spec->name, unit->path);
    }
    return KILN_OK;
}

static kiln_status take_plan(miss *miss, const size_t *scanned, size_t scanned_count,
                             const Kiln__Wire__PlanReply *reply, kiln_error **error)
{
    if (!reply->ok)
        return tell_failure(miss, reply->diagnostics, error);
    bool done = job_inputs(reply->n_inputs, reply->inputs, &miss->inputs) &&
                take_strings(reply->n_package_compile_arguments, reply->package_compile_arguments,
                             &miss->package_compile) &&
                take_strings(reply->n_package_link_arguments, reply->package_link_arguments,
                             &miss->package_link) &&
                build_keep_warnings(miss->build, reply->diagnostics, &miss->warnings);
    for (size_t i = 0; done && i < scanned_count && i < reply->n_sources; i++)
        done = take_strings(reply->sources[i]->n_arguments, reply->sources[i]->arguments,
                            &miss->source_arguments[scanned[i]]);
    /* What the key did not show: a comment or a package asks for the processor at hand. */
    bool native = arguments_are_native(&miss->package_compile);
    for (size_t i = 0; done && i < scanned_count; i++)
        native |= arguments_are_native(&miss->source_arguments[scanned[i]]);
    digest processor = native ? key_processor() : (digest){0};
    if (native && done)
        done = input_set_add(&miss->inputs, "/processor", strlen("/processor"), INPUT_PROCESSOR,
                             NULL, &processor);
    if (!done)
        return error_no_memory(error);
    for (size_t i = 0; i < scanned_count; i++) {
        kiln_status status = check_source_arguments(miss, scanned[i], error);
        if (status != KILN_OK)
            return status;
    }
    return KILN_OK;
}

static kiln_status ask(miss *miss, int lock, const size_t *scanned, size_t scanned_count,
                       kiln_error **error)
{
    build *build = miss->build;
    Kiln__Wire__Plan plan = KILN__WIRE__PLAN__INIT;
    ProtobufCBinaryData *sources = calloc(scanned_count + 1, sizeof *sources);
    kiln_status status = KILN_OK;
    if (!sources || (lock >= 0 && !job_attach(&miss->lead, lock, &plan.lock_fd)))
        status = error_no_memory(error);
    if (status == KILN_OK) {
        for (size_t i = 0; i < scanned_count; i++)
            sources[i] = wire_bytes(build->units.items[scanned[i]].path);
        plan.has_lock = lock >= 0;
        plan.packages = build->spec->packages.items;
        plan.n_packages = build->spec->packages.count;
        plan.scan_sources = sources;
        plan.n_scan_sources = scanned_count;
        status = job_send(&miss->lead, WIRE_PLAN, &plan.base, error);
    }
    ProtobufCMessage *reply = NULL;
    if (status == KILN_OK)
        status = job_receive(&miss->lead, WIRE_PLAN_REPLY, &kiln__wire__plan_reply__descriptor,
                             &reply, error);
    if (status == KILN_OK)
        status = take_plan(miss, scanned, scanned_count, (Kiln__Wire__PlanReply *)reply, error);
    if (reply)
        protobuf_c_message_free_unpacked(reply, NULL);
    free(sources);
    return status;
}

kiln_status build_plan(miss *miss, kiln_error **error)
{
    build *build = miss->build;
    int64_t begin = os_clock_steady_ns();
    size_t *scanned = calloc(build->units.count + 1, sizeof *scanned), scanned_count = 0;
    if (!scanned)
        return error_no_memory(error);
    for (size_t i = 0; i < build->units.count; i++)
        if (may_carry_arguments(&build->units.items[i]))
            scanned[scanned_count++] = i;
    kiln_status status = check_sources(build, error);
    if (status == KILN_OK)
        status = build_open_job(build, build->spec->name, &miss->lead, error);
    if (status == KILN_OK) {
        /* The lock serves those who would build the same at the same time; without one they only
         * work twice. */
        bool locks = build->context->store && !build->generation;
        int lock = locks ? store_open_lock(build->context->store, &build->key) : -1;
        status = ask(miss, lock, scanned, scanned_count, error);
        if (lock >= 0)
            close(lock);
    }
    free(scanned);
    build->seconds[KILN_PHASE_PLAN] += build_seconds_since(begin);
    return status;
}
