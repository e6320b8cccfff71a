/* jit_parts.c - a module that is compiled function by function is still one: names, addresses, sections,
 * assembly. The same of a module that is compiled whole, in this process. */
#include "live.h"

#include <errno.h>
#include <fenv.h>
#include <stdlib.h>
#include <string.h>

typedef enum way { OBJECT, WHOLE, LAZY, WAYS } way;

/* A JIT that compiles IR itself. */
static void begin_in_process(live *l)
{
    const kiln_jit_options options = {.size = sizeof options, .ir_in_process = true};
    kiln_error *error;
    *l = (live){.session = session_create(scratch("cache"), NULL)};
    CHECK_STATUS(kiln_jit_create(l->session, &options, &l->jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l->jit, "main", NULL, &l->dylib, &error), KILN_OK, &error);
}

static kiln_status add_made(live *l, way way, const char *name, made input, kiln_jit_code **code,
                            kiln_error **error)
{
    return way == LAZY
               ? kiln_jit_add_lazy(l->dylib, name, input.bytes, input.size, "-O2", code, error)
               : kiln_jit_add_bytes(l->dylib, name, input.bytes, input.size, code, error);
}

static kiln_jit_code *add(live *l, way way, const char *path, const char *text)
{
    static const kiln_output_kind kinds[] = {KILN_OUTPUT_OBJECT, KILN_OUTPUT_RAW_BITCODE,
                                             KILN_OUTPUT_RAW_BITCODE};
    kiln_error *error;
    kiln_jit_code *code;
    made input = live_compile(l, kinds[way], path, text, NULL);
    CHECK_STATUS(add_made(l, way, path, input, &code, &error), KILN_OK, &error);
    return code;
}

/* Each is 42 in whatever way it is compiled. */
static void run_all(const char *const *texts, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        for (way way = 0; way < WAYS; way++) {
            live l;
            begin_in_process(&l);
            add(&l, way, path, texts[i]);
            int result = live_int(&l, "run");
            if (result != 42)
                support_fail(__FILE__, __LINE__, "way %d: %d of %s", (int)way, result, texts[i]);
            live_end(&l);
        }
}

TEST(names_and_addresses)
{
    static const char *const texts[] = {
        /* Another name of something that is static. */
        "static int impl(void) { return 42; } int run(void) __attribute__((alias(\"impl\")));",
        "int impl(void) { return 42; }\n"
        "__attribute__((visibility(\"hidden\"))) int other(void) "
        "__attribute__((alias(\"impl\")));\n"
        "int run(void) { return other(); }",
        /* What is inlined everywhere has one address, too. */
        "static inline __attribute__((always_inline)) int f(void) { return 42; }\n"
        "int (*table[])(void) = {f};\n"
        "int run(void) { return table[0] == f ? f() : 0; }",
        "int named(void) __asm__(\"run\"); int named(void) { return 42; }",
        "int named(void) __asm__(\"other\"); int named(void) { return 42; }\n"
        "int other(void); int run(void) { return other(); }",
        "__attribute__((preserve_none, noinline)) static long sum(long a, long b, long c, long d,\n"
        "  long e, long f, long g, long h, long i, long j, long k, long l) {\n"
        "  return a + b + c + d + e + f + g + h + i + j + 2 * k + l; }\n"
        "int run(void) { return (int)sum(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 15, 2); }",
    };
    run_all(texts, sizeof texts / sizeof *texts, "a.c");
}

TEST(bounds_of_sections)
{
    static const char *const texts[] = {
        "static const int one __attribute__((used, section(\"entries\"))) = 40;\n"
        "static const int two __attribute__((used, section(\"entries\"))) = 2;\n"
        "extern const int __start_entries[] __attribute__((weak));\n"
        "extern const int __stop_entries[] __attribute__((weak));\n"
        "int run(void) { int s = 0;\n"
        "  for (const int *p = __start_entries; p != __stop_entries; p++) s += *p; return s; }",
        "static int n __attribute__((used, section(\"numbers\"))) = 42;\n"
        "extern int __start_numbers, __stop_numbers; static int *const first = &__start_numbers;\n"
        "int run(void) { return &__stop_numbers - &__start_numbers == 1 ? *first : 0; }",
        "extern const int __start_nothing[] __attribute__((weak));\n"
        "int run(void) { return __start_nothing ? 0 : 42; }",
    };
    run_all(texts, sizeof texts / sizeof *texts, "a.c");
}

TEST(assembly_names_things)
{
    static const char *const texts[] = {
        "static __attribute__((used, noinline)) int time(void) { return 42; }\n"
        "int run(void) { int r; __asm__ volatile(\"subq $128, %%rsp\\n\\tcall time\\n\\t\"\n"
        "  \"addq $128, %%rsp # time\" : \"=a\"(r) :: \"memory\", \"rcx\", \"rdx\", \"rsi\", "
        "\"rdi\", "
        "\"r8\",\n"
        "  \"r9\", \"r10\", \"r11\", \"cc\"); return r; }",
        "static __attribute__((used)) int add = 41;\n"
        "int run(void) { int r = 1; __asm__(\"add add(%%rip), %0\" : \"+r\"(r)); return r; }",
        "static int xadd(int *p, int v) {\n"
        "  __asm__ volatile(\"lock xadd %0,%1\" : \"+r\"(v), \"+m\"(*p)); return v; }\n"
        "static int n = 40; int run(void) { xadd(&n, 2); return n; }",
        "static __attribute__((used)) int uid = 42;\n"
        "int run(void) { int r; __asm__ volatile(\"x%=: mov uid(%%rip), %0\" : \"=r\"(r)); return "
        "r; "
        "}",
        "static __attribute__((used)) int table = 42;\n"
        "__asm__(\".globl get\\nget: movabsq $table,%rax\\nret\\n\");\n"
        "int *get(void); int run(void) { return *get(); }",
        "static __attribute__((used)) int value = 42;\n"
        "__asm__(\".globl address\\n.data\\naddress: .quad value\\n.text\\n\");\n"
        "extern int *address; int run(void) { return *address; }",
    };
    run_all(texts, sizeof texts / sizeof *texts, "a.c");
}

/* A library may compile such modules whole, by the image engine; to a host it is said. */
TEST(what_cannot_be_compiled_in_parts)
{
    static const char *const texts[] = {
        "__asm__(\".macro three r\\n movl $42, \\\\r\\n.endm\");\n"
        "int run(void) { int r; __asm__(\"three %0\" : \"=r\"(r)); return r; }",
        "__asm__(\".set answer, 42\"); int run(void) { int r; __asm__(\"mov $answer, %0\" : "
        "\"=r\"(r)); return r; }",
        "__asm__(\"local: mov $42, %eax\\nret\"); int local(void); int run(void) { return local(); "
        "}",
        "__attribute__((section(\"calls\"), used)) static int f(void) { return 42; }\n"
        "extern char __start_calls[]; int run(void) { return ((int (*)(void))__start_calls)(); }",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const kiln_load_options options = {.size = sizeof options, .lazy = true};
        kiln_library *library;
        kiln_error *error;
        live l;
        begin_in_process(&l);
        made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", texts[i], NULL);
        CHECK_INT(add_made(&l, LAZY, "a", input, NULL, &error), KILN_BIND);
        CHECK_CONTAINS(kiln_error_message(error), "function by function");
        kiln_error_destroy(error);
        kiln_spec *spec = kiln_spec_create("parts");
        kiln_spec_add_memory_source(spec, "a.c", texts[i], strlen(texts[i]), NULL);
        CHECK_STATUS(kiln_library_load_spec(l.session, spec, &options, &library, &error), KILN_OK,
                     &error);
        CHECK_INT(call_int(library, "run"), 42);
        kiln_library_close(library);
        kiln_spec_destroy(spec);
        live_end(&l);
    }
    live l;
    kiln_error *error;
    static const char *const profile[] = {"-fprofile-instr-generate", NULL};
    begin_in_process(&l);
    made input =
        live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", "int run(void) { return 1; }", profile);
    CHECK_INT(add_made(&l, LAZY, "a", input, NULL, &error), KILN_BIND);
    CHECK_CONTAINS(kiln_error_message(error), "instrprof");
    kiln_error_destroy(error);
    live_end(&l);
}

/* Several modules of one dylib, each with an own idea of a name. */
TEST(modules_side_by_side)
{
    for (way way = 0; way < WAYS; way++) {
        live l;
        begin_in_process(&l);
        add(&l, way, "a.c",
            "__attribute__((weak)) int f(void) { return 1; }\n"
            "int g(void) __attribute__((alias(\"f\")));\n"
            "int h(void); int h_of_a(void) { return h(); }\n"
            "__attribute__((weak)) int h(void) { return 1; }");
        add(&l, way, "b.c", "int f(void) { return 2; }");
        add(&l, way, "c.c",
            "static int impl(void) { return 3; }\n"
            "int h(void) __attribute__((alias(\"impl\")));\n"
            "int w(void) __attribute__((weak, alias(\"impl\")));");
        add(&l, way, "d.c", "int w(void) { return 4; }");
        CHECK_INT(live_int(&l, "g"), 1);
        CHECK_INT(live_int(&l, "f"), 2);
        CHECK_INT(live_int(&l, "h"), 3);
        if (live_int(&l, "h_of_a") != 3)
            support_fail(__FILE__, __LINE__, "way %d", way);
        CHECK_INT(live_int(&l, "w"), 4);
        live_end(&l);
    }
}

/* The same of assembly, and of groups with strong members. */
TEST(modules_with_weak_assembly_and_groups)
{
    static const char assembly[] =
        "__asm__(\".weak f\\n.type f,@function\\nf: mov $42, %%eax\\nret\\n.size f,.-f\");\n"
        "int f(void); int %s(void) { return f(); }";
    static const char group[] = "$h = comdat any\n"
                                "define i32 @h() comdat { ret i32 42 }\n"
                                "define i32 @%s() { %%r = call i32 @h() ret i32 %%r }\n";
    for (way way = 0; way < WAYS; way++) {
        live l;
        begin_in_process(&l);
        add(&l, way, "a.c", strdup(text_of(assembly, "of_a")));
        add(&l, way, "b.c", strdup(text_of(assembly, "of_b")));
        CHECK_INT(live_int(&l, "of_a"), 42);
        CHECK_INT(live_int(&l, "of_b"), 42);
        add(&l, way, "a.ll", strdup(text_of(group, "in_a")));
        add(&l, way, "b.ll", strdup(text_of(group, "in_b")));
        CHECK_INT(live_int(&l, "in_a"), 42);
        CHECK_INT(live_int(&l, "in_b"), 42);
        live_end(&l);
    }
}

/* What is thread-local is constructed for other libraries, too. */
TEST(thread_locals_of_another_library)
{
    const kiln_load_options options = {.size = sizeof options, .lazy = true};
    static const char needed[] = "struct S { int v; S() : v(42) {} }; thread_local S x;";
    static const char user[] = "struct S { int v; S(); }; extern thread_local S x;\n"
                               "extern \"C\" int run() { return x.v; }";
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_library *library;
    kiln_error *error;
    kiln_spec *lower = kiln_spec_create("lower"), *upper = kiln_spec_create("upper");
    kiln_spec_add_memory_source(lower, "lower.cpp", needed, strlen(needed), NULL);
    kiln_spec_add_memory_source(upper, "upper.cpp", user, strlen(user), NULL);
    kiln_spec_add_dependency(upper, "lower");
    CHECK_STATUS(kiln_session_register(session, lower, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_library_load_spec(session, upper, &options, &library, &error), KILN_OK,
                 &error);
    CHECK_INT(call_int(library, "run"), 42);
    kiln_library_close(library);
    kiln_spec_destroy(lower);
    kiln_spec_destroy(upper);
    kiln_session_destroy(session);
}

/* One name with and without the mark that says to leave it as it is; aliases of what is discarded. */
TEST(names_in_ir)
{
    static const char *const texts[] = {
        "declare i32 @\"\\01f\"()\ndefine i32 @f() { ret i32 42 }\n"
        "define i32 @run() { %r = call i32 @\"\\01f\"() ret i32 %r }\n",
        "@\"\\01n\" = global i32 42\n@n = external global i32\n"
        "define i32 @run() { %r = load i32, ptr @n ret i32 %r }\n"};
    run_all(texts, 2, "a.ll");
    live l;
    begin_in_process(&l);
    add(&l, WHOLE, "a.ll",
        "@pair = weak global [2 x i32] [i32 1, i32 2]\n"
        "@first = alias i32, getelementptr (i8, ptr @pair, i64 0)\n"
        "define weak_odr i32 @f() { ret i32 1 }\n@a = weak_odr alias i32 (), ptr @f\n"
        "@b = alias i32 (), ptr @a\n"
        "define i32 @of_first() { %r = load i32, ptr @first ret i32 %r }\n");
    add(&l, WHOLE, "b.ll",
        "@pair = global [2 x i32] [i32 3, i32 4]\ndefine i32 @a() { ret i32 5 }\n");
    CHECK_INT(live_int(&l, "of_first"), 1);
    CHECK_INT(live_int(&l, "b"), 1);
    CHECK_INT(live_int(&l, "a"), 5);
    CHECK_INT(*(int *)live_data(&l, "pair"), 3);
    live_end(&l);
}

TEST(bitcode_of_another_processor)
{
    static const char *const elsewhere[] = {
        "target triple = \"aarch64-unknown-linux-gnu\"\ndefine i32 @run() { ret i32 1 }\n",
        "target datalayout = \"e-m:e-p:32:32-f64:32:64-f80:32-n8:16:32-S128\"\n"
        "target triple = \"x86_64-unknown-linux-gnu\"\ndefine i32 @run() { ret i32 1 }\n"};
    for (size_t i = 0; i < 2; i++) {
        live l;
        kiln_error *error;
        begin_in_process(&l);
        CHECK_INT(
            kiln_jit_add_bytes(l.dylib, "a", elsewhere[i], strlen(elsewhere[i]), NULL, &error),
            KILN_INVALID_ARGUMENT);
        CHECK_CONTAINS(kiln_error_message(error), i ? "data layout" : "aarch64");
        kiln_error_destroy(error);
        live_end(&l);
    }
    /* As clang makes it for one. */
    live l;
    kiln_error *error;
    static const char *const target[] = {"--target=aarch64-unknown-linux-gnu", NULL};
    begin_in_process(&l);
    made input =
        live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", "int run(void) { return 1; }", target);
    for (way way = WHOLE; way < WAYS; way++) {
        CHECK_INT(add_made(&l, way, "a", input, NULL, &error), KILN_INVALID_ARGUMENT);
        CHECK_CONTAINS(kiln_error_message(error), "aarch64");
        kiln_error_destroy(error);
    }
    live_end(&l);
}

/* An inline function of C that nobody has is missing at the load, not at the call. */
TEST(inline_functions_that_nobody_has)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    begin_in_process(&l);
    code = add(&l, LAZY, "a.c",
               "inline int nowhere(int x) { return x; }\n"
               "int run(void) { return nowhere(1); }");
    CHECK_INT(kiln_jit_link(code, &error), KILN_BIND);
    CHECK_CONTAINS(kiln_error_message(error), "nowhere");
    kiln_error_destroy(error);
    live_end(&l);
}

/* A reference that reaches two gigabytes is good within the JIT, and nowhere else. */
TEST(code_of_programs)
{
    static const char ir[] =
        "@far = external dso_local global i32\n"
        "define i32 @way%d() {\n"
        "  %%n = load i32, ptr @far\n  %%r = add i32 %%n, 41\n  ret i32 %%r\n}\n";
    static int far = 1;
    live l;
    begin_in_process(&l);
    live_lend(&l, "far", &far);
    live_add(&l, KILN_OUTPUT_OBJECT, "near.c", "int near = 42;");
    made near = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c",
                             "extern int near; int run(void) { int r; __asm__(\"movl "
                             "near(%%rip), %0\" : \"=r\"(r)); return r; }",
                             NULL);
    made stray = live_compile(&l, KILN_OUTPUT_OBJECT, "b.c",
                              "extern int far; int other(void) { int r; __asm__(\"movl "
                              "far(%%rip), %0\" : \"=r\"(r)); return r; }",
                              NULL);
    CHECK_STATUS(add_made(&l, OBJECT, "a", near, NULL, NULL), KILN_OK, NULL);
    CHECK_STATUS(add_made(&l, OBJECT, "b", stray, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(live_int(&l, "run"), 42);
    char *text = live_fails(l.dylib, "other", KILN_BIND);
    CHECK_CONTAINS(text, "'far'");
    CHECK_CONTAINS(text, "-fPIC");
    free(text);
    /* IR says so of itself, and can be told otherwise. */
    for (way way = WHOLE; way < WAYS; way++) {
        made made =
            live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "c.ll", strdup(text_of(ir, way)), NULL);
        CHECK_STATUS(add_made(&l, way, strdup(text_of("c%d", way)), made, NULL, NULL), KILN_OK,
                     NULL);
        CHECK_INT(live_int(&l, strdup(text_of("way%d", way))), 42);
    }
    live_end(&l);
}

/* What compiles has an errno and a rounding of its own. */
static int rounding_within;
static int errno_of_call(void)
{
    return errno;
}
static kiln_function disturb(const char *function, const char *message, void *data)
{
    (void)function;
    (void)message;
    (void)data;
    rounding_within = fegetround();
    errno = 1;
    return (kiln_function)errno_of_call;
}

TEST(a_first_call_is_disturbed)
{
    const kiln_jit_options options = {.size = sizeof options, .call_failed = disturb};
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    add(&l, LAZY, "a.c", "int later(void); int needs(void) { return later() + 1; }");
    int (*needs)(void) = (int (*)(void))kiln_jit_function(l.dylib, "needs", &error);
    CHECK(needs);
    fesetround(FE_UPWARD);
    errno = 77;
    int result = needs(), seen = fegetround();
    fesetround(FE_TONEAREST);
    CHECK_INT(result, 77);
    CHECK_INT(seen, FE_UPWARD);
    CHECK_INT(rounding_within, FE_TONEAREST);
    live_end(&l);
}

/* Whoever calls a function first notices nothing of its compilation. */
TEST(a_first_call_is_a_call)
{
    live l;
    kiln_error *error;
    begin_in_process(&l);
    add(&l, LAZY, "a.c",
        "int *__errno_location(void); int fegetround(void);\n"
        "int kept(void) { return *__errno_location(); } int rounding(void) { return fegetround(); "
        "}\n"
        "double third(double x) { return x / 3.0; }");
    int (*kept)(void) = (int (*)(void))kiln_jit_function(l.dylib, "kept", &error);
    int (*rounding)(void) = (int (*)(void))kiln_jit_function(l.dylib, "rounding", &error);
    double (*third)(double) = (double (*)(double))kiln_jit_function(l.dylib, "third", &error);
    CHECK(kept && rounding && third);
    errno = 77;
    CHECK_INT(kept(), 77);
    fesetround(FE_UPWARD);
    int seen = rounding();
    fesetround(FE_TONEAREST);
    CHECK_INT(seen, FE_UPWARD);
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_INEXACT | FE_UNDERFLOW);
    double whole = third(6.0);
    fedisableexcept(FE_ALL_EXCEPT);
    CHECK(whole == 2.0);
    CHECK(!fetestexcept(FE_ALL_EXCEPT));
    live_end(&l);
}

/* Constants that only an optimiser sees tell at which level code was made. */
TEST(levels_of_optimisation)
{
    static const char ir[] = "define i32 @level() {\n"
                             "  %p = alloca i32\n  store i32 3, ptr %p\n  %x = load i32, ptr %p\n"
                             "  %c = call i1 @llvm.is.constant.i32(i32 %x)\n"
                             "  %r = zext i1 %c to i32\n  ret i32 %r\n}\n"
                             "declare i1 @llvm.is.constant.i32(i32)\n";
    static const char *const levels[] = {"-O0", "-O1", "-O2", "-O3"};
    for (int level = 0; level < 4; level++)
        for (int in_process = 0; in_process < 2; in_process++) {
            const kiln_jit_options options = {.size = sizeof options,
                                              .optimisation = levels[level],
                                              .ir_in_process = in_process != 0};
            live l = {.session = session_create(scratch("cache"), NULL)};
            kiln_error *error;
            kiln_jit_dylib *lazy;
            CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
            CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK,
                         &error);
            CHECK_STATUS(kiln_jit_add_dylib(l.jit, "lazy", NULL, &lazy, &error), KILN_OK, &error);
            CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", ir, strlen(ir), NULL, &error), KILN_OK,
                         &error);
            CHECK_INT(live_int(&l, "level"), level > 0);
            made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.ll", ir, NULL);
            CHECK_STATUS(kiln_jit_add_lazy(lazy, "a", input.bytes, input.size, NULL, NULL, &error),
                         KILN_OK, &error);
            CHECK_INT(live_int_of(lazy, "level"), level > 0);
            live_end(&l);
        }
    /* A library's own level. */
    for (int level = 0; level < 3; level++) {
        const kiln_load_options options = {.size = sizeof options, .lazy = true};
        kiln_session *session = session_create(scratch("cache"), NULL);
        kiln_library *library;
        kiln_error *error;
        kiln_spec *spec = kiln_spec_create("levels");
        kiln_spec_add_memory_source(spec, "a.ll", ir, strlen(ir), NULL);
        kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){levels[level], NULL});
        CHECK_STATUS(kiln_library_load_spec(session, spec, &options, &library, &error), KILN_OK,
                     &error);
        CHECK_INT(call_int(library, "level"), level > 0);
        kiln_library_close(library);
        kiln_spec_destroy(spec);
        kiln_session_destroy(session);
    }
}
