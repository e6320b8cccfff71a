/* outputs.c - compiling without loading: kiln_compile and its outputs. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/session.h"
#include "os/os.h"
#include "wire.pb-c.h"

typedef struct held_output {
    char *source;
    const void *bytes; /* mapped */
    size_t size;
    bool hit;
} held_output;

struct kiln_outputs {
    held_output *items;
    size_t count;
};

static void held_output_destroy(held_output *output)
{
    if (output->bytes)
        os_unmap(output->bytes, output->size);
    free(output->source);
}

void kiln_outputs_destroy(kiln_outputs *outputs)
{
    if (!outputs)
        return;
    for (size_t i = 0; i < outputs->count; i++)
        held_output_destroy(&outputs->items[i]);
    free(outputs->items);
    free(outputs);
}

static kiln_outputs *outputs_create(size_t count)
{
    kiln_outputs *outputs = calloc(1, sizeof *outputs);
    if (outputs && !(outputs->items = calloc(count + 1, sizeof *outputs->items))) {
        free(outputs);
        return NULL;
    }
    return outputs;
}

static bool hold(kiln_outputs *outputs, const char *source, int fd, size_t size, bool hit)
{
    held_output *output = &outputs->items[outputs->count];
    *output = (held_output){.source = strdup(source), .size = size, .hit = hit};
    if (!output->source || os_map_file(fd, size, &output->bytes)) {
        free(output->source);
        return false;
    }
    outputs->count++;
    return true;
}

/* An object from the cache may have been evicted between its lookup and now; its absence is an
 * error like any other of the disk. */
static kiln_status hold_result(kiln_outputs *outputs, const unit *unit, unit_result *result,
                               kiln_error **error)
{
    int opened = -1, fd = result->fd;
    if (fd < 0 && result->path)
        fd = opened = os_open_read(AT_FDCWD, result->path);
    bool done = fd >= 0 && hold(outputs, unit->path, fd, (size_t)result->size, result->hit);
    if (opened >= 0)
        close(opened);
    return done ? KILN_OK
                : error_set(error, KILN_IO, KILN_PHASE_COMPILE,
                            "cannot read the output of '%s': compile again", unit->path);
}

static kiln_status compile_each(build *build, kiln_outputs **out, diagnostic_list *warnings,
                                kiln_error **error)
{
    size_t count = build->units.count;
    unit_result *results = calloc(count + 1, sizeof *results);
    kiln_outputs *outputs = outputs_create(count);
    kiln_status status = KILN_OK;
    for (size_t i = 0; results && i < count; i++)
        results[i].fd = -1;
    if (!results || !outputs)
        status = error_no_memory(error);
    if (status == KILN_OK)
        status = build_compile_only(build, results, warnings, error);
    for (size_t i = 0; status == KILN_OK && i < count; i++)
        if (results[i].done)
            status = hold_result(outputs, &build->units.items[i], &results[i], error);
    for (size_t i = 0; results && i < count; i++)
        unit_result_destroy(&results[i]);
    free(results);
    if (status == KILN_OK)
        *out = outputs;
    else
        kiln_outputs_destroy(outputs);
    return status;
}

static kiln_status combine(build *build, uint32_t kind, kiln_outputs **out,
                           diagnostic_list *warnings, kiln_error **error)
{
    int fd = -1;
    size_t size = 0;
    kiln_outputs *outputs = outputs_create(1);
    if (!outputs)
        return error_no_memory(error);
    kiln_status status = build_combine(build, kind, &fd, &size, warnings, error);
    if (status == KILN_OK && !hold(outputs, build->spec->name, fd, size, false))
        status = error_no_memory(error);
    if (fd >= 0)
        close(fd);
    if (status == KILN_OK)
        *out = outputs;
    else
        kiln_outputs_destroy(outputs);
    return status;
}

static kiln_status run(kiln_session *session, build *build, const kiln_compile_options *options,
                       kiln_outputs **outputs, kiln_error **error)
{
    static const struct {
        uint32_t unit, combined; /* what units are compiled to, and what they then become */
        bool always_combined;
    } kinds[] = {
        [KILN_OUTPUT_OBJECT] = {KILN__WIRE__OUTPUT_KIND__OBJECT, KILN__WIRE__OUTPUT_KIND__OBJECT,
                                false},
        [KILN_OUTPUT_BITCODE] = {KILN__WIRE__OUTPUT_KIND__BITCODE, KILN__WIRE__OUTPUT_KIND__BITCODE,
                                 false},
        [KILN_OUTPUT_IR] = {KILN__WIRE__OUTPUT_KIND__IR, KILN__WIRE__OUTPUT_KIND__IR, false},
        [KILN_OUTPUT_ASSEMBLY] = {KILN__WIRE__OUTPUT_KIND__ASSEMBLY,
                                  KILN__WIRE__OUTPUT_KIND__ASSEMBLY, false},
        [KILN_OUTPUT_ARCHIVE] = {KILN__WIRE__OUTPUT_KIND__OBJECT, KILN__WIRE__OUTPUT_KIND__ARCHIVE,
                                 true},
        [KILN_OUTPUT_SHARED_LIBRARY] = {KILN__WIRE__OUTPUT_KIND__OBJECT,
                                        KILN__WIRE__OUTPUT_KIND__SHARED_LIBRARY, true},
    };
    bool mergeable = options->kind == KILN_OUTPUT_OBJECT || options->kind == KILN_OUTPUT_BITCODE;
    if ((size_t)options->kind >= sizeof kinds / sizeof *kinds)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "no such kind of output: %d", (int)options->kind);
    if (options->merge && !mergeable && !kinds[options->kind].always_combined)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "only objects and bitcode can be merged");
    build->output = kinds[options->kind].unit;
    build->merge = options->merge;
    kiln_status status = build_begin(build, error);
    diagnostic_list warnings = {0};
    if (status == KILN_OK)
        status = options->merge || kinds[options->kind].always_combined
                     ? combine(build, kinds[options->kind].combined, outputs, &warnings, error)
                     : compile_each(build, outputs, &warnings, error);
    diagnostic_list_destroy(&warnings);
    (void)session;
    return status;
}

kiln_status kiln_compile(kiln_session *session, const kiln_spec *spec,
                         const kiln_compile_options *options, kiln_outputs **outputs,
                         kiln_error **error)
{
    kiln_compile_options ours;
    closure closure;
    size_t *direct = NULL;
    node_build building;
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    build_context context = session_context(session, session_sink(session), -1);
    kiln_status status = options_read(&ours, sizeof ours, options, "compile", error);
    if (status == KILN_OK)
        status = spec_check(spec, error);
    if (status != KILN_OK)
        return status;
    session_count_busy(session, 1);
    status = session_build_dependencies(session, spec, &context, &closure, &direct, error);
    if (status != KILN_OK) {
        session_count_busy(session, -1);
        return status;
    }
    node node = {.spec = (kiln_spec *)spec,
                 .dependencies = direct,
                 .dependency_count = spec->dependencies.count};
    status = node_build_begin(&closure, &node, &context, &building, error);
    if (status == KILN_OK) {
        status = run(session, &building.build, &ours, outputs, error);
        node_build_end(&building);
    }
    session_count_busy(session, -1);
    free(direct);
    closure_destroy(&closure);
    return status;
}

size_t kiln_outputs_count(const kiln_outputs *outputs)
{
    return outputs->count;
}

kiln_status kiln_outputs_get(const kiln_outputs *outputs, size_t index, kiln_output *output)
{
    if (index >= outputs->count || output->size < sizeof output->size)
        return KILN_INVALID_ARGUMENT;
    const held_output *held = &outputs->items[index];
    kiln_output ours = {
        .source = held->source, .bytes = held->bytes, .size_bytes = held->size, .hit = held->hit};
    result_write(output, &ours, sizeof ours);
    return KILN_OK;
}
