/* compiler_client.c - a minimal host. See compiler_client.h. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char virtual_directory[] = "/kiln-memory";

enum { control_fd = 3, host_fd = 4, high_fd = 200 };

/* In the forked child: descriptors as os_spawn_detached gives them, then the program. */
static void become_compiler(int control, int host)
{
    int null = open("/dev/null", O_RDWR);
    int keep[2] = {fcntl(control, F_DUPFD, high_fd), fcntl(host, F_DUPFD, high_fd)};
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(keep[0], control_fd);
    dup2(keep[1], host_fd);
    close_range(host_fd + 1, ~0u, 0);
    setsid();
    execl(KILN_COMPILER_PATH, KILN_COMPILER_PATH, (char *)NULL);
    _exit(127);
}

void compiler_start(compiler *self)
{
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    int host = (int)syscall(SYS_pidfd_open, getpid(), 0);
    assert_true(host >= 0);
    self->pid = fork();
    assert_true(self->pid >= 0);
    if (self->pid == 0)
        become_compiler(sockets[1], host);
    close(sockets[1]);
    close(host);
    self->control = sockets[0];
    wire_frame frame;
    assert_int_equal(wire_receive(self->control, &frame), WIRE_OK);
    assert_int_equal(frame.type, WIRE_HELLO);
    self->hello = kiln__wire__hello__unpack(NULL, frame.size, frame.body);
    assert_non_null(self->hello);
    wire_frame_destroy(&frame);
}

int compiler_stop(compiler *self)
{
    int status = 0;
    close(self->control);
    assert_int_equal(waitpid(self->pid, &status, 0), self->pid);
    kiln__wire__hello__free_unpacked(self->hello, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

compiler zygote;

int start_zygote(void **state)
{
    (void)state;
    compiler_start(&zygote);
    return 0;
}

int stop_zygote(void **state)
{
    (void)state;
    return compiler_stop(&zygote);
}

static wire_status send_message(int socket, wire_type type, const ProtobufCMessage *message,
                                const int *fds, size_t fd_count)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *body = malloc(size + 1);
    assert_non_null(body);
    protobuf_c_message_pack(message, body);
    wire_status status = wire_send(socket, type, body, size, fds, fd_count);
    free(body);
    return status;
}

void job_send(job *self, wire_type type, const ProtobufCMessage *message, const int *fds,
              size_t fd_count)
{
    assert_int_equal(send_message(self->socket, type, message, fds, fd_count), WIRE_OK);
    self->sent_fds += (uint32_t)fd_count;
}

static void send_setup(job *self, const job_options *options)
{
    static const char *const no_environment[] = {NULL};
    Kiln__Wire__Setup setup = KILN__WIRE__SETUP__INIT;
    Kiln__Wire__MemoryFile files[16];
    Kiln__Wire__MemoryFile *file_list[16];
    ProtobufCBinaryData environment[16];
    const char *const *variables = options->environment ? options->environment : no_environment;
    for (; variables[setup.n_environment] != NULL; setup.n_environment++)
        environment[setup.n_environment] = bytes_of(variables[setup.n_environment]);
    setup.environment = environment;
    setup.working_directory = bytes_of(options->directory ? options->directory : "/tmp");
    setup.umask = 022;
    setup.memory_files = file_list;
    for (const memory_file *file = options->files; file != NULL && file->path != NULL; file++) {
        size_t i = setup.n_memory_files++;
        kiln__wire__memory_file__init(&files[i]);
        files[i].path = bytes_of(file->path);
        files[i].content = bytes_of(file->content);
        file_list[i] = &files[i];
    }
    if (setup.n_memory_files > 0)
        setup.virtual_directory = bytes_of(virtual_directory);
    job_send(self, WIRE_SETUP, &setup.base, NULL, 0);
}

void job_begin(compiler *self, job *out, const job_options *options)
{
    static const job_options defaults;
    if (options == NULL)
        options = &defaults;
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    Kiln__Wire__Job message = KILN__WIRE__JOB__INIT;
    message.seconds = options->seconds;
    message.memory_bytes = options->memory_bytes;
    assert_int_equal(send_message(self->control, WIRE_JOB, &message.base, &sockets[1], 1), WIRE_OK);
    close(sockets[1]);
    *out = (job){.socket = sockets[0]};
    send_setup(out, options);
}

void job_end(job *self)
{
    close(self->socket);
    for (size_t i = 0; i < self->fd_count; i++)
        close(self->fds[i]);
    *self = (job){.socket = -1};
}

wire_status job_receive(job *self, wire_frame *frame)
{
    wire_status status = wire_receive(self->socket, frame);
    if (status != WIRE_OK)
        return status;
    for (size_t i = 0; i < frame->fd_count; i++) {
        assert_true(self->fd_count < sizeof self->fds / sizeof self->fds[0]);
        self->fds[self->fd_count++] = frame->fds[i];
    }
    frame->fd_count = 0;
    return WIRE_OK;
}

/* The next frame must be of that type. */
static wire_frame expect(job *self, wire_type type)
{
    wire_frame frame;
    assert_int_equal(job_receive(self, &frame), WIRE_OK);
    if (frame.type != type && frame.type == WIRE_EXITED) {
        Kiln__Wire__Exited *exited = kiln__wire__exited__unpack(NULL, frame.size, frame.body);
        print_message("the job ended: status %d, signal %d: %s\n", exited->exit_status,
                      exited->signal, exited->detail);
    }
    assert_int_equal(frame.type, type);
    return frame;
}

static size_t list_arguments(const char *const *arguments, ProtobufCBinaryData *list,
                             size_t capacity)
{
    size_t count = 0;
    for (; arguments != NULL && arguments[count] != NULL; count++) {
        assert_true(count < capacity);
        list[count] = bytes_of(arguments[count]);
    }
    return count;
}

static Kiln__Wire__CompileReply *compile_with(job *self, Kiln__Wire__Compile *message,
                                              const char *source, const char *const *arguments)
{
    ProtobufCBinaryData list[32];
    message->source = bytes_of(source);
    message->arguments = list;
    message->n_arguments = list_arguments(arguments, list, 32);
    job_send(self, WIRE_COMPILE, &message->base, NULL, 0);
    wire_frame frame = expect(self, WIRE_COMPILE_REPLY);
    Kiln__Wire__CompileReply *reply =
        kiln__wire__compile_reply__unpack(NULL, frame.size, frame.body);
    assert_non_null(reply);
    wire_frame_destroy(&frame);
    return reply;
}

Kiln__Wire__CompileReply *job_compile(job *self, const char *source, const char *language,
                                      const char *const *arguments, Kiln__Wire__OutputKind output)
{
    Kiln__Wire__Compile message = KILN__WIRE__COMPILE__INIT;
    message.language = bytes_of(language);
    message.output = output;
    return compile_with(self, &message, source, arguments);
}

Kiln__Wire__CompileReply *job_compile_in_units(job *self, const char *source,
                                               const char *const *arguments, uint32_t codegen_units)
{
    Kiln__Wire__Compile message = KILN__WIRE__COMPILE__INIT;
    message.codegen_units = codegen_units;
    return compile_with(self, &message, source, arguments);
}

Kiln__Wire__LinkReply *job_link(job *self, Kiln__Wire__Link *message)
{
    job_send(self, WIRE_LINK, &message->base, NULL, 0);
    wire_frame frame = expect(self, WIRE_LINK_REPLY);
    Kiln__Wire__LinkReply *reply = kiln__wire__link_reply__unpack(NULL, frame.size, frame.body);
    assert_non_null(reply);
    wire_frame_destroy(&frame);
    return reply;
}

Kiln__Wire__LinkReply *job_link_last(job *self, const char *image_id, const char *const *arguments)
{
    ProtobufCBinaryData list[32];
    Kiln__Wire__LinkInput input = KILN__WIRE__LINK_INPUT__INIT;
    Kiln__Wire__LinkInput *inputs[] = {&input};
    Kiln__Wire__Link message = KILN__WIRE__LINK__INIT;
    input.name = bytes_of("unit.o");
    input.from_compile = true;
    message.output = KILN__WIRE__OUTPUT_KIND__IMAGE;
    message.inputs = inputs;
    message.n_inputs = 1;
    message.image_id = bytes_of(image_id);
    message.arguments = list;
    message.n_arguments = list_arguments(arguments, list, 32);
    return job_link(self, &message);
}

Kiln__Wire__PlanReply *job_plan(job *self, Kiln__Wire__Plan *message, const int *fds,
                                size_t fd_count)
{
    job_send(self, WIRE_PLAN, &message->base, fds, fd_count);
    wire_frame frame = expect(self, WIRE_PLAN_REPLY);
    Kiln__Wire__PlanReply *reply = kiln__wire__plan_reply__unpack(NULL, frame.size, frame.body);
    assert_non_null(reply);
    wire_frame_destroy(&frame);
    return reply;
}

Kiln__Wire__Exited *job_exited(job *self)
{
    wire_frame frame = expect(self, WIRE_EXITED);
    Kiln__Wire__Exited *exited = kiln__wire__exited__unpack(NULL, frame.size, frame.body);
    assert_non_null(exited);
    wire_frame_destroy(&frame);
    return exited;
}

uint32_t job_attach(job *self, int fd)
{
    assert_int_equal(wire_send(self->socket, WIRE_ATTACH, NULL, 0, &fd, 1), WIRE_OK);
    return self->sent_fds++;
}

ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){text ? strlen(text) : 0, (uint8_t *)text};
}

bool bytes_are(ProtobufCBinaryData bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

bool bytes_contain(ProtobufCBinaryData bytes, const char *text)
{
    return bytes.len > 0 && memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
}

const Kiln__Wire__Input *find_input(Kiln__Wire__Input *const *inputs, size_t count,
                                    const char *path, Kiln__Wire__Input__Kind kind)
{
    for (size_t i = 0; i < count; i++) {
        if (inputs[i]->kind == kind && bytes_are(inputs[i]->path, path))
            return inputs[i];
    }
    return NULL;
}

bool has_message(const Kiln__Wire__DiagnosticList *list, const char *text)
{
    for (size_t i = 0; i < list->n_diagnostics; i++) {
        if (bytes_contain(list->diagnostics[i]->rendered, text))
            return true;
    }
    print_message("no message says '%s':\n", text);
    for (size_t i = 0; i < list->n_diagnostics; i++)
        print_message("  %.*s", (int)list->diagnostics[i]->rendered.len,
                      (char *)list->diagnostics[i]->rendered.data);
    return false;
}

static char directory[64];

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    return remove(path);
}

static void remove_directory(void)
{
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_directory(void)
{
    if (directory[0] == '\0') {
        strcpy(directory, "/tmp/kiln-compiler-test-XXXXXX");
        assert_non_null(mkdtemp(directory));
        atexit(remove_directory);
    }
    return directory;
}

const char *in_directory(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_directory(), name);
    return path;
}

const char *write_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = in_directory(name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *write_file(const char *name, const char *text)
{
    return write_bytes(name, text, strlen(text));
}

const char *fd_path(int fd)
{
    static char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}
