/* jit_code.c - what C and C++ allow, as objects, bitcode and IR: it does what it does in a shared
 * library. */
#include "live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct program {
    const char *name, *path, *text;
    int value; /* of run() */
} program;

static const program programs[] = {
    {"constructors", "a.c",
     "static int order[4], n;\n"
     "__attribute__((constructor)) static void last(void) { order[n++] = 3; }\n"
     "__attribute__((constructor(200))) static void second(void) { order[n++] = 2; }\n"
     "__attribute__((constructor(101))) static void first(void) { order[n++] = 1; }\n"
     "int run(void) { return order[0] * 100 + order[1] * 10 + order[2]; }\n",
     123},
    {"constructor arguments", "a.c",
     "#include <string.h>\nstatic int found;\n"
     "__attribute__((constructor)) static void c(int n, char **v, char **e) { found = e && e[0]; "
     "}\n"
     "int run(void) { return found; }\n",
     1},
    {"thread-local", "a.c",
     "#include <pthread.h>\n"
     "__thread int a = 5; static __thread char big[3000]; __thread int z;\n"
     "static void *in_thread(void *p) { a += 1; z += 7; big[2999]++; return (void *)(long)(a * 10 "
     "+ z); }\n"
     "int run(void) { pthread_t t; void *r; a = 100; z = 1; big[2999] = 9;\n"
     "  pthread_create(&t, 0, in_thread, 0); pthread_join(t, &r);\n"
     "  return (int)(long)r * 1000 + a + z + big[2999]; }\n",
     67110},
    {"thread-local of libc", "a.c",
     "#include <errno.h>\n#include <unistd.h>\n"
     "int run(void) { errno = 0; close(-1); return errno; }\n",
     9},
    {"thread_local with a destructor", "a.cpp",
     "#include <thread>\nstatic int log; struct S { int v; S() : v(3) {} ~S() { log += v; } };\n"
     "static thread_local S s; extern \"C\" int run() {\n"
     "  std::thread t([] { s.v += 4; }); t.join(); return log * 10 + s.v; }\n",
     73},
    {"call_once", "a.cpp",
     "#include <mutex>\nstatic std::once_flag f; static int n;\n"
     "extern \"C\" int run() { for (int i = 0; i < 3; i++) std::call_once(f, [] { n += 5; }); "
     "return "
     "n; }\n",
     5},
    {"ifunc", "a.c",
     "static int one(void) { return 1; } static int two(void) { return 2; }\n"
     "static int chosen = 2;\n"
     "static int (*choose(void))(void) { return chosen == 2 ? two : one; }\n"
     "int f(void) __attribute__((ifunc(\"choose\")));\n"
     "int (*pointer)(void) = f;\n"
     "int run(void) { return f() * 10 + pointer(); }\n",
     22},
    {"target clones", "a.c",
     "__attribute__((target_clones(\"default\", \"avx2\"))) int f(int n) { int s = 0; for (int i = "
     "0; "
     "i < n; i++) s += i; return s; }\n"
     "int run(void) { return f(10); }\n",
     45},
    {"cpu model", "a.c",
     "int run(void) { __builtin_cpu_init(); return __builtin_cpu_supports(\"sse2\") ? 1 : 0; }\n",
     1},
    {"builtins", "a.c",
     "int run(void) { unsigned __int128 a = (unsigned __int128)1 << 100; return (int)(a / 7 >> 97) "
     "+ "
     "(int)(a % 10); }\n",
     7},
    {"exceptions", "a.cpp",
     "#include <stdexcept>\n#include <string>\n"
     "static int thrower(int n) { if (n > 2) throw std::runtime_error(\"x\" + std::to_string(n)); "
     "return n; }\n"
     "struct G { int &n; ~G() { n++; } };\n"
     "static int mid(int n, int &cleaned) { G g{cleaned}; return thrower(n); }\n"
     "extern \"C\" int run() { int cleaned = 0; try { return mid(1, cleaned) + mid(5, cleaned); }\n"
     "  catch (std::exception &e) { return e.what()[1] * 10 + cleaned; } }\n",
     532},
    {"static locals", "a.cpp",
     "#include <string>\nstatic std::string &s() { static std::string v(\"abc\"); return v; }\n"
     "inline int shared = 4; template <class T> struct P { static inline T v = 6; };\n"
     "extern \"C\" int run() { s() += \"d\"; return int(s().size()) * 100 + shared * 10 + "
     "P<int>::v; "
     "}\n",
     446},
    {"virtual functions", "a.cpp",
     "struct A { virtual int f() { return 1; } virtual ~A() {} }; struct B : A { int f() override "
     "{ "
     "return 2; } };\n"
     "extern \"C\" int run() { A *a = new B; int r = a->f() + (dynamic_cast<B *>(a) ? 10 : 0); "
     "delete "
     "a; return r; }\n",
     12},
    {"coroutines", "a.cpp",
     "#include <coroutine>\n"
     "struct G { struct promise_type { int v; G get_return_object() { return "
     "{std::coroutine_handle<promise_type>::from_promise(*this)}; }\n"
     "  std::suspend_always initial_suspend() { return {}; } std::suspend_always final_suspend() "
     "noexcept { return {}; }\n"
     "  std::suspend_always yield_value(int x) { v = x; return {}; } void return_void() {} void "
     "unhandled_exception() {} };\n"
     "  std::coroutine_handle<promise_type> h; };\n"
     "static G gen(int n) { for (int i = 0; i < n; i++) co_yield i * 2; }\n"
     "extern \"C\" int run() { G g = gen(4); int s = 0; while (g.h.resume(), !g.h.done()) s += "
     "g.h.promise().v; g.h.destroy(); return s; }\n",
     12},
    {"assembly", "a.c",
     "__asm__(\".text\\n.globl f\\n.type f,@function\\nf: movl $42, %eax\\nret\\n.size f, "
     ".-f\\n\");\n"
     "int f(void); int run(void) { int r; __asm__(\"movl $5, %0\" : \"=r\"(r)); return f() + r; "
     "}\n",
     47},
    {"computed goto", "a.c",
     "int step(int n) { static void *const l[] = {&&a, &&b, &&c}; goto *l[n % 3]; a: return 1; b: "
     "return 2; c: return 3; }\n"
     "int run(void) { return step(0) * 100 + step(1) * 10 + step(2); }\n",
     123},
    {"large bss", "a.c",
     "static char big[150 << 20]; int run(void) { big[sizeof big - 1] = 3; return big[sizeof big - "
     "1] "
     "+ big[12345]; }\n",
     3},
    {"common", "a.c",
     "int common __attribute__((common)); int run(void) { return common++ + 5; }\n", 5},
    {"aliases and weak", "a.c",
     "int f(void) { return 3; } int g(void) __attribute__((alias(\"f\")));\n"
     "__attribute__((weak)) int absent(void); __attribute__((weak)) int own(void) { return 4; }\n"
     "int run(void) { return g() * 100 + own() * 10 + (absent ? 1 : 0); }\n",
     340},
    {"varargs and floats", "a.c",
     "#include <stdarg.h>\n#include <stdio.h>\n#include <string.h>\n"
     "static double sum(int n, ...) { va_list l; va_start(l, n); double s = 0; while (n--) s += "
     "va_arg(l, double); va_end(l); return s; }\n"
     "int run(void) { char t[32]; snprintf(t, sizeof t, \"%.2f\", sum(2, 1.25, 2.5)); return "
     "strcmp(t, \"3.75\"); }\n",
     0},
    {"setjmp", "a.c",
     "#include <setjmp.h>\nstatic jmp_buf j; static void go(int n) { longjmp(j, n); }\n"
     "int run(void) { int r = setjmp(j); if (!r) go(4); return r * 10; }\n",
     40},
    {"vectors", "a.c",
     "typedef int v8 __attribute__((vector_size(32))); int run(void) { v8 a = {1, 2, 3, 4, 5, 6, "
     "7, "
     "8}; a *= a; return a[7] + a[3]; }\n",
     80},
    {"iostream", "a.cpp",
     "#include <sstream>\n#include <map>\nstatic const std::map<std::string, int> m = {{\"a\", 1}, "
     "{\"b\", 2}};\n"
     "extern \"C\" int run() { std::ostringstream o; o << m.at(\"a\") << m.at(\"b\"); return "
     "int(o.str().size()); }\n",
     2},
};

static void run_all(kiln_output_kind kind)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        const program *program = &programs[i];
        live l;
        kiln_error *error = NULL;
        kiln_jit_code *code;
        live_begin(&l);
        made input = live_compile(&l, kind, program->path, program->text, NULL);
        kiln_status status = kind == KILN_OUTPUT_RAW_BITCODE
                                 ? kiln_jit_add_lazy(l.dylib, program->path, input.bytes,
                                                     input.size, NULL, &code, &error)
                                 : kiln_jit_add_bytes(l.dylib, program->path, input.bytes,
                                                      input.size, &code, &error);
        int (*run)(void) =
            status == KILN_OK ? (int (*)(void))kiln_jit_function(l.dylib, "run", &error) : NULL;
        if (!run || run() != program->value) {
            printf("%s: %s%d\n", program->name, run ? "run() is not " : kiln_error_rendered(error),
                   program->value);
            wrong++;
        }
        kiln_error_destroy(error);
        live_end(&l);
    }
    CHECK_INT(wrong, 0);
}

TEST(from_objects)
{
    run_all(KILN_OUTPUT_OBJECT);
}

TEST(from_bitcode)
{
    run_all(KILN_OUTPUT_BITCODE);
}

TEST(from_ir)
{
    run_all(KILN_OUTPUT_IR);
}

TEST(lazily)
{
    run_all(KILN_OUTPUT_RAW_BITCODE);
}

/* What is thrown in one engine is caught in another, and in the host. */
TEST(exceptions_between_engines)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    static const char source[] =
        "extern \"C\" int call(int (*f)(int), int n) {\n"
        "  try { return f(n); } catch (int caught) { return caught * 10; } }\n"
        "extern \"C\" int throws(int n) { throw long(n); }\n";
    kiln_spec *spec = kiln_spec_create("image");
    kiln_spec_add_memory_source(spec, "image.cpp", source, strlen(source), NULL);
    kiln_library *library = load_spec(l.session, spec);
    CHECK_STATUS(kiln_jit_add_library(l.dylib, library, NULL, &error), KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_BITCODE, "a.cpp",
             "extern \"C\" int call(int (*f)(int), int n); extern \"C\" int throws(int);\n"
             "static int thrower(int n) { throw n + 1; }\n"
             "extern \"C\" int run() { int r = call(thrower, 4);\n"
             "  try { throws(3); } catch (long caught) { r += int(caught); } return r; }\n");
    CHECK_INT(live_int(&l, "run"), 53);
    kiln_library_close(library);
    live_end(&l);
}

/* What an object needs is initialised before it, in whichever order they were added or linked. */
TEST(constructors_of_several_objects)
{
    static const char *const texts[] = {
        "extern int b; int a; __attribute__((constructor)) static void c(void) { a = b + 1; }\n"
        "int run(void) { return a; }\n",
        "extern int c; int b; __attribute__((constructor)) static void d(void) { b = c * 10; }\n",
        "int c; __attribute__((constructor)) static void e(void) { c = 4; }\n"};
    for (int from = 0; from < 3; from++) {
        live l;
        live_begin(&l);
        for (int i = 0; i < 3; i++)
            live_add(&l, KILN_OUTPUT_OBJECT, text_of("%d.c", (from + i) % 3),
                     texts[(from + i) % 3]);
        CHECK_INT(live_int(&l, "run"), 41);
        live_end(&l);
    }
}

/* first and second need each other, and second an image: first is in its place before second is. */
TEST(constructors_around_an_image)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    kiln_jit_code *first =
        live_add(&l, KILN_OUTPUT_OBJECT, "first.c",
                 "int second(void); static int n; int base(void) { return 1; }\n"
                 "__attribute__((constructor)) static void c(void) { n = second(); }\n"
                 "int first(void) { return n; }");
    kiln_jit_code *second =
        live_add(&l, KILN_OUTPUT_OBJECT, "second.c",
                 "int base(void); int image(void); int second(void) { return image() + base(); }");
    kiln_jit_code *image = live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
                                    "_Thread_local int own = 2; static int n;\n"
                                    "__attribute__((constructor)) static void c(void) { n = 3; }\n"
                                    "int image(void) { return n + own; }");
    CHECK_INT(live_int(&l, "first"), 3 + 2 + 1);
    CHECK_INT(kiln_jit_remove(second, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "first.c");
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_remove(image, &error), KILN_REFUSED);
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_remove(first, &error), KILN_REFUSED);
    kiln_error_destroy(error);
    live_end(&l);
}

static int ends[8], end_count;
static void end(int what)
{
    if (end_count < 8)
        ends[end_count++] = what;
}

static const char ending[] = "#include <stdlib.h>\nvoid end(int);\n"
                             "static void a(void) { end(1); } static void b(void) { end(2); }\n"
                             "__attribute__((destructor)) static void d(void) { end(3); }\n"
                             "__attribute__((destructor(200))) static void e(void) { end(4); }\n"
                             "__attribute__((constructor)) static void c(void) { atexit(a); }\n"
                             "int run(void) { atexit(b); return 1; }\n";

static kiln_jit_code *add_ending(live *l, kiln_output_kind kind)
{
    kiln_error *error;
    const kiln_jit_symbol symbol = {"end", (const void *)(uintptr_t)end};
    CHECK_STATUS(kiln_jit_add_symbols(l->dylib, "host", &symbol, 1, NULL, &error), KILN_OK, &error);
    return live_add(l, kind, "ending.c", ending);
}

static void check_ends(void)
{
    CHECK_INT(end_count, 4);
    /* As dlclose has it: .fini_array in reverse, in which what calls the handlers stands before those
     * without a priority. */
    CHECK_INT(ends[0] * 1000 + ends[1] * 100 + ends[2] * 10 + ends[3], 3214);
}

TEST(handlers_run_at_removal)
{
    for (int i = 0; i < 2; i++) {
        live l;
        kiln_error *error;
        live_begin(&l);
        kiln_jit_code *code = add_ending(&l, i ? KILN_OUTPUT_BITCODE : KILN_OUTPUT_OBJECT);
        end_count = 0;
        CHECK_INT(live_int(&l, "run"), 1);
        CHECK_INT(end_count, 0);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
        check_ends();
        live_end(&l);
        check_ends();
        /* With the JIT, too. */
        live_begin(&l);
        add_ending(&l, KILN_OUTPUT_OBJECT);
        end_count = 0;
        CHECK_INT(live_int(&l, "run"), 1);
        live_end(&l);
        check_ends();
    }
}

static void write_ends(void)
{
    _exit(end_count == 4 && ends[0] == 2 && ends[1] == 1 && ends[2] == 3 && ends[3] == 4 ? 42 : 1);
}

TEST(handlers_run_at_exit)
{
    pid_t child = fork();
    if (child == 0) {
        live l;
        atexit(write_ends);
        live_begin(&l);
        add_ending(&l, KILN_OUTPUT_OBJECT);
        if (live_int(&l, "run") == 1)
            exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 42);
}
