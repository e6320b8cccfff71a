/* compiler.c - the compiler process, as a session sees it: see compiler.h. */
#include "build/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "build/environment.h"
#include "build/inputs.h"
#include "build/store.h"
#include "os/os.h"
#include "wire.pb-c.h"
#include "wire/wire.h"

enum {
    hello_timeout_ms = 30000, /* a cold disk under load may take long to bring LLVM in */
    stop_timeout_ms = 2000
};

struct compiler {
    char *path;
    uint32_t job_seconds;
    uint64_t job_memory_bytes; /* 0: not settled yet; guarded by the mutex then */
    pthread_mutex_t mutex;     /* guards what follows; the store's is taken under it */
    int control;               /* -1: no process */
    os_identity socket;        /* what `control` is */
    os_identity process;       /* what `pidfd` is */
    int pidfd;
    bool identified;
    digest identity;
    string_list identity_files;
};

/* Beside libkiln in a build tree or an installation: LIB/../bin, LIB/../libexec, LIB. */
static char *find_beside(const char *library)
{
    static const char *const places[] = {"../bin/kiln-compiler", "../libexec/kiln/kiln-compiler",
                                         "../../bin/kiln-compiler", "kiln-compiler",
                                         "bin/kiln-compiler"};
    char *folder = library ? path_parent(library) : NULL;
    char *found = NULL;
    for (size_t i = 0; folder && !found && i < sizeof places / sizeof *places; i++) {
        char *candidate = path_join(folder, places[i]);
        if (candidate && access(candidate, X_OK) == 0)
            found = strdup(candidate);
        free(candidate);
    }
    free(folder);
    return found;
}

/* Mostly libkiln is loaded by its own name; only where it is not is its link followed, which costs a
 * system call a folder. */
static char *find_compiler(void)
{
    char *library = os_path_of_address((const void *)(uintptr_t)find_compiler);
    char *found = library ? find_beside(library) : NULL;
    char *resolved = library && !found ? realpath(library, NULL) : NULL;
    if (resolved)
        found = find_beside(resolved);
    free(resolved);
    free(library);
    return found;
}

kiln_status compiler_create(const compiler_options *options, compiler **out, kiln_error **error)
{
    compiler *compiler = calloc(1, sizeof *compiler);
    if (!compiler)
        return error_no_memory(error);
    const char *path = options->path ? options->path : secure_getenv("KILN_COMPILER");
    bool named = path && *path;
    compiler->path = named ? strdup(path) : find_compiler();
    if (named && !compiler->path) {
        free(compiler);
        return error_no_memory(error);
    }
    compiler->job_seconds = options->job_seconds;
    compiler->job_memory_bytes = options->job_memory_bytes;
    compiler->control = compiler->pidfd = -1;
    pthread_mutex_init(&compiler->mutex, NULL);
    *out = compiler;
    return KILN_OK;
}

/* ---- starting and ending the process; the mutex is held ---- */

/* What the host has closed may be something of its own by now, which is to be left alone. Without the
 * one the other is of no use; the process has noticed, and ended. */
static void forget_if_taken(compiler *compiler)
{
    bool has_socket =
        compiler->control >= 0 && os_is_same_file(compiler->control, &compiler->socket);
    bool has_process = compiler->pidfd >= 0 && os_is_same_file(compiler->pidfd, &compiler->process);
    if (has_socket && has_process)
        return;
    if (has_socket)
        close(compiler->control);
    if (has_process)
        close(compiler->pidfd);
    compiler->control = compiler->pidfd = -1;
}

static void drop_connection(compiler *compiler)
{
    forget_if_taken(compiler);
    if (compiler->control >= 0)
        close(compiler->control);
    if (compiler->pidfd >= 0)
        close(compiler->pidfd);
    compiler->control = compiler->pidfd = -1;
}

static void end_process(compiler *compiler)
{
    forget_if_taken(compiler);
    /* Shut down, not only closed: a process that this one forked has the socket as well. */
    if (compiler->control >= 0)
        shutdown(compiler->control, SHUT_RDWR);
    if (compiler->pidfd >= 0 && os_pidfd_wait(compiler->pidfd, stop_timeout_ms)) {
        os_pidfd_kill(compiler->pidfd, SIGKILL);
        os_pidfd_wait(compiler->pidfd, stop_timeout_ms);
    }
    drop_connection(compiler);
}

static kiln_status wrong_compiler(const compiler *compiler, const char *what, kiln_error **error)
{
    return error_set(error, KILN_COMPILER, KILN_PHASE_PLAN,
                     "'%s' %s: reinstall Kiln, or name the right kiln-compiler (KILN_COMPILER)",
                     compiler->path, what);
}

static kiln_status check_version(const compiler *compiler, const Kiln__Wire__Hello *hello,
                                 kiln_error **error)
{
    char *what = NULL;
    if (strcmp(hello->version, KILN_VERSION_STRING) != 0)
        what =
            text_print("is of version %s, this libkiln of %s", hello->version, KILN_VERSION_STRING);
    else if (hello->protocol != kiln_wire_protocol)
        what = text_print("speaks protocol %u, this libkiln %u", (unsigned)hello->protocol,
                          (unsigned)kiln_wire_protocol);
    else if (hello->identity.len != digest_size)
        what = text_print("does not answer as a kiln-compiler does");
    else
        return KILN_OK;
    kiln_status status = what ? wrong_compiler(compiler, what, error) : error_no_memory(error);
    free(what);
    return status;
}

static kiln_status take_hello(compiler *compiler, const wire_frame *frame, kiln_error **error)
{
    errno = 0;
    Kiln__Wire__Hello *hello = frame->type == WIRE_HELLO
                                   ? kiln__wire__hello__unpack(NULL, frame->size, frame->body)
                                   : NULL;
    if (!hello && errno == ENOMEM)
        return error_no_memory(error);
    if (!hello)
        return wrong_compiler(compiler, "does not answer as a kiln-compiler does", error);
    kiln_status status = check_version(compiler, hello, error);
    string_list_destroy(&compiler->identity_files);
    for (size_t i = 0; status == KILN_OK && i < hello->n_identity_files; i++)
        if (!string_list_add_bytes(&compiler->identity_files, hello->identity_files[i].data,
                                   hello->identity_files[i].len))
            status = error_no_memory(error);
    if (status == KILN_OK) {
        memcpy(compiler->identity.bytes, hello->identity.data, digest_size);
        compiler->identified = true;
    }
    kiln__wire__hello__free_unpacked(hello, NULL);
    return status;
}

static kiln_status await_hello(compiler *compiler, int cancel, kiln_error **error)
{
    struct pollfd fds[] = {{.fd = compiler->control, .events = POLLIN},
                           {.fd = cancel, .events = POLLIN}};
    int timeout_ms = hello_timeout_ms, ready;
    if (compiler->job_seconds && compiler->job_seconds < hello_timeout_ms / 1000)
        timeout_ms = (int)compiler->job_seconds * 1000;
    do
        ready = poll(fds, 2, timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready > 0 && fds[1].revents)
        return error_set(error, KILN_CANCELLED, KILN_PHASE_PLAN, "the load was cancelled");
    if (ready <= 0)
        return wrong_compiler(compiler, "does not say a word", error);
    /* What has begun to speak may still stop in the middle of a word. */
    struct timeval limit = {.tv_sec = hello_timeout_ms / 1000};
    setsockopt(compiler->control, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    wire_frame frame;
    wire_status received = wire_receive(compiler->control, &frame);
    if (received == WIRE_NO_MEMORY)
        return error_no_memory(error);
    if (received != WIRE_OK)
        return wrong_compiler(compiler, "ended, or does not answer as a kiln-compiler does", error);
    kiln_status status = take_hello(compiler, &frame, error);
    wire_frame_destroy(&frame);
    return status;
}

static kiln_status spawn(compiler *compiler, kiln_error **error)
{
    int sockets[2], host = -1;
    char **environment = environment_for_compiler();
    if (!environment)
        return error_no_memory(error);
    if (os_socket_pair(sockets)) {
        free(environment);
        return error_set_errno(error, KILN_IO, KILN_PHASE_PLAN, errno, "cannot make a socket pair");
    }
    host = os_pidfd_self();
    int fds[] = {sockets[1], host};
    char *arguments[] = {compiler->path, NULL};
    kiln_status status = KILN_OK;
    if (host < 0)
        status = error_set_errno(error, KILN_IO, KILN_PHASE_PLAN, errno,
                                 "cannot open a pidfd of this process");
    else if (os_spawn_detached(compiler->path, arguments, environment, fds, 2, &compiler->pidfd))
        status = errno == ENOMEM
                     ? error_no_memory(error)
                     : error_set_errno(error, KILN_COMPILER, KILN_PHASE_PLAN, errno,
                                       "cannot start the compiler '%s'", compiler->path);
    free(environment);
    close(sockets[1]);
    if (host >= 0)
        close(host);
    os_kind kind;
    compiler->socket = compiler->process = (os_identity){0};
    os_identify_fd(sockets[0], &kind, &compiler->socket);
    if (status == KILN_OK) {
        os_identify_fd(compiler->pidfd, &kind, &compiler->process);
        compiler->control = sockets[0];
    } else {
        close(sockets[0]);
    }
    return status;
}

static kiln_status start(compiler *compiler, int cancel, kiln_error **error)
{
    forget_if_taken(compiler);
    /* The socket alone does not tell: a child of a killed process may hold its other end yet. */
    if (compiler->control >= 0 && os_pidfd_wait(compiler->pidfd, 0) == 0)
        drop_connection(compiler);
    if (compiler->control >= 0)
        return KILN_OK;
    if (!compiler->path)
        return error_set(error, KILN_COMPILER, KILN_PHASE_PLAN,
                         "cannot find the program kiln-compiler beside libkiln: install it, or say "
                         "where it is (KILN_COMPILER, or the session's compiler_path)");
    kiln_status status = spawn(compiler, error);
    if (status == KILN_OK)
        status = await_hello(compiler, cancel, error);
    if (status != KILN_OK)
        end_process(compiler);
    return status;
}

void compiler_stop(compiler *compiler)
{
    pthread_mutex_lock(&compiler->mutex);
    end_process(compiler);
    pthread_mutex_unlock(&compiler->mutex);
}

void compiler_destroy(compiler *compiler)
{
    if (!compiler)
        return;
    end_process(compiler);
    pthread_mutex_destroy(&compiler->mutex);
    string_list_destroy(&compiler->identity_files);
    free(compiler->path);
    free(compiler);
}

/* ---- identity ---- */

/* The cache keeps the identity as the record of a build whose inputs are the files behind it. */
static digest identity_key(const compiler *compiler)
{
    digest_state state;
    digest_begin(&state);
    digest_string(&state, "compiler " KILN_VERSION_STRING);
    digest_string(&state, compiler->path);
    return digest_end(&state);
}

static bool recall_identity(compiler *compiler, store *store)
{
    record record;
    record_check_report report = {0};
    record_check_options options = {0};
    digest key = identity_key(compiler);
    if (!store_read_record(store, &key, &record))
        return false;
    bool found = record.result_count > 0 && record_check(&record, 0, &options, &report);
    if (found) {
        compiler->identity = record_result(&record, 0).fixed.content;
        compiler->identified = true;
    }
    if (found && report.refreshed) {
        record_seal(&record);
        store_write_record(store, &key, &record);
    }
    free(report.mismatch);
    record_destroy(&record);
    return found;
}

/* begun_file_ns: before the process started, which has read the files since. */
static void remember_identity(compiler *compiler, store *store, int64_t begun_file_ns)
{
    input_set inputs = {0};
    bool done = true;
    for (size_t i = 0; done && i < compiler->identity_files.count; i++) {
        const char *path = compiler->identity_files.items[i];
        os_kind kind;
        os_identity identity;
        done = os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind != OS_ABSENT &&
               input_set_add(&inputs, path, strlen(path),
                             kind == OS_DIRECTORY ? INPUT_LISTED : INPUT_READ, &identity, NULL);
    }
    record record = {0};
    char *changed = NULL;
    record_entry entry = {.fixed.content = compiler->identity, .name = ""};
    digest key = identity_key(compiler);
    input_set_sort(&inputs);
    if (done && record_make(&record, NULL, &inputs, &entry, begun_file_ns, &changed))
        store_write_record(store, &key, &record);
    record_destroy(&record);
    free(changed);
    input_set_destroy(&inputs);
}

kiln_status compiler_identify(compiler *compiler, store *store, int cancel, digest *identity,
                              kiln_error **error)
{
    kiln_status status = KILN_OK;
    pthread_mutex_lock(&compiler->mutex);
    if (!compiler->identified && !(store && compiler->path && recall_identity(compiler, store))) {
        int64_t begun_file_ns = os_clock_file_ns();
        status = start(compiler, cancel, error);
        if (status == KILN_OK && store)
            remember_identity(compiler, store, begun_file_ns);
    }
    *identity = compiler->identity;
    pthread_mutex_unlock(&compiler->mutex);
    return status;
}

/* ---- jobs ---- */

static wire_status hand_over(compiler *compiler, int job_socket)
{
    Kiln__Wire__Job job = KILN__WIRE__JOB__INIT;
    uint8_t body[64];
    /* The system is asked once: that takes two dozen files. */
    if (!compiler->job_memory_bytes)
        compiler->job_memory_bytes = os_memory_total() / 4 * 3;
    job.seconds = compiler->job_seconds;
    job.memory_bytes = compiler->job_memory_bytes;
    size_t size = kiln__wire__job__pack(&job, body);
    return wire_send(compiler->control, WIRE_JOB, body, size, &job_socket, 1);
}

kiln_status compiler_open_job(compiler *compiler, int cancel, int *socket, kiln_error **error)
{
    int sockets[2];
    if (os_socket_pair(sockets))
        return error_set_errno(error, KILN_IO, KILN_PHASE_PLAN, errno, "cannot make a socket pair");
    pthread_mutex_lock(&compiler->mutex);
    bool was_running = compiler->control >= 0;
    kiln_status status = start(compiler, cancel, error);
    wire_status sent = status == KILN_OK ? hand_over(compiler, sockets[1]) : WIRE_OK;
    if (sent != WIRE_OK && was_running) {
        /* It has gone since it was last used: a new one takes its place. */
        end_process(compiler);
        status = start(compiler, cancel, error);
        sent = status == KILN_OK ? hand_over(compiler, sockets[1]) : WIRE_OK;
    }
    if (sent != WIRE_OK)
        end_process(compiler);
    pthread_mutex_unlock(&compiler->mutex);
    close(sockets[1]);
    if (status == KILN_OK && sent != WIRE_OK)
        status = error_set(error, KILN_COMPILER, KILN_PHASE_PLAN,
                           "the compiler process takes no job: %s", wire_status_text(sent));
    if (status == KILN_OK)
        *socket = sockets[0];
    else
        close(sockets[0]);
    return status;
}

void compiler_before_fork(compiler *compiler)
{
    pthread_mutex_lock(&compiler->mutex);
}

void compiler_after_fork(compiler *compiler, bool in_child)
{
    if (in_child)
        drop_connection(compiler);
    pthread_mutex_unlock(&compiler->mutex);
}
