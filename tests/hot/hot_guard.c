/* hot_guard.c - guarded calls: what crashes in a new generation is rolled back. */
#include "edit.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program whose function does BODY, with a counter that lives on. */
#define PROGRAM                                                                                    \
    "#include <stdlib.h>\n"                                                                        \
    "int count;\n"                                                                                 \
    "int deep(int n) { volatile char a[4096]; a[0] = (char)n; return deep(n + 1) + a[0]; }\n"      \
    "void step(void *to) { count++; BODY; *(int *)to = count; }\n"

static const char good[] = "(void)0";

static void save_body(editing *e, const char *body)
{
    edit_save(e, replaced(PROGRAM, "BODY", body));
}

static void *step_of(editing *e)
{
    return (void *)kiln_library_function(e->library, "step", NULL);
}

static kiln_status call(editing *e, int *result, kiln_reload **report, kiln_error **error)
{
    return kiln_library_call_guarded(e->library, (void (*)(void *))step_of(e), result, report,
                                     error);
}

/* Each way to crash: the code before runs again, and the data is as the crash has left it. */
static void crash_and_go_back(editing *e, const char *body, const char *signal)
{
    int result = 0, before = *(int *)edit_data(e, "count");
    kiln_reload *report = NULL;
    kiln_error *error = NULL;
    save_body(e, body);
    CHECK_INT(call(e, &result, &report, &error), KILN_CRASHED);
    CHECK_CONTAINS(kiln_error_message(error), signal);
    CHECK_CONTAINS(kiln_error_message(error), "rolled back");
    CHECK(report && kiln_reload_changed(report));
    CHECK_INT(result, 0);
    kiln_reload_destroy(report);
    kiln_error_destroy(error);
    CHECK_STATUS(call(e, &result, NULL, &error), KILN_OK, &error);
    CHECK_INT(result, before + 2);
    /* The edit is still there, and a better one takes its place. */
    save_body(e, "count += 100");
    CHECK_STATUS(call(e, &result, NULL, &error), KILN_OK, &error);
    CHECK_INT(result, before + 103);
    save_body(e, good);
}

TEST(what_crashes_is_rolled_back)
{
    editing e;
    edit_begin(&e, "c", replaced(PROGRAM, "BODY", good));
    crash_and_go_back(&e, "*(volatile int *)8 = 1", "SIGSEGV at address 0x8");
    crash_and_go_back(&e, "__builtin_trap()", "SIGILL");
    crash_and_go_back(&e, "abort()", "SIGABRT");
    crash_and_go_back(&e, "count += deep(0)", "SIGSEGV");
    edit_end(&e);
}

TEST(the_first_code_has_nothing_to_go_back_to)
{
    editing e;
    int result = 0;
    kiln_reload *report = (kiln_reload *)&result;
    kiln_error *error;
    edit_begin(&e, "c", replaced(PROGRAM, "BODY", "*(volatile int *)8 = 1"));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(call(&e, &result, &report, &error), KILN_CRASHED);
        CHECK_CONTAINS(kiln_error_message(error), "nothing to go back to");
        CHECK(!report);
        kiln_error_destroy(error);
    }
    CHECK_INT(*(int *)edit_data(&e, "count"), 3);
    edit_end(&e);
}

static sigjmp_buf back;
static volatile int signals_seen;

static void on_signal(int signal)
{
    signals_seen++;
    siglongjmp(back, signal);
}

static void crash_outside(void *data)
{
    (void)data;
    if (sigsetjmp(back, 1) == 0)
        *(volatile int *)8 = 1;
}

static void *thread_crashes(void *data)
{
    crash_outside(data);
    return NULL;
}

/* Another thread crashes, on its own account, while this one is in a guarded call. */
static void wait_for_crash(void *data)
{
    pthread_t thread;
    (void)data;
    CHECK_INT(pthread_create(&thread, NULL, thread_crashes, NULL), 0);
    pthread_join(thread, NULL);
}

TEST(other_threads_have_the_handlers_of_the_host)
{
    editing e;
    kiln_error *error;
    struct sigaction now;
    edit_begin(&e, "c", "int run(void) { return 1; }");
    edit_save(&e, "int run(void) { return 2; }");
    signal(SIGSEGV, on_signal);
    CHECK_STATUS(kiln_library_call_guarded(e.library, wait_for_crash, NULL, NULL, &error), KILN_OK,
                 &error);
    CHECK_INT(signals_seen, 1);
    /* Nothing was rolled back, and the host's handler is its own again. */
    CHECK_INT(edit_int(&e, "run"), 2);
    sigaction(SIGSEGV, NULL, &now);
    CHECK(now.sa_handler == on_signal);
    signal(SIGSEGV, SIG_DFL);
    edit_end(&e);
}

TEST(a_guarded_call_within_another)
{
    editing e;
    int result = 0;
    kiln_error *error;
    edit_begin(&e, "c", replaced(PROGRAM, "BODY", good));
    save_body(&e, "((void (*)(void *))*(void **)to)(to)");
    void *inner = NULL; /* a call of NULL crashes */
    CHECK_INT(
        kiln_library_call_guarded(e.library, (void (*)(void *))step_of(&e), &inner, NULL, &error),
        KILN_CRASHED);
    kiln_error_destroy(error);
    CHECK_STATUS(call(&e, &result, NULL, &error), KILN_OK, &error);
    CHECK_INT(result, 2);
    CHECK_INT(kiln_library_call_guarded(e.library, NULL, NULL, NULL, &error),
              KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);
    edit_end(&e);
}

static atomic_bool forks_end;
static void count_up(void *data)
{
    ++*(int *)data;
}
static void *make_guarded_calls(void *data)
{
    int calls = 0;
    while (!forks_end)
        kiln_library_call_guarded(data, count_up, &calls, NULL, NULL);
    return NULL;
}

/* Whenever the process forks: the child has the host's handlers, and can make guarded calls. */
TEST(forks_beside_guarded_calls)
{
    editing e;
    pthread_t threads[2];
    edit_begin(&e, "c", "int run(void) { return 1; }");
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, make_guarded_calls, e.library), 0);
    for (int i = 0; i < 200; i++) {
        int calls = 0, status;
        struct sigaction now;
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            sigaction(SIGSEGV, NULL, &now);
            if (now.sa_handler != SIG_DFL)
                _exit(2);
            kiln_status made = kiln_library_call_guarded(e.library, count_up, &calls, NULL, NULL);
            sigaction(SIGSEGV, NULL, &now);
            _exit(made == KILN_OK && calls == 1 && now.sa_handler == SIG_DFL ? 0 : 3);
        }
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        CHECK_INT(status, 0);
    }
    forks_end = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    edit_end(&e);
}
