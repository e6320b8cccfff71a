/* misuse_concurrency.c - many threads, sessions and processes at once: one compile for one library,
 * right counts of references, and no call that disturbs another. */
#include "host_process.h"
#include "load_result.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { thread_count = 8 };

#define CACHE scratch("cache")

static void write_project(void)
{
    write_file(scratch("main.cpp"), "#include <string>\n#include <vector>\n#include <map>\n"
                                    "std::map<std::string, std::vector<int>> words;\n"
                                    "extern \"C\" int value() { return 42 + words.size(); }\n");
}

static void run_threads(void *(*work)(void *), void *argument)
{
    pthread_t threads[thread_count];
    for (int i = 0; i < thread_count; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, work, argument), 0);
    for (int i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
}

static pthread_barrier_t together;
static const char *main_source;

static void *load_main(void *session)
{
    pthread_barrier_wait(&together);
    kiln_library *library = load_spec(session, spec_of_file("main", main_source));
    CHECK_INT(call_int(library, "value"), 42);
    pthread_barrier_wait(&together); /* all have it */
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    return NULL;
}

static void eight_threads(const char *cache)
{
    event_log log = {0};
    write_project();
    main_source = scratch("main.cpp");
    pthread_barrier_init(&together, NULL, thread_count);
    kiln_session *session = session_create(cache, &log);
    run_threads(load_main, session);
    CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], 1);
    CHECK(!kiln_session_is_loaded(session, "main"));
    kiln_session_destroy(session);
}

TEST(eight_threads_one_session)
{
    eight_threads(CACHE);
}

TEST(eight_threads_one_session_without_a_cache)
{
    eight_threads(NULL);
}

static unsigned units_of_all_sessions;
static pthread_mutex_t units_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards units_of_all_sessions */

static void *load_in_own_session(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&together);
    load_result result = try_load(CACHE, spec_of_file("main", scratch("main.cpp")));
    CHECK_TEXT(result.error, "");
    CHECK_INT(result.value, 42);
    pthread_mutex_lock(&units_mutex);
    units_of_all_sessions += result.units_compiled;
    pthread_mutex_unlock(&units_mutex);
    return NULL;
}

TEST(eight_sessions)
{
    write_project();
    pthread_barrier_init(&together, NULL, thread_count);
    run_threads(load_in_own_session, NULL);
    CHECK_INT(units_of_all_sessions, 1);
}

HELPER(eight_threads_with_a_given_cache)
{
    event_log log = {0};
    main_source = support_arguments[1];
    kiln_session *session = session_create(support_arguments[0], &log);
    pthread_barrier_init(&together, NULL, thread_count);
    puts("ready");
    fflush(stdout);
    CHECK(getchar() != 'x'); /* until standard input is closed */
    pthread_t threads[thread_count];
    for (int i = 0; i < thread_count; i++)
        pthread_create(&threads[i], NULL, load_main, session);
    for (int i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    printf("%u\n", log.count[KILN_EVENT_UNIT_STARTED]);
    kiln_session_destroy(session);
}

/* Sum of the numbers that several processes print after "ready". */
static unsigned run_processes(unsigned count, const char *helper, const char *source)
{
    int gate[2], outputs[8], saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
    pid_t children[8];
    unsigned sum = 0;
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    dup2(gate[0], 0);
    close(gate[0]);
    for (unsigned i = 0; i < count; i++)
        children[i] = start_again(&outputs[i], helper, CACHE, source, NULL);
    for (unsigned i = 0; i < count; i++) {
        char text[6];
        for (size_t n = 0; n < sizeof text; n++)
            CHECK(read(outputs[i], text + n, 1) == 1);
    }
    close(gate[1]);
    for (unsigned i = 0; i < count; i++) {
        char text[32] = "";
        CHECK(read(outputs[i], text, sizeof text - 1) >= 0);
        CHECK_INT(wait_for(children[i]), 0);
        sum += (unsigned)atoi(text);
    }
    dup2(saved, 0);
    return sum;
}

TEST(two_processes_and_eight_threads)
{
    write_project();
    CHECK_INT(run_processes(2, "eight_threads_with_a_given_cache", scratch("main.cpp")), 1);
}

TEST(six_processes_and_eight_threads)
{
    write_project();
    CHECK_INT(run_processes(6, "eight_threads_with_a_given_cache", scratch("main.cpp")), 1);
}

/* ---- references ---- */

static void *load_and_close(void *session)
{
    for (int i = 0; i < 200; i++) {
        kiln_library *library;
        kiln_error *error;
        CHECK_STATUS(kiln_library_load(session, "counted", NULL, &library, &error), KILN_OK,
                     &error);
        CHECK_INT(call_int(library, "value"), 7);
        CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    }
    return NULL;
}

static int alive, most_alive;

static void count_alive(int change)
{
    int now = __atomic_add_fetch(&alive, change, __ATOMIC_SEQ_CST);
    if (now > most_alive)
        most_alive = now;
    CHECK(now == 0 || now == 1); /* one instance at most */
}

TEST(loads_and_closes_from_eight_threads)
{
    write_file(scratch("counted.c"),
               "void count_alive(int);\n"
               "__attribute__((constructor)) static void start(void) { count_alive(1); }\n"
               "__attribute__((destructor)) static void end(void) { count_alive(-1); }\n"
               "int value(void) { return 7; }\n");
    kiln_spec *spec = spec_of_file("counted", scratch("counted.c"));
    kiln_spec_add_host_symbol(spec, "count_alive", (void *)count_alive);
    kiln_session *session = session_create(CACHE, NULL);
    CHECK_STATUS(kiln_session_register(session, spec, NULL), KILN_OK, NULL);
    kiln_spec_destroy(spec);
    run_threads(load_and_close, session);
    CHECK_INT(alive, 0);
    CHECK_INT(most_alive, 1);
    kiln_session_destroy(session);
}

static unsigned next_number;

static void *load_own_with_base(void *session)
{
    for (int i = 0; i < 4; i++) {
        unsigned number = __atomic_fetch_add(&next_number, 1, __ATOMIC_SEQ_CST);
        char *name = text_of("user%u", number);
        char *text = text_of("int base(void);\nint value(void) { return base() + %u; }\n", number);
        kiln_spec *spec = kiln_spec_create(name);
        kiln_spec_add_memory_source(spec, "user.c", text, strlen(text), NULL);
        kiln_spec_add_dependency(spec, "base");
        kiln_library *library = load_spec(session, spec);
        CHECK_INT(call_int(library, "value"), 1000 + (int)number);
        CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    }
    return NULL;
}

TEST(many_libraries_on_one_base)
{
    event_log log = {0};
    kiln_session *session = session_create(CACHE, &log);
    write_file(scratch("base.c"), "int base(void) { return 1000; }\n");
    kiln_spec *base = spec_of_file("base", scratch("base.c"));
    CHECK_STATUS(kiln_session_register(session, base, NULL), KILN_OK, NULL);
    run_threads(load_own_with_base, session);
    CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], 1 + thread_count * 4);
    CHECK(!kiln_session_is_loaded(session, "base"));
    kiln_session_destroy(session);
}

/* ---- one fails, the others do not ---- */

static void *fail_or_work(void *session)
{
    unsigned number = __atomic_fetch_add(&next_number, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++) {
        const char *text = number % 2 ? "int value(void) { return nowhere; }\n"
                                      : "int value(void) { return 3; }\n";
        kiln_spec *spec = kiln_spec_create(text_of("mixed%u-%d", number, i));
        kiln_spec_add_memory_source(spec, text_of("mixed%u-%d.c", number, i), text, strlen(text),
                                    NULL);
        kiln_library *library;
        kiln_error *error;
        kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
        CHECK_INT(status, number % 2 ? KILN_COMPILE : KILN_OK);
        if (status == KILN_OK)
            kiln_library_close(library);
        else
            CHECK_CONTAINS(kiln_error_rendered(error), text_of("mixed%u-%d.c", number, i));
        kiln_error_destroy(error);
        kiln_spec_destroy(spec);
    }
    return NULL;
}

TEST(failures_beside_successes)
{
    kiln_session *session = session_create(CACHE, NULL);
    run_threads(fail_or_work, session);
    kiln_session_destroy(session);
}

static void *same_failure(void *session)
{
    pthread_barrier_wait(&together);
    kiln_error *error = load_file_fails(session, scratch("bad.c"), KILN_COMPILE);
    CHECK_INT(kiln_error_diagnostic_count(error), 1);
    CHECK_CONTAINS(kiln_error_rendered(error), "'nowhere'");
    kiln_error_destroy(error);
    return NULL;
}

TEST(everyone_who_waits_gets_the_error)
{
    write_file(scratch("bad.c"), "int x = nowhere;\n");
    pthread_barrier_init(&together, NULL, thread_count);
    kiln_session *session = session_create(CACHE, NULL);
    run_threads(same_failure, session);
    kiln_session_destroy(session);
}

/* ---- sources that change under the compiler ---- */

static _Atomic bool stop_writing;

static void *rewrite(void *unused)
{
    (void)unused;
    for (int i = 0; !stop_writing; i++) {
        char *text =
            text_of("#define VALUE %d\n%*s\n", i % 1000, i % 3000, ""); /* of changing size */
        if (i % 2) {
            write_file(scratch("value.h"), text);
        } else {
            write_file(scratch("value.h.new"), text);
            rename(scratch("value.h.new"), scratch("value.h"));
        }
        free(text);
        nap_ms(1);
    }
    return NULL;
}

TEST(header_that_changes_while_it_compiles)
{
    pthread_t writer;
    write_file(scratch("value.h"), "#define VALUE 1\n");
    write_file(scratch("main.c"), "#include \"value.h\"\nint value(void) { return VALUE; }\n");
    kiln_spec *spec = spec_of_file("changing", scratch("main.c"));
    pthread_create(&writer, NULL, rewrite, NULL);
    for (int i = 0; i < 25; i++) {
        load_result result = try_load(CACHE, spec);
        /* A file that is half written may fail to compile; nothing else may happen. */
        CHECK(result.status == KILN_OK || result.status == KILN_COMPILE);
        load_result_free(&result);
    }
    stop_writing = true;
    pthread_join(writer, NULL);
    for (int i = 0; i < 5; i++) {
        write_file(scratch("value.h"), text_of("#define VALUE %d\n", 5000 + i % 2));
        load_result result = try_load(CACHE, spec);
        CHECK_TEXT(result.error, "");
        CHECK_INT(result.value, 5000 + i % 2);
    }
}

/* The header has been read, the compile is still under way, the header changes: what is recorded is
 * what was read. */
TEST(header_that_changes_after_it_was_read)
{
    write_file(scratch("value.h"), "#define VALUE 1\n");
    write_file(
        scratch("slow.cpp"),
        "//kiln: -fconstexpr-steps=4294967295\n#include \"value.h\"\n"
        "constexpr int f() { int n = 0; for (int i = 0; i < 300000; i++) n ^= i; return n; }\n"
        "constexpr int x = f();\nextern \"C\" int value() { return VALUE + 0 * x; }\n");
    event_log log = {0};
    kiln_session *session = session_create(CACHE, &log);
    kiln_spec *spec = spec_of_file("slow", scratch("slow.cpp"));
    kiln_load *load;
    kiln_library *library = NULL;
    kiln_error *error;
    CHECK_STATUS(kiln_load_begin(session, NULL, spec, NULL, &load, &error), KILN_OK, &error);
    while (log.count[KILN_EVENT_UNIT_STARTED] == 0)
        CHECK_STATUS(kiln_load_wait(load, 5, &library, &error), KILN_PENDING, &error);
    nap_ms(200); /* for the test to be worth something; any moment is fine */
    write_file(scratch("value.h"), "#define VALUE 2\n");
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_OK, &error);
    int first = call_int(library, "value");
    CHECK(first == 1 || first == 2);
    kiln_library_close(library);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
    load_result result = try_load(CACHE, spec);
    CHECK_INT(result.value, 2);
    write_file(scratch("value.h"), "#define VALUE 1\n");
    result = try_load(CACHE, spec);
    CHECK_INT(result.value, 1);
}
