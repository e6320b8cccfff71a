/* test_compiler_jobs.c - limits, ends and crashes of jobs; the zygote's own end. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void send_compile(job *unit, const char *source, const char *argument)
{
    ProtobufCBinaryData arguments[] = {bytes_of(argument)};
    Kiln__Wire__Compile message = KILN__WIRE__COMPILE__INIT;
    message.source = bytes_of(source);
    message.arguments = arguments;
    message.n_arguments = argument ? 1 : 0;
    job_send(unit, WIRE_COMPILE, &message.base, NULL, 0);
}

static void it_still_works(void)
{
    job unit;
    job_begin(&zygote, &unit, NULL);
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, write_file("fine.c", "int f(void) { return 1; }\n"), "", NULL,
                    KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_true(reply->ok);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

/* Takes about for ever: a constant expression without a limit on its steps. */
static const char *endless_source(void)
{
    return write_file(
        "endless.cpp",
        "constexpr long f() { long n = 0; for (;;) n ^= 1; return n; }\nconstexpr long x = f();\n");
}
static const char no_step_limit[] = "-fconstexpr-steps=4294967295";

/* How many processes the zygote has for children at the moment. */
static size_t child_count(void)
{
    char path[64], text[4096] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", zygote.pid, zygote.pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t count = 0, size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        count++;
    return count;
}

static void a_time_limit_ends_a_job(void **state)
{
    (void)state;
    job unit;
    job_begin(&zygote, &unit, &(job_options){.seconds = 1});
    send_compile(&unit, endless_source(), no_step_limit);
    Kiln__Wire__Exited *exited = job_exited(&unit);
    assert_true(exited->timed_out);
    assert_int_equal(exited->signal, SIGKILL);
    kiln__wire__exited__free_unpacked(exited, NULL);
    job_end(&unit);
    it_still_works();
}

static void a_memory_limit_ends_a_job(void **state)
{
    (void)state;
    job unit;
    job_begin(&zygote, &unit, &(job_options){.seconds = 60, .memory_bytes = 1ull << 30});
    send_compile(
        &unit,
        write_file("large.cpp",
                   "template <int N> struct A { A<N - 1> a; A<N - 1> *b; char c[N + 1]; };\n"
                   "template <> struct A<0> {};\n"
                   "constexpr int size = 200000000;\n"
                   "constexpr int sum() { int *p = new int[size]{}; int s = p[1]; delete[] p; "
                   "return s; }\n"
                   "constexpr int x = sum();\n"),
        no_step_limit);
    Kiln__Wire__Exited *exited = job_exited(&unit);
    assert_false(exited->timed_out);
    assert_true(exited->out_of_memory);
    kiln__wire__exited__free_unpacked(exited, NULL);
    job_end(&unit);
    it_still_works();
}

static void hanging_up_ends_a_job(void **state)
{
    (void)state;
    it_still_works();
    job unit;
    job_begin(&zygote, &unit, NULL);
    send_compile(&unit, endless_source(), no_step_limit);
    usleep(300000);
    assert_true(child_count() >= 2); /* the job and a spare */
    job_end(&unit);
    for (int i = 0; i < 100 && child_count() > 1; i++)
        usleep(20000);
    assert_int_equal(child_count(), 1);
    it_still_works();
}

static void crashes_and_fatal_errors_are_told(void **state)
{
    (void)state;
    job unit;
    job_begin(&zygote, &unit, NULL);
    send_compile(&unit, write_file("crash.c", "#pragma clang __debug crash\n"), NULL);
    Kiln__Wire__Exited *exited = job_exited(&unit);
    assert_true(exited->signal != 0);
    /* The host knows the source; a trace of Clang's insides would tell its user nothing. */
    assert_string_equal(exited->detail, "");
    kiln__wire__exited__free_unpacked(exited, NULL);
    job_end(&unit);

    job_begin(&zygote, &unit, NULL);
    send_compile(&unit, write_file("fatal.c", "#pragma clang __debug llvm_fatal_error\n"), NULL);
    exited = job_exited(&unit);
    assert_int_equal(exited->signal, 0);
    assert_true(exited->exit_status != 0);
    assert_non_null(strstr(exited->detail, "LLVM: "));
    kiln__wire__exited__free_unpacked(exited, NULL);
    job_end(&unit);
    it_still_works();
}

/* Recursion in the source is the compiler's to bound: an error, or success, but never a crash. */
static void deep_sources_do_not_crash(void **state)
{
    (void)state;
    static char text[400000];
    static const struct {
        const char *name, *prefix, *open, *middle, *close, *suffix;
        int depth;
    } shapes[] = {
        {"parentheses.c", "int x = ", "(", "1", ")", ";\n", 20000},
        {"blocks.c", "void f(void) ", "{", "", "}", "\n", 20000},
        {"operators.c", "int f(int a) { return ", "-~", "a", "", "; }\n", 6000},
        {"ifs.c", "void f(int a) { ", "if(a);else ", ";", "", " }\n", 20000},
        {"pointers.c", "int ", "*", "p", "", ";\n", 100000},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char *at = stpcpy(text, shapes[i].prefix);
        for (int n = 0; n < shapes[i].depth; n++)
            at = stpcpy(at, shapes[i].open);
        at = stpcpy(at, shapes[i].middle);
        for (int n = 0; n < shapes[i].depth; n++)
            at = stpcpy(at, shapes[i].close);
        stpcpy(at, shapes[i].suffix);
        job unit;
        job_begin(&zygote, &unit, &(job_options){.seconds = 120});
        const char *const arguments[] = {"-O1", "-fbracket-depth=1000000", NULL};
        const char *const *used = i < 2 ? NULL : arguments;
        kiln__wire__compile_reply__free_unpacked(job_compile(&unit,
                                                             write_file(shapes[i].name, text), "",
                                                             used, KILN__WIRE__OUTPUT_KIND__OBJECT),
                                                 NULL);
        job_end(&unit);
    }
    job unit;
    job_begin(&zygote, &unit, &(job_options){.seconds = 120});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit,
                    write_file("templates.cpp",
                               "template <int N> struct A { static const int v = A<N + 1>::v; };\n"
                               "int x = A<0>::v;\n"),
                    "", NULL, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics,
                            "recursive template instantiation exceeded maximum depth of 1024"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    reply = job_compile(&unit, write_file("endless.h", "#include \"endless.h\"\n"), "c", NULL,
                        KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "nested too deeply"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    reply = job_compile(&unit, endless_source(), "", NULL, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "constexpr evaluation"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

static void a_missing_directory_is_an_error(void **state)
{
    (void)state;
    job unit;
    job_begin(&zygote, &unit, &(job_options){.directory = "/no/such/directory"});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, "a.c", "", NULL, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_false(reply->ok);
    assert_true(has_message(reply->diagnostics, "cannot enter the directory '/no/such/directory'"));
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

static void nonsense_ends_the_job_alone(void **state)
{
    (void)state;
    job unit;
    job_begin(&zygote, &unit, NULL);
    assert_int_equal(wire_send(unit.socket, WIRE_COMPILE, "\xff\xff\xff", 3, NULL, 0), WIRE_OK);
    Kiln__Wire__Exited *exited = job_exited(&unit);
    assert_int_equal(exited->exit_status, 2);
    kiln__wire__exited__free_unpacked(exited, NULL);
    job_end(&unit);
    it_still_works();
}

static void many_jobs_at_once(void **state)
{
    (void)state;
    enum { job_count = 12 };
    job units[job_count];
    const char *source = write_file(
        "many.cpp", "#include <string>\nstd::string f(int n) { return std::to_string(n); }\n");
    for (int i = 0; i < job_count; i++) {
        job_begin(&zygote, &units[i], NULL);
        send_compile(&units[i], source, "-O2");
    }
    for (int i = 0; i < job_count; i++) {
        wire_frame frame;
        assert_int_equal(job_receive(&units[i], &frame), WIRE_OK);
        assert_int_equal(frame.type, WIRE_COMPILE_REPLY);
        wire_frame_destroy(&frame);
        job_end(&units[i]);
    }
}

static void the_surroundings_are_the_job_s(void **state)
{
    (void)state;
    mkdir(in_directory("cpath"), 0700);
    write_file("cpath/from_environment.h", "#define FOUND 1\n");
    const char *source =
        write_file("surroundings.c", "#include <from_environment.h>\nint f = FOUND;\n");
    char variable[600];
    snprintf(variable, sizeof variable, "CPATH=%s", in_directory("cpath"));
    const char *const environment[] = {variable, NULL};
    setenv("CPATH", "/nowhere", 1);
    job unit;
    job_begin(&zygote, &unit, &(job_options){.environment = environment});
    Kiln__Wire__CompileReply *reply =
        job_compile(&unit, source, "", NULL, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_true(reply->ok);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
    job_begin(&zygote, &unit, NULL);
    reply = job_compile(&unit, source, "", NULL, KILN__WIRE__OUTPUT_KIND__OBJECT);
    assert_false(reply->ok);
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    job_end(&unit);
}

/* The zygote ends with its host, and takes its jobs along. */
static void the_end_of_the_host_is_the_end_of_all(void **state)
{
    (void)state;
    int to_parent[2];
    assert_int_equal(pipe(to_parent), 0);
    pid_t host = fork();
    if (host == 0) {
        compiler own;
        job unit;
        compiler_start(&own);
        job_begin(&own, &unit, NULL);
        send_compile(&unit, endless_source(), no_step_limit);
        /* Something that outlives the host keeps its sockets: only the pidfd tells. */
        pid_t heir = fork();
        if (heir == 0) {
            close(to_parent[0]);
            close(to_parent[1]);
            sleep(30);
            _exit(0);
        }
        if (write(to_parent[1], &own.pid, sizeof own.pid) < 0 ||
            write(to_parent[1], &heir, sizeof heir) < 0)
            _exit(1);
        usleep(200000);
        _exit(0);
    }
    pid_t orphan, heir;
    assert_int_equal(read(to_parent[0], &orphan, sizeof orphan), sizeof orphan);
    assert_int_equal(read(to_parent[0], &heir, sizeof heir), sizeof heir);
    waitpid(host, NULL, 0);
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/stat", orphan);
    bool is_gone = false;
    for (int i = 0; i < 200 && !is_gone; i++) {
        FILE *file = fopen(path, "re");
        is_gone =
            file == NULL || fgets(line, sizeof line, file) == NULL || strstr(line, ") Z ") != NULL;
        if (file != NULL)
            fclose(file);
        usleep(20000);
    }
    assert_true(is_gone);
    kill(heir, SIGKILL);
    close(to_parent[0]);
    close(to_parent[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_limit_ends_a_job),
        cmocka_unit_test(a_memory_limit_ends_a_job),
        cmocka_unit_test(hanging_up_ends_a_job),
        cmocka_unit_test(crashes_and_fatal_errors_are_told),
        cmocka_unit_test(deep_sources_do_not_crash),
        cmocka_unit_test(a_missing_directory_is_an_error),
        cmocka_unit_test(nonsense_ends_the_job_alone),
        cmocka_unit_test(many_jobs_at_once),
        cmocka_unit_test(the_surroundings_are_the_job_s),
        cmocka_unit_test(the_end_of_the_host_is_the_end_of_all),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
