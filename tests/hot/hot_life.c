/* hot_life.c - the life of a hot library: several sources, headers, dependencies, the way back,
 * hooks, many generations under threads, and the end. */
#include "edit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- several sources ---- */

static kiln_spec *many_units(int count)
{
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_set_directory(spec, scratch("src"));
    write_file(scratch("src/all.h"),
               "static inline int common(int x) { return x + 1; }\nextern int shared;\n");
    for (int i = 0; i < count; i++)
        write_file(scratch("src/u%d.c", i),
                   text_of("#include \"all.h\"\n%sint f%d(void) { return common(%d) + shared; }\n",
                           i == 0 ? "int shared = 100;\n" : "", i, i));
    kiln_spec_add_source(spec, "u*.c", NULL);
    return spec;
}

TEST(a_header_under_many_units)
{
    enum { units = 12 };
    editing e = {0};
    edit_begin_spec(&e, many_units(units));
    *(int *)edit_data(&e, "shared") = 1000;
    write_file(scratch("src/all.h"),
               "static inline int common(int x) { return x + 2; }\nextern int shared;\n");
    edit_reload(&e);
    for (int i = 0; i < units; i++)
        CHECK_INT(edit_int(&e, text_of("f%d", i)), 1002 + i);
    /* One of them alone. */
    unsigned before = e.events.count[KILN_EVENT_UNIT_FINISHED];
    write_file(scratch("src/u3.c"),
               "#include \"all.h\"\nint f3(void) { return common(33) + shared; }\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "f3"), 1035);
    CHECK_INT(e.events.count[KILN_EVENT_UNIT_FINISHED] - before, 1);
    /* A new one, which others call. */
    write_file(scratch("src/unew.c"), "int fresh(void) { return 7; }\n");
    write_file(scratch("src/u4.c"), "int fresh(void);\nint f4(void) { return fresh(); }\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "f4"), 7);
    CHECK_INT(edit_int(&e, "fresh"), 7);
    write_file(scratch("src/u5.c"), "int fresh(void);\nint f5(void) { return fresh() * 2; }\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "f5"), 14);
    edit_end(&e);
}

/* Two units have it, and it is one function; what nobody uses any more is no loss. */
TEST(an_inline_function_of_two_units)
{
    static const char header[] = "inline int both(int x) { return x + 1; }\n"
                                 "inline int seldom(int x) { return x * 2; }\n";
    static const char text[] = "#include \"both.h\"\nextern \"C\" int f%d() { return %s; }\n";
    editing e = {0};
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_set_directory(spec, scratch("src"));
    write_file(scratch("src/both.h"), header);
    for (int i = 1; i < 3; i++)
        write_file(scratch("src/u%d.cpp", i), text_of(text, i, "both(0) + seldom(5)"));
    kiln_spec_add_source(spec, "u*.cpp", NULL);
    edit_begin_spec(&e, spec);
    CHECK_INT(edit_int(&e, "f1"), 11);
    write_file(scratch("src/both.h"), replaced(header, "x + 1", "x + 2"));
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "f1"), 12);
    CHECK_INT(edit_int(&e, "f2"), 12);
    unsigned told = 0;
    for (size_t i = 0; i < kiln_reload_function_count(e.report); i++)
        told += strcmp(kiln_reload_function(e.report, i), "both(int)") == 0;
    CHECK_INT(told, 1);
    write_file(scratch("src/u1.cpp"), text_of(text, 1, "both(0)"));
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "f1"), 2);
    CHECK(!edit_noticed(&e, KILN_NOTICE_FUNCTION_REMOVED, "seldom(int)"));
    edit_end(&e);
}

TEST(a_header_that_shadows_another)
{
    editing e = {0};
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){text_of("-I%s", scratch("near")),
                                                  text_of("-I%s", scratch("far")), NULL});
    make_directory(scratch("near"));
    write_file(scratch("far/value.h"), "#define VALUE 1\n");
    write_file(scratch("lib.c"), "#include <value.h>\nint run(void) { return VALUE; }\n");
    kiln_spec_add_source(spec, scratch("lib.c"), NULL);
    edit_begin_spec(&e, spec);
    CHECK_INT(edit_int(&e, "run"), 1);
    write_file(scratch("near/value.h"), "#define VALUE 2\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 2);
    CHECK_INT(unlink(scratch("near/value.h")), 0);
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 1);
    edit_end(&e);
}

/* ---- dependencies ---- */

TEST(a_library_that_another_one_needs)
{
    editing e = {.session = session_create(scratch("cache"), NULL)};
    kiln_error *error;
    write_file(scratch("base/base.h"), "int base(void);\n");
    write_file(scratch("base/base.c"), "int state = 5; int base(void) { return state++; }\n");
    write_file(scratch("top.c"), "#include \"base.h\"\nint run(void) { return base() * 10; }\n");
    kiln_spec *base = spec_of_file("base", scratch("base/base.c"));
    kiln_spec_add_arguments(base, KILN_PUBLIC,
                            (const char *const[]){text_of("-I%s", scratch("base")), NULL});
    CHECK_STATUS(kiln_session_register(e.session, base, &error), KILN_OK, &error);
    kiln_spec_destroy(base);
    kiln_spec *top = spec_of_file("top", scratch("top.c"));
    kiln_spec_add_dependency(top, "base");
    edit_begin_spec(&e, top);
    CHECK_INT(edit_int(&e, "run"), 50);
    write_file(scratch("base/base.c"),
               "int state = 5; int base(void) { return state++ + 1000; }\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 10060);
    CHECK_INT(kiln_library_generation(e.library), 1);
    /* The dependency brings something new, and its dependent uses it. */
    write_file(scratch("base/base.h"), "int base(void); int more(void);\n");
    write_file(scratch("base/base.c"), "int state = 5; int base(void) { return state++ + 1000; } "
                                       "int more(void) { return state; }\n");
    write_file(scratch("top.c"), "#include \"base.h\"\nint run(void) { return more(); }\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 7);
    /* Somebody else loads the dependency: it is the same, with its state. */
    kiln_library *other;
    kiln_load_options options = {.size = sizeof options, .hot = edit_mode()};
    write_file(scratch("base/base.c"), "int state = 5; int base(void) { return state++ + 2000; } "
                                       "int more(void) { return state; }\n");
    CHECK_STATUS(kiln_library_load(e.session, "base", &options, &other, &error), KILN_OK, &error);
    CHECK_INT(call_int(other, "base"), 2007);
    CHECK_INT(edit_int(&e, "run"), 8);
    kiln_library_close(other);
    /* What came before the library that fails stays, and is told. */
    kiln_reload *report;
    write_file(scratch("base/base.c"), "int state = 5; int base(void) { return state++ + 3000; } "
                                       "int more(void) { return state; }\n");
    write_file(scratch("top.c"), "#include \"base.h\"\nint run(void) { return base() + oops; }\n");
    CHECK_INT(kiln_library_reload(e.library, NULL, &report, &error), KILN_COMPILE);
    kiln_error_destroy(error);
    CHECK(report && kiln_reload_changed(report));
    CHECK_INT(kiln_reload_function_count(report), 1);
    CHECK_TEXT(kiln_reload_function(report, 0), "base");
    kiln_reload_destroy(report);
    CHECK_INT(kiln_library_reload(e.library, NULL, &report, NULL), KILN_COMPILE);
    CHECK(!report);
    write_file(scratch("top.c"), "#include \"base.h\"\nint run(void) { return base(); }\n");
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 3008);
    edit_end(&e);
}

static kiln_library *load_one_more(editing *e, const char *name, kiln_hot_mode mode)
{
    const kiln_load_options options = {.size = sizeof options, .hot = mode};
    kiln_library *library;
    kiln_error *error;
    kiln_spec *spec = spec_of_file(name, scratch("%s.c", name));
    write_file(scratch("%s.c", name),
               "#include \"shared.h\"\nint run(void) { return shared(); }\n");
    kiln_status status = kiln_library_load_spec(e->session, spec, &options, &library, &error);
    CHECK_STATUS(status, KILN_OK, &error);
    kiln_spec_destroy(spec);
    return library;
}

/* What other libraries have of an edited header stays, which is told of those that are behind. */
TEST(other_libraries_that_have_read_a_header)
{
    static const char header[] = "static inline int shared(void) { return %d; }\n";
    editing e;
    write_file(scratch("shared.h"), text_of(header, 1));
    edit_begin(&e, "c", "#include \"shared.h\"\nint run(void) { return shared() + 100; }\n");
    kiln_library *cold = load_one_more(&e, "cold", KILN_HOT_OFF);
    kiln_library *warm = load_one_more(&e, "warm", edit_mode());
    write_file(scratch("shared.h"), text_of(header, 2));
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 102);
    CHECK(edit_noticed(&e, KILN_NOTICE_OTHER_LIBRARY, "cold"));
    CHECK(edit_noticed(&e, KILN_NOTICE_OTHER_LIBRARY, "warm"));
    CHECK_INT(call_int(cold, "run"), 1);
    CHECK_INT(call_int(warm, "run"), 1);
    write_file(scratch("shared.h"), text_of(header, 3));
    CHECK_STATUS(kiln_library_reload(warm, NULL, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(call_int(warm, "run"), 3);
    edit_reload(&e);
    CHECK(edit_noticed(&e, KILN_NOTICE_OTHER_LIBRARY, "cold"));
    CHECK(!edit_noticed(&e, KILN_NOTICE_OTHER_LIBRARY, "warm"));
    /* Its own source concerns nobody else. */
    edit_save(&e, "#include \"shared.h\"\nint run(void) { return shared() + 200; }\n");
    CHECK_INT(kiln_reload_notice_count(e.report), 0);
    CHECK_STATUS(kiln_library_close(cold), KILN_OK, NULL);
    CHECK_STATUS(kiln_library_close(warm), KILN_OK, NULL);
    edit_end(&e);
}

/* ---- the way back ---- */

TEST(rolled_back)
{
    editing e;
    static const char text[] =
        "static int n; int step(void) { return ++n; } int run(void) { return 1; }";
    edit_begin(&e, "c", text);
    edit_int(&e, "step");
    CHECK_INT(kiln_library_roll_back(e.library, NULL, NULL), KILN_NOT_FOUND);
    edit_replace(&e, text, "return 1", "return 2");
    edit_replace(&e, text, "return 1", "return 3");
    CHECK_INT(edit_int(&e, "run"), 3);
    kiln_error *error;
    kiln_reload *report;
    CHECK_STATUS(kiln_library_roll_back(e.library, &report, &error), KILN_OK, &error);
    CHECK(kiln_reload_function_count(report) >= 1);
    kiln_reload_destroy(report);
    CHECK_INT(edit_int(&e, "run"), 2);
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 1);
    CHECK_INT(edit_int(&e, "step"), 2);
    CHECK_INT(kiln_library_roll_back(e.library, NULL, NULL), KILN_NOT_FOUND);
    /* The source still says 3. */
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 3);
    CHECK_INT(edit_int(&e, "step"), 3);
    /* And the first text is an edit of the second one's code. */
    edit_replace(&e, text, "return 1", "return 4");
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "run"), 3);
    edit_save(&e, text);
    CHECK_INT(edit_int(&e, "run"), 1);
    edit_end(&e);
}

static char hook_calls[64];
static void before(kiln_library *library, uint32_t generation, void *data)
{
    sprintf(hook_calls + strlen(hook_calls), "b%u:%d ", generation, call_int(library, "run"));
    (void)data;
}
static void after(kiln_library *library, uint32_t generation, void *data)
{
    sprintf(hook_calls + strlen(hook_calls), "a%u:%d ", generation, call_int(library, "run"));
    (void)data;
}

TEST(hooks)
{
    editing e;
    edit_begin(&e, "c", "int run(void) { return 1; }");
    CHECK_STATUS(kiln_library_set_reload_hooks(e.library, before, after, NULL), KILN_OK, NULL);
    edit_save(&e, "int run(void) { return 2; }");
    edit_save(&e, "int run(void) { return 2; } ");
    free(edit_save_fails(&e, "int run(void) {", KILN_COMPILE));
    edit_save(&e, "int run(void) { return 3; }");
    CHECK_TEXT(hook_calls, "b2:1 a2:2 b3:2 a3:3 ");
    CHECK_INT(e.events.count[KILN_EVENT_RELOADED], 2);
    edit_end(&e);
}

static bool refuse(kiln_library *library, const kiln_migration *migration, void *data)
{
    (void)library, (void)migration, (void)data;
    return false;
}

/* What is begun is ended, though nothing is published; constants stay, too. */
TEST(hooks_of_an_edit_that_fails)
{
    editing e;
    kiln_error *error;
    const kiln_reload_options options = {.size = sizeof options, .migrate = refuse};
    static const char text[] = "struct s { int a; } held = {1};\nconst int constant = 5;\n"
                               "int run(void) { return held.a + *&constant; }";
    edit_begin(&e, "c", text);
    const int *constant = edit_data(&e, "constant");
    CHECK_STATUS(kiln_library_set_reload_hooks(e.library, before, after, NULL), KILN_OK, NULL);
    hook_calls[0] = '\0';
    write_file(e.path, replaced(replaced(text, "int a;", "int b, a;"), "= 5", "= 7"));
    CHECK_INT(kiln_library_reload(e.library, &options, NULL, &error), KILN_REFUSED);
    kiln_error_destroy(error);
    CHECK_TEXT(hook_calls, "b2:6 a1:6 ");
    CHECK_INT(*constant, 5);
    edit_end(&e);
}

/* ---- the end ---- */

TEST(destructors_run_in_the_newest_code)
{
    editing e = {.path = scratch("lib.cpp")};
    static int log[8], *at = log;
    static const char text[] =
        "extern int *at; struct loud { ~loud() { *at++ = 1; } }; static loud l;\n"
        "#include <cstdlib>\nstatic void end() { *at++ = 10; } extern \"C\" int run() { return 1; "
        "}\n"
        "__attribute__((destructor)) static void last() { *at++ = 100; }\n"
        "__attribute__((constructor)) static void first() { atexit(end); }\n";
    write_file(e.path, text);
    kiln_spec *spec = spec_of_file("lib", e.path);
    kiln_spec_add_host_symbol(spec, "at", &at);
    edit_begin_spec(&e, spec);
    char *edited = replaced(text, "= 1;", "= 2;");
    edited = replaced(edited, "= 100;", "= 200;");
    edit_save(&e, replaced(edited, "= 10;", "= 20;"));
    edit_save(&e, replaced(replaced(edited, "= 10;", "= 20;"), "return 1", "return 2"));
    const void *place = (const void *)(uintptr_t)kiln_library_function(e.library, "run", NULL);
    CHECK(place);
    edit_end(&e);
    CHECK_INT(at - log, 3);
    CHECK_INT(log[0] + log[1] + log[2], 222);
}

/* ---- many generations ---- */

typedef struct caller {
    int (*run)(int), (*pair)(void);
    atomic_bool *end;
    unsigned long calls, torn;
} caller;

static void *call_on(void *data)
{
    caller *c = data;
    int last = 0;
    while (!atomic_load_explicit(c->end, memory_order_relaxed)) {
        int value = c->run(1);
        /* The number only grows; each call is of one generation. */
        c->torn += value < last || value % 10 != 1;
        last = value;
        c->calls++;
    }
    return NULL;
}

TEST(many_generations_while_threads_call)
{
    enum { threads = 8 };
    int generations = getenv("KILN_TEST_LONG") ? 1000 : 40;
    editing e;
    static const char text[] =
        "static int calls; static int helper(int x) { calls++; return x + 0 * 10; }\n"
        "int run(int x) { return helper(x); } int count(void) { return calls; }\n";
    edit_begin(&e, "c", text);
    static caller callers[threads];
    static atomic_bool end;
    pthread_t ids[threads];
    for (int i = 0; i < threads; i++) {
        callers[i] = (caller){.run = (int (*)(int))kiln_library_function(e.library, "run", NULL),
                              .end = &end};
        CHECK(pthread_create(&ids[i], NULL, call_on, &callers[i]) == 0);
    }
    for (int i = 1; i <= generations; i++) {
        char *number = text_of("%d * 10", i);
        edit_replace(&e, text, "0 * 10", number);
        free(number);
    }
    atomic_store(&end, true);
    unsigned long calls = 0, torn = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        calls += callers[i].calls;
        torn += callers[i].torn;
    }
    CHECK(calls > 0);
    CHECK_INT(torn, 0);
    CHECK_INT(callers[0].run(1), generations * 10 + 1);
    CHECK_INT(kiln_library_generation(e.library), generations + 1);
    edit_end(&e);
}

static long resident_kib(void)
{
    char *text = read_file("/proc/self/smaps_rollup", NULL);
    const char *at = strstr(text, "Pss: ");
    long kib = at ? strtol(at + 5, NULL, 10) : 0;
    free(text);
    return kib;
}

TEST(growth_of_an_edit)
{
    enum { warm_up = 5, edits = 30, limit_kib = 64 };
    editing e;
    static const char text[] =
        "#include <stdio.h>\nint run(void) { return 0; }\nvoid tell(void) { puts(\"x\"); }\n";
    edit_begin(&e, "c", text);
    long before = 0;
    for (int i = 0; i < warm_up + edits; i++) {
        if (i == warm_up)
            before = resident_kib();
        char *number = text_of("return %d", i + 1);
        edit_replace(&e, text, "return 0", number);
        free(number);
    }
    long grown = (resident_kib() - before) / edits;
    if (grown > limit_kib)
        support_fail(__FILE__, __LINE__, "an edit costs %ld KiB", grown);
    edit_end(&e);
}

TEST(two_sessions)
{
    editing e;
    edit_begin(&e, "c", "int run(void) { return 1; }");
    /* Another session has the same image; it is not edited yet. */
    kiln_session *other = session_create(scratch("cache"), NULL);
    kiln_load_options options = {.size = sizeof options, .hot = edit_mode()};
    kiln_library *same, *refused;
    kiln_error *error;
    CHECK_STATUS(kiln_library_open(other, e.path, &options, &same, &error), KILN_OK, &error);
    kiln_spec *spec = spec_of_file("lib", e.path);
    CHECK_STATUS(kiln_library_load_spec(other, spec, &options, &same, &error), KILN_OK, &error);
    edit_save(&e, "int run(void) { return 2; }");
    CHECK_INT(call_int(same, "run"), 2);
    /* What is closed takes its code along, and the other one has the first code again. */
    edit_end(&e);
    CHECK_INT(call_int(same, "run"), 1);
    kiln_session *third = session_create(scratch("cache"), NULL);
    CHECK_STATUS(kiln_library_reload(same, NULL, NULL, &error), KILN_OK, &error);
    CHECK_INT(call_int(same, "run"), 2);
    write_file(e.path, "int run(void) { return 1; }");
    CHECK_INT(kiln_library_load_spec(third, spec, &options, &refused, &error), KILN_UNSUPPORTED);
    CHECK_CONTAINS(kiln_error_message(error), "another session");
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
    kiln_session_destroy(third);
    kiln_session_destroy(other);
}

TEST(from_the_cache)
{
    editing e = {0};
    for (int i = 0; i < 2; i++) {
        edit_begin_spec(&e, many_units(3));
        CHECK_INT(was_hit(e.library), i == 1);
        /* Nothing was edited. */
        edit_reload(&e);
        CHECK(!kiln_reload_changed(e.report));
        unsigned before = e.events.count[KILN_EVENT_UNIT_FINISHED];
        write_file(scratch("src/u1.c"),
                   "#include \"all.h\"\nint f1(void) { return common(50) + shared; }\n");
        edit_reload(&e);
        CHECK_INT(edit_int(&e, "f1"), 151);
        CHECK_INT(edit_int(&e, "f2"), 103);
        /* Of a library that came from the cache, too, only what was edited is compiled. */
        CHECK_INT(e.events.count[KILN_EVENT_UNIT_FINISHED] - before, 1);
        edit_end(&e);
        e = (editing){0};
    }
}
