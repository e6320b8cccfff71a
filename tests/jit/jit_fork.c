/* jit_fork.c - the process forks, while nothing is under way and while other threads link. */
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* What code calls. */
EXPORTED void step(void);

static live *shared;
static atomic_int stage;

static void await(int expected)
{
    while (stage < expected)
        sched_yield();
}

/* 0 if what the child does succeeds, within some seconds. */
static int in_child(void (*run)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        run();
        fflush(NULL);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static kiln_jit_code *add_text(const char *name, const char *text)
{
    return live_add(shared, KILN_OUTPUT_OBJECT, name, text);
}

/* ---- nothing else is under way ---- */

static kiln_jit_code *before;
static void use_what_was_linked_before(void)
{
    kiln_error *error;
    CHECK_INT(live_int(shared, "f"), 2);
    CHECK_INT(live_int(shared, "later"), 3);
    CHECK_STATUS(kiln_jit_remove(before, &error), KILN_OK, &error);
    add_text("new.c", "int f(void) { return 7; }");
    CHECK_INT(live_int(shared, "f"), 7);
}

TEST(a_child_goes_on)
{
    live l;
    live_begin(&l);
    shared = &l;
    before = add_text("f.c", "int n = 1; int f(void) { return n++; }");
    add_text("later.c",
             "static int n; __attribute__((constructor)) static void c(void) { n = 3; }\n"
             "int later(void) { return n; }");
    CHECK_INT(live_int(&l, "f"), 1);
    CHECK_INT(in_child(use_what_was_linked_before), 0);
    CHECK_INT(live_int(&l, "f"), 2);
    CHECK_INT(live_int(&l, "later"), 3);
    live_end(&l);
}

/* ---- others link all the time ---- */

enum { linkers = 3 };
static made inputs[linkers];

static void *link_on(void *data)
{
    int number = (int)(long)data;
    char *name = text_of("t%d", number), *function = text_of("run%d", number);
    while (stage == 0) {
        kiln_error *error;
        kiln_jit_code *code;
        CHECK_STATUS(kiln_jit_add_bytes(shared->dylib, name, inputs[number].bytes,
                                        inputs[number].size, &code, &error),
                     KILN_OK, &error);
        CHECK_INT(live_int(shared, function), number);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    }
    return NULL;
}

static void use_common(void)
{
    CHECK_INT(live_int(shared, "common"), 5);
    add_text("new.c", "_Thread_local int own = 1; int common(void);\n"
                      "int fresh(void) { return common() + own; }");
    CHECK_INT(live_int(shared, "fresh"), 6);
}

TEST(others_link_meanwhile)
{
    live l;
    pthread_t threads[linkers];
    live_begin(&l);
    shared = &l;
    add_text("common.c",
             "static int n; __attribute__((constructor)) static void c(void) { n = 5; }\n"
             "int common(void) { return n; }");
    for (int i = 0; i < linkers; i++)
        inputs[i] = live_compile(&l, KILN_OUTPUT_OBJECT, "t.c",
                                 /* One becomes an image. */
                                 text_of("static %s int n; static int m;\n"
                                         "__attribute__((constructor)) static void c(void)"
                                         " { m = %d; }\nint run%d(void) { return m + n; }",
                                         i ? "" : "_Thread_local", i, i),
                                 NULL);
    for (int i = 0; i < linkers; i++)
        pthread_create(&threads[i], NULL, link_on, (void *)(long)i);
    for (int i = 0; i < 8; i++)
        CHECK_INT(in_child(use_common), 0);
    stage = 1;
    for (int i = 0; i < linkers; i++)
        pthread_join(threads[i], NULL);
    live_end(&l);
}

/* ---- another one does not let go ---- */

void step(void)
{
    stage++;
    await(10);
}

static void *look_up(void *name)
{
    return (void *)(long)live_int(shared, name);
}

static int answer_instead(void)
{
    return 9;
}

static kiln_function on_call_failed(const char *function, const char *message, void *data)
{
    CHECK_CONTAINS(message, "forked");
    CHECK_TEXT(function, "lazy");
    (void)data;
    return (kiln_function)answer_instead;
}

static int (*lazy)(void);
static void use_what_is_lost(void)
{
    live l;
    kiln_error *error;
    kiln_jit_dylib *dylib;
    CHECK_CONTAINS(live_fails(shared->dylib, "other", KILN_UNSUPPORTED), "forked");
    CHECK_INT(kiln_jit_add_bytes(shared->dylib, "x", "\177ELF", 4, NULL, &error), KILN_UNSUPPORTED);
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_add_dylib(shared->jit, "x", NULL, &dylib, &error), KILN_UNSUPPORTED);
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_remove(before, &error), KILN_UNSUPPORTED);
    kiln_error_destroy(error);
    CHECK_INT(lazy(), 9);
    kiln_jit_destroy(shared->jit);
    /* A new one serves. */
    l = (live){.session = shared->session};
    CHECK_STATUS(kiln_jit_create(l.session, NULL, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_BITCODE, "f.c", "int f(void) { return 7; }");
    CHECK_INT(live_int(&l, "f"), 7);
    live_end(&l);
}

/* A thread-local makes it an image, whose constructors run within the link. */
TEST(another_thread_is_within_a_link)
{
    const kiln_jit_options options = {.size = sizeof options, .call_failed = on_call_failed};
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    shared = &l;
    made input =
        live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "lazy.c", "int lazy(void) { return 1; }", NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "lazy.c", input.bytes, input.size, "-O1", NULL, &error),
                 KILN_OK, &error);
    lazy = (int (*)(void))kiln_jit_function(l.dylib, "lazy", &error);
    before = add_text("other.c", "int other(void) { return 4; }");
    add_text("slow.c", "void step(void); _Thread_local int own = 2;\n"
                       "__attribute__((constructor)) static void c(void) { step(); }\n"
                       "int slow(void) { return own; }");
    pthread_t thread;
    pthread_create(&thread, NULL, look_up, (void *)"slow");
    await(1);
    CHECK_INT(in_child(use_what_is_lost), 0);
    stage = 10;
    void *result;
    pthread_join(thread, &result);
    CHECK_INT((long)result, 2);
    CHECK_INT(lazy(), 1);
    live_end(&l);
}

/* ---- another one removes something ---- */

static void remove_it_here(void)
{
    kiln_error *error;
    CHECK_STATUS(kiln_jit_remove(before, &error), KILN_OK, &error);
    add_text("leaving.c", "int leaving(void) { return 6; }");
    CHECK_INT(live_int(shared, "leaving"), 6);
}

static void *remove_before(void *unused)
{
    kiln_error *error;
    CHECK_STATUS(kiln_jit_remove(before, &error), KILN_OK, &error);
    return unused;
}

TEST(another_thread_runs_destructors)
{
    live l;
    live_begin(&l);
    shared = &l;
    before = add_text("leaving.c", "void step(void); int leaving(void) { return 5; }\n"
                                   "__attribute__((destructor)) static void d(void) { step(); }\n");
    CHECK_INT(live_int(&l, "leaving"), 5);
    pthread_t thread;
    pthread_create(&thread, NULL, remove_before, NULL);
    await(1);
    CHECK_INT(in_child(remove_it_here), 0);
    stage = 10;
    pthread_join(thread, NULL);
    live_end(&l);
}

/* ---- another one runs constructors ---- */

/* They do not end. */
static void use_what_was_being_constructed(void)
{
    CHECK_INT(live_int(shared, "slow"), 1);
    CHECK_INT(live_int(shared, "other"), 4);
}

TEST(another_thread_runs_constructors)
{
    live l;
    live_begin(&l);
    shared = &l;
    add_text("other.c", "int other(void) { return 4; }");
    add_text("slow.c",
             "void step(void); static int n;\n"
             "__attribute__((constructor)) static void c(void) { n = 1; step(); n = 2; }\n"
             "int slow(void) { return n; }");
    pthread_t thread;
    pthread_create(&thread, NULL, look_up, (void *)"slow");
    await(1);
    CHECK_INT(in_child(use_what_was_being_constructed), 0);
    stage = 10;
    void *result;
    pthread_join(thread, &result);
    CHECK_INT((long)result, 2);
    live_end(&l);
}
