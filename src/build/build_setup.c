/* build_setup.c - the surroundings of a job: directory, environment, memory files, and the
 * arguments of compiler and linker. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/path.h"
#include "build/build_generation.h"
#include "build/build_steps.h"
#include "build/sources.h"
#include "os/os.h"

/* Smaller memory files travel within the message: a descriptor costs more than the copy. */
enum { inline_size = 64 * 1024 };

typedef struct setup {
    Kiln__Wire__Setup message;
    Kiln__Wire__MemoryFile *files;
    Kiln__Wire__MemoryFile **file_pointers;
    ProtobufCBinaryData *environment;
    char *virtual_directory;
    string_list paths; /* of the memory files */
} setup;

static void setup_destroy(setup *setup)
{
    free(setup->files);
    free(setup->file_pointers);
    free(setup->environment);
    free(setup->virtual_directory);
    string_list_destroy(&setup->paths);
}

static bool add_memory_file(build *build, setup *setup, const char *library, const char *path,
                            const uint8_t *bytes, size_t size, size_t *large_count)
{
    size_t index = setup->paths.count;
    if (!string_list_take(&setup->paths, text_print("/kiln/%s/%s", library, path)))
        return false;
    Kiln__Wire__MemoryFile *file = &setup->files[index];
    kiln__wire__memory_file__init(file);
    setup->file_pointers[index] = file;
    file->path = wire_bytes(setup->paths.items[index]);
    if (size < inline_size) {
        file->content = (ProtobufCBinaryData){.len = size, .data = (uint8_t *)bytes};
        return true;
    }
    if (*large_count == build->memory_fd_count) {
        int fd = os_memfd_with(path, bytes, size, false);
        int *place = fd < 0 ? NULL
                            : array_add((void **)&build->memory_fds, &build->memory_fd_count,
                                        &build->memory_fd_capacity, sizeof *place);
        if (!place) {
            if (fd >= 0)
                close(fd);
            return false;
        }
        *place = fd;
    }
    file->has_fd = true;
    file->content_fd = (uint32_t)(*large_count)++;
    return true;
}

static bool add_memory_headers(build *build, setup *setup, const kiln_spec *spec,
                               size_t *large_count)
{
    bool done = true;
    for (size_t i = 0; done && i < spec->header_count; i++)
        done = add_memory_file(build, setup, spec->name, spec->headers[i].path,
                               spec->headers[i].bytes, spec->headers[i].size, large_count);
    return done;
}

static bool add_memory_files(build *build, setup *setup)
{
    const kiln_spec *spec = build->spec;
    size_t count = spec->header_count + spec->source_count, large_count = 0;
    for (size_t i = 0; i < build->provider_count; i++)
        count += build->providers[i]->header_count;
    setup->files = calloc(count + 1, sizeof *setup->files);
    setup->file_pointers = calloc(count + 1, sizeof *setup->file_pointers);
    if (!setup->files || !setup->file_pointers)
        return false;
    bool done = add_memory_headers(build, setup, spec, &large_count);
    for (size_t i = 0; done && i < spec->source_count; i++)
        if (spec->sources[i].bytes)
            done = add_memory_file(build, setup, spec->name, spec->sources[i].path,
                                   spec->sources[i].bytes, spec->sources[i].size, &large_count);
    for (size_t i = 0; done && i < build->provider_count; i++)
        done = add_memory_headers(build, setup, build->providers[i], &large_count);
    setup->message.memory_files = setup->file_pointers;
    setup->message.n_memory_files = setup->paths.count;
    return done;
}

static bool setup_fill(build *build, setup *setup)
{
    *setup = (struct setup){0};
    kiln__wire__setup__init(&setup->message);
    setup->virtual_directory = units_virtual_directory(build->spec);
    setup->environment = calloc(build->environment.count + 1, sizeof *setup->environment);
    if (!setup->virtual_directory || !setup->environment)
        return false;
    for (size_t i = 0; i < build->environment.count; i++)
        setup->environment[i] = wire_bytes(build->environment.items[i]);
    setup->message.environment = setup->environment;
    setup->message.n_environment = build->environment.count;
    setup->message.working_directory = wire_bytes(build->spec->directory);
    setup->message.umask = 077; /* whatever a job might write is the owner's alone */
    if (!add_memory_files(build, setup))
        return false;
    if (setup->paths.count)
        setup->message.virtual_directory = wire_bytes(setup->virtual_directory);
    return true;
}

kiln_status build_open_job(build *build, const char *subject, job *job, kiln_error **error)
{
    setup setup;
    kiln_status status;
    if (setup_fill(build, &setup))
        status = job_open(build->context->compiler, &setup.message, build->memory_fds,
                          build->memory_fd_count, build->context->cancel, subject, job, error);
    else
        status = error_no_memory(error);
    setup_destroy(&setup);
    return status;
}

/* ---- arguments ---- */

bool build_is_compiled(const unit *unit)
{
    return !input_kind_is_linked(unit->kind);
}

bool build_compiles(const build *build, size_t index)
{
    return build_is_compiled(&build->units.items[index]) &&
           (!build->generation || build->generation->edited[index]);
}

static bool is_cxx_standard(const char *standard)
{
    return strstr(standard, "++") != NULL;
}

/* A hot library is compiled often, and looked into by debuggers. */
static bool add_defaults(const build *build, string_list *list)
{
    static const char *const defaults[] = {"-O2", "-gline-tables-only", "-fPIC", NULL};
    static const char *const hot_defaults[] = {"-O1", "-g", "-fPIC", NULL};
    return string_list_add_all(list, build->context->hot == HOT_OFF ? defaults : hot_defaults);
}

static bool add_spec_arguments(const kiln_spec *spec, string_list *list)
{
    for (size_t i = 0; i < spec->argument_count; i++)
        if (!string_list_add(list, spec->arguments[i].text))
            return false;
    return true;
}

/* The memory headers of dependencies: after the library's own, which the virtual directory itself
 * brings. */
static bool add_provided_headers(const build *build, string_list *list)
{
    for (size_t i = 0; i < build->provider_count; i++)
        if (build->providers[i]->header_count &&
            !string_list_take(list, text_print("-I/kiln/%s", build->providers[i]->name)))
            return false;
    return true;
}

bool build_compile_arguments(const miss *miss, size_t index, string_list *list)
{
    const kiln_spec *spec = miss->build->spec;
    const unit *unit = &miss->build->units.items[index];
    bool is_cxx = unit->kind == INPUT_CXX;
    if (!add_defaults(miss->build, list))
        return false;
    if (spec->standard && (unit->kind == INPUT_C || is_cxx) &&
        is_cxx_standard(spec->standard) == is_cxx &&
        !string_list_take(list, text_print("-std=%s", spec->standard)))
        return false;
    /* A library's own directories are searched before those that its dependencies make public. */
    return string_list_add_all(list, string_list_view(&miss->source_arguments[index])) &&
           add_spec_arguments(spec, list) &&
           string_list_add_all(list, string_list_view(miss->build->inherited)) &&
           string_list_add_all(list, string_list_view(&miss->package_compile)) &&
           spec_source_arguments(unit->source, list) && add_provided_headers(miss->build, list) &&
           sources_add_debug_paths(miss->build, list) && string_list_add(list, "-fPIC");
}

/* The loader is to find shared libraries where the link found them: beside those given by path, and
 * in the directories of -L. */
static bool add_run_path(const kiln_spec *spec, const char *directory, string_list *list)
{
    char *absolute = path_join(spec->directory, directory);
    bool done = absolute && string_list_add(list, "-Xlinker") && string_list_add(list, "-rpath") &&
                string_list_add(list, "-Xlinker") && string_list_add(list, absolute);
    free(absolute);
    return done;
}

static bool add_run_paths(const build *build, string_list *list)
{
    size_t count = list->count;
    bool done = true;
    for (size_t i = 0; done && i < count; i++) {
        const char *argument = list->items[i];
        if (strncmp(argument, "-L", 2) != 0)
            continue;
        if (argument[2])
            done = add_run_path(build->spec, argument + 2, list);
        else if (i + 1 < count)
            done = add_run_path(build->spec, list->items[i + 1], list);
    }
    for (size_t i = 0; done && i < build->units.count; i++) {
        if (build->units.items[i].kind != INPUT_SHARED_LIBRARY)
            continue;
        char *directory = path_parent(build->units.items[i].path);
        done = directory && add_run_path(build->spec, directory, list);
        free(directory);
    }
    return done;
}

bool build_link_arguments(const miss *miss, string_list *list)
{
    const build *build = miss->build;
    bool done =
        add_defaults(build, list) && string_list_add_all(list, string_list_view(build->inherited));
    for (size_t i = 0; done && i < build->units.count; i++)
        done = string_list_add_all(list, string_list_view(&miss->source_arguments[i]));
    done = done && add_spec_arguments(build->spec, list) &&
           string_list_add_all(list, string_list_view(build->inherited)) &&
           string_list_add_all(list, string_list_view(&miss->package_link));
    for (size_t i = 0; done && i < build->units.count; i++)
        done =
            string_list_add_all(list, string_list_view(&build->units.items[i].source->arguments));
    return done && add_run_paths(build, list) && string_list_add(list, "-fPIC");
}
