/* misuse_limits.c - sources that would keep a compiler busy, or eat the memory, for ever: the job
 * ends, with an error that says which limit it was, and the session goes on. No assertion depends
 * on how long anything takes. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static kiln_session *limited_session(void)
{
    kiln_session_options options = session_options(NULL, NULL);
    options.job_seconds = 4;
    options.job_memory_bytes = 2ull << 30;
    return session_create_with(&options);
}

static void still_works(kiln_session *session)
{
    write_file(scratch("good.c"), "int value(void) { return 42; }\n");
    kiln_library *library = load_file(session, scratch("good.c"));
    CHECK_INT(call_int(library, "value"), 42);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
}

/* Load a source that must fail with one of two statuses; its error names it. */
static void bomb(const char *file, const char *text, const char *argument, kiln_status first,
                 kiln_status second)
{
    kiln_session *session = limited_session();
    write_file(scratch("%s", file), text);
    kiln_spec *spec = spec_of_file("bomb", scratch("%s", file));
    if (argument)
        kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){argument, NULL});
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    if (status != first && status != second)
        support_fail(__FILE__, __LINE__, "%s gives %s: %.4000s", file, kiln_status_name(status),
                     error ? kiln_error_rendered(error) : "");
    CHECK_INT(kiln_error_code(error), status);
    CHECK_CONTAINS(kiln_error_rendered(error), file);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(endless_inclusion)
{
    bomb("include.c", "#include __FILE__\n", NULL, KILN_COMPILE, KILN_COMPILE);
}

TEST(doubling_inclusion)
{
    bomb("doubling.c", "#include __FILE__\n#include __FILE__\n", "-ferror-limit=0", KILN_COMPILE,
         KILN_LIMIT);
}

TEST(doubling_macros)
{
    char *text = strdup("#define M0 1,1,1,1,1,1,1,1\n");
    for (int i = 1; i < 30; i++) {
        char *longer = text_of("%s#define M%d M%d,M%d\n", text, i, i - 1, i - 1);
        free(text);
        text = longer;
    }
    bomb("macros.c", text_of("%sint values[] = { M29 };\n", text), NULL, KILN_LIMIT, KILN_COMPILE);
}

TEST(template_recursion)
{
    bomb("recursion.cpp", "template <int N> struct A { A<N + 1> next; };\nA<0> a;\n", NULL,
         KILN_COMPILE, KILN_COMPILE);
}

TEST(template_recursion_without_its_limit)
{
    bomb("unlimited.cpp",
         "template <int N> struct A { enum { v = A<N + 1>::v + 1 }; };\nint a = A<0>::v;\n",
         "-ftemplate-depth=100000000", KILN_LIMIT, KILN_COMPILER);
}

TEST(template_doubling)
{
    bomb("tree.cpp",
         "template <unsigned long N> struct A { enum { v = A<N * 2>::v + A<N * 2 + 1>::v }; };\n"
         "int a = A<1>::v;\n",
         "-ftemplate-depth=900", KILN_COMPILE, KILN_LIMIT);
}

TEST(constant_expression_steps)
{
    bomb("steps.cpp",
         "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n",
         "-std=c++20", KILN_COMPILE, KILN_COMPILE);
}

TEST(constant_expression_without_end)
{
    bomb("endless.cpp",
         "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n",
         "-fconstexpr-steps=4294967295", KILN_LIMIT, KILN_LIMIT);
}

TEST(constant_expression_memory)
{
    bomb("memory.cpp",
         "struct big { char bytes[1 << 20]; };\n"
         "constexpr unsigned f() { unsigned n = 0; for (unsigned i = 0; i < 100000; i++) { auto *p "
         "= new big[100](); n += p[i % "
         "100].bytes[i]; } return n; }\n"
         "constexpr unsigned x = f();\n",
         "-std=c++20", KILN_LIMIT, KILN_COMPILE);
}

TEST(huge_initialised_data)
{
    bomb("data.c", "char data[1ul << 38] = {1};\n", NULL, KILN_LIMIT, KILN_COMPILE);
}

/* It compiles and links; there is no room to map it. */
TEST(huge_bss)
{
    kiln_session *session = limited_session();
    write_file(scratch("bss.c"), "char zero[1ul << 46];\nint value(void) { return zero[5]; }\n");
    kiln_spec *spec = spec_of_file("huge", scratch("bss.c"));
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-mcmodel=large", NULL});
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, &error);
    CHECK(status == KILN_BIND || status == KILN_LINK);
    CHECK_CONTAINS(kiln_error_message(error), "huge");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(assembler_repetition)
{
    bomb("repeat.s", ".data\n.rept 2000000000\n.quad 1\n.endr\n", NULL, KILN_LIMIT, KILN_COMPILE);
}

TEST(assembler_fill)
{
    bomb("fill.s", ".data\n.fill 0x7ffffffff, 8, 1\n", NULL, KILN_LIMIT, KILN_COMPILE);
}

static char *repeated(const char *before, const char *piece, int count, const char *after)
{
    size_t length = strlen(piece);
    char *text = malloc(strlen(before) + length * (size_t)count + strlen(after) + 1), *end = text;
    end = stpcpy(end, before);
    for (int i = 0; i < count; i++)
        end = stpcpy(end, piece);
    strcpy(end, after);
    return text;
}

TEST(deep_brackets)
{
    bomb("brackets.c", repeated("int x = ", "(", 100000, "1;\n"), NULL, KILN_COMPILE, KILN_COMPILE);
}

TEST(deep_brackets_without_their_limit)
{
    bomb("deeper.c", repeated("int x = ", "(", 2000000, "1;\n"), "-fbracket-depth=100000000",
         KILN_COMPILER, KILN_COMPILE);
}

/* A left-leaning tree of a million nodes: clang may take it or run out of stack; Kiln must survive
 * both. */
TEST(long_expression)
{
    kiln_session *session = limited_session();
    write_file(scratch("long.c"), repeated("int f(int a) { return a", "+a", 1000000, "; }\n"));
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_library_open(session, scratch("long.c"), NULL, &library, &error);
    if (status == KILN_OK)
        kiln_library_close(library);
    else
        CHECK(status == KILN_COMPILER || status == KILN_LIMIT || status == KILN_COMPILE);
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

TEST(limits_are_named)
{
    kiln_session *session = limited_session();
    write_file(
        scratch("time.cpp"),
        "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n");
    kiln_spec *spec = spec_of_file("slow", scratch("time.cpp"));
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-fconstexpr-steps=4294967295", NULL});
    kiln_error *error = load_spec_fails(session, spec, KILN_LIMIT);
    CHECK_CONTAINS(kiln_error_message(error), "limit of time");
    kiln_error_destroy(error);

    write_file(scratch("memory.s"), ".data\n.rept 2000000000\n.quad 1\n.endr\n");
    error = load_file_fails(session, scratch("memory.s"), KILN_LIMIT);
    CHECK_CONTAINS(kiln_error_message(error), "memory");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

/* A limit that leaves no room for the compiler at all. */
TEST(limit_below_reason)
{
    kiln_session_options options = session_options(NULL, NULL);
    options.job_memory_bytes = 1 << 20;
    kiln_session *session = session_create_with(&options);
    write_file(scratch("any.c"), "int value(void) { return 1; }\n");
    kiln_error *error = load_file_fails(session, scratch("any.c"), KILN_LIMIT);
    CHECK_CONTAINS(kiln_error_message(error), "memory");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

TEST(failed_jobs_are_not_cached)
{
    event_log log = {0};
    kiln_session_options options = session_options(scratch("cache"), &log);
    options.job_seconds = 2;
    kiln_session *session = session_create_with(&options);
    write_file(
        scratch("slow.cpp"),
        "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n");
    for (int i = 0; i < 2; i++) {
        kiln_spec *spec = spec_of_file("slow", scratch("slow.cpp"));
        kiln_spec_add_arguments(spec, KILN_PRIVATE,
                                (const char *const[]){"-fconstexpr-steps=4294967295", NULL});
        kiln_error_destroy(load_spec_fails(session, spec, KILN_LIMIT));
    }
    CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], 2);
    CHECK_INT(log.count[KILN_EVENT_LOOKUP_HIT], 0);
    kiln_session_destroy(session);
}

static void set_soft_limit(int resource, rlim_t value)
{
    struct rlimit limit;
    getrlimit(resource, &limit);
    if (value > limit.rlim_max)
        skip("the hard limit is too low");
    limit.rlim_cur = value;
    CHECK_INT(setrlimit(resource, &limit), 0);
}

/* A library of many files without a cache: the compiler gets a descriptor for each object. */
static kiln_spec *spec_of_many(int count)
{
    kiln_spec *spec = kiln_spec_create("many");
    for (int i = 0; i < count; i++) {
        char *name = text_of("f%d.c", i);
        char *text = i ? text_of("int f%d(void) { return %d; }\n", i, i)
                       : text_of("int f%d(void);\nint value(void) { return f%d(); }\n", count - 1,
                                 count - 1);
        kiln_spec_add_memory_source(spec, name, text, strlen(text), NULL);
    }
    return spec;
}

/* The host was low in descriptors when the compiler started, and helped itself to more later. */
TEST(the_compiler_has_descriptors_enough)
{
    kiln_session *session = session_create(NULL, NULL);
    set_soft_limit(RLIMIT_NOFILE, 40);
    still_works(session);
    set_soft_limit(RLIMIT_NOFILE, 400);
    kiln_library *library = load_spec(session, spec_of_many(60));
    CHECK_INT(call_int(library, "value"), 59);
    kiln_session_destroy(session);
}

/* Where they cannot be had, the error says so. */
TEST(a_compiler_without_descriptors_says_so)
{
    const char *compiler = getenv("KILN_COMPILER");
    if (!compiler)
        skip("needs KILN_COMPILER");
    char *script = scratch("compiler.sh");
    write_file(script, text_of("#!/bin/sh\nulimit -n 40\nexec '%s'\n", compiler));
    CHECK_INT(chmod(script, 0700), 0);
    kiln_session_options options = session_options(NULL, NULL);
    options.compiler_path = script;
    kiln_session *session = session_create_with(&options);
    still_works(session);
    kiln_error *error = load_spec_fails(session, spec_of_many(60), KILN_COMPILER);
    CHECK_CONTAINS(kiln_error_message(error), "Too many open files");
    kiln_error_destroy(error);
    still_works(session);
    kiln_session_destroy(session);
}

/* Memory files count as files; SIGXFSZ would end the compiler. */
TEST(file_size_limits_of_the_host_are_not_the_compilers)
{
    kiln_session *session = session_create(NULL, NULL);
    write_file(scratch("large.c"), "int value(void) { return 7; }\nchar filler[100000] = {1};\n");
    set_soft_limit(RLIMIT_FSIZE, 4096);
    kiln_library *library = load_file(session, scratch("large.c"));
    CHECK_INT(call_int(library, "value"), 7);
    kiln_session_destroy(session);
}
