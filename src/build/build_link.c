/* build_link.c - the lead job's last step: linking the objects of a library. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build_generation.h"
#include "build/build_link.h"
#include "os/os.h"

/* An image is named by what it is linked from, so that building the same again gives the same name,
 * and its dependents stay valid. What no cache keeps is unique to the load. */
void link_name_image(const miss *miss, char id[record_image_id_size])
{
    static atomic_uint counter;
    digest_state state;
    digest_begin(&state);
    digest_add(&state, miss->build->key.bytes, digest_size);
    digest_number(&state, (uint64_t)os_clock_file_ns());
    digest_number(&state, (uint64_t)os_clock_steady_ns());
    digest_number(&state, (uint64_t)getpid());
    digest_number(&state, atomic_fetch_add(&counter, 1));
    digest name = digest_end(&state);
    char hex[digest_hex_size];
    digest_hex(&name, hex);
    snprintf(id, record_image_id_size, "kiln-%.32s", hex);
}

typedef struct request {
    Kiln__Wire__Link message;
    string_list arguments;
    ProtobufCBinaryData *argument_bytes, *host_symbols;
    Kiln__Wire__LinkInput *inputs, **input_pointers;
    Kiln__Wire__LinkDependency *dependencies, **dependency_pointers;
    int *memory_fds; /* of linked memory sources; owned */
    size_t memory_fd_count;
} request;

static void request_destroy(request *request)
{
    string_list_destroy(&request->arguments);
    free(request->argument_bytes);
    free(request->host_symbols);
    free(request->inputs);
    free(request->input_pointers);
    free(request->dependencies);
    free(request->dependency_pointers);
    for (size_t i = 0; i < request->memory_fd_count; i++)
        close(request->memory_fds[i]);
    free(request->memory_fds);
}

/* A later generation is linked from what was edited. Shared libraries belong to every one; objects
 * and archives to the first, which exports what is in them. */
static bool is_linked(const build *build, size_t index)
{
    return !build->generation || build->generation->edited[index] ||
           build->units.items[index].kind == INPUT_SHARED_LIBRARY;
}

static bool add_input(miss *miss, size_t index, request *request)
{
    const unit *unit = &miss->build->units.items[index];
    const unit_result *result = &miss->results[index];
    size_t place = request->message.n_inputs;
    if (!is_linked(miss->build, index))
        return true;
    Kiln__Wire__LinkInput *input = &request->inputs[place];
    kiln__wire__link_input__init(input);
    request->input_pointers[place] = input;
    request->message.n_inputs++;
    input->name = wire_bytes(unit->path);
    input->cxx = result->cxx;
    if (miss->lead_holds_object && miss->lead_unit == index) {
        input->from_compile = true;
        return true;
    }
    if (result->path) {
        input->path = wire_bytes(result->path);
        return true;
    }
    if (result->in_lead) {
        input->has_fd = true;
        input->content_fd = result->lead_index;
        return true;
    }
    int fd = result->fd;
    if (!build_is_compiled(unit)) {
        if (!unit->source->bytes) {
            input->path = wire_bytes(unit->path);
            return true;
        }
        fd = os_memfd_with(unit->path, unit->source->bytes, unit->source->size, false);
        if (fd < 0)
            return false;
        request->memory_fds[request->memory_fd_count++] = fd;
    }
    input->has_fd = true;
    return job_attach(&miss->lead, fd, &input->content_fd);
}

static bool add_dependency(miss *miss, const image *image, request *request)
{
    size_t place = request->message.n_dependencies++;
    Kiln__Wire__LinkDependency *dependency = &request->dependencies[place];
    kiln__wire__link_dependency__init(dependency);
    request->dependency_pointers[place] = dependency;
    dependency->image_id = wire_bytes(image->id);
    int fd = image_fd(image);
    dependency->has_fd = fd >= 0;
    dependency->path = wire_bytes(image->path);
    return fd < 0 || job_attach(&miss->lead, fd, &dependency->content_fd);
}

/* The library's dependencies come before its own earlier generations, as they do in the scope of
 * the first one: so weak variables that several of them have are the same for all generations. */
static bool add_dependencies(miss *miss, request *request)
{
    const build *build = miss->build;
    const generation_request *generation = build->generation;
    bool done = true;
    for (size_t i = 0; done && i < build->dependency_count; i++)
        done = add_dependency(miss, build->dependencies[i], request);
    for (uint32_t i = 0; done && generation && i + 1 < generation->number; i++)
        if (generation->earlier[i])
            done = add_dependency(miss, generation->earlier[i], request);
    return done;
}

static bool fill(miss *miss, const char *image_id, uint32_t output, request *request)
{
    const build *build = miss->build;
    const kiln_spec *spec = build->spec;
    size_t units = build->units.count;
    size_t dependencies =
        build->dependency_count + (build->generation ? build->generation->number : 0);
    *request = (struct request){0};
    kiln__wire__link__init(&request->message);
    request->inputs = calloc(units + 1, sizeof *request->inputs);
    request->input_pointers = calloc(units + 1, sizeof *request->input_pointers);
    request->dependencies = calloc(dependencies + 1, sizeof *request->dependencies);
    request->dependency_pointers = calloc(dependencies + 1, sizeof *request->dependency_pointers);
    request->host_symbols = calloc(spec->host_symbol_count + 1, sizeof *request->host_symbols);
    request->memory_fds = calloc(units + 1, sizeof *request->memory_fds);
    bool done = request->inputs && request->input_pointers && request->dependencies &&
                request->dependency_pointers && request->host_symbols && request->memory_fds &&
                build_link_arguments(miss, &request->arguments);
    request->argument_bytes =
        done ? calloc(request->arguments.count + 1, sizeof *request->argument_bytes) : NULL;
    done = done && request->argument_bytes;
    for (size_t i = 0; done && i < request->arguments.count; i++)
        request->argument_bytes[i] = wire_bytes(request->arguments.items[i]);
    for (size_t i = 0; done && i < units; i++)
        done = add_input(miss, i, request);
    done = done && add_dependencies(miss, request);
    for (size_t i = 0; done && i < spec->host_symbol_count; i++)
        request->host_symbols[i] = wire_bytes(spec->host_symbols[i].name);
    Kiln__Wire__Link *message = &request->message;
    message->output = (Kiln__Wire__OutputKind)output;
    message->arguments = request->argument_bytes;
    message->n_arguments = request->arguments.count;
    message->inputs = request->input_pointers;
    message->dependencies = request->dependency_pointers;
    message->host_symbols = request->host_symbols;
    message->n_host_symbols = spec->host_symbol_count;
    message->image_id = wire_bytes(image_id);
    return done;
}

/* Objects in the cache are no inputs: they are named by their content, and may go. */
static bool add_link_inputs(miss *miss, const Kiln__Wire__LinkReply *reply)
{
    const store *store = miss->build->context->store;
    input_set inputs = {0};
    bool done = job_inputs(reply->n_inputs, reply->inputs, &inputs);
    size_t prefix = store ? strlen(store_path(store)) : 0;
    for (size_t i = 0; done && i < inputs.count; i++) {
        const input *item = &inputs.items[i];
        if (prefix && strncmp(item->path, store_path(store), prefix) == 0 &&
            item->path[prefix] == '/')
            continue;
        done = input_set_add(&miss->inputs, item->path, strlen(item->path), item->state,
                             &item->identity, &item->content);
    }
    input_set_destroy(&inputs);
    return done;
}

static kiln_status take_reply(miss *miss, const Kiln__Wire__LinkReply *reply, link_output *output,
                              kiln_error **error)
{
    if (!reply->ok) {
        char *what = text_print("cannot link '%s'", miss->build->spec->name);
        kiln_status status =
            what ? build_failed(KILN_LINK, KILN_PHASE_LINK, what, reply->diagnostics, error)
                 : error_no_memory(error);
        free(what);
        return status;
    }
    output->fd = reply->has_output ? job_take_fd(&miss->lead, reply->output_fd) : -1;
    if (output->fd < 0 || reply->output_digest.len != digest_size)
        return error_set(error, KILN_COMPILER, KILN_PHASE_LINK,
                         "the compiler sent no output for '%s'", miss->build->spec->name);
    memcpy(output->content.bytes, reply->output_digest.data, digest_size);
    output->size = reply->output_size;
    output->symbol_count = reply->symbol_count;
    output->symbol_table_size = reply->symbol_table.len;
    output->symbol_table = malloc(reply->symbol_table.len + 1);
    bool done = output->symbol_table != NULL;
    if (done && reply->symbol_table.len)
        memcpy(output->symbol_table, reply->symbol_table.data, reply->symbol_table.len);
    for (size_t i = 0; done && i < reply->n_used_host_symbols; i++)
        done = string_list_add_bytes(&output->host_symbols, reply->used_host_symbols[i].data,
                                     reply->used_host_symbols[i].len);
    if (!done || !add_link_inputs(miss, reply) ||
        !build_keep_warnings(miss->build, reply->diagnostics, &miss->warnings))
        return error_no_memory(error);
    return KILN_OK;
}

kiln_status build_link(miss *miss, const char *image_id, uint32_t kind, link_output *output,
                       kiln_error **error)
{
    build *build = miss->build;
    int64_t begin = os_clock_steady_ns();
    request request;
    ProtobufCMessage *reply = NULL;
    build_emit(build, &(kiln_event){.kind = KILN_EVENT_LINK_STARTED});
    miss->lead.subject = build->spec->name;
    kiln_status status = fill(miss, image_id, kind, &request)
                             ? job_send(&miss->lead, WIRE_LINK, &request.message.base, error)
                             : error_no_memory(error);
    request_destroy(&request);
    if (status == KILN_OK)
        status = job_receive(&miss->lead, WIRE_LINK_REPLY, &kiln__wire__link_reply__descriptor,
                             &reply, error);
    if (status == KILN_OK)
        status = take_reply(miss, (Kiln__Wire__LinkReply *)reply, output, error);
    if (reply)
        protobuf_c_message_free_unpacked(reply, NULL);
    double seconds = build_seconds_since(begin);
    build->seconds[KILN_PHASE_LINK] += seconds;
    if (status == KILN_OK)
        build_emit(build, &(kiln_event){.kind = KILN_EVENT_LINK_FINISHED, .seconds = seconds});
    return status;
}

void link_output_destroy(link_output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    free(output->symbol_table);
    string_list_destroy(&output->host_symbols);
    *output = (link_output){.fd = -1};
}
