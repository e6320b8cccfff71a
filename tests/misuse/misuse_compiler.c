/* misuse_compiler.c - the compiler process goes wrong: missing, not a program, of another version,
 * silent, killed, stopped. The load ends with an error that says so, and the next one starts
 * another compiler. */
#include "host_process.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *good_source(void)
{
    static unsigned number;
    char *path = scratch("good%u.c", number++);
    write_file(path, "int value(void) { return 42; }\n");
    return path;
}

static void works(kiln_session *session)
{
    kiln_library *library = load_file(session, good_source());
    CHECK_INT(call_int(library, "value"), 42);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
}

/* A compile that goes on until something ends it. */
static kiln_spec *endless_spec(void)
{
    char *path = scratch("endless.cpp");
    write_file(
        path,
        "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n");
    kiln_spec *spec = spec_of_file("endless", path);
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-fconstexpr-steps=4294967295", NULL});
    return spec;
}

/* ---- programs that are no kiln-compiler ---- */

static kiln_session *session_with_compiler(const char *path)
{
    kiln_session_options options = session_options(NULL, NULL);
    options.compiler_path = path;
    options.job_seconds = 3;
    return session_create_with(&options);
}

static void compiler_fails(const char *path)
{
    kiln_session *session = session_with_compiler(path);
    for (int i = 0; i < 2; i++) { /* the second try is no worse */
        kiln_error *error = load_file_fails(session, good_source(), KILN_COMPILER);
        CHECK_CONTAINS(kiln_error_message(error), path);
        kiln_error_destroy(error);
    }
    kiln_session_destroy(session);
}

static char *fake_compiler(const char *script)
{
    char *path = scratch("fake-compiler");
    write_file(path, script);
    CHECK_INT(chmod(path, 0755), 0);
    return path;
}

TEST(missing_compiler)
{
    compiler_fails(scratch("no/such/kiln-compiler"));
}

TEST(compiler_is_a_directory)
{
    make_directory(scratch("directory"));
    compiler_fails(scratch("directory"));
}

TEST(compiler_is_not_executable)
{
    write_file(scratch("text"), "no program\n");
    compiler_fails(scratch("text"));
    CHECK_INT(chmod(scratch("text"), 0755), 0);
    compiler_fails(scratch("text"));
}

TEST(compiler_exits_at_once)
{
    compiler_fails(fake_compiler("#!/bin/sh\nexit 0\n"));
    compiler_fails(fake_compiler("#!/bin/sh\nexit 3\n"));
    compiler_fails(fake_compiler("#!/bin/sh\nkill -SEGV $$\n"));
}

TEST(compiler_says_nonsense)
{
    compiler_fails(fake_compiler(
        "#!/bin/sh\necho 'HTTP/1.1 400 Bad Request, and more bytes' >&3\nsleep 60\n"));
    compiler_fails(fake_compiler("#!/bin/sh\nhead -c 100000 /dev/urandom >&3\nsleep 60\n"));
    compiler_fails(fake_compiler(
        "#!/bin/sh\nprintf 'KILN\\001\\000\\000\\000\\377\\377\\377\\377\\000\\000\\000\\000' "
        ">&3\nsleep 60\n"));
    compiler_fails(fake_compiler("#!/bin/sh\nprintf 'KILN\\001' >&3\n"));
}

/* A Hello with another protocol number. */
TEST(compiler_of_another_version)
{
    char *path = fake_compiler("#!/bin/sh\nprintf "
                               "'KILN\\001\\000\\000\\000\\002\\000\\000\\000\\000\\000\\000\\000\\"
                               "010\\143' >&3\nsleep 60\n");
    kiln_session *session = session_with_compiler(path);
    kiln_error *error = load_file_fails(session, good_source(), KILN_COMPILER);
    CHECK_CONTAINS(kiln_error_message(error), "version");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(compiler_says_nothing)
{
    compiler_fails(fake_compiler("#!/bin/sh\nexec sleep 600\n"));
}

/* The session recovers as soon as the program is there. */
TEST(compiler_is_installed_later)
{
    char *path = scratch("later/kiln-compiler");
    kiln_session *session = session_with_compiler(path);
    kiln_error_destroy(load_file_fails(session, good_source(), KILN_COMPILER));
    make_directory(scratch("later"));
    CHECK_INT(RUN(NULL, "cp", getenv("KILN_COMPILER"), path), 0);
    works(session);
    kiln_session_destroy(session);
}

/* ---- the right program, in trouble ---- */

TEST(compiler_killed_while_idle)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    for (int i = 0; i < 3; i++) {
        works(session);
        CHECK_INT(kill(compiler_zygote(), SIGKILL), 0);
        wait_until_no_compiler();
    }
    works(session);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

/* Begin the endless compile, and wait until a process burns time for it. */
static kiln_load *begin_endless(kiln_session *session, event_log *log)
{
    kiln_load *load;
    kiln_error *error;
    kiln_library *library;
    kiln_spec *spec = endless_spec();
    CHECK_STATUS(kiln_load_begin(session, NULL, spec, NULL, &load, &error), KILN_OK, &error);
    kiln_spec_destroy(spec);
    for (int i = 0; log->count[KILN_EVENT_UNIT_STARTED] == 0; i++) {
        CHECK(i < 3000);
        CHECK_STATUS(kiln_load_wait(load, 10, &library, &error), KILN_PENDING, &error);
    }
    return load;
}

static void ends_with(kiln_load *load, kiln_status expected, const char *text)
{
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), expected, &error);
    CHECK_CONTAINS(kiln_error_rendered(error), text);
    kiln_error_destroy(error);
    kiln_load_destroy(load);
}

static void signal_jobs(int number)
{
    pid_t pids[max_compilers], zygote = compiler_zygote();
    size_t count = compilers(pids);
    for (size_t i = 0; i < count; i++) {
        if (pids[i] != zygote)
            kill(pids[i], number);
    }
}

TEST(job_killed)
{
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(scratch("cache"), &log);
    kiln_load *load = begin_endless(session, &log);
    signal_jobs(SIGKILL);
    ends_with(load, KILN_COMPILER, "endless.cpp");
    works(session);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

static void *kill_what_compiles(void *data)
{
    wait_for_compilers_at_least(2);
    nap_ms(50);
    if (*(bool *)data)
        kill(compiler_zygote(), SIGKILL);
    else
        signal_jobs(SIGKILL);
    return NULL;
}

/* A hot library stays as it is, and its edit is not forgotten. */
static void compiler_is_killed_in_a_reload(bool zygote)
{
    static const char good[] = "//kiln: -fconstexpr-steps=4294967295\n"
                               "static int n; extern \"C\" int run() { return ++n; }\n";
    static const char endless[] =
        "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n";
    kiln_load_options options = {.size = sizeof options, .hot = KILN_HOT_ISLANDS};
    char *path = scratch("hot.cpp");
    kiln_library *library;
    kiln_error *error;
    kiln_reload *report;
    pthread_t killer;
    write_file(path, good);
    kiln_session *session = session_create(scratch("cache"), NULL);
    CHECK_STATUS(kiln_library_open(session, path, &options, &library, &error), KILN_OK, &error);
    CHECK_INT(call_int(library, "run"), 1);
    kiln_session_stop_compiler(session);
    wait_until_no_compiler();
    write_file(path, text_of("%s%s", good, endless));
    CHECK_INT(pthread_create(&killer, NULL, kill_what_compiles, &zygote), 0);
    CHECK_INT(kiln_library_reload(library, NULL, NULL, &error), KILN_COMPILER);
    kiln_error_destroy(error);
    pthread_join(killer, NULL);
    CHECK_INT(call_int(library, "run"), 2);
    CHECK_INT(kiln_library_generation(library), 1);
    write_file(path, text_of("%sint more;\nextern \"C\" int twice() { return 2 * n; }\n", good));
    CHECK_STATUS(kiln_library_reload(library, NULL, &report, &error), KILN_OK, &error);
    CHECK(kiln_reload_changed(report));
    kiln_reload_destroy(report);
    CHECK_INT(call_int(library, "run"), 3);
    CHECK_INT(call_int(library, "twice"), 6);
    kiln_library_close(library);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(job_killed_in_a_reload)
{
    use_private_compiler();
    compiler_is_killed_in_a_reload(false);
}

TEST(compiler_killed_in_a_reload)
{
    use_private_compiler();
    compiler_is_killed_in_a_reload(true);
}

TEST(job_crashes)
{
    static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL};
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(NULL, &log);
    for (size_t i = 0; i < 4; i++) {
        event_log_reset(&log);
        kiln_load *load = begin_endless(session, &log);
        pid_t zygote = compiler_zygote();
        signal_jobs(signals[i]);
        ends_with(load, KILN_COMPILER, "endless.cpp");
        CHECK_INT(compiler_zygote(), zygote); /* the crash hurt one job alone */
        usleep(100 * 1000); /* the idle child got the signal as well: until that is noticed */
        works(session);
    }
    kiln_session_destroy(session);
}

/* Clang's own ways to crash; those that rely on assertions do nothing defined in a release build. */
TEST(pragma_crash)
{
    kiln_session *session = session_create(NULL, NULL);
    static const char *const crashes[] = {"#pragma clang __debug crash\n",
                                          "#pragma clang __debug llvm_fatal_error\n"};
    for (size_t i = 0; i < 2; i++) {
        char *path = scratch("crash%zu.c", i);
        write_file(path, crashes[i]);
        kiln_error *error = load_file_fails(session, path, KILN_COMPILER);
        CHECK_CONTAINS(kiln_error_rendered(error), "crash");
        kiln_error_destroy(error);
        works(session);
    }
    char *left;
    CHECK_INT(RUN(&left, "find", scratch("."), "-name", "core*"), 0);
    CHECK_TEXT(left, "");
    CHECK_INT(RUN(&left, "find", "/tmp", "-maxdepth", "1", "-name", "crash?-*"),
              0); /* clang's reproducers */
    CHECK_TEXT(left, "");
    kiln_session_destroy(session);
}

TEST(compiler_killed_in_the_middle)
{
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(scratch("cache"), &log);
    kiln_load *load = begin_endless(session, &log);
    CHECK_INT(kill(compiler_zygote(), SIGKILL), 0);
    ends_with(load, KILN_COMPILER, "endless.cpp");
    wait_until_no_compiler(); /* its jobs went with it */
    works(session);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(job_stopped)
{
    event_log log = {0};
    use_private_compiler();
    kiln_session_options options = session_options(NULL, &log);
    options.job_seconds = 3;
    kiln_session *session = session_create_with(&options);
    kiln_load *load = begin_endless(session, &log);
    signal_jobs(SIGSTOP);
    ends_with(load, KILN_LIMIT, "endless");
    signal_jobs(SIGCONT); /* those that waited for work were stopped too */
    works(session);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(stop_compiler)
{
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(NULL, &log);
    CHECK_STATUS(kiln_session_stop_compiler(session), KILN_OK, NULL); /* none runs */
    works(session);
    CHECK(compiler_zygote() != 0);
    CHECK_STATUS(kiln_session_stop_compiler(session), KILN_OK, NULL);
    wait_until_no_compiler();
    works(session);
    event_log_reset(&log);
    kiln_load *load = begin_endless(session, &log);
    CHECK_STATUS(kiln_session_stop_compiler(session), KILN_PENDING, NULL);
    kiln_load_destroy(load);
    works(session);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(session_end_ends_the_compiler)
{
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(NULL, &log);
    kiln_load *load = begin_endless(session, &log);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

/* A session whose compiler hangs in its very first word can still be ended. */
TEST(session_end_with_a_silent_compiler)
{
    kiln_session *session = session_with_compiler(fake_compiler("#!/bin/sh\nexec sleep 600\n"));
    kiln_load *load;
    kiln_error *error;
    kiln_spec *spec = endless_spec();
    kiln_status status = kiln_load_begin(session, NULL, spec, NULL, &load, &error);
    if (status == KILN_OK)
        kiln_load_destroy(load);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}

/* The builder that holds the lock of a key is killed: the one that waits goes on, and nothing stale
 * is left. */
HELPER(build_until_killed)
{
    event_log log = {0};
    kiln_session *session = session_create(support_arguments[0], &log);
    kiln_spec *spec = spec_of_file("slow", support_arguments[1]);
    kiln_load *load;
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_load_begin(session, NULL, spec, NULL, &load, &error), KILN_OK, &error);
    while (log.count[KILN_EVENT_UNIT_STARTED] == 0)
        CHECK(kiln_load_wait(load, 10, &library, &error) == KILN_PENDING);
    puts("started");
    fflush(stdout);
    kiln_load_wait(load, -1, &library, &error);
}

TEST(builder_that_holds_the_lock_is_killed)
{
    use_private_compiler();
    char *source = scratch("slow.cpp"), *cache = scratch("cache"), byte;
    write_file(
        source,
        "//kiln: -fconstexpr-steps=4294967295\n"
        "constexpr int f() { int n = 0; for (int i = 0; i < 300000; i++) n ^= i; return n; }\n"
        "constexpr int x = f();\nextern \"C\" int value() { return 42 + x * 0; }\n");
    int output;
    pid_t builder = start_again(&output, "build_until_killed", cache, source, NULL);
    CHECK(read(output, &byte, 1) == 1);
    kill(builder, SIGKILL);
    wait_for(builder);
    event_log log = {0};
    kiln_session *session = session_create(cache, &log);
    kiln_library *library = load_spec(session, spec_of_file("slow", source));
    CHECK_INT(call_int(library, "value"), 42);
    kiln_library_close(library);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}
