/* compiler_client.h - the host's side of wire.proto, as small as tests need it.
 *
 * Starts the real kiln-compiler and holds jobs with it. Failures of the transport end the test
 * (they are never what is tested, except by job_receive). One thread. */
#ifndef KILN_COMPILER_CLIENT_H
#define KILN_COMPILER_CLIENT_H

#include "wire.pb-c.h"
#include "wire/wire.h"

#include <sys/types.h>

typedef struct compiler {
    int control;
    pid_t pid;
    Kiln__Wire__Hello *hello;
} compiler;

typedef struct job {
    int socket;
    int fds[64]; /* received */
    size_t fd_count;
    uint32_t sent_fds;
} job;

typedef struct memory_file {
    const char *path;
    const char *content;
} memory_file;

/* What a job is set up with; zero for defaults: a directory of its own, no memory files. */
typedef struct job_options {
    uint32_t seconds;
    uint64_t memory_bytes;
    const char *directory;
    const char *const *environment; /* NULL-terminated */
    const memory_file *files;       /* below /kiln-memory; ended by a NULL path */
} job_options;

extern const char virtual_directory[]; /* of memory files */

/* Start the program; its Hello has been received. */
void compiler_start(compiler *self);
/* Close the connection and wait for its end; returns its exit status. */
int compiler_stop(compiler *self);

/* The one that all tests of a program talk to, and its group set-up and teardown for cmocka. */
extern compiler zygote;
int start_zygote(void **state);
int stop_zygote(void **state);

/* A new job that has been set up. */
void job_begin(compiler *self, job *out, const job_options *options);
void job_end(job *self);

/* Requests without their replies, and any reply by its type. */
void job_send(job *self, wire_type type, const ProtobufCMessage *message, const int *fds,
              size_t fd_count);
wire_status job_receive(job *self, wire_frame *frame);

/* A request and its reply, which the caller frees with the generated function. arguments:
 * NULL-terminated. */
Kiln__Wire__CompileReply *job_compile(job *self, const char *source, const char *language,
                                      const char *const *arguments, Kiln__Wire__OutputKind output);
/* The same with codegen units. */
Kiln__Wire__CompileReply *job_compile_in_units(job *self, const char *source,
                                               const char *const *arguments,
                                               uint32_t codegen_units);
/* Links objects (descriptors) to an image named image_id. */
Kiln__Wire__LinkReply *job_link(job *self, Kiln__Wire__Link *message);
Kiln__Wire__LinkReply *job_link_last(job *self, const char *image_id, const char *const *arguments);
Kiln__Wire__PlanReply *job_plan(job *self, Kiln__Wire__Plan *message, const int *fds,
                                size_t fd_count);
/* The last frame of a job that has ended by itself. */
Kiln__Wire__Exited *job_exited(job *self);

/* Send a descriptor ahead of a message that refers to it; returns its number. */
uint32_t job_attach(job *self, int fd);

ProtobufCBinaryData bytes_of(const char *text);
/* Whether bytes equal, or contain, a text. */
bool bytes_are(ProtobufCBinaryData bytes, const char *text);
bool bytes_contain(ProtobufCBinaryData bytes, const char *text);
/* The recorded input of that path and kind, or NULL. */
const Kiln__Wire__Input *find_input(Kiln__Wire__Input *const *inputs, size_t count,
                                    const char *path, Kiln__Wire__Input__Kind kind);
/* Whether any diagnostic's text contains a text; prints them all where not. */
bool has_message(const Kiln__Wire__DiagnosticList *list, const char *text);

/* A new directory below /tmp, removed with all that is in it at exit; and a file in it. Static
 * storage, one per process. */
const char *test_directory(void);
const char *write_file(const char *name, const char *text);
const char *write_bytes(const char *name, const void *bytes, size_t size);
/* The path that a name has in the directory; eight at a time. */
const char *in_directory(const char *name);

/* A path by which this process opens a received descriptor. Static storage. */
const char *fd_path(int fd);

#endif
