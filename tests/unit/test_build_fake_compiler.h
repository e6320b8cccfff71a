/* test_build_fake_compiler.h - a kiln-compiler without a compiler, so that everything that the host
 * does with one can be tested anywhere, the misbehaviour that no real one shows included.
 *
 * The test program is its own fake: fake_main, first in main, takes over where the environment says
 * so. It forks a job for each request as the real one does. What an "object" holds is its source's
 * text; what a link makes of objects is an image whose symbols stand for the numbers in their lines
 * `name=number`. A line `#warning TEXT` gives a warning, `#error TEXT` an error. Included once by
 * each test program. */
#ifndef KILN_TEST_FAKE_COMPILER_H
#define KILN_TEST_FAKE_COMPILER_H

#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "base/path.h"
#include "build/job.h"
#include "load/elf_writer.h"
#include "test_base_fixture.h"
#include "wire.pb-c.h"
#include "wire/wire.h"

/* ---- the test's side ---- */

static char fake_path[fixture_path_size]; /* the compiler's: this program */
static char fake_log_path[fixture_path_size];

/* Settings stand in a file, so that a process that runs already follows them. */
static UNUSED void fake_write_setting(const char *name, const char *value)
{
    char path[fixture_path_size + 32];
    snprintf(path, sizeof path, "%s.%s", fake_log_path, name);
    write_file(path, value);
}

/* How the process begins (hello), what its jobs do (job) at which request (at) for which source
 * (unit, a part of its path); "" for what a good one does. */
static UNUSED void fake_set(const char *hello, const char *job, const char *at, const char *unit)
{
    fake_write_setting("hello", hello);
    fake_write_setting("job", job);
    fake_write_setting("at", at);
    fake_write_setting("unit", unit);
}

static UNUSED void fake_reset(void)
{
    fake_set("", "", "", "");
    unlink(fake_log_path);
}

/* How often the log has a line that begins so. */
static UNUSED int fake_count(const char *what)
{
    uint8_t *log = NULL;
    size_t size;
    int count = 0;
    if (os_read_file(AT_FDCWD, fake_log_path, &log, &size))
        return 0;
    for (const char *line = (char *)log; *line; line += strcspn(line, "\n") + 1)
        count += strncmp(line, what, strlen(what)) == 0;
    free(log);
    return count;
}

/* The process that the log names last behind what, or 0. */
static UNUSED pid_t fake_last(const char *what)
{
    uint8_t *log = read_whole(fake_log_path, NULL);
    pid_t id = 0;
    for (const char *at = (char *)log; (at = strstr(at, what)); at++)
        id = atoi(at + strlen(what));
    free(log);
    return id;
}

static UNUSED pid_t fake_last_started(void)
{
    return fake_last("start ");
}

/* Gone, or its end only waits for whoever inherits it. */
static bool fake_is_gone(pid_t id)
{
    char path[64], status[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    FILE *file = fopen(path, "r");
    bool gone = !file || !fgets(status, sizeof status, file) || strstr(status, ") Z ");
    if (file)
        fclose(file);
    return gone;
}

static UNUSED void fake_await_end(pid_t id)
{
    while (!fake_is_gone(id))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ---- the fake's side ---- */

#define DIE_UNLESS(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(99);                                                                             \
    } while (0)

static const char *fake_environment(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static const char *fake_setting(const char *name)
{
    uint8_t *bytes;
    size_t size;
    char path[fixture_path_size + 32];
    snprintf(path, sizeof path, "%s.%s", fake_environment("FAKE_LOG"), name);
    return os_read_file(AT_FDCWD, path, &bytes, &size) == 0 ? (char *)bytes : "";
}

static __attribute__((format(printf, 1, 2))) void fake_log(const char *format, ...)
{
    char line[fixture_path_size];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    int fd = open(fake_environment("FAKE_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0)
        DIE_UNLESS(write(fd, line, (size_t)length) == length);
    close(fd);
}

typedef struct fake_job {
    int socket;
    int zygote;
    int received[4096];
    size_t received_count, sent_count;
    Kiln__Wire__Setup *setup;
    int object; /* of the last compilation */
    bool cancelled;
} fake_job;

static void fake_send(fake_job *job, wire_type type, const ProtobufCMessage *message,
                      const int *fds, size_t fd_count)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *body = malloc(size + 1);
    protobuf_c_message_pack(message, body);
    if (wire_send(job->socket, type, body, size, fds, fd_count) != WIRE_OK)
        _exit(0);
    free(body);
    job->sent_count += fd_count;
}

static void fake_exited(fake_job *job, const char *how)
{
    Kiln__Wire__Exited exited = KILN__WIRE__EXITED__INIT;
    exited.timed_out = strstr(how, "time") != NULL;
    exited.out_of_memory = strstr(how, "memory") != NULL;
    exited.signal = strstr(how, "signal") ? SIGSEGV : 0;
    exited.exit_status = 3;
    exited.detail = strstr(how, "detail") ? (char *)"in function 'f'" : (char *)"";
    fake_send(job, WIRE_EXITED, &exited.base, NULL, 0);
    _exit(0);
}

/* Whether the request at hand is the one that goes wrong. */
static bool fake_is_due(const char *at, const char *unit)
{
    return *fake_setting("job") && strcmp(fake_setting("at"), at) == 0 &&
           strstr(unit, fake_setting("unit"));
}

static bool fake_does(const char *at, const char *unit, const char *job)
{
    return fake_is_due(at, unit) && strcmp(fake_setting("job"), job) == 0;
}

/* What goes wrong with any request alike. */
static void fake_misbehave(fake_job *job, const char *at, const char *unit)
{
    static const uint8_t garbage[64] = {0xff, 1, 2, 3};
    const char *how = fake_setting("job");
    if (!fake_is_due(at, unit))
        return;
    fake_log("%s at %s %s", how, at, unit);
    if (strncmp(how, "exited", 6) == 0)
        fake_exited(job, how);
    if (strcmp(how, "close") == 0)
        _exit(0);
    if (strcmp(how, "hang") == 0)
        for (;;)
            if (recv(job->socket, (char[1]){0}, 1, 0) <= 0)
                _exit(0);
    if (strcmp(how, "zygote") == 0) {
        fake_log("killed %d", (int)job->zygote);
        kill(job->zygote, SIGKILL);
        _exit(0);
    }
    if (strcmp(how, "garbage") == 0)
        send(job->socket, garbage, sizeof garbage, MSG_NOSIGNAL);
    if (strcmp(how, "half") == 0)
        send(job->socket, garbage, 7, MSG_NOSIGNAL);
    if (strcmp(how, "wrong-type") == 0)
        wire_send(job->socket, WIRE_HELLO, NULL, 0, NULL, 0);
    if (strcmp(how, "undecodable") == 0)
        for (int type = WIRE_PLAN_REPLY; type <= WIRE_LINK_REPLY; type += 2)
            if (strcmp(at, type == WIRE_PLAN_REPLY      ? "plan"
                           : type == WIRE_COMPILE_REPLY ? "compile"
                                                        : "link") == 0)
                wire_send(job->socket, (wire_type)type, garbage, sizeof garbage, NULL, 0);
    if (strcmp(how, "undecodable-exit") == 0)
        wire_send(job->socket, WIRE_EXITED, garbage, sizeof garbage, NULL, 0);
    if (strcmp(how, "garbage") == 0 || strcmp(how, "half") == 0 || strcmp(how, "wrong-type") == 0 ||
        strncmp(how, "undecodable", 11) == 0)
        _exit(0);
}

static char *fake_string(const ProtobufCBinaryData *bytes)
{
    return strndup(bytes->len ? (const char *)bytes->data : "", bytes->len);
}

static ProtobufCBinaryData fake_digest(const digest *d)
{
    return (ProtobufCBinaryData){.len = digest_size, .data = (uint8_t *)d->bytes};
}

/* The text of a source: from the disk, or from the memory files of the job. *on_disk: which. */
static char *fake_read_source(fake_job *job, const char *path, bool *on_disk)
{
    *on_disk = false;
    for (size_t i = 0; i < job->setup->n_memory_files; i++) {
        const Kiln__Wire__MemoryFile *file = job->setup->memory_files[i];
        if (file->path.len != strlen(path) || memcmp(file->path.data, path, file->path.len) != 0)
            continue;
        if (!file->has_fd)
            return fake_string(&file->content);
        /* Mapped: its position is shared with other jobs. */
        const void *bytes;
        DIE_UNLESS(file->content_fd < job->received_count);
        int fd = job->received[file->content_fd];
        os_kind kind;
        os_identity identity;
        DIE_UNLESS(os_identify_fd(fd, &kind, &identity) == 0);
        DIE_UNLESS(os_map_file(fd, identity.size, &bytes) == 0);
        return strndup(bytes, identity.size);
    }
    uint8_t *bytes;
    size_t size;
    *on_disk = true;
    return os_read_file(AT_FDCWD, path, &bytes, &size) == 0 ? (char *)bytes : NULL;
}

/* ---- requests ---- */

static void fake_setup(fake_job *job, const wire_frame *frame)
{
    job->setup = kiln__wire__setup__unpack(NULL, frame->size, frame->body);
    DIE_UNLESS(job->setup);
    char *directory = fake_string(&job->setup->working_directory);
    DIE_UNLESS(chdir(directory) == 0);
    free(directory);
    fake_misbehave(job, "setup", "");
}

/* The words behind `//kiln:` on the first line. */
static void fake_scan(fake_job *job, const char *path, Kiln__Wire__SourceArguments *to)
{
    bool on_disk;
    char *text = fake_read_source(job, path, &on_disk);
    to->arguments = calloc(64, sizeof *to->arguments);
    if (!text || strncmp(text, "//kiln:", 7) != 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    for (char *word = strtok(text + 7, " "); word; word = strtok(NULL, " "))
        to->arguments[to->n_arguments++] = wire_bytes(word);
}

static void fake_plan(fake_job *job, const wire_frame *frame)
{
    Kiln__Wire__Plan *plan = kiln__wire__plan__unpack(NULL, frame->size, frame->body);
    DIE_UNLESS(plan);
    fake_misbehave(job, "plan", "");
    fake_log("plan");
    Kiln__Wire__PlanReply reply = KILN__WIRE__PLAN_REPLY__INIT;
    Kiln__Wire__DiagnosticList list = KILN__WIRE__DIAGNOSTIC_LIST__INIT;
    if (plan->has_lock) {
        DIE_UNLESS(plan->lock_fd < job->received_count);
        DIE_UNLESS(flock(job->received[plan->lock_fd], LOCK_EX) == 0);
    }
    reply.ok = !fake_does("plan", "", "reject");
    reply.diagnostics = &list;
    reply.n_sources = plan->n_scan_sources;
    reply.sources = calloc(plan->n_scan_sources + 1, sizeof *reply.sources);
    for (size_t i = 0; i < plan->n_scan_sources; i++) {
        char *path = fake_string(&plan->scan_sources[i]);
        reply.sources[i] = malloc(sizeof **reply.sources);
        kiln__wire__source_arguments__init(reply.sources[i]);
        fake_scan(job, path, reply.sources[i]);
        free(path);
    }
    fake_send(job, WIRE_PLAN_REPLY, &reply.base, NULL, 0);
}

/* One diagnostic for the first line of the text that begins with `directive`. */
static bool fake_diagnose(const char *text, const char *directive, kiln_severity severity,
                          const char *path, Kiln__Wire__DiagnosticList *list)
{
    const char *at = strstr(text, directive);
    if (!at)
        return false;
    Kiln__Wire__Diagnostic *diagnostic = malloc(sizeof *diagnostic);
    kiln__wire__diagnostic__init(diagnostic);
    at += strlen(directive) + 1;
    char *message = strndup(at, strcspn(at, "\n"));
    diagnostic->severity = severity;
    diagnostic->file = wire_bytes(path);
    diagnostic->line = 1;
    diagnostic->message = wire_bytes(message);
    diagnostic->rendered = wire_bytes(text_print("%s: %s\n", path, message));
    list->diagnostics =
        realloc(list->diagnostics, (list->n_diagnostics + 1) * sizeof *list->diagnostics);
    list->diagnostics[list->n_diagnostics++] = diagnostic;
    list->summary = wire_bytes("1 diagnostic generated.\n");
    return true;
}

static Kiln__Wire__Input *fake_input(const char *path, uint32_t kind, const char *text)
{
    Kiln__Wire__Input *input = malloc(sizeof *input);
    kiln__wire__input__init(input);
    char *directory = getcwd(NULL, 0);
    input->path = wire_bytes(path_join(directory, path));
    input->kind = (Kiln__Wire__Input__Kind)kind;
    free(directory);
    if (!text)
        return input;
    os_kind found;
    os_identity identity = {0};
    DIE_UNLESS(os_identify(AT_FDCWD, path, &found, &identity) == 0);
    input->identity = malloc(sizeof *input->identity);
    kiln__wire__identity__init(input->identity);
    input->identity->device = identity.device;
    input->identity->inode = identity.inode;
    input->identity->size = identity.size;
    input->identity->mtime_ns = identity.mtime_ns;
    input->identity->ctime_ns = identity.ctime_ns;
    digest *content = malloc(sizeof *content);
    *content = digest_of(text, strlen(text));
    input->digest = fake_digest(content);
    return input;
}

static void fake_append(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    DIE_UNLESS(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void fake_compile(fake_job *job, const wire_frame *frame)
{
    Kiln__Wire__Compile *request = kiln__wire__compile__unpack(NULL, frame->size, frame->body);
    DIE_UNLESS(request);
    char *path = fake_string(&request->source);
    bool on_disk;
    fake_misbehave(job, "compile", path);
    fake_log("compile %s", path);
    Kiln__Wire__CompileReply reply = KILN__WIRE__COMPILE_REPLY__INIT;
    Kiln__Wire__DiagnosticList list = KILN__WIRE__DIAGNOSTIC_LIST__INIT;
    Kiln__Wire__Input *inputs[2];
    char *text = fake_read_source(job, path, &on_disk);
    reply.inputs = inputs;
    reply.diagnostics = &list;
    reply.ok = text && !fake_diagnose(text, "#error", KILN_SEVERITY_ERROR, path, &list);
    if (text)
        fake_diagnose(text, "#warning", KILN_SEVERITY_WARNING, path, &list);
    /* A header is looked for in vain; where the disk is to change meanwhile, it appears then. */
    bool edits = fake_does("compile", path, "edit");
    char *header =
        path_join(path_parent(path), edits ? text_print("absent-%d.h", (int)getpid()) : "absent.h");
    if (reply.ok && on_disk) {
        inputs[reply.n_inputs++] = fake_input(path, INPUT_READ, text);
        inputs[reply.n_inputs++] =
            fake_input(header, exists(header) ? INPUT_EXISTS : INPUT_ABSENT, NULL);
    }
    if (edits)
        write_file(header, "");
    if (fake_does("compile", path, "edit-once") && !exists(fake_environment("FAKE_ONCE"))) {
        write_file(fake_environment("FAKE_ONCE"), "");
        fake_append(path, "\nedited=1\n");
    }
    digest content = {0};
    if (reply.ok && !fake_does("compile", path, "no-output")) {
        job->object = os_memfd_with("object", text, strlen(text), false);
        content = digest_of(text, strlen(text));
        reply.has_output = true;
        reply.output_fd = (uint32_t)job->sent_count;
        reply.output_size = strlen(text);
        reply.output_digest = fake_digest(&content);
        reply.cxx = strstr(path, ".cpp") != NULL;
        if (fake_does("compile", path, "no-fd"))
            reply.output_fd = 99;
        if (fake_does("compile", path, "short-digest"))
            reply.output_digest.len = 31;
    }
    if (reply.has_output && fake_does("compile", path, "attach")) {
        wire_send(job->socket, WIRE_ATTACH, NULL, 0, &job->object, 1);
        fake_send(job, WIRE_COMPILE_REPLY, &reply.base, NULL, 0);
        job->sent_count++;
    } else {
        fake_send(job, WIRE_COMPILE_REPLY, &reply.base, &job->object, reply.has_output);
    }
}

/* ---- linking ---- */

typedef struct fake_symbols {
    elf_address addresses[64];
    size_t count;
} fake_symbols;

/* The lines `name=number` of an object. */
static void fake_collect(char *object, fake_symbols *symbols)
{
    char *rest;
    for (char *line = strtok_r(object, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strchr(line, '=');
        if (!equals || symbols->count == 64 || strchr("#/ ", line[0]))
            continue;
        *equals = '\0';
        symbols->addresses[symbols->count++] =
            (elf_address){.name = strdup(line), .value = strtoull(equals + 1, NULL, 0)};
    }
}

static int fake_compare(const void *a, const void *b)
{
    return strcmp(((const elf_address *)a)->name, ((const elf_address *)b)->name);
}

/* The image's symbol table, packed. Names with a Z in front are C++. */
static ProtobufCBinaryData fake_table(fake_symbols *symbols)
{
    Kiln__Wire__SymbolTable table = KILN__WIRE__SYMBOL_TABLE__INIT;
    Kiln__Wire__Symbol *pointers[64];
    qsort(symbols->addresses, symbols->count, sizeof *symbols->addresses, fake_compare);
    table.symbols = pointers;
    for (size_t i = 0; i < symbols->count; i++) {
        const char *name = symbols->addresses[i].name;
        Kiln__Wire__Symbol *symbol = malloc(sizeof *symbol);
        kiln__wire__symbol__init(symbol);
        symbol->name = wire_bytes(name);
        symbol->kind = name[0] == 'd' ? KILN_SYMBOL_DATA : KILN_SYMBOL_FUNCTION;
        if (strncmp(name, "_Z", 2) == 0)
            symbol->demangled = wire_bytes(text_print("ns::%s(int)", name + 2));
        pointers[table.n_symbols++] = symbol;
    }
    size_t size = kiln__wire__symbol_table__get_packed_size(&table);
    uint8_t *bytes = malloc(size + 1);
    kiln__wire__symbol_table__pack(&table, bytes);
    return (ProtobufCBinaryData){.len = size, .data = bytes};
}

static char *fake_read_object(fake_job *job, const Kiln__Wire__LinkInput *input)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int fd = -1;
    if (input->from_compile)
        fd = job->object;
    else if (input->has_fd && input->content_fd < job->received_count)
        fd = job->received[input->content_fd];
    else if (input->path.len)
        fd = open(fake_string(&input->path), O_RDONLY | O_CLOEXEC);
    DIE_UNLESS(fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 && os_read_fd(fd, &bytes, &size) == 0);
    return (char *)bytes;
}

static void fake_link(fake_job *job, const wire_frame *frame)
{
    Kiln__Wire__Link *request = kiln__wire__link__unpack(NULL, frame->size, frame->body);
    DIE_UNLESS(request);
    fake_misbehave(job, "link", "");
    fake_log("link");
    fake_symbols symbols = {.count = 0};
    text objects = {0};
    for (size_t i = 0; i < request->n_inputs; i++) {
        char *object = fake_read_object(job, request->inputs[i]);
        text_format(&objects, "%s\n", object);
        fake_collect(object, &symbols);
    }
    Kiln__Wire__LinkReply reply = KILN__WIRE__LINK_REPLY__INIT;
    Kiln__Wire__DiagnosticList list = KILN__WIRE__DIAGNOSTIC_LIST__INIT;
    reply.diagnostics = &list;
    reply.ok = !strstr(text_string(&objects), "unlinkable");
    reply.symbol_table = fake_table(&symbols);
    reply.symbol_count = (uint32_t)symbols.count;
    reply.n_used_host_symbols = request->n_host_symbols;
    reply.used_host_symbols = request->host_symbols;
    char *id = fake_string(&request->image_id);
    elf_description description = {
        .soname = id, .addresses = symbols.addresses, .address_count = symbols.count};
    uint8_t *bytes = (uint8_t *)text_string(&objects);
    size_t size = objects.length;
    if (request->output == KILN__WIRE__OUTPUT_KIND__IMAGE)
        DIE_UNLESS(elf_write(&description, &bytes, &size) == 0);
    digest content = digest_of(bytes, size);
    int fd = os_memfd_with("image", bytes, size, true);
    reply.has_output = reply.ok && !fake_does("link", "", "no-output");
    reply.output_fd = (uint32_t)job->sent_count;
    reply.output_size = size;
    reply.output_digest = fake_digest(&content);
    fake_send(job, WIRE_LINK_REPLY, &reply.base, &fd, reply.has_output);
}

/* ---- the processes ---- */

static _Noreturn void fake_run_job(int socket, int zygote)
{
    static fake_job job;
    job.socket = socket;
    job.zygote = zygote;
    for (;;) {
        static wire_frame frame;
        if (wire_receive(socket, &frame) != WIRE_OK)
            _exit(0);
        for (size_t i = 0; i < frame.fd_count && job.received_count < 4096; i++)
            job.received[job.received_count++] = frame.fds[i];
        frame.fd_count = 0;
        switch (frame.type) {
        case WIRE_SETUP:
            fake_setup(&job, &frame);
            break;
        case WIRE_PLAN:
            fake_plan(&job, &frame);
            break;
        case WIRE_COMPILE:
            fake_compile(&job, &frame);
            break;
        case WIRE_LINK:
            fake_link(&job, &frame);
            break;
        default:
            DIE_UNLESS(frame.type == WIRE_ATTACH);
        }
        wire_frame_destroy(&frame);
    }
}

enum { fake_control = 3 };

static void fake_hello(const char *how)
{
    Kiln__Wire__Hello hello = KILN__WIRE__HELLO__INIT;
    digest identity =
        digest_of(fake_environment("FAKE_IDENTITY"), strlen(fake_environment("FAKE_IDENTITY")));
    ProtobufCBinaryData file = wire_bytes(fake_environment("FAKE_IDENTITY_FILE"));
    uint8_t body[1024];
    hello.protocol = strcmp(how, "protocol") == 0 ? kiln_wire_protocol + 1 : kiln_wire_protocol;
    hello.version = strcmp(how, "version") == 0 ? "9.8.7" : KILN_VERSION_STRING;
    hello.identity = fake_digest(&identity);
    if (strcmp(how, "identity") == 0)
        hello.identity.len = 5;
    hello.n_identity_files = file.len > 0;
    hello.identity_files = &file;
    size_t size = kiln__wire__hello__pack(&hello, body);
    if (strcmp(how, "undecodable") == 0)
        memset(body, 0xff, size);
    wire_send(fake_control, strcmp(how, "wrong-frame") == 0 ? WIRE_EXITED : WIRE_HELLO, body, size,
              NULL, 0);
}

static void fake_begin(const char *how)
{
    char byte;
    fake_log("start %d %s", (int)getpid(), how);
    if (strcmp(how, "exit") == 0)
        _exit(1);
    if (strcmp(how, "garbage") == 0)
        DIE_UNLESS(send(fake_control, "It was a dark and stormy night; the rain fell", 40, 0) ==
                   40);
    if (strcmp(how, "half") == 0)
        DIE_UNLESS(send(fake_control, "KIL", 3, 0) == 3);
    if (strcmp(how, "silent") == 0 || strcmp(how, "half") == 0 || strcmp(how, "garbage") == 0) {
        while (recv(fake_control, &byte, 1, 0) > 0)
            continue;
        _exit(0);
    }
    if (strcmp(how, "replaced") == 0) {
        /* An update of the files behind the identity, after it was computed. */
        fake_append(fake_environment("FAKE_IDENTITY_FILE"), "updated");
        settle();
    }
    fake_hello(how);
    if (strcmp(how, "leave") == 0)
        _exit(0);
    fake_log("hello");
}

static _Noreturn void fake_run(void)
{
    signal(SIGCHLD, SIG_IGN);
    fake_begin(fake_setting("hello"));
    for (;;) {
        static wire_frame frame;
        if (wire_receive(fake_control, &frame) != WIRE_OK)
            _exit(0);
        if (frame.type != WIRE_JOB || frame.fd_count != 1)
            _exit(98);
        if (fork() == 0) {
            int socket = frame.fds[0], zygote = (int)getppid();
            frame.fd_count = 0;
            close(fake_control);
            fake_run_job(socket, zygote);
        }
        wire_frame_destroy(&frame);
    }
}

/* First in main: goes on as the compiler where this process is to be one; else makes the scratch
 * directory and says where the compiler is. */
static UNUSED void fake_main(void)
{
    if (getenv("FAKE_LOG"))
        fake_run();
    fixture_start();
    ssize_t length = readlink("/proc/self/exe", fake_path, sizeof fake_path - 1);
    if (length < 0)
        exit(1);
    fake_path[length] = '\0';
    snprintf(fake_log_path, sizeof fake_log_path, "%s", scratch("compiler.log"));
    setenv("FAKE_LOG", fake_log_path, 1);
    setenv("FAKE_IDENTITY", "one", 1);
    fake_set("", "", "", "");
}

#endif
