/* test_build_job.c - one job from the host's side, over a socket whose other end the test holds:
 * requests, replies, descriptors, every way in which a job can end, and the parts of messages. */
#include "test_base_fixture.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "build/job.h"

typedef struct fixture {
    job job;
    int peer;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    int sockets[2];
    assert_int_equal(os_socket_pair(sockets), 0);
    f->job = (job){.socket = sockets[0], .cancel = -1, .subject = "a.c"};
    f->peer = sockets[1];
    *state = f;
    return 0;
}

static void close_peer(fixture *f)
{
    if (f->peer >= 0)
        close(f->peer);
    f->peer = -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    job_close(&f->job);
    assert_int_equal(f->job.socket, -1);
    close_peer(f);
    free(f);
    return 0;
}

/* ---- the peer ---- */

static void peer_sends(fixture *f, wire_type type, const ProtobufCMessage *message, const int *fds,
                       size_t fd_count)
{
    uint8_t body[4096];
    size_t size = protobuf_c_message_pack(message, body);
    assert_int_equal(wire_send(f->peer, type, body, size, fds, fd_count), WIRE_OK);
}

static void peer_replies(fixture *f, uint64_t size, const int *fds, size_t fd_count)
{
    Kiln__Wire__CompileReply reply = KILN__WIRE__COMPILE_REPLY__INIT;
    reply.ok = true;
    reply.output_size = size;
    peer_sends(f, WIRE_COMPILE_REPLY, &reply.base, fds, fd_count);
}

static Kiln__Wire__Exited exited_with(bool timed_out, bool out_of_memory, int signal, int status,
                                      const char *detail)
{
    Kiln__Wire__Exited exited = KILN__WIRE__EXITED__INIT;
    exited.timed_out = timed_out;
    exited.out_of_memory = out_of_memory;
    exited.signal = signal;
    exited.exit_status = status;
    exited.detail = (char *)detail;
    return exited;
}

/* ---- the job ---- */

static kiln_status receive(fixture *f, Kiln__Wire__CompileReply **reply, kiln_error **error)
{
    ProtobufCMessage *message = NULL;
    kiln_status status = job_receive(&f->job, WIRE_COMPILE_REPLY,
                                     &kiln__wire__compile_reply__descriptor, &message, error);
    *reply = (Kiln__Wire__CompileReply *)message;
    return status;
}

static void receives(fixture *f, uint64_t size)
{
    Kiln__Wire__CompileReply *reply;
    kiln_error *error = NULL;
    CHECK_OK(receive(f, &reply, &error), error);
    assert_int_equal(reply->output_size, size);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
}

static void receive_fails(fixture *f, kiln_status code, const char *part)
{
    Kiln__Wire__CompileReply *reply;
    kiln_error *error = NULL;
    assert_int_equal(receive(f, &reply, &error), code);
    assert_null(reply);
    check_error(error, code, part);
}

static kiln_status send_request(fixture *f, kiln_error **error)
{
    Kiln__Wire__Compile request = KILN__WIRE__COMPILE__INIT;
    request.source = wire_bytes("a.c");
    return job_send(&f->job, WIRE_COMPILE, &request.base, error);
}

/* ---- requests and replies ---- */

static void test_a_request_arrives(void **state)
{
    fixture *f = *state;
    wire_frame frame;
    kiln_error *error = NULL;
    CHECK_OK(send_request(f, &error), error);
    assert_int_equal(wire_receive(f->peer, &frame), WIRE_OK);
    assert_int_equal(frame.type, WIRE_COMPILE);
    assert_int_equal(frame.fd_count, 0);
    Kiln__Wire__Compile *request = kiln__wire__compile__unpack(NULL, frame.size, frame.body);
    assert_memory_equal(request->source.data, "a.c", 3);
    kiln__wire__compile__free_unpacked(request, NULL);
    wire_frame_destroy(&frame);
}

static void test_replies_come_in_order(void **state)
{
    fixture *f = *state;
    peer_replies(f, 1, NULL, 0);
    peer_replies(f, 2, NULL, 0);
    receives(f, 1);
    receives(f, 2);
}

static void test_an_empty_body_is_a_reply(void **state)
{
    fixture *f = *state;
    assert_int_equal(wire_send(f->peer, WIRE_COMPILE_REPLY, NULL, 0, NULL, 0), WIRE_OK);
    receives(f, 0);
}

/* ---- descriptors ---- */

static int numbered_file(int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    int fd = os_memfd_with("number", text, strlen(text), false);
    assert_true(fd >= 0);
    return fd;
}

static void check_number(int fd, int expected)
{
    char text[16] = "";
    assert_true(fd >= 3);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_int_equal(atoi(text), expected);
}

static void test_descriptors_of_replies_by_their_place(void **state)
{
    fixture *f = *state;
    int before = count_descriptors(), fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = numbered_file(i);
    peer_replies(f, 1, fds, 1);
    assert_int_equal(wire_send(f->peer, WIRE_ATTACH, NULL, 0, fds + 1, 2), WIRE_OK);
    peer_replies(f, 2, fds + 3, 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    receives(f, 1);
    assert_int_equal(job_take_fd(&f->job, 1), -1);
    receives(f, 2);
    int taken = job_take_fd(&f->job, 2);
    check_number(taken, 2);
    assert_int_equal(job_take_fd(&f->job, 2), -1);
    close(taken);
    taken = job_take_fd(&f->job, 0);
    check_number(taken, 0);
    close(taken);
    assert_int_equal(job_take_fd(&f->job, 4), -1);
    assert_int_equal(job_take_fd(&f->job, UINT32_MAX), -1);
    /* What nobody has taken is closed with the job. */
    job_close(&f->job);
    assert_int_equal(count_descriptors(), before - 1);
}

static void check_sent(fixture *f, wire_type type, size_t first, size_t count)
{
    static wire_frame frame;
    assert_int_equal(wire_receive(f->peer, &frame), WIRE_OK);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.fd_count, count);
    for (size_t i = 0; i < count; i++)
        check_number(frame.fds[i], (int)(first + i));
    wire_frame_destroy(&frame);
}

static void test_descriptors_of_requests_by_their_place(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    uint32_t index;
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = numbered_file(i);
        if (i == 2) {
            CHECK_OK(send_request(f, &error), error);
            check_sent(f, WIRE_COMPILE, 0, 2);
        }
        assert_true(job_attach(&f->job, fds[i], &index));
        assert_int_equal(index, i);
    }
    CHECK_OK(send_request(f, &error), error);
    check_sent(f, WIRE_COMPILE, 2, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(fcntl(fds[i], F_GETFD) >= 0);
        close(fds[i]);
    }
}

/* More than a frame holds go ahead in frames of their own. */
static void test_many_descriptors(void **state)
{
    enum { many = 2 * kiln_wire_max_fds + 10 };
    fixture *f = *state;
    kiln_error *error = NULL;
    uint32_t index;
    static int fds[many];
    for (int i = 0; i < many; i++) {
        fds[i] = numbered_file(i);
        assert_true(job_attach(&f->job, fds[i], &index));
        assert_int_equal(index, i);
    }
    CHECK_OK(send_request(f, &error), error);
    for (int i = 0; i < many; i++)
        close(fds[i]);
    check_sent(f, WIRE_ATTACH, 0, kiln_wire_max_fds);
    check_sent(f, WIRE_ATTACH, kiln_wire_max_fds, kiln_wire_max_fds);
    check_sent(f, WIRE_COMPILE, 2 * kiln_wire_max_fds, 10);
}

static void test_forwarded_descriptors_need_not_stay(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    uint32_t index;
    for (int i = 0; i < 3; i++) {
        int fd = numbered_file(i);
        CHECK_OK(job_forward(&f->job, fd, &index, &error), error);
        assert_int_equal(index, i);
        close(fd);
        check_sent(f, WIRE_ATTACH, (size_t)i, 1);
    }
    int fd = numbered_file(3);
    assert_true(job_attach(&f->job, fd, &index));
    assert_int_equal(index, 3);
    CHECK_OK(send_request(f, &error), error);
    check_sent(f, WIRE_COMPILE, 3, 1);
    close(fd);
}

/* ---- ends ---- */

static void check_exit(fixture *f, Kiln__Wire__Exited exited, kiln_status code, const char *part)
{
    peer_sends(f, WIRE_EXITED, &exited.base, NULL, 0);
    receive_fails(f, code, part);
}

static void test_limits(void **state)
{
    fixture *f = *state;
    check_exit(f, exited_with(true, false, 9, 0, ""), KILN_LIMIT,
               "'a.c' took longer than the limit of time");
    check_exit(f, exited_with(true, false, 9, 0, "function 'f'"), KILN_LIMIT,
               "simplify the source, or raise job_seconds");
    check_exit(f, exited_with(false, true, 6, 0, ""), KILN_LIMIT,
               "'a.c' needs more memory than the limit");
}

static void test_crashes(void **state)
{
    fixture *f = *state;
    check_exit(f, exited_with(false, false, SIGSEGV, 0, ""), KILN_COMPILER,
               "signal 11 (Segmentation fault) while it worked on 'a.c'");
    check_exit(f, exited_with(false, false, SIGSEGV, 0, "function 'f'"), KILN_COMPILER,
               "while it worked on 'a.c'");
    check_exit(f, exited_with(false, false, 12345, 0, ""), KILN_COMPILER, "signal 12345");
    check_exit(f, exited_with(false, false, 0, 70, "fatal error"), KILN_COMPILER,
               "gave up with status 70 while it worked on 'a.c': fatal error");
    assert_int_equal(wire_send(f->peer, WIRE_EXITED, NULL, 0, NULL, 0), WIRE_OK);
    receive_fails(f, KILN_COMPILER, "status 0 while it worked on 'a.c'");
}

static void test_the_connection_ends(void **state)
{
    fixture *f = *state;
    close_peer(f);
    receive_fails(f, KILN_COMPILER,
                  "the compiler process has gone while it worked on 'a.c' (the connection was "
                  "closed): the next load starts another");
}

static void peer_sends_bytes(fixture *f, const void *bytes, size_t size)
{
    assert_int_equal(send(f->peer, bytes, size, MSG_NOSIGNAL), size);
}

static void test_what_is_no_frame(void **state)
{
    fixture *f = *state;
    peer_sends_bytes(f, "0123456789abcdef0123", 20);
    receive_fails(f, KILN_COMPILER, "has gone while it worked on 'a.c'");
}

static void test_half_a_frame(void **state)
{
    fixture *f = *state;
    peer_sends_bytes(f, "KILN", 4);
    close_peer(f);
    receive_fails(f, KILN_COMPILER, "has gone while it worked on 'a.c'");
}

static void test_an_unexpected_frame(void **state)
{
    fixture *f = *state;
    static const wire_type unexpected[] = {WIRE_HELLO,      WIRE_JOB,        WIRE_SETUP,
                                           WIRE_PLAN_REPLY, WIRE_LINK_REPLY, WIRE_COMPILE};
    for (size_t i = 0; i < sizeof unexpected / sizeof *unexpected; i++) {
        assert_int_equal(wire_send(f->peer, unexpected[i], NULL, 0, NULL, 0), WIRE_OK);
        receive_fails(f, KILN_COMPILER, "has gone while it worked on 'a.c'");
    }
}

static void test_bytes_that_are_no_message(void **state)
{
    fixture *f = *state;
    static const uint8_t bytes[] = {0xff, 0xff, 0xff};
    assert_int_equal(wire_send(f->peer, WIRE_COMPILE_REPLY, bytes, 3, NULL, 0), WIRE_OK);
    receive_fails(f, KILN_COMPILER, "has gone while it worked on 'a.c'");
    assert_int_equal(wire_send(f->peer, WIRE_EXITED, bytes, 3, NULL, 0), WIRE_OK);
    receive_fails(f, KILN_COMPILER, "has gone while it worked on 'a.c'");
}

/* Descriptors of what is refused are closed all the same. */
static void test_descriptors_of_unexpected_frames(void **state)
{
    fixture *f = *state;
    int fd = numbered_file(0);
    assert_int_equal(wire_send(f->peer, WIRE_LINK_REPLY, NULL, 0, &fd, 1), WIRE_OK);
    close(fd);
    int before = count_descriptors();
    receive_fails(f, KILN_COMPILER, "has gone");
    job_close(&f->job);
    assert_int_equal(count_descriptors(), before - 1);
}

static void test_cancelled(void **state)
{
    fixture *f = *state;
    uint64_t one = 1;
    f->job.cancel = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(write(f->job.cancel, &one, sizeof one), sizeof one);
    receive_fails(f, KILN_CANCELLED, "the load was cancelled");
    close(f->job.cancel);
}

static void test_nobody_cares_for_the_error(void **state)
{
    fixture *f = *state;
    Kiln__Wire__CompileReply *reply;
    Kiln__Wire__Exited exited = exited_with(true, false, 0, 0, "");
    peer_sends(f, WIRE_EXITED, &exited.base, NULL, 0);
    assert_int_equal(receive(f, &reply, NULL), KILN_LIMIT);
    close_peer(f);
    assert_int_equal(receive(f, &reply, NULL), KILN_COMPILER);
    assert_int_equal(send_request(f, NULL), KILN_COMPILER);
}

/* A job that ended before its request was written has said why. */
static void test_a_request_to_a_job_that_has_ended(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    Kiln__Wire__Exited exited = exited_with(false, true, 0, 0, "");
    peer_replies(f, 1, NULL, 0);
    peer_sends(f, WIRE_EXITED, &exited.base, NULL, 0);
    close_peer(f);
    assert_int_equal(send_request(f, &error), KILN_LIMIT);
    check_error(error, KILN_LIMIT, "more memory");
}

static void test_a_request_to_a_job_that_vanished(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    uint32_t index;
    close_peer(f);
    assert_int_equal(send_request(f, &error), KILN_COMPILER);
    check_error(error, KILN_COMPILER, "has gone while it worked on 'a.c'");
    error = NULL;
    assert_int_equal(job_forward(&f->job, 0, &index, &error), KILN_COMPILER);
    check_error(error, KILN_COMPILER, "has gone while it worked on 'a.c'");
}

/* What fails on this side alone is told at once: the job would wait for ever. */
static void test_a_request_that_the_system_refuses(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    uint32_t index;
    assert_true(job_attach(&f->job, 1000000, &index));
    assert_int_equal(send_request(f, &error), KILN_IO);
    check_error(error, KILN_IO, "while it worked on 'a.c': Bad file descriptor");
}

/* ---- parts of messages ---- */

static ProtobufCBinaryData bytes_of(const char *bytes, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)bytes};
}

static void test_diagnostics(void **state)
{
    (void)state;
    Kiln__Wire__Fixit fixit = KILN__WIRE__FIXIT__INIT, *fixits[] = {&fixit};
    Kiln__Wire__Diagnostic note = KILN__WIRE__DIAGNOSTIC__INIT, *notes[] = {&note};
    Kiln__Wire__Diagnostic first = KILN__WIRE__DIAGNOSTIC__INIT;
    Kiln__Wire__Diagnostic second = KILN__WIRE__DIAGNOSTIC__INIT;
    Kiln__Wire__Diagnostic *both[] = {&first, &second};
    Kiln__Wire__DiagnosticList list = KILN__WIRE__DIAGNOSTIC_LIST__INIT;
    fixit.replacement = wire_bytes(";");
    fixit.end_column = 9;
    note.message = wire_bytes("here");
    first.severity = KILN_SEVERITY_ERROR;
    first.file = wire_bytes("a \xff.c");
    first.line = 3;
    first.message = wire_bytes("wrong");
    first.rendered = bytes_of("a.c:3: wrong\n\0hidden", 20);
    first.n_notes = 1;
    first.notes = notes;
    first.n_fixits = 1;
    first.fixits = fixits;
    second.severity = 77;
    second.option = wire_bytes("-Wunused");
    list.n_diagnostics = 2;
    list.diagnostics = both;

    diagnostic_list taken;
    assert_true(job_diagnostics(&list, &taken));
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.items[0].size, sizeof(kiln_diagnostic));
    assert_int_equal(taken.items[0].severity, KILN_SEVERITY_ERROR);
    assert_string_equal(taken.items[0].file, "a \xff.c");
    assert_int_equal(taken.items[0].line, 3);
    assert_null(taken.items[0].option);
    assert_string_equal(taken.items[0].rendered, "a.c:3: wrong\n");
    assert_string_equal(taken.items[0].notes[0].message, "here");
    assert_string_equal(taken.items[0].fixits[0].replacement, ";");
    assert_string_equal(taken.items[0].fixits[0].file, "");
    assert_int_equal(taken.items[0].fixits[0].end_column, 9);
    /* A severity that this version does not know is an error. */
    assert_int_equal(taken.items[1].severity, KILN_SEVERITY_ERROR);
    assert_string_equal(taken.items[1].option, "-Wunused");
    assert_null(taken.items[1].file);
    assert_string_equal(taken.items[1].message, "");
    diagnostic_list_destroy(&taken);
    assert_true(job_diagnostics(NULL, &taken));
    assert_int_equal(taken.count, 0);
}

static void test_inputs(void **state)
{
    (void)state;
    Kiln__Wire__Identity identity = KILN__WIRE__IDENTITY__INIT;
    digest content = digest_of("x", 1);
    Kiln__Wire__Input read = KILN__WIRE__INPUT__INIT, absent = KILN__WIRE__INPUT__INIT;
    identity.inode = 7;
    identity.mtime_ns = -5;
    read.path = wire_bytes("/a \xff.c");
    read.identity = &identity;
    read.digest = bytes_of((const char *)content.bytes, digest_size);
    absent.path = wire_bytes("/b.h");
    absent.kind = KILN__WIRE__INPUT__KIND__ABSENT;
    Kiln__Wire__Input *both[] = {&read, &absent};
    input_set set = {0};
    assert_true(job_inputs(2, both, &set));
    assert_int_equal(set.count, 2);
    const input *file = input_set_find(&set, "/a \xff.c");
    assert_int_equal(file->identity.inode, 7);
    assert_int_equal(file->identity.mtime_ns, -5);
    assert_true(digest_equal(&file->content, &content));
    assert_int_equal(input_set_find(&set, "/b.h")->state, INPUT_ABSENT);
    input_set_destroy(&set);
}

/* What makes no sense is passed over: a relative path, none, one with a NUL, an unknown kind. */
static void test_senseless_inputs(void **state)
{
    (void)state;
    enum { count = 7 };
    Kiln__Wire__Input inputs[count], *pointers[count];
    digest content = digest_of("x", 1);
    for (size_t i = 0; i < count; i++) {
        kiln__wire__input__init(&inputs[i]);
        pointers[i] = &inputs[i];
        inputs[i].path = wire_bytes("/good");
    }
    inputs[1].path = wire_bytes("relative");
    inputs[2].path = bytes_of(NULL, 0);
    inputs[3].path = bytes_of("/good\0bad", 9);
    inputs[4].path = bytes_of("/good\0bad", 9);
    inputs[5].kind = (Kiln__Wire__Input__Kind)1000;
    inputs[6].kind = (Kiln__Wire__Input__Kind)-1;
    inputs[0].digest = bytes_of((const char *)content.bytes, digest_size - 1);
    input_set set = {0};
    assert_true(job_inputs(count, pointers, &set));
    assert_int_equal(set.count, 1);
    assert_string_equal(set.items[0].path, "/good");
    assert_true(digest_is_zero(&set.items[0].content));
    assert_null(set.changed);
    input_set_destroy(&set);
}

/* The processor is an input that only libkiln itself adds. */
static void test_jobs_report_no_processor(void **state)
{
    (void)state;
    Kiln__Wire__Input input = KILN__WIRE__INPUT__INIT, *pointer = &input;
    input.path = wire_bytes("/processor");
    input.kind = (Kiln__Wire__Input__Kind)INPUT_PROCESSOR;
    input_set set = {0};
    assert_true(job_inputs(1, &pointer, &set));
    assert_int_equal(set.count, 0);
    input_set_destroy(&set);
}

static void test_an_interval_of_the_clock(void **state)
{
    (void)state;
    Kiln__Wire__Identity identity = KILN__WIRE__IDENTITY__INIT;
    Kiln__Wire__Input input = KILN__WIRE__INPUT__INIT, *pointer = &input;
    identity.ctime_ns = 1;
    identity.mtime_ns = 2;
    input.kind = (Kiln__Wire__Input__Kind)INPUT_CLOCK;
    input.identity = &identity;
    input_set set = {0};
    assert_true(job_inputs(1, &pointer, &set));
    assert_int_equal(set.count, 1);
    assert_int_equal(set.items[0].state, INPUT_CLOCK);
    assert_int_equal(set.items[0].identity.mtime_ns, 2);
    input_set_destroy(&set);
}

#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_JOB(test_a_request_arrives),
        WITH_JOB(test_replies_come_in_order),
        WITH_JOB(test_an_empty_body_is_a_reply),
        WITH_JOB(test_descriptors_of_replies_by_their_place),
        WITH_JOB(test_descriptors_of_requests_by_their_place),
        WITH_JOB(test_many_descriptors),
        WITH_JOB(test_forwarded_descriptors_need_not_stay),
        WITH_JOB(test_limits),
        WITH_JOB(test_crashes),
        WITH_JOB(test_the_connection_ends),
        WITH_JOB(test_what_is_no_frame),
        WITH_JOB(test_half_a_frame),
        WITH_JOB(test_an_unexpected_frame),
        WITH_JOB(test_bytes_that_are_no_message),
        WITH_JOB(test_descriptors_of_unexpected_frames),
        WITH_JOB(test_cancelled),
        WITH_JOB(test_nobody_cares_for_the_error),
        WITH_JOB(test_a_request_to_a_job_that_has_ended),
        WITH_JOB(test_a_request_to_a_job_that_vanished),
        WITH_JOB(test_a_request_that_the_system_refuses),
        cmocka_unit_test(test_diagnostics),
        cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_senseless_inputs),
        cmocka_unit_test(test_jobs_report_no_processor),
        cmocka_unit_test(test_an_interval_of_the_clock),
    };
    alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
