/* jit_lazy.c - what is compiled only when it is needed: sources when a symbol is, functions when they are
 * called. */
#include "live.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static kiln_spec *spec_of_text(const char *name, const char *path, const char *text)
{
    kiln_spec *spec = kiln_spec_create(name);
    kiln_spec_add_memory_source(spec, path, text, strlen(text), NULL);
    return spec;
}

static void promise(kiln_jit_dylib *dylib, const char *name, const char *text,
                    const char *const *symbols, bool lazy_functions)
{
    kiln_error *error;
    const kiln_jit_spec_options options = {
        .size = sizeof options, .lazy_functions = lazy_functions, .symbols = symbols};
    kiln_spec *spec = spec_of_text(name, "s.c", text);
    CHECK_STATUS(kiln_jit_add_spec(dylib, spec, &options, NULL, &error), KILN_OK, &error);
    kiln_spec_destroy(spec);
}

/* Nothing is compiled until somebody needs it; what is wrong with it is told then, to whom it is. */
TEST(promised_sources)
{
    live l;
    live_begin(&l);
    promise(l.dylib, "one", "int helper(int); int one(void) { return helper(20) + 1; }",
            (const char *const[]){"one", NULL}, false);
    promise(l.dylib, "helper", "int helper(int x) { return x * 2; }",
            (const char *const[]){"helper", NULL}, true);
    promise(l.dylib, "broken", "int broken(void) { return oops; }",
            (const char *const[]){"broken", NULL}, false);
    live_fails(l.dylib, "nothing", KILN_NOT_FOUND);
    CHECK_INT(live_int(&l, "one"), 41);
    for (int i = 0; i < 2; i++) {
        char *text = live_fails(l.dylib, "broken", KILN_COMPILE);
        CHECK_CONTAINS(text, "undeclared identifier 'oops'");
    }
    CHECK_INT(live_int(&l, "one"), 41);
    live_end(&l);
}

TEST(a_promise_is_removed_with_what_it_made)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code, *user;
    live_begin(&l);
    size_t before = kiln_jit_memory_bytes(l.jit);
    kiln_spec *spec = spec_of_text("one", "s.c", "int one(void) { return 1; }");
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, NULL, &code, &error), KILN_OK, &error);
        CHECK_INT(live_int(&l, "one"), 1);
        user = live_add(&l, KILN_OUTPUT_OBJECT, "u.c",
                        "int one(void); int user(void) { return one(); }");
        CHECK_INT(live_int(&l, "user"), 1);
        CHECK_INT(kiln_jit_remove(code, &error), KILN_REFUSED);
        CHECK_CONTAINS(kiln_error_message(error), "'u.c'");
        kiln_error_destroy(error);
        CHECK_STATUS(kiln_jit_remove(user, &error), KILN_OK, &error);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
        live_fails(l.dylib, "one", KILN_NOT_FOUND);
        CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
    }
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* By the image engine, asked for or because it needs a linker; what the host lends; several sources. */
TEST(promises_that_become_images)
{
    static int lent = 5;
    const kiln_jit_spec_options images = {.size = sizeof images, .engine = "image"},
                                unknown = {.size = sizeof unknown, .engine = "none"};
    live l;
    kiln_error *error;
    kiln_jit_code *code, *user;
    live_begin(&l);
    kiln_spec *spec = spec_of_text(
        "one", "s.c", "extern int lent; _Thread_local int own = 3; int one(void) { return lent; }");
    kiln_spec_add_host_symbol(spec, "lent", &lent);
    CHECK_INT(kiln_jit_add_spec(l.dylib, spec, &unknown, NULL, &error), KILN_INVALID_ARGUMENT);
    CHECK_CONTAINS(kiln_error_message(error), "'none'");
    kiln_error_destroy(error);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, i ? &images : NULL, &code, &error), KILN_OK,
                     &error);
        user = live_add(&l, KILN_OUTPUT_BITCODE, "u.c",
                        "int one(void); extern _Thread_local int own;\n"
                        "int user(void) { return one() * 10 + own; }");
        CHECK_INT(live_int(&l, "user"), 53);
        Dl_info information;
        bool is_image =
            dladdr((void *)(uintptr_t)kiln_jit_function(l.dylib, "one", &error), &information);
        CHECK_INT(is_image, i);
        CHECK_INT(kiln_jit_remove(code, &error), KILN_REFUSED);
        kiln_error_destroy(error);
        CHECK_STATUS(kiln_jit_remove(user, &error), KILN_OK, &error);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
        live_fails(l.dylib, "one", KILN_NOT_FOUND);
    }
    kiln_spec_destroy(spec);
    spec = spec_of_text("linked", "l.c",
                        "double cbrt(double); int linked(void) { return (int)cbrt(27.0); }");
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-lm", NULL});
    kiln_spec_add_memory_source(spec, "m.c", "int second(void) { return 2; }", 30, NULL);
    CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, NULL, &code, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "linked"), 3);
    CHECK_INT(live_int(&l, "second"), 2);
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* What was lent for a try that failed serves the next one, and goes with the promise. */
TEST(a_promise_that_clashes_is_tried_again)
{
    static int lent = 5;
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    kiln_jit_code *other =
        live_add(&l, KILN_OUTPUT_OBJECT, "other.c", "int helper(void) { return 1; }");
    kiln_spec *spec = spec_of_text("one", "s.c",
                                   "extern int lent; int helper(void) { return 2; } int one(void) "
                                   "{ return lent + helper(); }");
    kiln_spec_add_host_symbol(spec, "lent", &lent);
    const kiln_jit_spec_options options = {.size = sizeof options,
                                           .symbols = (const char *const[]){"one", NULL}};
    CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, &options, &code, &error), KILN_OK, &error);
    for (int i = 0; i < 2; i++)
        CHECK_CONTAINS(live_fails(l.dylib, "one", KILN_ALREADY_EXISTS), "helper");
    CHECK_STATUS(kiln_jit_remove(other, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "one"), 7);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    live_fails(l.dylib, "one", KILN_NOT_FOUND);
    live_fails(l.dylib, "lent", KILN_NOT_FOUND);
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* At its end a promise's code calls functions that were not called before, and uses what it was lent. */
TEST(a_promise_ends_by_functions_not_called_before)
{
    static int ended;
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    kiln_spec *spec = spec_of_text("one", "s.c",
                                   "extern int ended; void end(int n) { ended += n; }\n"
                                   "__attribute__((destructor)) static void d(void) { end(3); }\n"
                                   "int one(void) { return 1; }");
    kiln_spec_add_host_symbol(spec, "ended", &ended);
    const kiln_jit_spec_options options = {.size = sizeof options, .lazy_functions = true};
    CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, &options, &code, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "one"), 1);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    CHECK_INT(ended, 3);
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* What somebody else has added, too, stays when the promise goes. */
TEST(a_promise_shares_what_it_made)
{
    static const char text[] = "int one(void) { return 1; }";
    const kiln_compile_options how = {
        .size = sizeof how, .kind = KILN_OUTPUT_OBJECT, .merge = true};
    live l;
    kiln_error *error;
    kiln_jit_code *promise_code, *own;
    kiln_outputs *outputs;
    kiln_output output = {.size = sizeof output};
    live_begin(&l);
    kiln_spec *spec = spec_of_text("one", "s.c", text);
    CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, NULL, &promise_code, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "one"), 1);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-femulated-tls", NULL});
    CHECK_STATUS(kiln_compile(l.session, spec, &how, &outputs, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_outputs_get(outputs, 0, &output), KILN_OK, NULL);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, text_of("%s#0", output.source), output.bytes,
                                    output.size_bytes, &own, &error),
                 KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(promise_code, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "one"), 1);
    CHECK_STATUS(kiln_jit_remove(own, &error), KILN_OK, &error);
    live_fails(l.dylib, "one", KILN_NOT_FOUND);
    kiln_outputs_destroy(outputs);
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* Where nobody says what it defines, it is compiled for a name that nobody else has. */
TEST(a_promise_without_a_list)
{
    live l;
    live_begin(&l);
    promise(l.dylib, "any", "#include <string.h>\nint any(void) { return (int)strlen(\"three\"); }",
            NULL, true);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c",
             "int any(void); int abs(int); int run(void) { return any() + abs(-2); }");
    CHECK_INT(live_int(&l, "run"), 7);
    live_end(&l);
}

/* A function has one address, before and after it is compiled, for all who take it. */
TEST(one_address)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c",
                              "static int own(void) { return 5; }\n"
                              "int shared(void) { return own(); }\n"
                              "int (*table[])(void) = {shared, own};\n"
                              "int (*get(int i))(void) { return i ? own : shared; }\n"
                              "int same(void) { return table[0] == shared && table[1] == own; }\n",
                              NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, "-O2", NULL, &error),
                 KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_OBJECT, "b.c",
             "int shared(void); int (*mine(void))(void) { return shared; }");
    kiln_function before = kiln_jit_function(l.dylib, "shared", NULL);
    int (**table)(void) = live_data(&l, "table");
    CHECK(table[0] == (int (*)(void))before);
    CHECK_INT(live_int(&l, "same"), 1);
    CHECK_INT(live_int(&l, "shared"), 5);
    CHECK(kiln_jit_function(l.dylib, "shared", NULL) == before);
    int (*(*mine)(void))(void) = (int (*(*)(void))(void))kiln_jit_function(l.dylib, "mine", NULL);
    int (*(*get)(int))(void) = (int (*(*)(int))(void))kiln_jit_function(l.dylib, "get", NULL);
    CHECK(mine() == table[0] && get(0) == table[0] && get(1) == table[1]);
    CHECK_INT(table[1](), 5);
    live_end(&l);
}

/* Every kind of argument survives the compilation that the first call makes. */
TEST(arguments_are_kept)
{
    live l;
    kiln_error *error;
    static const char text[] =
        "typedef float v8 __attribute__((vector_size(32)));\n"
        "#include <stdarg.h>\n"
        "struct big { long a[5]; }; struct pair { double d; long l; };\n"
        "__attribute__((noinline)) static struct pair f(int a, long b, double c, struct big d, "
        "char e, "
        "float g, long h, long i, long j, long k, double m) {\n"
        "  return (struct pair){c + g + m + (double)d.a[4], a + b + e + h + i + j + k}; }\n"
        "__attribute__((noinline)) static double va(int n, ...) { va_list l; va_start(l, n); "
        "double s = 0;\n"
        "  for (int i = 0; i < n; i++) s += i % 2 ? va_arg(l, double) : va_arg(l, long); "
        "va_end(l); return "
        "s; }\n"
        "__attribute__((noinline, target(\"avx\"))) static v8 wide(v8 a, v8 b) { return a * b; }\n"
        "__attribute__((target(\"avx\"))) static int vectors(void) { v8 a = {1, 2, 3, 4, 5, 6, 7, "
        "8}, r = "
        "wide(a, a); return (int)(r[0] + r[7]); }\n"
        "int run(void) { struct big d = {{1, 2, 3, 4, 5}};\n"
        "  struct pair p = f(1, 2, 0.5, d, 3, 1.5f, 4, 5, 6, 7, 2.0);\n"
        "  int r = (int)(p.d * 10) + (int)p.l * 1000 + (int)va(4, 1L, 2.5, 3L, 4.5);\n"
        "  return r * 100 + (__builtin_cpu_supports(\"avx\") ? vectors() : 65); }\n";
    live_begin(&l);
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", text, NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, "-O2", NULL, &error),
                 KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), (28 * 1000 + 90 + 11) * 100 + 65);
    live_end(&l);
}

/* ---- little stack ---- */

static int (*on_little_stack)(int);
static kiln_jit_dylib *little_dylib;
static int got;

/* What it calls is compiled, and linked, an image too, with hardly any stack left. */
static void call_with_little_stack(void)
{
    got = on_little_stack(3) + live_int_of(little_dylib, "image");
}

static void *call_on_thread(void *unused)
{
    call_with_little_stack();
    return unused;
}

TEST(stacks_of_threads_and_coroutines)
{
    static const char text[] =
        "#include <stdio.h>\n#include <string.h>\n"
        "static int parse(const char *s) { int n = 0, sign = 1; for (; *s; s++) {\n"
        "  switch (*s) { case '-': sign = -sign; break; case '+': break;\n"
        "  default: if (*s >= '0' && *s <= '9') n = n * 10 + *s - '0'; else return -1; } }\n"
        "  return n * sign; }\n"
        "int work(int x) { char t[16]; memset(t, 0, sizeof t); t[0] = (char)('0' + x);\n"
        "  int n = parse(t); for (int i = 0; i < x; i++) n += i * n; return n; }\n";
    enum { coroutine_stack = 32 << 10 };
    static char stack[coroutine_stack] __attribute__((aligned(64)));
    static ucontext_t here, there;
    for (int is_coroutine = 0; is_coroutine < 2; is_coroutine++) {
        live l;
        kiln_error *error;
        pthread_attr_t attributes;
        pthread_t thread;
        live_begin(&l);
        made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", text, NULL);
        CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, "-O2", NULL, &error),
                     KILN_OK, &error);
        live_add(&l, KILN_OUTPUT_BITCODE, "base.c", "int base = 3;");
        live_add(
            &l, KILN_OUTPUT_OBJECT, "image.c",
            "extern int base; _Thread_local int own = 4; int image(void) { return own + base; }");
        on_little_stack = (int (*)(int))kiln_jit_function(l.dylib, "work", &error);
        little_dylib = l.dylib;
        got = 0;
        if (is_coroutine) {
            CHECK(getcontext(&there) == 0);
            there.uc_stack.ss_sp = stack;
            there.uc_stack.ss_size = sizeof stack;
            there.uc_link = &here;
            makecontext(&there, call_with_little_stack, 0);
            CHECK(swapcontext(&here, &there) == 0);
        } else {
            CHECK(pthread_attr_init(&attributes) == 0);
            CHECK(pthread_attr_setstacksize(&attributes, 64 << 10) == 0);
            CHECK(pthread_create(&thread, &attributes, call_on_thread, NULL) == 0);
            CHECK(pthread_join(thread, NULL) == 0);
            pthread_attr_destroy(&attributes);
        }
        CHECK_INT(got, 18 + 7);
        live_end(&l);
    }
}

static char failed_function[64], failed_message[256];
static int instead(void)
{
    return -7;
}
static kiln_function on_failure(const char *function, const char *message, void *data)
{
    CHECK(data == failed_function);
    snprintf(failed_function, sizeof failed_function, "%s", function);
    snprintf(failed_message, sizeof failed_message, "%s", message);
    return (kiln_function)instead;
}

/* A function that cannot be made when it is called: the host says what happens, and the next call tries
 * again. */
TEST(a_call_that_fails)
{
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    const kiln_jit_options options = {
        .size = sizeof options, .call_failed = on_failure, .call_failed_data = failed_function};
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c",
                              "int later(void); int works(void) { return 1; }\n"
                              "int needs(void) { return later() + 1; }\n",
                              NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, NULL, NULL, &error),
                 KILN_OK, &error);
    CHECK_INT(live_int(&l, "works"), 1);
    CHECK_INT(live_int(&l, "needs"), -7);
    CHECK_TEXT(failed_function, "needs");
    CHECK_CONTAINS(failed_message, "'later'");
    live_add(&l, KILN_OUTPUT_OBJECT, "b.c", "int later(void) { return 40; }");
    CHECK_INT(live_int(&l, "needs"), 41);
    live_end(&l);
}

/* By default the process ends, and says why. */
TEST(a_call_that_fails_by_default)
{
    const char *path = strdup(scratch("said"));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        live l;
        live_begin(&l);
        made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c",
                                  "int later(void); int needs(void) { return later(); }", NULL);
        kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, NULL, NULL, NULL);
        if (!freopen(path, "w", stderr))
            _exit(1);
        live_int(&l, "needs");
        _exit(0);
    }
    int state;
    CHECK_INT(waitpid(child, &state, 0), child);
    CHECK(WIFSIGNALED(state));
    CHECK_INT(WTERMSIG(state), SIGABRT);
    char *said = read_file(path, NULL);
    CHECK_CONTAINS(said, "'needs' was called, and cannot be compiled");
    CHECK_CONTAINS(said, "'later'");
}

/* The host's handler may leave the call. */
static jmp_buf before_call;
static kiln_function leave_call(const char *function, const char *message, void *data)
{
    (void)function;
    (void)message;
    (void)data;
    longjmp(before_call, 1);
}

TEST(a_call_that_fails_is_left)
{
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    const kiln_jit_options options = {.size = sizeof options, .call_failed = leave_call};
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c",
                              "int later(void); int needs(void) { return later() + 1; }", NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, NULL, NULL, &error),
                 KILN_OK, &error);
    for (volatile int i = 0; i < 2; i++)
        if (!setjmp(before_call)) {
            live_int(&l, "needs");
            CHECK(!"left");
        }
    live_add(&l, KILN_OUTPUT_OBJECT, "b.c", "int later(void) { return 40; }");
    CHECK_INT(live_int(&l, "needs"), 41);
    live_end(&l);
}

enum { threads = 8, functions = 60 };
static live *shared;
static void *call_all(void *data)
{
    (void)data;
    long sum = 0;
    for (int i = 0; i < functions; i++)
        sum += live_int(shared, text_of("f%d", i));
    return (void *)sum;
}

TEST(threads_call_first)
{
    live l;
    kiln_error *error;
    pthread_t workers[threads];
    char text[8192] = "static int g(int x) { return x + 1; }\n";
    for (int i = 0; i < functions; i++)
        sprintf(text + strlen(text), "int f%d(void) { return g(%d); }\n", i, i);
    live_begin(&l);
    shared = &l;
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", text, NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", input.bytes, input.size, NULL, NULL, &error),
                 KILN_OK, &error);
    for (int i = 0; i < threads; i++)
        pthread_create(&workers[i], NULL, call_all, NULL);
    for (int i = 0; i < threads; i++) {
        void *sum;
        pthread_join(workers[i], &sum);
        CHECK_INT((long)sum, functions * (functions - 1) / 2 + functions);
    }
    live_end(&l);
}

/* A library that is loaded lazily: its constructors have run, its functions come one by one. */
/* What was promised is made when it is asked to be linked, too; the second time it is there. */
TEST(a_promise_that_is_linked)
{
    static const char text[] =
        "extern int told; __attribute__((constructor)) static void c(void) { "
        "told++; } int run(void) { return told; }";
    static int told;
    for (int is_lazy = 0; is_lazy < 2; is_lazy++) {
        const kiln_jit_spec_options options = {.size = sizeof options, .lazy_functions = is_lazy};
        live l;
        kiln_error *error;
        kiln_jit_code *code, *wrong;
        live_begin(&l);
        told = 0;
        live_lend(&l, "told", &told);
        kiln_spec *spec = spec_of_text("promised", "s.c", text);
        CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, &options, &code, &error), KILN_OK, &error);
        kiln_spec_destroy(spec);
        for (int i = 0; i < 2; i++) {
            CHECK_STATUS(kiln_jit_link(code, &error), KILN_OK, &error);
            CHECK_INT(told, 1);
        }
        CHECK_INT(live_int(&l, "run"), 1);
        spec = spec_of_text("wrong", "w.c", "int nothing(void) { return }");
        CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, &options, &wrong, &error), KILN_OK, &error);
        kiln_spec_destroy(spec);
        CHECK_INT(kiln_jit_link(wrong, &error), KILN_COMPILE);
        CHECK_CONTAINS(kiln_error_rendered(error), "w.c");
        kiln_error_destroy(error);
        CHECK_STATUS(kiln_jit_remove(wrong, &error), KILN_OK, &error);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
        live_end(&l);
    }
}

/* A library's dependencies are compiled for the engine that it is for, once; of a load that was begun,
 * before it is polled. */
TEST(dependencies_are_compiled_once)
{
    for (int is_begun = 0; is_begun < 2; is_begun++) {
        event_log log = {0};
        kiln_session *session =
            session_create(strdup(text_of("%s/%d", scratch("cache"), is_begun)), &log);
        kiln_load_options options = {.size = sizeof options, .engine = "jit"};
        kiln_library *library = NULL;
        kiln_report report = {.size = sizeof report};
        kiln_error *error;
        kiln_spec *lower = spec_of_text("lower", "lower.c", "int lower(void) { return 41; }");
        kiln_spec *upper = spec_of_text("upper", "upper.c",
                                        "int lower(void); int run(void) { return lower() + 1; }");
        kiln_spec_add_dependency(upper, "lower");
        CHECK_STATUS(kiln_session_register(session, lower, &error), KILN_OK, &error);
        if (is_begun) {
            kiln_load *load;
            CHECK_STATUS(kiln_load_begin(session, NULL, upper, &options, &load, &error), KILN_OK,
                         &error);
            CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_OK, &error);
            kiln_load_destroy(load);
        } else {
            CHECK_STATUS(kiln_library_load_spec(session, upper, &options, &library, &error),
                         KILN_OK, &error);
        }
        CHECK_INT(call_int(library, "run"), 42);
        /* The other one in silence. */
        CHECK_INT(log.count[KILN_EVENT_UNIT_FINISHED] - log.unit_hits, is_begun ? 1 : 2);
        CHECK_STATUS(kiln_library_report(library, &report), KILN_OK, NULL);
        CHECK_TEXT(report.engine, "jit");
        CHECK(!report.hit && report.miss_reason);
        CHECK_INT(report.unit_count, 1);
        CHECK(report.input_count > 0);
        CHECK(report.seconds[KILN_PHASE_COMPILE] > 0);
        kiln_library_close(library);
        /* No image of it was made. */
        options.engine = "image";
        CHECK_STATUS(kiln_library_load(session, "lower", &options, &library, &error), KILN_OK,
                     &error);
        CHECK_STATUS(kiln_library_report(library, &report), KILN_OK, NULL);
        CHECK(!report.hit);
        kiln_library_close(library);
        options.lazy = true;
        CHECK_INT(kiln_library_load(session, "lower", &options, &library, &error),
                  KILN_INVALID_ARGUMENT);
        CHECK_CONTAINS(kiln_error_message(error), "'jit'");
        kiln_error_destroy(error);
        kiln_spec_destroy(lower);
        kiln_spec_destroy(upper);
        kiln_session_destroy(session);
    }
}

TEST(a_lazy_library)
{
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_library *library, *again;
    kiln_error *error;
    kiln_report report = {.size = sizeof report};
    const kiln_load_options options = {.size = sizeof options, .lazy = true};
    kiln_spec *spec = spec_of_text(
        "lib", "s.c",
        "int data = 3; __attribute__((constructor)) static void c(void) { data *= 2; }\n"
        "static int helper(void) { return data; } int run(void) { return helper() * 10; }");
    CHECK_STATUS(kiln_library_load_spec(session, spec, &options, &library, &error), KILN_OK,
                 &error);
    CHECK_STATUS(kiln_library_report(library, &report), KILN_OK, NULL);
    CHECK_TEXT(report.engine, "jit");
    CHECK_INT(*(int *)kiln_library_data(library, "data", NULL), 6);
    CHECK_INT(call_int(library, "run"), 60);
    /* Loaded again it is the same. */
    CHECK_STATUS(kiln_library_load_spec(session, spec, &options, &again, &error), KILN_OK, &error);
    CHECK(again == library);
    CHECK_STATUS(kiln_library_close(again), KILN_OK, NULL);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    /* What is missing is told at once. */
    kiln_spec *missing =
        spec_of_text("missing", "m.c", "int nowhere(void); int run(void) { return nowhere(); }");
    CHECK_INT(kiln_library_load_spec(session, missing, &options, &library, &error), KILN_BIND);
    CHECK_CONTAINS(kiln_error_rendered(error), "nowhere");
    kiln_error_destroy(error);
    kiln_spec_destroy(missing);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}
