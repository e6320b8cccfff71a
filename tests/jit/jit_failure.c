/* jit_failure.c - bad input: each gets a clear error, and the JIT goes on. */
#include "live.h"

#include <stdlib.h>
#include <string.h>

static const char good[] = "int n = 3; int helper(int x); static int own(int x) { return x * n; }\n"
                           "int run(void) { return own(4) + helper(5); }\n";

static char *add_fails(live *l, const char *name, const void *bytes, size_t size,
                       kiln_status expected)
{
    kiln_error *error = NULL;
    CHECK_STATUS(kiln_jit_add_bytes(l->dylib, name, bytes, size, NULL, &error), expected, NULL);
    char *text = strdup(kiln_error_rendered(error));
    kiln_error_destroy(error);
    return text;
}

static void still_works(live *l)
{
    kiln_jit_code *a = live_add(l, KILN_OUTPUT_OBJECT, "works.c", "int works(void) { return 1; }");
    CHECK_INT(live_int(l, "works"), 1);
    CHECK_STATUS(kiln_jit_remove(a, NULL), KILN_OK, NULL);
}

TEST(garbage)
{
    live l;
    live_begin(&l);
    CHECK_CONTAINS(add_fails(&l, "none", "", 0, KILN_INVALID_ARGUMENT), "none");
    CHECK_CONTAINS(add_fails(&l, "words", "what is this", 12, KILN_COMPILE), "words.ll:1:1");
    CHECK_CONTAINS(add_fails(&l, "short", "\177ELF", 4, KILN_INVALID_ARGUMENT), "'short'");
    CHECK_CONTAINS(add_fails(&l, "ar", "!<arch>\nwhat", 12, KILN_INVALID_ARGUMENT), "'ar'");
    CHECK_CONTAINS(add_fails(&l, "bc", "BC\xc0\xde....", 8, KILN_COMPILE), "bc");
    static const char wrong[] = "define i32 @f() {\n  ret i64 5\n}\n";
    CHECK_CONTAINS(add_fails(&l, "ir", wrong, strlen(wrong), KILN_COMPILE), "ir.ll:2:");
    static const char unsound[] =
        "define i32 @f(i1 %c) {\n  br i1 %c, label %a, label %b\na:\n  %x = "
        "add i32 1, 2\n  br label %b\nb:\n  ret i32 %x\n}\n";
    CHECK_CONTAINS(add_fails(&l, "unsound", unsound, strlen(unsound), KILN_COMPILE), "dominate");
    static const char foreign[] =
        "target triple = \"aarch64-linux-gnu\"\ndefine void @f() {\n  ret "
        "void\n}\n";
    CHECK_CONTAINS(add_fails(&l, "foreign", foreign, strlen(foreign), KILN_COMPILE), "aarch64");
    still_works(&l);
    live_end(&l);
}

TEST(other_objects)
{
    live l;
    live_begin(&l);
    made object = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c", good, NULL);
    char *bytes = malloc(object.size);
    memcpy(bytes, object.bytes, object.size);
    bytes[18] = (char)183; /* e_machine: AArch64 */
    bytes[19] = 0;
    CHECK_CONTAINS(add_fails(&l, "arm", bytes, object.size, KILN_INVALID_ARGUMENT),
                   "another processor");
    memcpy(bytes, object.bytes, object.size);
    bytes[4] = 1; /* 32 bits */
    CHECK_CONTAINS(add_fails(&l, "small", bytes, object.size, KILN_INVALID_ARGUMENT),
                   "another processor");
    memcpy(bytes, object.bytes, object.size);
    bytes[16] = 3; /* e_type: a shared library */
    CHECK_CONTAINS(add_fails(&l, "linked", bytes, object.size, KILN_INVALID_ARGUMENT), "no object");
    free(bytes);
    still_works(&l);
    live_end(&l);
}

/* All that are missing are told, and what was missing may come later. */
TEST(missing_symbols)
{
    live l;
    kiln_error *error = NULL;
    live_begin(&l);
    live_add(
        &l, KILN_OUTPUT_OBJECT, "a.cpp",
        "int one(); extern int two; extern \"C\" int three(int); extern \"C\" int run() { return "
        "one() + two + three(4); } extern \"C\" int user() { return run(); }");
    CHECK(!kiln_jit_function(l.dylib, "run", &error));
    CHECK_INT(kiln_error_code(error), KILN_BIND);
    CHECK_CONTAINS(kiln_error_message(error), "3 symbols are missing");
    CHECK_CONTAINS(kiln_error_message(error), "'one()', 'three', 'two'");
    CHECK_INT(kiln_error_missing_symbol_count(error), 3);
    CHECK_TEXT(kiln_error_missing_symbol(error, 0)->demangled, "one()");
    kiln_error_destroy(error);
    live_add(
        &l, KILN_OUTPUT_BITCODE, "b.cpp",
        "int one() { return 1; } int two = 20; extern \"C\" int three(int n) { return n * 100; "
        "}");
    CHECK_INT(live_int(&l, "run"), 421);
    CHECK_INT(live_int(&l, "user"), 421);
    still_works(&l);
    live_end(&l);
}

/* What was linked before its need turned out to lack something neither runs nor stays broken. */
static void check_missing_behind(const char *name, const char *first, const char *second)
{
    live l;
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.cpp", first);
    live_add(&l, KILN_OUTPUT_OBJECT, "g.cpp", "int h(); int g() { return h(); }");
    if (second)
        live_add(&l, KILN_OUTPUT_OBJECT, "b.cpp", second);
    for (int i = 0; i < 2; i++)
        CHECK_CONTAINS(live_fails(l.dylib, name, KILN_BIND), "'h()'");
    live_add(&l, KILN_OUTPUT_OBJECT, "c.cpp", "int h() { return 6; }");
    CHECK_INT(live_int(&l, name), 6);
    still_works(&l);
    live_end(&l);
}

TEST(missing_symbols_of_what_is_needed)
{
    check_missing_behind("f", "int g(); extern \"C\" int f() { return g(); }", NULL);
}

TEST(missing_symbols_of_what_constructors_need)
{
    check_missing_behind("f", "int g(); static int x = g(); extern \"C\" int f() { return x; }",
                         NULL);
}

/* d refers to f alone, which would be complete but for its object's constructor. */
TEST(missing_symbols_behind_what_is_complete)
{
    check_missing_behind("d", "int g(); int x = g(); extern \"C\" int f() { return 6; }",
                         "extern \"C\" int f(); extern \"C\" int d() { return f(); }");
}

/* Nobody asks for a symbol of it. */
TEST(missing_symbols_of_constructors_alone)
{
    live l;
    kiln_error *error = NULL;
    live_begin(&l);
    kiln_jit_code *code =
        live_add(&l, KILN_OUTPUT_OBJECT, "a.cpp", "int g(); extern int y; static int x = y = g();");
    live_add(&l, KILN_OUTPUT_OBJECT, "g.cpp", "int h(); int y; int g() { return h(); }");
    for (int i = 0; i < 2; i++) {
        CHECK_INT(kiln_jit_link(code, &error), KILN_BIND);
        CHECK_CONTAINS(kiln_error_rendered(error), "'h()'");
        kiln_error_destroy(error);
    }
    live_add(&l, KILN_OUTPUT_OBJECT, "c.cpp", "int h() { return 6; }");
    CHECK_INT(kiln_jit_link(code, &error), KILN_OK);
    CHECK_INT(*(int *)live_data(&l, "y"), 6);
    still_works(&l);
    live_end(&l);
}

/* Every truncation, and a change of single bytes here and there: an error or code, never a crash. What
 * was changed is not called. */
static void batter(kiln_output_kind kind, const char *path, size_t step)
{
    live l;
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_OBJECT, "helper.c", "int helper(int x) { return x; }");
    made input = live_compile(&l, kind, path, good, NULL);
    char *bytes = malloc(input.size + 1);
    int refused = 0;
    for (size_t i = 0; i < input.size * 2; i += step) {
        size_t size = i < input.size ? i : input.size, at = i - size;
        kiln_jit_code *code = NULL;
        memcpy(bytes, input.bytes, input.size);
        if (i >= input.size)
            bytes[at] ^= (char)(1 << (at % 8));
        kiln_status status = kiln_jit_add_bytes(l.dylib, "battered", bytes, size, &code, NULL);
        refused += status != KILN_OK;
        if (status == KILN_OK) {
            kiln_jit_data(l.dylib, "run", NULL);
            kiln_jit_remove(code, NULL);
        }
    }
    CHECK(refused > 0);
    free(bytes);
    still_works(&l);
    live_end(&l);
}

TEST(battered_objects)
{
    batter(KILN_OUTPUT_OBJECT, "a.c", getenv("KILN_TEST_LONG") ? 1 : 7);
}

TEST(battered_bitcode)
{
    batter(KILN_OUTPUT_BITCODE, "a.c", getenv("KILN_TEST_LONG") ? 1 : 13);
}

TEST(battered_ir)
{
    batter(KILN_OUTPUT_IR, "a.c", getenv("KILN_TEST_LONG") ? 1 : 11);
}

TEST(battered_archives)
{
    batter(KILN_OUTPUT_ARCHIVE, "a.c", getenv("KILN_TEST_LONG") ? 1 : 7);
}

/* What it reserves of addresses is not enough: each thing that has no place is told so. */
TEST(no_room)
{
    const kiln_jit_options options = {.size = sizeof options, .address_space_bytes = 1 << 16};
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error = NULL;
    kiln_status status = kiln_jit_create(l.session, &options, &l.jit, &error);
    CHECK_STATUS(status, KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    made object = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c",
                               "char data[1 << 14] = {1}; int run(void) { return data[0]; }", NULL);
    int failures = 0, additions = 0;
    for (int i = 0; i < 20; i++) {
        kiln_jit_dylib *dylib;
        CHECK_STATUS(kiln_jit_add_dylib(l.jit, strdup(text_of("d%d", i)), NULL, &dylib, &error),
                     KILN_OK, &error);
        CHECK_STATUS(kiln_jit_add_bytes(dylib, "a", object.bytes, object.size, NULL, &error),
                     KILN_OK, &error);
        if (!kiln_jit_function(dylib, "run", &error)) {
            CHECK_CONTAINS(kiln_error_rendered(error), "room");
            kiln_error_destroy(error);
            failures++;
        }
    }
    CHECK(failures > 10 && failures < 20);
    /* Nor for what is little, in the end. */
    kiln_jit_code *code = NULL;
    for (status = KILN_OK; status == KILN_OK && additions < 20000; additions++)
        status = kiln_jit_add_symbols(l.dylib, text_of("s%d", additions), NULL, 0, &code, &error);
    CHECK_STATUS(status, KILN_NO_MEMORY, NULL);
    CHECK_CONTAINS(kiln_error_message(error), "address space");
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_symbols(l.dylib, "again", NULL, 0, NULL, &error), KILN_OK, &error);
    live_end(&l);
}

TEST(wrong_arguments)
{
    live l;
    kiln_error *error;
    kiln_jit *jit;
    kiln_jit_options options = {.size = sizeof options, .optimisation = "-O9"};
    live_begin(&l);
    CHECK_INT(kiln_jit_create(l.session, &options, &jit, &error), KILN_INVALID_ARGUMENT);
    CHECK_CONTAINS(kiln_error_message(error), "-O9");
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_add_dylib(l.jit, NULL, NULL, NULL, &error), KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_add_bytes(l.dylib, "a", NULL, 4, NULL, &error), KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);
    CHECK(!kiln_jit_function(l.dylib, NULL, &error));
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_remove(NULL, &error), KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);
    kiln_jit_destroy(NULL);
    live_end(&l);
}

TEST(without_the_plugin)
{
    kiln_error *error;
    kiln_jit *jit;
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_jit_options options = {.size = sizeof options, .plugin_path = scratch("none.so")};
    CHECK_INT(kiln_jit_create(session, &options, &jit, &error), KILN_UNSUPPORTED);
    CHECK_CONTAINS(kiln_error_message(error), "none.so");
    CHECK_CONTAINS(kiln_error_message(error), "KILN_JIT_PLUGIN");
    kiln_error_destroy(error);
    options.plugin_path = "libm.so.6";
    CHECK_INT(kiln_jit_create(session, &options, &jit, &error), KILN_UNSUPPORTED);
    CHECK_CONTAINS(kiln_error_message(error), "no engine for live code");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}
