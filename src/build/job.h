/* job.h - one job of the compiler process, from the host's side.
 *
 * Requests go out and replies come in, in order; descriptors are named by their place among all
 * that went the same way. A job that dies gives an error that says how. One thread at a time. */
#ifndef KILN_BUILD_JOB_H
#define KILN_BUILD_JOB_H

#include "base/error.h"
#include "build/compiler.h"
#include "build/inputs.h"
#include "wire.pb-c.h"
#include "wire/wire.h"

typedef struct job {
    int socket;          /* -1: none */
    int cancel;          /* readable: give up; -1: never */
    const char *subject; /* what it works on, for messages; borrowed */
    int *received;       /* descriptors, owned; -1 once taken */
    size_t received_count, received_capacity;
    int *queued; /* descriptors that go with the next frame; borrowed */
    size_t queued_count, queued_capacity;
    size_t sent_count;
} job;

/* Begin a job with its Setup, whose memory files carry descriptors: setup_fds, in the order of
 * their indices. */
kiln_status job_open(compiler *compiler, const Kiln__Wire__Setup *setup, const int *setup_fds,
                     size_t setup_fd_count, int cancel, const char *subject, job *job,
                     kiln_error **error);
/* Ends the job, also while it runs. */
void job_close(job *job);

/* The index by which the next request names a descriptor, which stays the caller's and must live
 * until that is sent. */
bool job_attach(job *job, int fd, uint32_t *index);
/* Send a descriptor ahead of the request that will name it by *index; the caller's own may be
 * closed then. */
kiln_status job_forward(job *job, int fd, uint32_t *index, kiln_error **error);
kiln_status job_send(job *job, wire_type type, const ProtobufCMessage *message, kiln_error **error);

/* Wait for the reply of a type, and unpack it; the caller frees it with
 * protobuf_c_message_free_unpacked. Errors: COMPILER, LIMIT, CANCELLED, IO, NO_MEMORY. */
kiln_status job_receive(job *job, wire_type type, const ProtobufCMessageDescriptor *descriptor,
                        ProtobufCMessage **message, kiln_error **error);
/* The caller owns the descriptor. -1 if there is no such one. */
int job_take_fd(job *job, uint32_t index);

/* ---- parts of messages ---- */

/* Take over what the wire tells of diagnostics. false when out of memory. */
bool job_diagnostics(const Kiln__Wire__DiagnosticList *from, diagnostic_list *to);
bool job_inputs(size_t count, Kiln__Wire__Input *const *from, input_set *to);
ProtobufCBinaryData wire_bytes(const char *string);

#endif
