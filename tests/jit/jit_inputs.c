/* jit_inputs.c - the ways in: shared libraries, objects from disk and from memory, IR, bitcode,
 * archives, libraries of the image engine, symbols of the host and of the process. */
#include "live.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char text[] = "int helper(int x);\n"
                           "static int calls;\n"
                           "int count(void) { return ++calls; }\n"
                           "int run(void) { return helper(20) + count(); }\n";
static const char helper[] = "int helper(int x) { return x * 2; }\n";

TEST(objects_from_memory)
{
    live l;
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c", text);
    live_add(&l, KILN_OUTPUT_OBJECT, "b.c", helper);
    CHECK_INT(live_int(&l, "run"), 41);
    CHECK_INT(live_int(&l, "run"), 42);
    CHECK_INT(live_int(&l, "count"), 3);
    live_end(&l);
}

TEST(objects_from_disk)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    made a = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c", text, NULL);
    made b = live_compile(&l, KILN_OUTPUT_OBJECT, "b.c", helper, NULL);
    write_bytes(scratch("a.o"), a.bytes, a.size);
    write_bytes(scratch("b.o"), b.bytes, b.size);
    CHECK_STATUS(kiln_jit_add_file(l.dylib, scratch("a.o"), &code, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_file(l.dylib, scratch("b.o"), NULL, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), 41);
    CHECK_INT(kiln_jit_add_file(l.dylib, scratch("none.o"), NULL, &error), KILN_NOT_FOUND);
    CHECK_CONTAINS(kiln_error_message(error), "none.o");
    kiln_error_destroy(error);
    live_end(&l);
}

TEST(bitcode_and_ir)
{
    live l;
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_BITCODE, "a.c", text);
    live_add(&l, KILN_OUTPUT_IR, "b.c", helper);
    CHECK_INT(live_int(&l, "run"), 41);
    live_end(&l);
}

TEST(ir_as_text)
{
    static const char ir[] = "@n = global i32 5\n"
                             "define i32 @run() {\n"
                             "  %v = load i32, ptr @n\n"
                             "  %r = add i32 %v, 2\n"
                             "  ret i32 %r\n"
                             "}\n";
    live l;
    kiln_error *error;
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "own.ll", ir, strlen(ir), NULL, &error), KILN_OK,
                 &error);
    CHECK_INT(live_int(&l, "run"), 7);
    *(int *)live_data(&l, "n") = 10;
    CHECK_INT(live_int(&l, "run"), 12);
    live_end(&l);
}

static made archive_of(live *l)
{
    const kiln_compile_options options = {.size = sizeof options, .kind = KILN_OUTPUT_ARCHIVE};
    kiln_output output = {.size = sizeof output};
    kiln_outputs *outputs;
    kiln_error *error;
    kiln_spec *spec = kiln_spec_create("members");
    static const char *const members[] = {
        "int one(void); int two(void) { return one() + 1; }",
        "int one(void) { return 1; }",
        "int linked; __attribute__((constructor)) static void c(void) { linked = 1; }\n"
        "int three(void) { return linked; }",
        "int missing(void); int four(void) { return missing(); }",
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        kiln_spec_add_memory_source(spec, text_of("m%zu.c", i), members[i], strlen(members[i]),
                                    NULL);
    CHECK_STATUS(kiln_compile(l->session, spec, &options, &outputs, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_outputs_get(outputs, 0, &output), KILN_OK, NULL);
    kiln_spec_destroy(spec);
    return (made){output.bytes, output.size_bytes};
}

TEST(archives)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    made archive = archive_of(&l);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "libm.a", archive.bytes, archive.size, &code, &error),
                 KILN_OK, &error);
    /* Members that nobody needs may lack something. */
    CHECK_INT(live_int(&l, "two"), 2);
    CHECK_INT(live_int(&l, "three"), 1);
    CHECK_CONTAINS(live_fails(l.dylib, "four", KILN_BIND), "missing");
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    live_fails(l.dylib, "two", KILN_NOT_FOUND);
    /* From disk. */
    write_bytes(scratch("lib.a"), archive.bytes, archive.size);
    CHECK_STATUS(kiln_jit_add_file(l.dylib, scratch("lib.a"), &code, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "two"), 2);
    live_end(&l);
}

TEST(shared_libraries)
{
    live l;
    kiln_error *error;
    kiln_jit_dylib *bare;
    const kiln_jit_dylib_options without = {.size = sizeof without, .no_process_symbols = true};
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "bare", &without, &bare, &error), KILN_OK, &error);
    live_add_to(&l, bare, KILN_OUTPUT_OBJECT, "a.c",
                "double cbrt(double); int run(void) { return (int)cbrt(27.0); }");
    CHECK_CONTAINS(live_fails(bare, "run", KILN_BIND), "cbrt");
    CHECK_INT(kiln_jit_add_shared_library(bare, "libnone.so.9", NULL, &error), KILN_NOT_FOUND);
    CHECK_CONTAINS(kiln_error_message(error), "libnone.so.9");
    kiln_error_destroy(error);
    CHECK_CONTAINS(live_fails(bare, "run", KILN_BIND), "cbrt");
    /* What failed to link for want of something is tried again. */
    CHECK_STATUS(kiln_jit_add_shared_library(bare, "libm.so.6", NULL, &error), KILN_OK, &error);
    CHECK_INT(live_int_of(bare, "run"), 3);
    live_end(&l);
}

TEST(a_library_of_the_image_engine)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    static const char source[] =
        "int state = 5; __thread int own = 6; int image(void) { return state++ + own; }";
    kiln_spec *spec = kiln_spec_create("image");
    kiln_spec_add_memory_source(spec, "image.c", source, strlen(source), NULL);
    kiln_library *library = load_spec(l.session, spec);
    CHECK_STATUS(kiln_jit_add_library(l.dylib, library, &code, &error), KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_BITCODE, "a.c",
             "extern int state; extern __thread int own; int image(void);\n"
             "int run(void) { own = 60; state += 100; return image(); }");
    CHECK_INT(live_int(&l, "run"), 165);
    CHECK_INT(call_int(library, "image"), 166);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    CHECK_INT(live_int(&l, "run"), 267);
    live_end(&l);
}

static void write_library(live *l, const char *name, const char *text, const char *const *arguments)
{
    made library = live_compile(l, KILN_OUTPUT_SHARED_LIBRARY, "library.c", text, arguments);
    write_bytes(scratch(name), library.bytes, library.size);
}

TEST(libraries_that_are_missing_are_loaded)
{
    live l;
    kiln_error *error;
    kiln_jit_code *path;
    live_begin(&l);
    const char *folder = scratch("libraries");
    const char *const directories[] = {folder, NULL}, *const nowhere[] = {scratch("none"), NULL};
    mkdir(folder, 0777);
    CHECK_INT(kiln_jit_add_library_path(l.dylib, nowhere, &path, &error), KILN_NOT_FOUND);
    CHECK_CONTAINS(kiln_error_message(error), "none");
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_add_library_path(l.dylib, nowhere + 1, &path, &error),
              KILN_INVALID_ARGUMENT);
    kiln_error_destroy(error);

    write_library(&l, "libraries/libfar.so.1",
                  "int state = 9; _Thread_local int own = 4; int far(void) { return state++; }",
                  NULL);
    write_bytes(scratch("libraries/libtext.so"), "INPUT(libfar.so.1)", 18);
    write_bytes(scratch("libraries/libcut.so"), "\177ELF\2\1\1", 7);
    live_add(&l, KILN_OUTPUT_BITCODE, "user.c",
             "int far(void); extern int state; extern _Thread_local int own;\n"
             "__attribute__((weak)) int weak(void);\n"
             "int run(void) { return far() + state * 100 + own * 10000 + (weak ? 1 << 20 : 0); }");
    CHECK_CONTAINS(live_fails(l.dylib, "run", KILN_BIND), "far");
    CHECK_STATUS(kiln_jit_add_library_path(l.dylib, directories, &path, &error), KILN_OK, &error);
    write_library(&l, "libraries/libweak.so", "int weak(void) { return 1; }", NULL);
    CHECK_INT(live_int(&l, "run"), 9 + 1000 + 40000);

    /* One that comes later; one that lacks what it needs. */
    live_fails(l.dylib, "later", KILN_NOT_FOUND);
    write_library(&l, "libraries/liblater.so", "int later(void) { return 12; }", NULL);
    CHECK_INT(live_int(&l, "later"), 12);
    write_library(&l, "libraries/libgone.so", "int gone(void) { return 1; }", NULL);
    write_library(&l, "libraries/libneeds.so", "int gone(void); int needs(void) { return gone(); }",
                  (const char *const[]){text_of("-L%s", folder), "-lgone", NULL});
    unlink(scratch("libraries/libgone.so"));
    live_add(&l, KILN_OUTPUT_OBJECT, "more.c",
             "int needs(void); int more(void) { return needs(); }");
    CHECK_CONTAINS(live_fails(l.dylib, "more", KILN_BIND), "cannot be loaded");
    /* From an object that becomes an image. */
    write_library(&l, "libraries/libnear.so", "int near(void) { return 3; }", NULL);
    live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
             "int near(void); _Thread_local int mine = 5; __attribute__((weak)) int weak(void);\n"
             "int image(void) { return near() + mine++ + (weak ? 1 << 20 : 0); }");
    CHECK_INT(live_int(&l, "image"), 8);
    CHECK_STATUS(kiln_jit_remove(path, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), 10 + 1100 + 40000);
    live_fails(l.dylib, "weak", KILN_NOT_FOUND);
    live_end(&l);
}

/* An object with native thread-locals: an image, which finds builtins, dylibs and the host's symbols. */
TEST(an_object_that_becomes_an_image)
{
    static int lent = 30;
    const kiln_jit_symbol symbols[] = {{"lent", &lent}};
    live l;
    kiln_error *error;
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_symbols(l.dylib, "host", symbols, 1, NULL, &error), KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_OBJECT, "other.c", "int other(void) { return 400; }");
    made image = live_compile(&l, KILN_OUTPUT_OBJECT, "native.c",
                              "_Thread_local int own = 2;\n"
                              "extern int lent; int other(void);\n"
                              "int native(__int128 *n, __int128 *d)\n"
                              "{ return (int)(*n / *d) + own + lent + other(); }",
                              (const char *const[]){"-fno-emulated-tls", NULL});
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "native.o", image.bytes, image.size, NULL, &error),
                 KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_BITCODE, "user.c",
             "int native(__int128 *, __int128 *); extern _Thread_local int own;\n"
             "int run(void) { __int128 n = 10, d = 2; own = 1000; return native(&n, &d); }");
    CHECK_INT(live_int(&l, "run"), 5 + 1000 + 30 + 400);
    live_end(&l);
}

TEST(cxx_names)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.cpp",
             "namespace ns { int f(int x) { return x + 1; } int g(int) { return 2; }\n"
             "int g(double) { return 3; } int value = 5;\n"
             "struct S { int v; S(); }; S::S() : v(7) {} }\n"
             "template <class T> T twice(T x) { return x + x; } template int twice<int>(int);");
    int (*f)(int) = (int (*)(int))kiln_jit_function(l.dylib, "ns::f", &error);
    CHECK(f && f(1) == 2);
    int (*g)(double) = (int (*)(double))kiln_jit_function(l.dylib, "ns::g( double )", &error);
    CHECK(g && g(1) == 3);
    int (*twice)(int) = (int (*)(int))kiln_jit_function(l.dylib, "twice", &error);
    CHECK(twice && twice(4) == 8);
    int *value = kiln_jit_data(l.dylib, "ns::value", &error);
    CHECK(value && *value == 5);
    int s = 0;
    void (*make)(int *) = (void (*)(int *))kiln_jit_function(l.dylib, "ns::S::S", &error);
    CHECK(make);
    make(&s);
    CHECK_INT(s, 7);
    CHECK(!kiln_jit_function(l.dylib, "ns::g", &error));
    CHECK_INT(kiln_error_code(error), KILN_AMBIGUOUS);
    CHECK_CONTAINS(kiln_error_message(error), "ns::g(double)");
    kiln_error_destroy(error);
    CHECK(!kiln_jit_function(l.dylib, "ns::value", &error));
    CHECK_INT(kiln_error_code(error), KILN_NOT_FOUND);
    CHECK_CONTAINS(kiln_error_message(error), "ns::value");
    kiln_error_destroy(error);
    CHECK(!kiln_jit_function(l.dylib, "ns::none", NULL));

    /* What was promised, too: its names are known when it was compiled. */
    static const char source[] = "namespace later { int h() { return 11; } }";
    kiln_spec *spec = kiln_spec_create("later");
    kiln_spec_add_memory_source(spec, "later.cpp", source, strlen(source), NULL);
    CHECK_STATUS(kiln_jit_add_spec(l.dylib, spec, NULL, NULL, &error), KILN_OK, &error);
    kiln_spec_destroy(spec);
    int (*h)(void) = (int (*)(void))kiln_jit_function(l.dylib, "later::h", &error);
    CHECK(h && h() == 11);
    live_end(&l);
}

/* What stands behind all dylibs has no name there. */
TEST(names_of_what_is_not_code)
{
    live l;
    kiln_error *error;
    kiln_jit_dylib *bare;
    kiln_jit_code *first, *second;
    const kiln_jit_dylib_options without = {.size = sizeof without, .no_process_symbols = true};
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "bare", &without, &bare, &error), KILN_OK, &error);
    made object = live_compile(&l, KILN_OUTPUT_OBJECT, "process.c",
                               "int toupper(int); int run(void) { return toupper('a'); }", NULL);
    CHECK_STATUS(kiln_jit_add_bytes(bare, "process", object.bytes, object.size, NULL, &error),
                 KILN_OK, &error);
    CHECK_CONTAINS(live_fails(bare, "run", KILN_BIND), "toupper");
    CHECK_STATUS(kiln_jit_add_process_symbols(bare, &first, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_process_symbols(bare, &second, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(second, &error), KILN_OK, &error);
    CHECK_INT(live_int_of(bare, "run"), 'A');
    live_end(&l);
}

TEST(a_shared_library_twice)
{
    live l;
    kiln_error *error;
    kiln_jit_code *first, *second;
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_shared_library(l.dylib, "libm.so.6", &first, &error), KILN_OK,
                 &error);
    CHECK_STATUS(kiln_jit_add_shared_library(l.dylib, "libm.so.6", &second, &error), KILN_OK,
                 &error);
    CHECK(first == second);
    CHECK_STATUS(kiln_jit_remove(first, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(first, &error), KILN_OK, &error);
    live_end(&l);
}

static int seen;
static int notice(int value)
{
    return seen = value;
}

/* Exported by the program. */
__attribute__((visibility("default"))) int exported_by_the_test(void);
int exported_by_the_test(void)
{
    return 7;
}

TEST(symbols_of_the_host)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code, *named;
    const kiln_jit_symbol symbols[] = {{"notice", (const void *)(uintptr_t)notice},
                                       {"seen", &seen}};
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_symbols(l.dylib, "host", symbols, 2, &code, &error), KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c",
             "int notice(int); int exported_by_the_test(void); extern int seen;\n"
             "int run(void) { return notice(exported_by_the_test()) + seen; }");
    CHECK_INT(live_int(&l, "run"), 14);
    CHECK_INT(seen, 7);
    CHECK_INT(kiln_jit_add_symbols(l.dylib, "again", symbols, 1, NULL, &error),
              KILN_ALREADY_EXISTS);
    CHECK_CONTAINS(kiln_error_message(error), "notice");
    kiln_error_destroy(error);
    /* A C++ name may stand for either. */
    const kiln_jit_symbol cxx[] = {{"_ZN4host6noticeEi", symbols[0].address},
                                   {"_ZN4host4seenE", symbols[1].address}};
    CHECK_STATUS(kiln_jit_add_symbols(l.dylib, "cxx", cxx, 2, &named, &error), KILN_OK, &error);
    CHECK(kiln_jit_function(l.dylib, "host::notice", &error) == (kiln_function)notice);
    CHECK(kiln_jit_data(l.dylib, "host::seen", &error) == &seen);
    CHECK_STATUS(kiln_jit_remove(named, &error), KILN_OK, &error);
    free(live_fails(l.dylib, "host::seen", KILN_NOT_FOUND));
    /* Names go; what was linked goes on. */
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    free(live_fails(l.dylib, "notice", KILN_NOT_FOUND));
    CHECK_INT(live_int(&l, "run"), 14);
    live_end(&l);
}

/* A thread's own variable, by its plain name: of code, of what becomes an image, of a shared library. */
static void *address_of_variable(void *dylib)
{
    kiln_error *error;
    int *variable = kiln_jit_data(dylib, "variable", &error);
    CHECK(variable && *variable == 5);
    return variable;
}

static bool note_kind(const kiln_symbol *symbol, void *data)
{
    CHECK_TEXT(symbol->name, "variable");
    CHECK_INT(symbol->kind, KILN_SYMBOL_THREAD_LOCAL);
    ++*(int *)data;
    return true;
}

TEST(thread_local_variables)
{
    static const char source[] = "__thread int variable = 5;";
    static const kiln_output_kind kinds[] = {KILN_OUTPUT_BITCODE, KILN_OUTPUT_OBJECT,
                                             KILN_OUTPUT_ARCHIVE, KILN_OUTPUT_SHARED_LIBRARY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        live l;
        kiln_error *error;
        pthread_t thread;
        void *other;
        int count = 0;
        live_begin(&l);
        made input = live_compile(&l, kinds[i], "a.c", source, NULL);
        bool is_shared = kinds[i] == KILN_OUTPUT_SHARED_LIBRARY;
        if (is_shared) {
            write_bytes(scratch("variable.so"), input.bytes, input.size);
            CHECK_STATUS(kiln_jit_add_shared_library(l.dylib, scratch("variable.so"), NULL, &error),
                         KILN_OK, &error);
        } else {
            CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", input.bytes, input.size, NULL, &error),
                         KILN_OK, &error);
        }
        for (int again = 0; again < 2; again++) {
            if (!is_shared)
                CHECK_STATUS(kiln_jit_list(l.dylib, note_kind, &count, &error), KILN_OK, &error);
            void *own = address_of_variable(l.dylib);
            CHECK_INT(pthread_create(&thread, NULL, address_of_variable, l.dylib), 0);
            CHECK_INT(pthread_join(thread, &other), 0);
            CHECK(own != other);
            CHECK(own == address_of_variable(l.dylib));
        }
        CHECK_INT(count, is_shared ? 0 : 2);
        CHECK(!kiln_jit_function(l.dylib, "variable", &error));
        kiln_error_destroy(error);
        live_end(&l);
    }
}

TEST(thread_local_variables_of_a_live_library)
{
    const kiln_load_options options = {.size = sizeof options, .engine = "jit"};
    live l;
    kiln_error *error;
    kiln_library *library;
    pthread_t thread;
    void *other;
    live_begin(&l);
    kiln_spec *spec = kiln_spec_create("variable");
    kiln_spec_add_memory_source(spec, "v.c", "__thread int variable = 5;", 26, NULL);
    CHECK_STATUS(kiln_library_load_spec(l.session, spec, &options, &library, &error), KILN_OK,
                 &error);
    CHECK_STATUS(kiln_jit_add_library(l.dylib, library, NULL, &error), KILN_OK, &error);
    void *own = address_of_variable(l.dylib);
    CHECK_INT(pthread_create(&thread, NULL, address_of_variable, l.dylib), 0);
    CHECK_INT(pthread_join(thread, &other), 0);
    CHECK(own != other && own == address_of_variable(l.dylib));
    kiln_library_close(library);
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* A file is the one that was looked at, and not another one that the loader knows. */
TEST(a_shared_library_by_a_bare_name)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    made input =
        live_compile(&l, KILN_OUTPUT_SHARED_LIBRARY, "a.c", "int run(void) { return 3; }", NULL);
    write_bytes(scratch("own.so"), input.bytes, input.size);
    CHECK(chdir(scratch(".")) == 0);
    CHECK_STATUS(kiln_jit_add_file(l.dylib, "own.so", NULL, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), 3);
    live_end(&l);
}

/* Dylibs see each other as the host says, and themselves first. */
TEST(dylibs_in_order)
{
    live l;
    kiln_error *error;
    kiln_jit_dylib *first, *second;
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "first", NULL, &first, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "second", NULL, &second, &error), KILN_OK, &error);
    CHECK_INT(kiln_jit_add_dylib(l.jit, "second", NULL, &second, &error), KILN_ALREADY_EXISTS);
    kiln_error_destroy(error);
    live_add_to(&l, first, KILN_OUTPUT_OBJECT, "f.c", "int a(void) { return 1; }");
    live_add_to(
        &l, second, KILN_OUTPUT_OBJECT, "s.c",
        "int a(void) { return 2; } int b(void) { return 20; } int rand(void) { return -100; }");
    live_add(&l, KILN_OUTPUT_OBJECT, "m.c",
             "int a(void); int b(void); int rand(void); int run(void) { return a() + b() + rand(); "
             "}");
    kiln_jit_dylib *order[] = {second, first};
    CHECK_STATUS(kiln_jit_set_search_order(l.dylib, order, 2, &error), KILN_OK, &error);
    /* A dylib's rand is taken, not the process's. */
    CHECK_INT(live_int(&l, "run"), 2 + 20 - 100);
    CHECK_INT(live_int_of(first, "a"), 1);
    CHECK_INT(live_int(&l, "a"), 2);
    live_end(&l);
}

/* What is hidden in an object that becomes an image is its own: others define theirs. */
TEST(what_an_image_hides)
{
    live l;
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_OBJECT, "image.cpp",
             "__attribute__((weak, visibility(\"hidden\"))) int hidden() { return 1; }\n"
             "thread_local int own = 2; extern \"C\" int image() {\n"
             "  try { throw hidden(); } catch (int n) { return n + own; } }");
    live_add(&l, KILN_OUTPUT_OBJECT, "other.cpp",
             "__attribute__((weak, visibility(\"hidden\"))) int hidden() { return 10; }\n"
             "extern \"C\" int other() { try { throw hidden(); } catch (int n) { return n; } }");
    live_add(&l, KILN_OUTPUT_OBJECT, "lacking.cpp",
             "extern \"C\" __attribute__((visibility(\"hidden\"))) int lost();\n"
             "extern \"C\" int lacking() { return lost(); }");
    live_add(&l, KILN_OUTPUT_OBJECT, "hides.cpp",
             "extern \"C\" __attribute__((visibility(\"hidden\"))) int lost() { return 3; }\n"
             "thread_local int mine = 2; extern \"C\" int hides() { return mine + lost(); }");
    CHECK_INT(live_int(&l, "image"), 3);
    CHECK_INT(live_int(&l, "other"), 10);
    CHECK_INT(live_int(&l, "hides"), 5);
    CHECK_CONTAINS(live_fails(l.dylib, "lacking", KILN_BIND), "'lost'");
    live_end(&l);
}
