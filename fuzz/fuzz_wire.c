/* fuzz_wire.c - any bytes from the other end of a connection: as frames, and as each of the
 * messages that come from the compiler, with what the host makes of them.
 *
 * The first byte chooses; the rest is the input. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "build/job.h"
#include "os/os.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- frames ---- */

/* A socket takes so much without a reader. */
enum { most_bytes = 64 * 1024 };

/* A connection on which the bytes wait and then nothing more comes. */
static int connect_to(const uint8_t *bytes, size_t size)
{
    int sockets[2];
    int failed = os_socket_pair(sockets);
    assert(!failed);
    failed = os_write_all(sockets[1], bytes, size < most_bytes ? size : most_bytes);
    assert(!failed);
    (void)failed;
    close(sockets[1]);
    return sockets[0];
}

static void receive_frames(const uint8_t *bytes, size_t size)
{
    int socket = connect_to(bytes, size);
    static wire_frame frame;
    wire_status status;
    while ((status = wire_receive(socket, &frame)) == WIRE_OK) {
        assert(frame.type > 0 && frame.type < WIRE_TYPE_COUNT);
        assert(frame.fd_count == 0);
        wire_frame_destroy(&frame);
    }
    assert(wire_status_text(status)[0]);
    close(socket);
}

/* The same bytes as the answer to a request. */
static void receive_reply(const uint8_t *bytes, size_t size)
{
    job job = {.socket = connect_to(bytes, size), .cancel = -1, .subject = "fuzz"};
    ProtobufCMessage *message = NULL;
    kiln_error *error = NULL;
    kiln_status status = job_receive(&job, WIRE_COMPILE_REPLY,
                                     &kiln__wire__compile_reply__descriptor, &message, &error);
    assert((status == KILN_OK) == (message != NULL));
    assert((status == KILN_OK) == (error == NULL));
    protobuf_c_message_free_unpacked(message, NULL);
    kiln_error_destroy(error);
    job_close(&job);
}

/* ---- messages ---- */

static void take_diagnostics(const Kiln__Wire__DiagnosticList *list)
{
    diagnostic_list taken;
    kiln_error *error = NULL;
    bool done = job_diagnostics(list, &taken);
    assert(done);
    (void)done;
    kiln_error *copy =
        error_of_diagnostics(KILN_COMPILE, KILN_PHASE_COMPILE, taken.items, taken.count);
    error_set(&error, KILN_COMPILE, KILN_PHASE_COMPILE, "fuzz");
    error_add_diagnostics(error, &taken, NULL);
    assert(kiln_error_diagnostic_count(copy) == kiln_error_diagnostic_count(error));
    assert(kiln_error_rendered(error)[0]);
    kiln_error_destroy(copy);
    kiln_error_destroy(error);
}

static void take_inputs(size_t count, Kiln__Wire__Input *const *inputs)
{
    input_set set = {0}, all = {0};
    bool done = job_inputs(count, inputs, &set) && input_set_add_all(&all, &set);
    assert(done && all.count == set.count && set.count <= count);
    for (size_t i = 0; i < set.count; i++) {
        assert(set.items[i].path[0] == '/');
        assert(input_set_find(&all, set.items[i].path));
    }
    (void)done;
    input_set_sort(&set);
    input_set_destroy(&set);
    input_set_destroy(&all);
}

static void take_message(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                         size_t size)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, NULL, size, bytes);
    if (!message)
        return;
    if (descriptor == &kiln__wire__diagnostic_list__descriptor) {
        take_diagnostics((Kiln__Wire__DiagnosticList *)message);
    } else if (descriptor == &kiln__wire__plan_reply__descriptor) {
        const Kiln__Wire__PlanReply *reply = (Kiln__Wire__PlanReply *)message;
        take_diagnostics(reply->diagnostics);
        take_inputs(reply->n_inputs, reply->inputs);
    } else if (descriptor == &kiln__wire__compile_reply__descriptor) {
        const Kiln__Wire__CompileReply *reply = (Kiln__Wire__CompileReply *)message;
        take_diagnostics(reply->diagnostics);
        take_inputs(reply->n_inputs, reply->inputs);
    } else if (descriptor == &kiln__wire__link_reply__descriptor) {
        const Kiln__Wire__LinkReply *reply = (Kiln__Wire__LinkReply *)message;
        take_diagnostics(reply->diagnostics);
        take_inputs(reply->n_inputs, reply->inputs);
    }
    /* What was understood can be said again. */
    size_t packed_size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(packed_size + 1);
    assert(packed);
    size_t written = protobuf_c_message_pack(message, packed);
    assert(written == packed_size);
    (void)written;
    free(packed);
    protobuf_c_message_free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const ProtobufCMessageDescriptor *const messages[] = {
        &kiln__wire__hello__descriptor,
        &kiln__wire__exited__descriptor,
        &kiln__wire__plan_reply__descriptor,
        &kiln__wire__compile_reply__descriptor,
        &kiln__wire__link_reply__descriptor,
        &kiln__wire__symbol_table__descriptor,
        &kiln__wire__diagnostic_list__descriptor,
        &kiln__wire__setup__descriptor,
        &kiln__wire__plan__descriptor,
        &kiln__wire__compile__descriptor,
        &kiln__wire__link__descriptor,
        &kiln__wire__job__descriptor,
    };
    enum { message_count = sizeof messages / sizeof *messages };
    if (size == 0)
        return 0;
    unsigned choice = bytes[0] % (message_count + 2);
    if (choice == message_count)
        receive_frames(bytes + 1, size - 1);
    else if (choice == message_count + 1)
        receive_reply(bytes + 1, size - 1);
    else
        take_message(messages[choice], bytes + 1, size - 1);
    return 0;
}
