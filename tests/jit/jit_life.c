/* jit_life.c - adding twice, removing, adding again; memory; several JITs; threads. */
#include "live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(the_same_bytes_under_a_name)
{
    live l;
    kiln_error *error;
    kiln_jit_code *first, *second;
    live_begin(&l);
    made one = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c", "int run(void) { return 1; }", NULL);
    made two = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c", "int run(void) { return 2; }", NULL);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", one.bytes, one.size, &first, &error), KILN_OK,
                 &error);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", one.bytes, one.size, &second, &error), KILN_OK,
                 &error);
    CHECK(first == second);
    CHECK_INT(kiln_jit_add_bytes(l.dylib, "a", two.bytes, two.size, &second, &error),
              KILN_ALREADY_EXISTS);
    CHECK_CONTAINS(kiln_error_message(error), "'a'");
    kiln_error_destroy(error);
    CHECK_INT(live_int(&l, "run"), 1);
    /* The same symbol under another name. */
    CHECK_INT(kiln_jit_add_bytes(l.dylib, "b", two.bytes, two.size, &second, &error),
              KILN_ALREADY_EXISTS);
    CHECK_CONTAINS(kiln_error_message(error), "run");
    kiln_error_destroy(error);
    /* It was added twice. */
    CHECK_STATUS(kiln_jit_remove(first, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), 1);
    CHECK_STATUS(kiln_jit_remove(first, &error), KILN_OK, &error);
    CHECK_CONTAINS(live_fails(l.dylib, "run", KILN_NOT_FOUND), "'run'");
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", two.bytes, two.size, &first, &error), KILN_OK,
                 &error);
    CHECK_INT(live_int(&l, "run"), 2);
    live_end(&l);
}

/* The same of everything that bytes can be; what they become does not count, nor do names in them. */
TEST(the_same_bytes_of_every_kind)
{
    static const kiln_output_kind kinds[] = {KILN_OUTPUT_IR, KILN_OUTPUT_BITCODE,
                                             KILN_OUTPUT_ARCHIVE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        live l;
        kiln_error *error;
        kiln_jit_code *first, *second;
        live_begin(&l);
        made one = live_compile(&l, kinds[i], "a.c", "int run(void) { return 1; }", NULL);
        made two = live_compile(&l, kinds[i], "b.c", "int run(void) { return 1; }", NULL);
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", one.bytes, one.size, &first, &error), KILN_OK,
                     &error);
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", one.bytes, one.size, &second, &error),
                     KILN_OK, &error);
        CHECK(first == second);
        CHECK_INT(kiln_jit_add_bytes(l.dylib, "a", two.bytes, two.size, &second, &error),
                  KILN_ALREADY_EXISTS);
        kiln_error_destroy(error);
        live_end(&l);
    }
    live l;
    kiln_error *error;
    kiln_jit_code *first, *second;
    live_begin(&l);
    made one =
        live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "a.c", "int run(void) { return 1; }", NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", one.bytes, one.size, "-O1", &first, &error),
                 KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "a", one.bytes, one.size, "-O1", &second, &error),
                 KILN_OK, &error);
    CHECK(first == second);
    CHECK_INT(kiln_jit_add_lazy(l.dylib, "a", one.bytes, one.size, "-O2", &second, &error),
              KILN_ALREADY_EXISTS);
    kiln_error_destroy(error);
    CHECK_INT(kiln_jit_add_bytes(l.dylib, "a", one.bytes, one.size, &second, &error),
              KILN_ALREADY_EXISTS);
    kiln_error_destroy(error);
    live_end(&l);
}

/* Each object that is told of is told to go, at the latest with its JIT. */
static void count_object(const kiln_jit_object *object, void *data)
{
    CHECK(object->address && object->size_bytes && *object->name);
    *(int *)data += object->removed ? -1 : 1;
}

TEST(objects_are_told_of)
{
    int count = 0;
    const kiln_jit_options options = {
        .size = sizeof options, .object_callback = count_object, .object_data = &count};
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c", "int a(void) { return 1; }");
    kiln_jit_code *code = live_add(&l, KILN_OUTPUT_BITCODE, "b.c", "int b(void) { return 2; }");
    CHECK_INT(live_int(&l, "a") + live_int(&l, "b"), 3);
    CHECK_INT(count, 2);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    CHECK_INT(count, 1);
    live_end(&l);
    CHECK_INT(count, 0);
}

TEST(what_is_in_use_is_not_removed)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    kiln_jit_code *used = live_add(&l, KILN_OUTPUT_OBJECT, "used.c", "int f(void) { return 3; }");
    kiln_jit_code *user =
        live_add(&l, KILN_OUTPUT_OBJECT, "user.c", "int f(void); int run(void) { return f(); }");
    CHECK_INT(live_int(&l, "run"), 3);
    CHECK_INT(kiln_jit_remove(used, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "'user.c' refers to it");
    kiln_error_destroy(error);
    CHECK_INT(live_int(&l, "run"), 3);
    CHECK_STATUS(kiln_jit_remove(user, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(used, &error), KILN_OK, &error);
    live_end(&l);
}

static kiln_jit_code *running;
static int remove_running(void)
{
    kiln_error *error;
    CHECK_INT(kiln_jit_remove(running, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "this thread is running it");
    kiln_error_destroy(error);
    return 5;
}

/* Images, too: objects that became some, and libraries. */
TEST(images_in_use_are_not_removed)
{
    live l;
    kiln_error *error;
    kiln_jit_code *library_code;
    live_begin(&l);
    static const char source[] = "int of_library = 8;";
    kiln_spec *spec = kiln_spec_create("image");
    kiln_spec_add_memory_source(spec, "image.c", source, strlen(source), NULL);
    kiln_library *library = load_spec(l.session, spec);
    CHECK_STATUS(kiln_jit_add_library(l.dylib, library, &library_code, &error), KILN_OK, &error);
    kiln_jit_code *base =
        live_add(&l, KILN_OUTPUT_OBJECT, "base.c", "int base(void) { return 1; }");
    kiln_jit_code *image = live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
                                    "int base(void); _Thread_local int own = 2;\n"
                                    "int image(void) { return base() + own; }");
    kiln_jit_code *user =
        live_add(&l, KILN_OUTPUT_BITCODE, "user.c",
                 "int image(void); extern int of_library; extern _Thread_local int own;\n"
                 "int run(void) { return image() + of_library + own; }");
    CHECK_INT(live_int(&l, "run"), 1 + 2 + 8 + 2);
    const struct {
        kiln_jit_code *code;
        const char *user;
    } used[] = {{base, "'image.c' refers to it"},
                {image, "'user.c' refers to it"},
                {library_code, "'user.c' refers to it"}};
    for (int i = 0; i < 3; i++) {
        CHECK_INT(kiln_jit_remove(used[i].code, &error), KILN_REFUSED);
        CHECK_CONTAINS(kiln_error_message(error), used[i].user);
        kiln_error_destroy(error);
    }
    CHECK_STATUS(kiln_jit_remove(user, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(library_code, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(image, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_remove(base, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    live_end(&l);
}

/* Each dylib that has lent an image's symbol keeps it. */
TEST(a_library_that_two_dylibs_lend)
{
    live l;
    kiln_error *error;
    kiln_jit_dylib *second;
    kiln_jit_code *lenders[2];
    static const char source[] = "int of_library = 8;";
    live_begin(&l);
    kiln_spec *spec = kiln_spec_create("image");
    kiln_spec_add_memory_source(spec, "image.c", source, strlen(source), NULL);
    kiln_library *library = load_spec(l.session, spec);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "second", NULL, &second, &error), KILN_OK, &error);
    kiln_jit_dylib *const dylibs[] = {l.dylib, second};
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(kiln_jit_add_library(dylibs[i], library, &lenders[i], &error), KILN_OK,
                     &error);
        CHECK(kiln_jit_data(dylibs[i], "of_library", &error) != NULL);
    }
    for (int i = 0; i < 2; i++) {
        live_add_to(&l, dylibs[i], KILN_OUTPUT_OBJECT, "user.c",
                    "extern int of_library; int run(void) { return of_library; }");
        CHECK_INT(live_int_of(dylibs[i], "run"), 8);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_INT(kiln_jit_remove(lenders[i], &error), KILN_REFUSED);
        kiln_error_destroy(error);
    }
    kiln_library_close(library);
    live_end(&l);
}

/* Weak data that was left to another dylib is defined here once that has gone. */
TEST(weak_data_of_what_was_removed)
{
    live l;
    kiln_error *error;
    kiln_jit_dylib *user;
    live_begin(&l);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "user", NULL, &user, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_set_search_order(user, &l.dylib, 1, &error), KILN_OK, &error);
    kiln_jit_code *first = live_add(&l, KILN_OUTPUT_OBJECT, "first.cpp",
                                    "inline int shared_data = 2; int *p = &shared_data;");
    live_add_to(&l, user, KILN_OUTPUT_OBJECT, "second.cpp",
                "inline int shared_data = 2; extern \"C\" int run() { return ++shared_data; }");
    CHECK_STATUS(kiln_jit_remove(first, &error), KILN_OK, &error);
    CHECK_INT(live_int_of(user, "run"), 3);
    live_end(&l);
}

TEST(what_runs_is_not_removed)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    live_lend(&l, "remove_running", (const void *)(uintptr_t)remove_running);
    running = live_add(&l, KILN_OUTPUT_OBJECT, "a.c",
                       "int remove_running(void); int run(void) { return remove_running() + 1; }");
    CHECK_INT(live_int(&l, "run"), 6);
    CHECK_STATUS(kiln_jit_remove(running, &error), KILN_OK, &error);
    live_end(&l);
}

/* An image's constructors run within the link that makes it. */
static void remove_in_link(void)
{
    kiln_error *error;
    CHECK_INT(kiln_jit_remove(running, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "link is under way");
    kiln_error_destroy(error);
}

TEST(what_is_being_linked_is_not_removed)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    live_lend(&l, "remove_in_link", (const void *)(uintptr_t)remove_in_link);
    running = live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
                       "void remove_in_link(void); _Thread_local int own = 2;\n"
                       "__attribute__((constructor)) static void c(void) { remove_in_link(); }\n"
                       "int run(void) { return own; }");
    CHECK_INT(live_int(&l, "run"), 2);
    CHECK_STATUS(kiln_jit_remove(running, &error), KILN_OK, &error);
    live_end(&l);
}

/* What a link has found already is removed within it: the link fails, and can be tried again. */
static void remove_what_was_found(void)
{
    kiln_error *error;
    CHECK_STATUS(kiln_jit_remove(running, &error), KILN_OK, &error);
}

TEST(what_a_link_has_found_is_removed)
{
    live l;
    live_begin(&l);
    live_lend(&l, "remove_what_was_found", (const void *)(uintptr_t)remove_what_was_found);
    running = live_add(&l, KILN_OUTPUT_OBJECT, "found.c", "int found(void) { return 3; }");
    CHECK_INT(live_int(&l, "found"), 3);
    live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
             "void remove_what_was_found(void); _Thread_local int own = 2;\n"
             "__attribute__((constructor)) static void c(void) { remove_what_was_found(); }\n"
             "int image(void) { return own; }");
    live_add(&l, KILN_OUTPUT_OBJECT, "user.c",
             "int found(void); int image(void); int user(void) { return found() + image(); }");
    live_fails(l.dylib, "user", KILN_BIND);
    live_add(&l, KILN_OUTPUT_OBJECT, "again.c", "int found(void) { return 4; }");
    CHECK_INT(live_int(&l, "user"), 6);
    live_end(&l);
}

/* The same of an image, and for one. */
TEST(an_image_that_a_link_has_found_is_removed)
{
    for (int i = 0; i < 2; i++) {
        const char *own_text = "_Thread_local int own%d = 0;";
        live l;
        live_begin(&l);
        live_lend(&l, "remove_what_was_found", (const void *)(uintptr_t)remove_what_was_found);
        running = live_add(
            &l, KILN_OUTPUT_OBJECT, "found.c",
            text_of("%s int found(void) { return 3; }", i == 0 ? text_of(own_text, 1) : ""));
        CHECK_INT(live_int(&l, "found"), 3);
        live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
                 "void remove_what_was_found(void); _Thread_local int own = 2;\n"
                 "__attribute__((constructor)) static void c(void) { remove_what_was_found(); }\n"
                 "int image(void) { return own; }");
        live_add(&l, KILN_OUTPUT_OBJECT, "user.c",
                 text_of("%s int found(void); int image(void);\n"
                         "int user(void) { return found() + image(); }",
                         i == 1 ? text_of(own_text, 2) : ""));
        live_fails(l.dylib, "user", KILN_BIND);
        live_add(&l, KILN_OUTPUT_OBJECT, "again.c", "int found(void) { return 4; }");
        CHECK_INT(live_int(&l, "user"), 6);
        live_end(&l);
    }
}

/* What an image needs is in use before its constructors run. */
static void remove_what_it_needs(void)
{
    kiln_error *error;
    CHECK_INT(kiln_jit_remove(running, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "'image.c' refers to it");
    kiln_error_destroy(error);
}

TEST(what_an_image_needs_is_not_removed_by_it)
{
    live l;
    live_begin(&l);
    live_lend(&l, "remove_what_it_needs", (const void *)(uintptr_t)remove_what_it_needs);
    running = live_add(&l, KILN_OUTPUT_OBJECT, "found.c", "int found(void) { return 3; }");
    CHECK_INT(live_int(&l, "found"), 3);
    live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
             "void remove_what_it_needs(void); int found(void); _Thread_local int own = 2;\n"
             "__attribute__((constructor)) static void c(void) { remove_what_it_needs(); }\n"
             "int image(void) { return own + found(); }");
    CHECK_INT(live_int(&l, "image"), 5);
    live_end(&l);
}

static int objects, object_bytes;
static void on_object(const kiln_jit_object *object, void *data)
{
    CHECK(object->size == sizeof *object && object->address && *object->name && data == &objects);
    objects += object->removed ? -1 : 1;
    object_bytes += object->removed ? -(int)object->size_bytes : (int)object->size_bytes;
}

/* Memory goes back, however often something is added and removed. */
TEST(memory_is_returned)
{
    live l = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    kiln_jit_code *code;
    const kiln_jit_options options = {
        .size = sizeof options, .object_callback = on_object, .object_data = &objects};
    CHECK_STATUS(kiln_jit_create(l.session, &options, &l.jit, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_dylib(l.jit, "main", NULL, &l.dylib, &error), KILN_OK, &error);
    made input = live_compile(&l, KILN_OUTPUT_OBJECT, "a.c",
                              "char big[64 << 20]; static const char text[100000] = {1};\n"
                              "int run(void) { big[12345678]++; return big[12345678] + text[0]; }",
                              NULL);
    size_t before = kiln_jit_memory_bytes(l.jit);
    for (int i = 0; i < 100; i++) {
        CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a", input.bytes, input.size, &code, &error),
                     KILN_OK, &error);
        CHECK_INT(live_int(&l, "run"), 2);
        CHECK(kiln_jit_memory_bytes(l.jit) > before + (64 << 20));
        CHECK_INT(objects, 1);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
        CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
    }
    CHECK_INT(objects, 0);
    CHECK_INT(object_bytes, 0);
    live_end(&l);
}

/* Two JITs side by side have nothing in common. */
TEST(several)
{
    live l, m;
    live_begin(&l);
    live_begin(&m);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c", "int n = 1; int run(void) { return n++; }");
    live_add(&m, KILN_OUTPUT_BITCODE, "a.c", "int n = 10; int run(void) { return n++; }");
    CHECK_INT(live_int(&l, "run"), 1);
    CHECK_INT(live_int(&m, "run"), 10);
    live_end(&l);
    CHECK_INT(live_int(&m, "run"), 11);
    live_end(&m);
}

typedef struct listed {
    char names[256];
    int functions;
} listed;

static bool list(const kiln_symbol *symbol, void *data)
{
    listed *seen = data;
    snprintf(seen->names + strlen(seen->names), sizeof seen->names - strlen(seen->names), "%s%s ",
             symbol->demangled, symbol->weak ? "?" : "");
    seen->functions += symbol->kind == KILN_SYMBOL_FUNCTION;
    return strcmp(symbol->name, "zz") != 0;
}

TEST(symbols_are_listed)
{
    live l;
    kiln_error *error;
    listed seen = {0};
    live_begin(&l);
    live_add(&l, KILN_OUTPUT_BITCODE, "a.cpp",
             "int data = 3; static int own = 4; namespace n { int f(int x) { return x + own; } }\n"
             "__attribute__((weak)) void w() {} extern \"C\" { int zz; int zzz; }");
    CHECK_STATUS(kiln_jit_list(l.dylib, list, &seen, &error), KILN_OK, &error);
    CHECK_TEXT(seen.names, "w()? n::f(int) data zz ");
    CHECK_INT(seen.functions, 2);
    live_end(&l);
}

/* Those of an archive, too, before they are needed; and they have C++ names. */
TEST(symbols_of_archives_are_listed)
{
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    made archive = live_compile(
        &l, KILN_OUTPUT_ARCHIVE, "a.cpp",
        "namespace n { int f(int x) { return x + 1; } } static int own() { return 1; }\n"
        "__attribute__((visibility(\"hidden\"))) int hidden() { return own(); } int data[4];",
        NULL);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a.a", archive.bytes, archive.size, &code, &error),
                 KILN_OK, &error);
    for (int i = 0; i < 2; i++) {
        listed seen = {0};
        CHECK_STATUS(kiln_jit_list(l.dylib, list, &seen, &error), KILN_OK, &error);
        CHECK_TEXT(seen.names, "n::f(int) data ");
        CHECK_INT(seen.functions, 1);
        int (*f)(int) = (int (*)(int))kiln_jit_function(l.dylib, "n::f", &error);
        CHECK(f && f(2) == 3);
    }
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    listed seen = {0};
    CHECK_STATUS(kiln_jit_list(l.dylib, list, &seen, &error), KILN_OK, &error);
    CHECK_TEXT(seen.names, "");
    live_end(&l);
}

static live *shared;
enum { threads = 4, rounds = 40 };
static made inputs[threads];

static void *add_look_up_remove(void *data)
{
    int number = (int)(long)data;
    char *name = text_of("t%d", number), *function = text_of("run%d", number);
    for (int i = 0; i < rounds; i++) {
        kiln_error *error;
        kiln_jit_code *code;
        CHECK_STATUS(kiln_jit_add_bytes(shared->dylib, name, inputs[number].bytes,
                                        inputs[number].size, &code, &error),
                     KILN_OK, &error);
        CHECK_INT(live_int(shared, function), number * 100);
        CHECK_INT(live_int(shared, "common"), 7);
        CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    }
    return NULL;
}

TEST(threads_add_and_look_up)
{
    live l;
    pthread_t workers[threads];
    live_begin(&l);
    shared = &l;
    live_add(&l, KILN_OUTPUT_OBJECT, "common.c", "int common(void) { return 7; }");
    for (int i = 0; i < threads; i++)
        inputs[i] =
            live_compile(&l, i % 2 ? KILN_OUTPUT_OBJECT : KILN_OUTPUT_BITCODE, "t.c",
                         text_of("int common(void); static int n;\n"
                                 "__attribute__((constructor)) static void c(void) { n = %d; "
                                 "}\n"
                                 "int run%d(void) { return n * 100 + common() - 7; }",
                                 i, i),
                         NULL);
    for (int i = 0; i < threads; i++)
        pthread_create(&workers[i], NULL, add_look_up_remove, (void *)(long)i);
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i], NULL);
    live_end(&l);
}

/* What a failed addition had defined already goes with it. */
TEST(a_clash_leaves_nothing_behind)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    kiln_jit_code *other = live_add(&l, KILN_OUTPUT_OBJECT, "other.c", "int data = 4;");
    made lazy = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "lazy.c",
                             "int data = 1; int f(void) { return data; }", NULL);
    CHECK_INT(kiln_jit_add_lazy(l.dylib, "lazy", lazy.bytes, lazy.size, NULL, NULL, &error),
              KILN_ALREADY_EXISTS);
    kiln_error_destroy(error);
    live_fails(l.dylib, "f", KILN_NOT_FOUND);
    CHECK_STATUS(kiln_jit_remove(other, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_jit_add_lazy(l.dylib, "lazy", lazy.bytes, lazy.size, NULL, NULL, &error),
                 KILN_OK, &error);
    CHECK_INT(live_int(&l, "f"), 1);
    live_end(&l);
}

/* A member of an archive, too, is tried again. */
TEST(a_clash_of_a_member_is_mended)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    kiln_jit_code *other =
        live_add(&l, KILN_OUTPUT_OBJECT, "other.c", "int bar(void) { return 4; }");
    made archive =
        live_compile(&l, KILN_OUTPUT_ARCHIVE, "a.c",
                     "int bar(void) { return 1; } int foo(void) { return bar(); }", NULL);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "a.a", archive.bytes, archive.size, NULL, &error),
                 KILN_OK, &error);
    CHECK(!kiln_jit_function(l.dylib, "foo", &error));
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_jit_remove(other, &error), KILN_OK, &error);
    CHECK_INT(live_int(&l, "foo"), 1);
    live_end(&l);
}
