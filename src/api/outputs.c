/* outputs.c - compiling without loading: kiln_compile and its outputs. */
#include <stdlib.h>
#include <string.h>

#include "api/session.h"
#include "build/build_outputs.h"
#include "wire.pb-c.h"

struct kiln_outputs {
    build_output_list list;
    size_t unit_count;
    double seconds[KILN_PHASE_COUNT];
};

void kiln_outputs_destroy(kiln_outputs *outputs)
{
    if (!outputs)
        return;
    build_output_list_destroy(&outputs->list);
    free(outputs);
}

static kiln_status run(build *build, const kiln_compile_options *options, kiln_outputs **outputs,
                       bool *hit, kiln_error **error)
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
        [KILN_OUTPUT_RAW_BITCODE] = {KILN__WIRE__OUTPUT_KIND__RAW_BITCODE,
                                     KILN__WIRE__OUTPUT_KIND__RAW_BITCODE, false},
    };
    bool mergeable = options->kind == KILN_OUTPUT_OBJECT || options->kind == KILN_OUTPUT_BITCODE ||
                     options->kind == KILN_OUTPUT_RAW_BITCODE;
    if ((size_t)options->kind >= sizeof kinds / sizeof *kinds)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "no such kind of output: %d", (int)options->kind);
    if (options->merge && !mergeable && !kinds[options->kind].always_combined)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "only objects and bitcode can be merged");
    build->output = kinds[options->kind].unit;
    build->merge = options->merge;
    kiln_outputs *made = calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error);
    bool combines = options->merge || kinds[options->kind].always_combined;
    kiln_status status = build_begin(build, error);
    if (status == KILN_OK)
        status = build_outputs(build, combines ? &kinds[options->kind].combined : NULL, &made->list,
                               hit, error);
    if (status != KILN_OK) {
        kiln_outputs_destroy(made);
        return status;
    }
    made->unit_count = build->units.count;
    memcpy(made->seconds, build->seconds, sizeof made->seconds);
    *outputs = made;
    return KILN_OK;
}

bool outputs_describe(const kiln_outputs *outputs, image *image)
{
    image->unit_count = outputs->unit_count;
    image->input_count = outputs->list.input_count;
    memcpy(image->seconds, outputs->seconds, sizeof image->seconds);
    if (outputs->list.miss_reason)
        image->miss_reason = strdup(outputs->list.miss_reason);
    return image->miss_reason || !outputs->list.miss_reason;
}

kiln_status session_compile(kiln_session *session, const kiln_spec *spec,
                            const kiln_compile_options *options, const build_context *context,
                            kiln_outputs **outputs, kiln_error **error)
{
    closure closure;
    size_t *direct = NULL;
    node_build building;
    session_count_busy(session, 1);
    /* Only a linker asks for what dependencies came to. */
    bool builds = options->kind == KILN_OUTPUT_SHARED_LIBRARY;
    kiln_status status =
        session_find_dependencies(session, spec, context, builds, &closure, &direct, error);
    if (status != KILN_OK) {
        session_count_busy(session, -1);
        session_forget_unused(session);
        return status;
    }
    node node = {.spec = (kiln_spec *)spec,
                 .dependencies = direct,
                 .dependency_count = spec->dependencies.count};
    status = node_build_begin(&closure, &node, context, &building, error);
    if (status == KILN_OK) {
        bool hit = false;
        status = run(&building.build, options, outputs, &hit, error);
        if (status == KILN_OK)
            atomic_fetch_add(hit ? &session->hits : &session->misses, 1);
        node_build_end(&building);
    }
    session_count_busy(session, -1);
    free(direct);
    closure_destroy(&closure);
    session_forget_unused(session);
    return status;
}

kiln_status kiln_compile(kiln_session *session, const kiln_spec *spec,
                         const kiln_compile_options *options, kiln_outputs **outputs,
                         kiln_error **error)
{
    kiln_compile_options ours;
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!spec || !outputs)
        return error_null(error, spec ? "outputs" : "spec");
    build_context context = session_context(session, session_sink(session), HOT_OFF, -1);
    kiln_status status = options_read(&ours, sizeof ours, options, "compile", error);
    if (status == KILN_OK)
        status = spec_check(spec, error);
    return status == KILN_OK ? session_compile(session, spec, &ours, &context, outputs, error)
                             : status;
}

size_t kiln_outputs_count(const kiln_outputs *outputs)
{
    return outputs->list.count;
}

kiln_status kiln_outputs_get(const kiln_outputs *outputs, size_t index, kiln_output *output)
{
    if (index >= outputs->list.count || output->size < sizeof output->size)
        return KILN_INVALID_ARGUMENT;
    const build_output *held = &outputs->list.items[index];
    kiln_output ours = {
        .source = held->source, .bytes = held->bytes, .size_bytes = held->size, .hit = held->hit};
    result_write(output, &ours, sizeof ours);
    return KILN_OK;
}
