/* job.c - one job of the compiler process: see job.h. */
#include "build/job.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/text.h"

ProtobufCBinaryData wire_bytes(const char *string)
{
    return (ProtobufCBinaryData){.len = strlen(string), .data = (uint8_t *)string};
}

kiln_status job_open(compiler *compiler, const Kiln__Wire__Setup *setup, const int *setup_fds,
                     size_t setup_fd_count, int cancel, const char *subject, job *job,
                     kiln_error **error)
{
    *job = (struct job){.socket = -1, .cancel = cancel, .subject = subject};
    kiln_status status = compiler_open_job(compiler, cancel, &job->socket, error);
    if (status != KILN_OK)
        return status;
    for (size_t i = 0; i < setup_fd_count; i++) {
        uint32_t index;
        if (!job_attach(job, setup_fds[i], &index)) {
            job_close(job);
            return error_no_memory(error);
        }
        assert(index == i);
    }
    status = job_send(job, WIRE_SETUP, &setup->base, error);
    if (status != KILN_OK)
        job_close(job);
    return status;
}

void job_close(job *job)
{
    /* Shut down, not only closed: a process that this one forked meanwhile has the socket as well.
     */
    if (job->socket >= 0) {
        shutdown(job->socket, SHUT_RDWR);
        close(job->socket);
    }
    for (size_t i = 0; i < job->received_count; i++)
        if (job->received[i] >= 0)
            close(job->received[i]);
    free(job->received);
    free(job->queued);
    *job = (struct job){.socket = -1, .cancel = -1};
}

bool job_attach(job *job, int fd, uint32_t *index)
{
    int *place =
        array_add((void **)&job->queued, &job->queued_count, &job->queued_capacity, sizeof *place);
    if (!place)
        return false;
    *place = fd;
    *index = (uint32_t)(job->sent_count + job->queued_count - 1);
    return true;
}

/* ---- how a job ends ---- */

static kiln_status tell_exit(const job *job, const Kiln__Wire__Exited *exited, kiln_error **error)
{
    if (exited->timed_out)
        return error_set(error, KILN_LIMIT, KILN_PHASE_COMPILE,
                         "compiling '%s' took longer than the limit of time allows: simplify the "
                         "source, or raise job_seconds (--time-limit)",
                         job->subject);
    if (exited->out_of_memory)
        return error_set(error, KILN_LIMIT, KILN_PHASE_COMPILE,
                         "compiling '%s' needs more memory than the limit allows: simplify the "
                         "source, or raise job_memory_bytes (--memory-limit)",
                         job->subject);
    if (exited->signal)
        return error_set(error, KILN_COMPILER, KILN_PHASE_COMPILE,
                         "the compiler's job was ended by signal %d (%s) while it worked on '%s'",
                         exited->signal, strsignal(exited->signal), job->subject);
    return error_set(error, KILN_COMPILER, KILN_PHASE_COMPILE,
                     "the compiler's job gave up with status %d while it worked on '%s'%s%s",
                     exited->exit_status, job->subject, exited->detail[0] ? ": " : "",
                     exited->detail);
}

static kiln_status tell_loss(const job *job, wire_status lost, kiln_error **error)
{
    if (lost == WIRE_NO_MEMORY)
        return error_no_memory(error);
    if (lost == WIRE_IO)
        return error_set_errno(error, KILN_IO, KILN_PHASE_COMPILE, errno,
                               "the connection to the compiler process failed while it worked on "
                               "'%s'",
                               job->subject);
    return error_set(error, KILN_COMPILER, KILN_PHASE_COMPILE,
                     "the compiler process has gone while it worked on '%s' (%s): the next load "
                     "starts another",
                     job->subject, wire_status_text(lost));
}

/* A job that has closed its end has ended: its last frame says why. One that cannot be written to
 * for another reason is still waiting, and says nothing. */
static kiln_status read_exit(job *job, wire_status lost, kiln_error **error)
{
    while (lost == WIRE_CLOSED) {
        wire_frame frame;
        if (wire_receive(job->socket, &frame) != WIRE_OK)
            return tell_loss(job, lost, error);
        Kiln__Wire__Exited *exited = frame.type == WIRE_EXITED
                                         ? kiln__wire__exited__unpack(NULL, frame.size, frame.body)
                                         : NULL;
        wire_frame_destroy(&frame);
        if (!exited)
            continue;
        kiln_status status = tell_exit(job, exited, error);
        kiln__wire__exited__free_unpacked(exited, NULL);
        return status;
    }
    return tell_loss(job, lost, error);
}

/* ---- frames ---- */

kiln_status job_send(job *job, wire_type type, const ProtobufCMessage *message, kiln_error **error)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *body = malloc(size + 1);
    if (!body)
        return error_no_memory(error);
    protobuf_c_message_pack(message, body);
    wire_status sent = WIRE_OK;
    size_t done = 0;
    while (sent == WIRE_OK && job->queued_count - done > kiln_wire_max_fds) {
        sent = wire_send(job->socket, WIRE_ATTACH, NULL, 0, job->queued + done, kiln_wire_max_fds);
        done += kiln_wire_max_fds;
    }
    if (sent == WIRE_OK)
        sent =
            wire_send(job->socket, type, body, size, job->queued + done, job->queued_count - done);
    free(body);
    job->sent_count += job->queued_count;
    job->queued_count = 0;
    return sent == WIRE_OK ? KILN_OK : read_exit(job, sent, error);
}

kiln_status job_forward(job *job, int fd, uint32_t *index, kiln_error **error)
{
    assert(job->queued_count == 0);
    wire_status sent = wire_send(job->socket, WIRE_ATTACH, NULL, 0, &fd, 1);
    if (sent != WIRE_OK)
        return read_exit(job, sent, error);
    *index = (uint32_t)job->sent_count++;
    return KILN_OK;
}

static kiln_status await_readable(const job *job, kiln_error **error)
{
    struct pollfd fds[] = {{.fd = job->socket, .events = POLLIN},
                           {.fd = job->cancel, .events = POLLIN}};
    for (;;) {
        int ready = poll(fds, 2, -1);
        if (ready < 0 && errno != EINTR)
            return error_set_errno(error, KILN_IO, KILN_PHASE_COMPILE, errno, "cannot wait");
        if (ready > 0 && fds[1].revents)
            return error_set(error, KILN_CANCELLED, KILN_PHASE_COMPILE, "the load was cancelled");
        if (ready > 0)
            return KILN_OK;
    }
}

static bool keep_fds(job *job, wire_frame *frame)
{
    for (size_t i = 0; i < frame->fd_count; i++) {
        int *place = array_add((void **)&job->received, &job->received_count,
                               &job->received_capacity, sizeof *place);
        if (!place)
            return false;
        *place = frame->fds[i];
        frame->fds[i] = -1;
    }
    return true;
}

/* *why: what is wrong where NULL comes back; protobuf-c does not tell. */
static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *descriptor,
                                const wire_frame *frame, wire_status *why)
{
    errno = 0;
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, NULL, frame->size, frame->body);
    *why = errno == ENOMEM ? WIRE_NO_MEMORY : WIRE_BROKEN;
    return message;
}

kiln_status job_receive(job *job, wire_type type, const ProtobufCMessageDescriptor *descriptor,
                        ProtobufCMessage **message, kiln_error **error)
{
    for (;;) {
        kiln_status status = await_readable(job, error);
        if (status != KILN_OK)
            return status;
        wire_frame frame;
        wire_status received = wire_receive(job->socket, &frame);
        if (received != WIRE_OK)
            return tell_loss(job, received, error);
        if (!keep_fds(job, &frame))
            status = error_no_memory(error);
        ProtobufCMessage *unpacked = NULL;
        wire_status why;
        if (status == KILN_OK && frame.type == WIRE_EXITED) {
            unpacked = unpack(&kiln__wire__exited__descriptor, &frame, &why);
            status = unpacked ? tell_exit(job, (Kiln__Wire__Exited *)unpacked, error)
                              : tell_loss(job, why, error);
            protobuf_c_message_free_unpacked(unpacked, NULL);
        } else if (status == KILN_OK && frame.type == type) {
            unpacked = unpack(descriptor, &frame, &why);
            if (!unpacked)
                status = tell_loss(job, why, error);
            *message = unpacked;
        } else if (status == KILN_OK && frame.type != WIRE_ATTACH) {
            status = tell_loss(job, WIRE_BROKEN, error);
        }
        bool again = status == KILN_OK && frame.type == WIRE_ATTACH;
        wire_frame_destroy(&frame);
        if (!again)
            return status;
    }
}

int job_take_fd(job *job, uint32_t index)
{
    if (index >= job->received_count)
        return -1;
    int fd = job->received[index];
    job->received[index] = -1;
    return fd;
}

/* ---- parts of messages ---- */

static bool take_string(const char **to, const ProtobufCBinaryData *from, bool empty_is_null)
{
    *to = NULL;
    if (from->len == 0 && empty_is_null)
        return true;
    *to = strndup(from->len ? (const char *)from->data : "", from->len);
    return *to != NULL;
}

static bool take_diagnostics(size_t count, Kiln__Wire__Diagnostic *const *from,
                             kiln_diagnostic **to);

static bool take_fixits(size_t count, Kiln__Wire__Fixit *const *from, kiln_fixit **to)
{
    *to = count ? calloc(count, sizeof **to) : NULL;
    if (count && !*to)
        return false;
    bool done = true;
    for (size_t i = 0; i < count; i++) {
        (*to)[i] = (kiln_fixit){.line = from[i]->line,
                                .column = from[i]->column,
                                .end_line = from[i]->end_line,
                                .end_column = from[i]->end_column};
        done &= take_string(&(*to)[i].file, &from[i]->file, false);
        done &= take_string(&(*to)[i].replacement, &from[i]->replacement, false);
    }
    return done;
}

static bool take_diagnostic(const Kiln__Wire__Diagnostic *from, kiln_diagnostic *to)
{
    kiln_diagnostic *notes = NULL;
    kiln_fixit *fixits = NULL;
    *to = (kiln_diagnostic){.size = sizeof *to,
                            .severity = from->severity <= KILN_SEVERITY_FATAL
                                            ? (kiln_severity)from->severity
                                            : KILN_SEVERITY_ERROR,
                            .line = from->line,
                            .column = from->column,
                            .end_line = from->end_line,
                            .end_column = from->end_column};
    bool done = take_string(&to->file, &from->file, true);
    done &= take_string(&to->message, &from->message, false);
    done &= take_string(&to->option, &from->option, true);
    done &= take_string(&to->rendered, &from->rendered, false);
    done &= take_diagnostics(from->n_notes, from->notes, &notes);
    done &= take_fixits(from->n_fixits, from->fixits, &fixits);
    to->notes = notes;
    to->note_count = notes ? from->n_notes : 0;
    to->fixits = fixits;
    to->fixit_count = fixits ? from->n_fixits : 0;
    return done;
}

static bool take_diagnostics(size_t count, Kiln__Wire__Diagnostic *const *from,
                             kiln_diagnostic **to)
{
    *to = count ? calloc(count, sizeof **to) : NULL;
    if (count && !*to)
        return false;
    bool done = true;
    for (size_t i = 0; i < count; i++)
        done &= take_diagnostic(from[i], &(*to)[i]);
    return done;
}

bool job_diagnostics(const Kiln__Wire__DiagnosticList *from, diagnostic_list *to)
{
    *to = (diagnostic_list){0};
    if (!from)
        return true;
    bool done = take_diagnostics(from->n_diagnostics, from->diagnostics, &to->items);
    to->count = to->items ? from->n_diagnostics : 0;
    return done;
}

bool job_inputs(size_t count, Kiln__Wire__Input *const *from, input_set *to)
{
    for (size_t i = 0; i < count; i++) {
        const Kiln__Wire__Input *item = from[i];
        os_identity identity = {0};
        digest content = {0};
        bool has_path = item->path.len > 0 && item->path.data[0] == '/' &&
                        !memchr(item->path.data, '\0', item->path.len);
        if ((unsigned)item->kind >= INPUT_PROCESSOR ||
            (!has_path && (int)item->kind != (int)INPUT_CLOCK))
            continue;
        if (item->identity)
            identity = (os_identity){.device = item->identity->device,
                                     .inode = item->identity->inode,
                                     .size = item->identity->size,
                                     .mtime_ns = item->identity->mtime_ns,
                                     .ctime_ns = item->identity->ctime_ns};
        if (item->digest.len == digest_size)
            memcpy(content.bytes, item->digest.data, digest_size);
        if (!input_set_add(to, (const char *)item->path.data, item->path.len,
                           (input_state)item->kind, &identity, &content))
            return false;
    }
    return true;
}
