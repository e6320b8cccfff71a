/* build.c - the beginning and the end of a build: its key, and what it holds. See build.h. */
#include "build/build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build_generation.h"
#include "build/build_steps.h"
#include "build/environment.h"
#include "os/os.h"

double build_seconds_since(int64_t begin_ns)
{
    return (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
}

/* How many pieces the back end may make of one unit: a constant, not the number of processors,
 * since it shapes the code and is part of the key. Libraries of many units have parallel work
 * enough. */
uint32_t build_codegen_units(const build *build)
{
    enum { few_units = 2, pieces = 16 };
    return build->units.count <= few_units ? pieces : 1;
}

key_context build_key_context(const build *build)
{
    return (key_context){.compiler = &build->compiler_identity,
                         .environment = &build->environment,
                         .inherited = build->inherited,
                         .dependency_ids = &build->dependency_ids,
                         .providers = build->providers,
                         .provider_count = build->provider_count,
                         .output = build->output,
                         .codegen_units = build_codegen_units(build),
                         .lending_number = build->lending_number,
                         .merge = build->merge,
                         .hot = build->context->hot};
}

static bool collect_dependency_ids(build *build)
{
    for (size_t i = 0; i < build->dependency_count; i++) {
        const image *image = build->dependencies[i];
        if (!string_list_take(&build->dependency_ids, text_print("%s %s", image->name, image->id)))
            return false;
    }
    return true;
}

kiln_status build_begin(build *build, kiln_error **error)
{
    int64_t begin = os_clock_steady_ns();
    if (build->context->store)
        store_check_root(build->context->store);
    kiln_status status = units_resolve(build->spec, &build->units, error);
    if (status != KILN_OK)
        return status;
    if (!environment_collect(&build->environment) || !collect_dependency_ids(build))
        return error_no_memory(error);
    status = compiler_identify(build->context->compiler, build->context->store,
                               build->context->cancel, &build->compiler_identity, error);
    if (status != KILN_OK)
        return status;
    key_context context = build_key_context(build);
    key_of_library(build->spec, &build->units, &context, &build->ingredients);
    if (build->ingredients.failed)
        return error_no_memory(error);
    build->key = ingredients_digest(&build->ingredients);
    build->seconds[KILN_PHASE_SPEC] = build_seconds_since(begin);
    return KILN_OK;
}

void build_end(build *build)
{
    unit_list_destroy(&build->units);
    string_list_destroy(&build->environment);
    string_list_destroy(&build->dependency_ids);
    ingredients_destroy(&build->ingredients);
    record_destroy(&build->record);
    free(build->miss_reason);
    build->miss_reason = NULL;
    for (size_t i = 0; i < build->memory_fd_count; i++)
        close(build->memory_fds[i]);
    free(build->memory_fds);
    build->memory_fds = NULL;
    build->memory_fd_count = build->memory_fd_capacity = 0;
}

void unit_result_destroy(unit_result *result)
{
    if (result->fd >= 0)
        close(result->fd);
    free(result->path);
    *result = (unit_result){.fd = -1};
}
