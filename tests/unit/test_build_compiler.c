/* test_build_compiler.c - the compiler process as a session sees it: starting it, what is said
 * where it is none or a wrong one, replacing one that has gone, its identity, its end, and fork.
 *
 * The time that a process has for its first words is a fraction of a second here: poll and the
 * receive timeout are shortened. */
#include "test_build_fake_compiler.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "build/compiler.h"
#include "build/store.h"

enum { shortened_ms = 200 };

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec limit = {.tv_nsec = shortened_ms * 1000000L};
    if (timeout_ms >= 0 && timeout_ms < 1000)
        limit.tv_nsec = timeout_ms * 1000000L;
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &limit, NULL);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    struct timeval shortened = {.tv_usec = shortened_ms * 1000};
    if (level == SOL_SOCKET && option == SO_RCVTIMEO && ((const struct timeval *)value)->tv_sec)
        value = &shortened;
    return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

/* ---- a compiler for each test ---- */

typedef struct fixture {
    compiler *compiler;
    store *store;
    int descriptors; /* before all of it */
} fixture;

static void create(fixture *f, const char *path)
{
    kiln_error *error = NULL;
    compiler_options options = {.path = path, .job_seconds = 5, .job_memory_bytes = 1 << 30};
    compiler_destroy(f->compiler);
    f->compiler = NULL;
    CHECK_OK(compiler_create(&options, &f->compiler, &error), error);
}

static int setup(void **state)
{
    static int number;
    fixture *f = calloc(1, sizeof *f);
    kiln_error *error = NULL;
    fake_reset();
    f->descriptors = count_descriptors();
    setenv("FAKE_IDENTITY", "one", 1);
    setenv("FAKE_IDENTITY_FILE", scratch("identity-%d", number), 1);
    write_file(getenv("FAKE_IDENTITY_FILE"), "the compiler");
    CHECK_OK(store_open(scratch("cache-%d", number++), &f->store, &error), error);
    create(f, fake_path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    compiler_destroy(f->compiler);
    store_close(f->store);
    assert_int_equal(count_descriptors(), f->descriptors);
    free(f);
    return 0;
}

static void identify(fixture *f, const char *expected)
{
    kiln_error *error = NULL;
    digest identity, wanted = digest_of(expected, strlen(expected));
    CHECK_OK(compiler_identify(f->compiler, f->store, -1, &identity, &error), error);
    assert_true(digest_equal(&identity, &wanted));
}

static void check_start_fails(fixture *f, kiln_status code, const char *part)
{
    kiln_error *error = NULL;
    digest identity;
    int socket = -1;
    assert_int_equal(compiler_identify(f->compiler, NULL, -1, &identity, &error), code);
    check_error(error, code, part);
    error = NULL;
    assert_int_equal(compiler_open_job(f->compiler, -1, &socket, &error), code);
    check_error(error, code, part);
    assert_int_equal(socket, -1);
    assert_int_equal(compiler_open_job(f->compiler, -1, &socket, NULL), code);
}

static void check_job_works(fixture *f)
{
    job job;
    kiln_error *error = NULL;
    Kiln__Wire__Setup setup = KILN__WIRE__SETUP__INIT;
    Kiln__Wire__Plan plan = KILN__WIRE__PLAN__INIT;
    ProtobufCMessage *reply = NULL;
    setup.working_directory = wire_bytes("/");
    CHECK_OK(job_open(f->compiler, &setup, NULL, 0, -1, "test", &job, &error), error);
    CHECK_OK(job_send(&job, WIRE_PLAN, &plan.base, &error), error);
    CHECK_OK(
        job_receive(&job, WIRE_PLAN_REPLY, &kiln__wire__plan_reply__descriptor, &reply, &error),
        error);
    assert_true(((Kiln__Wire__PlanReply *)reply)->ok);
    protobuf_c_message_free_unpacked(reply, NULL);
    job_close(&job);
}

/* ---- starting ---- */

static void test_nothing_starts_before_it_is_needed(void **state)
{
    fixture *f = *state;
    assert_int_equal(fake_count("start"), 0);
    compiler_stop(f->compiler);
    assert_int_equal(fake_count("start"), 0);
}

static void test_jobs_share_one_process(void **state)
{
    fixture *f = *state;
    identify(f, "one");
    check_job_works(f);
    check_job_works(f);
    assert_int_equal(fake_count("start"), 1);
    assert_int_equal(fake_count("plan"), 2);
}

static void test_a_missing_program(void **state)
{
    fixture *f = *state;
    create(f, "/no/such/kiln-compiler");
    check_start_fails(f, KILN_COMPILER,
                      "cannot start the compiler '/no/such/kiln-compiler': No such file");
}

static void test_no_program_at_all(void **state)
{
    fixture *f = *state;
    /* Beside a test program stands no compiler, unless it was built. */
    unsetenv("KILN_COMPILER");
    create(f, NULL);
    kiln_error *error = NULL;
    digest identity;
    if (compiler_identify(f->compiler, NULL, -1, &identity, &error) == KILN_OK) {
        print_message("a kiln-compiler was built beside this test\n");
        return;
    }
    check_error(error, KILN_COMPILER,
                "cannot find the program kiln-compiler beside libkiln: install it, or say where it "
                "is (KILN_COMPILER");
}

static void test_the_program_of_the_environment(void **state)
{
    fixture *f = *state;
    setenv("KILN_COMPILER", fake_path, 1);
    create(f, NULL);
    identify(f, "one");
    setenv("KILN_COMPILER", "/no/such/program", 1);
    create(f, fake_path);
    identify(f, "one");
    create(f, NULL);
    check_start_fails(f, KILN_COMPILER, "cannot start the compiler '/no/such/program'");
    unsetenv("KILN_COMPILER");
}

static void test_what_is_no_program(void **state)
{
    fixture *f = *state;
    char path[256];
    snprintf(path, sizeof path, "%s", scratch("text"));
    write_file(path, "not a program");
    create(f, path);
    check_start_fails(f, KILN_COMPILER, "Permission denied");
    assert_int_equal(chmod(path, 0700), 0);
    create(f, path);
    check_start_fails(f, KILN_COMPILER, "Exec format error");
    create(f, "/");
    check_start_fails(f, KILN_COMPILER, "cannot start the compiler '/'");
}

/* A program that has nothing to do with Kiln. */
static void test_another_program(void **state)
{
    fixture *f = *state;
    create(f, "/bin/true");
    check_start_fails(f, KILN_COMPILER,
                      "'/bin/true' ended, or does not answer as a kiln-compiler does: reinstall "
                      "Kiln, or name the right kiln-compiler (KILN_COMPILER)");
}

static void check_hello(fixture *f, const char *hello, const char *part)
{
    fake_set(hello, "", "", "");
    check_start_fails(f, KILN_COMPILER, part);
    pid_t id = fake_last_started();
    assert_true(id > 0);
    fake_await_end(id);
    /* The right one does, as soon as it is there. */
    fake_set("", "", "", "");
    identify(f, "one");
    check_job_works(f);
}

static void test_it_exits_at_once(void **state)
{
    check_hello(*state, "exit", "ended, or does not answer as a kiln-compiler does");
}

static void test_it_says_nothing(void **state)
{
    check_hello(*state, "silent", "does not say a word");
}

static void test_it_says_garbage(void **state)
{
    check_hello(*state, "garbage", "ended, or does not answer as a kiln-compiler does");
}

/* Some bytes of what could become a frame, and then nothing. */
static void test_it_stops_within_its_first_word(void **state)
{
    check_hello(*state, "half", "ended, or does not answer as a kiln-compiler does");
}

static void test_it_says_something_else_first(void **state)
{
    check_hello(*state, "wrong-frame", "does not answer as a kiln-compiler does");
}

static void test_its_hello_is_no_message(void **state)
{
    check_hello(*state, "undecodable", "does not answer as a kiln-compiler does");
}

static void test_another_version(void **state)
{
    check_hello(*state, "version",
                "is of version 9.8.7, this libkiln of " KILN_VERSION_STRING ": reinstall Kiln");
}

static void test_another_protocol(void **state)
{
    check_hello(*state, "protocol", "speaks protocol 2, this libkiln 1: reinstall Kiln");
}

static void test_an_identity_that_is_none(void **state)
{
    check_hello(*state, "identity", "does not answer as a kiln-compiler does");
}

/* ---- one that goes ---- */

static void test_one_that_has_gone_is_replaced(void **state)
{
    fixture *f = *state;
    for (int i = 1; i <= 3; i++) {
        check_job_works(f);
        assert_int_equal(fake_count("start"), i);
        pid_t id = fake_last_started();
        assert_int_equal(kill(id, SIGKILL), 0);
        fake_await_end(id);
    }
    check_job_works(f);
}

static void test_one_that_leaves_after_its_hello(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    Kiln__Wire__Setup setup = KILN__WIRE__SETUP__INIT;
    job job;
    fake_set("leave", "", "", "");
    identify(f, "one");
    fake_await_end(fake_last_started());
    /* Another is started, and is no better. Whether its end shows at the hand-over or later. */
    kiln_status status = job_open(f->compiler, &setup, NULL, 0, -1, "test", &job, &error);
    if (status == KILN_OK) {
        ProtobufCMessage *reply;
        status =
            job_receive(&job, WIRE_PLAN_REPLY, &kiln__wire__plan_reply__descriptor, &reply, &error);
        job_close(&job);
    }
    assert_int_equal(status, KILN_COMPILER);
    check_error(error, KILN_COMPILER, "compiler process");
    assert_true(fake_count("start") >= 2);
    fake_set("", "", "", "");
    fake_await_end(fake_last_started());
    check_job_works(f);
}

static void test_stop(void **state)
{
    fixture *f = *state;
    check_job_works(f);
    pid_t id = fake_last_started();
    assert_false(fake_is_gone(id));
    compiler_stop(f->compiler);
    fake_await_end(id);
    compiler_stop(f->compiler);
    check_job_works(f);
    id = fake_last_started();
    compiler_destroy(f->compiler);
    f->compiler = NULL;
    fake_await_end(id);
}

/* A process that does not end of its own accord is ended. */
static void test_stop_of_one_that_hangs(void **state)
{
    fixture *f = *state;
    check_job_works(f);
    pid_t id = fake_last_started();
    assert_int_equal(kill(id, SIGSTOP), 0);
    compiler_stop(f->compiler);
    fake_await_end(id);
}

/* What starts slowly can be given up; the process goes. */
static void test_a_start_is_cancelled(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    digest identity;
    uint64_t one = 1;
    int cancel = eventfd(0, EFD_CLOEXEC), socket = -1;
    assert_int_equal(write(cancel, &one, sizeof one), sizeof one);
    fake_set("silent", "", "", "");
    assert_int_equal(compiler_identify(f->compiler, NULL, cancel, &identity, &error),
                     KILN_CANCELLED);
    check_error(error, KILN_CANCELLED, "the load was cancelled");
    error = NULL;
    assert_int_equal(compiler_open_job(f->compiler, cancel, &socket, &error), KILN_CANCELLED);
    check_error(error, KILN_CANCELLED, "the load was cancelled");
    close(cancel);
    fake_set("", "", "", "");
    identify(f, "one");
}

static void test_the_host_has_no_child(void **state)
{
    fixture *f = *state;
    check_job_works(f);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* ---- identity ---- */

/* A warm load starts no process. */
static void test_the_identity_is_remembered(void **state)
{
    fixture *f = *state;
    settle();
    identify(f, "one");
    for (int i = 0; i < 3; i++) {
        create(f, fake_path);
        identify(f, "one");
    }
    assert_int_equal(fake_count("start"), 1);
}

static void test_a_touched_compiler_is_asked_again(void **state)
{
    fixture *f = *state;
    settle();
    identify(f, "one");
    setenv("FAKE_IDENTITY", "two", 1);
    write_file(getenv("FAKE_IDENTITY_FILE"), "another compiler");
    create(f, fake_path);
    identify(f, "two");
    assert_int_equal(fake_count("start"), 2);
    unlink(getenv("FAKE_IDENTITY_FILE"));
    create(f, fake_path);
    identify(f, "two");
    assert_int_equal(fake_count("start"), 3);
}

/* The files behind the identity changed after it was computed: it must not be remembered as theirs.
 */
static void test_a_compiler_that_is_replaced_while_it_starts(void **state)
{
    fixture *f = *state;
    settle();
    fake_set("replaced", "", "", "");
    identify(f, "one");
    fake_set("", "", "", "");
    setenv("FAKE_IDENTITY", "two", 1);
    settle();
    create(f, fake_path);
    identify(f, "two");
}

static void test_a_compiler_elsewhere_has_an_identity_of_its_own(void **state)
{
    fixture *f = *state;
    settle();
    identify(f, "one");
    char other[256];
    snprintf(other, sizeof other, "%s", scratch("other-compiler"));
    unlink(other);
    assert_int_equal(symlink(fake_path, other), 0);
    setenv("FAKE_IDENTITY", "two", 1);
    create(f, other);
    identify(f, "two");
    assert_int_equal(fake_count("start"), 2);
}

static void test_an_identity_without_a_cache(void **state)
{
    fixture *f = *state;
    kiln_error *error = NULL;
    digest identity, expected = digest_of("one", 3);
    CHECK_OK(compiler_identify(f->compiler, NULL, -1, &identity, &error), error);
    assert_true(digest_equal(&identity, &expected));
    CHECK_OK(compiler_identify(f->compiler, NULL, -1, &identity, &error), error);
    assert_int_equal(fake_count("start"), 1);
}

/* ---- threads and forks ---- */

static void *use_in_thread(void *data)
{
    for (int i = 0; i < 10; i++)
        check_job_works(data);
    return NULL;
}

static void test_threads_share_one_process(void **state)
{
    fixture *f = *state;
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_in_thread, f), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fake_count("start"), 1);
    assert_int_equal(fake_count("plan"), 80);
}

static int run_in_fork(fixture *f, void (*part)(fixture *f))
{
    int status;
    fflush(NULL);
    compiler_before_fork(f->compiler);
    pid_t child = fork();
    compiler_after_fork(f->compiler, child == 0);
    if (child == 0) {
        part(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void use_in_child(fixture *f)
{
    check_job_works(f);
    compiler_destroy(f->compiler);
}

/* The child starts a process of its own and leaves the parent's alone. */
static void test_fork(void **state)
{
    fixture *f = *state;
    check_job_works(f);
    pid_t id = fake_last_started();
    assert_int_equal(run_in_fork(f, use_in_child), 0);
    assert_int_equal(fake_count("start"), 2);
    assert_false(fake_is_gone(id));
    check_job_works(f);
    assert_int_equal(fake_count("start"), 2);
}

static void end_in_child(fixture *f)
{
    compiler_destroy(f->compiler);
}

static void test_fork_of_a_child_that_needs_none(void **state)
{
    fixture *f = *state;
    check_job_works(f);
    assert_int_equal(run_in_fork(f, end_in_child), 0);
    check_job_works(f);
    assert_int_equal(fake_count("start"), 1);
}

#define WITH_COMPILER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_COMPILER(test_nothing_starts_before_it_is_needed),
        WITH_COMPILER(test_jobs_share_one_process),
        WITH_COMPILER(test_a_missing_program),
        WITH_COMPILER(test_no_program_at_all),
        WITH_COMPILER(test_the_program_of_the_environment),
        WITH_COMPILER(test_what_is_no_program),
        WITH_COMPILER(test_another_program),
        WITH_COMPILER(test_it_exits_at_once),
        WITH_COMPILER(test_it_says_nothing),
        WITH_COMPILER(test_it_says_garbage),
        WITH_COMPILER(test_it_stops_within_its_first_word),
        WITH_COMPILER(test_it_says_something_else_first),
        WITH_COMPILER(test_its_hello_is_no_message),
        WITH_COMPILER(test_another_version),
        WITH_COMPILER(test_another_protocol),
        WITH_COMPILER(test_an_identity_that_is_none),
        WITH_COMPILER(test_one_that_has_gone_is_replaced),
        WITH_COMPILER(test_one_that_leaves_after_its_hello),
        WITH_COMPILER(test_stop),
        WITH_COMPILER(test_stop_of_one_that_hangs),
        WITH_COMPILER(test_a_start_is_cancelled),
        WITH_COMPILER(test_the_host_has_no_child),
        WITH_COMPILER(test_the_identity_is_remembered),
        WITH_COMPILER(test_a_touched_compiler_is_asked_again),
        WITH_COMPILER(test_a_compiler_that_is_replaced_while_it_starts),
        WITH_COMPILER(test_a_compiler_elsewhere_has_an_identity_of_its_own),
        WITH_COMPILER(test_an_identity_without_a_cache),
        WITH_COMPILER(test_threads_share_one_process),
        WITH_COMPILER(test_fork),
        WITH_COMPILER(test_fork_of_a_child_that_needs_none),
    };
    fake_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
