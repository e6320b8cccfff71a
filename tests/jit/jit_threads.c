/* jit_threads.c - constructors and destructors that call Kiln, by themselves and from threads. */
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

/* What code calls. */
EXPORTED void on_load(void);
EXPORTED void on_unload(void);
EXPORTED void step(void);
EXPORTED int meet(int which);
EXPORTED int destroyed_late(void);
EXPORTED void on_archive_end(void);
EXPORTED void load_own(void);
EXPORTED int meet_library(int which);
EXPORTED void note_end(const char *name);
EXPORTED void look_up_in_vain(void);
EXPORTED void step_once(void);
EXPORTED void load_slow(void);

static live *shared;
static atomic_int stage;
static const char *wanted;
static int looked_up;

static void await(int expected)
{
    while (stage < expected)
        sched_yield();
}

static void *look_up(void *name)
{
    return (void *)(long)live_int(shared, name);
}

static pthread_t start(void *(*run)(void *), const void *data)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, run, (void *)data), 0);
    return thread;
}

static int join(pthread_t thread)
{
    void *result;
    pthread_join(thread, &result);
    return (int)(long)result;
}

/* ---- constructors ---- */

void on_load(void)
{
    looked_up = join(start(look_up, wanted));
}

static const char calls_on_load[] = "void on_load(void); static int n;\n"
                                    "__attribute__((constructor)) static void c(void)"
                                    " { on_load(); n = 4; }\n"
                                    "int run(void) { return n; }";

TEST(a_constructor_joins_a_thread_that_looks_up)
{
    live l;
    live_begin(&l);
    shared = &l;
    wanted = "other";
    live_add(&l, KILN_OUTPUT_OBJECT, "run.c", calls_on_load);
    live_add(&l, KILN_OUTPUT_OBJECT, "other.c",
             "static int n; __attribute__((constructor)) static void c(void) { n = 5; }\n"
             "int other(void) { return n; }");
    CHECK_INT(live_int(&l, "run"), 4);
    CHECK_INT(looked_up, 5);
    live_end(&l);
}

/* The constructor's thread calls functions of the library that is being loaded. */
TEST(a_constructor_joins_a_thread_that_calls_lazily)
{
    static const char source[] =
        "#include <pthread.h>\n"
        "static int n; static int twice(int x) { return 2 * x; }\n"
        "static void *call(void *data) { return (void *)(long)twice((int)(long)data); }\n"
        "__attribute__((constructor)) static void c(void) { pthread_t t; void *got;\n"
        "  pthread_create(&t, 0, call, (void *)21); pthread_join(t, &got); n = (int)(long)got; }\n"
        "int run(void) { return n; }";
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    made input = live_compile(&l, KILN_OUTPUT_RAW_BITCODE, "lazy.c", source, NULL);
    CHECK_STATUS(
        kiln_jit_add_lazy(l.dylib, "lazy.c", input.bytes, input.size, "-O1", &code, &error),
        KILN_OK, &error);
    CHECK_INT(live_int(&l, "run"), 42);
    live_end(&l);
}

void step(void)
{
    stage = 1;
    await(11);
}

/* Who finds a function by another thread's link waits until its constructors have run. */
TEST(a_thread_waits_for_constructors)
{
    live l;
    live_begin(&l);
    shared = &l;
    live_add(&l, KILN_OUTPUT_OBJECT, "slow.c",
             "#include <unistd.h>\n"
             "void step(void); static int n;\n"
             "__attribute__((constructor)) static void c(void)"
             " { step(); usleep(50000); n = 6; }\n"
             "int slow(void) { return n; }");
    live_add(&l, KILN_OUTPUT_OBJECT, "needs.c",
             "int slow(void); static int n;\n"
             "__attribute__((constructor)) static void c(void) { n = slow() + 1; }\n"
             "int needs(void) { return n; }");
    pthread_t first = start(look_up, "slow");
    await(1);
    pthread_t second = start(look_up, "slow"), third = start(look_up, "needs");
    stage = 11;
    CHECK_INT(join(first), 6);
    CHECK_INT(join(second), 6);
    CHECK_INT(join(third), 7);
    live_end(&l);
}

static const char *others[2];
static kiln_jit_dylib *other_dylibs[2];
static atomic_int arrived;

/* Each of two constructors looks for what the other one's thread is initialising. */
int meet(int which)
{
    kiln_error *error;
    arrived++;
    while (arrived < 2)
        sched_yield();
    return kiln_jit_function(other_dylibs[which], others[which], &error) != NULL;
}

static void *look_up_in(void *which)
{
    int number = (int)(long)which;
    return (void *)(long)live_int_of(other_dylibs[!number], others[!number]);
}

/* dylibs: where "a" is, and "b". */
static void meet_in(live *const *places)
{
    others[0] = "b", others[1] = "a";
    for (int i = 0; i < 2; i++) {
        other_dylibs[i] = places[!i]->dylib;
        live_add(places[i], KILN_OUTPUT_OBJECT, text_of("%s.c", others[!i]),
                 text_of("int meet(int); static int n;\n"
                         "__attribute__((constructor)) static void c(void) { n = meet(%d); }\n"
                         "int %s(void) { return n; }",
                         i, others[!i]));
    }
    pthread_t first = start(look_up_in, (void *)0), second = start(look_up_in, (void *)1);
    CHECK_INT(join(first), 1);
    CHECK_INT(join(second), 1);
}

TEST(constructors_that_wait_for_each_other)
{
    live l;
    live_begin(&l);
    meet_in((live *[]){&l, &l});
    live_end(&l);
}

TEST(constructors_of_two_jits_that_wait_for_each_other)
{
    live l, m;
    live_begin(&l);
    live_begin(&m);
    meet_in((live *[]){&l, &m});
    live_end(&m);
    live_end(&l);
}

/* ---- destructors ---- */

static made leaving_bytes;
static kiln_jit_code *leaving;

static void *use_what_leaves(void *unused)
{
    kiln_error *error = NULL;
    kiln_jit_code *code;
    (void)unused;
    CHECK_INT(kiln_jit_add_bytes(shared->dylib, "leaving.c", leaving_bytes.bytes,
                                 leaving_bytes.size, &code, &error),
              KILN_ALREADY_EXISTS);
    CHECK_CONTAINS(kiln_error_message(error), "being removed");
    kiln_error_destroy(error);
    CHECK_CONTAINS(live_fails(shared->dylib, "user", KILN_BIND), "being removed");
    CHECK_INT(kiln_jit_remove(leaving, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "being removed");
    kiln_error_destroy(error);
    /* What has nothing to do with it goes on. */
    return (void *)(long)live_int(shared, "other");
}

void on_unload(void)
{
    if (stage++ == 0) /* at the end of the JIT it runs once more */
        looked_up = join(start(use_what_leaves, NULL));
}

TEST(what_is_being_removed_is_lent_to_nobody)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    shared = &l;
    leaving_bytes =
        live_compile(&l, KILN_OUTPUT_OBJECT, "leaving.c",
                     "void on_unload(void);\n"
                     "__attribute__((destructor)) static void d(void) { on_unload(); }\n"
                     "int leaving(void) { return 3; }",
                     NULL);
    live_add(&l, KILN_OUTPUT_OBJECT, "user.c",
             "int leaving(void); int user(void) { return leaving() + 1; }");
    live_add(&l, KILN_OUTPUT_OBJECT, "other.c", "int other(void) { return 8; }");
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "leaving.c", leaving_bytes.bytes, leaving_bytes.size,
                                    &leaving, &error),
                 KILN_OK, &error);
    CHECK_INT(live_int(&l, "leaving"), 3);
    CHECK_STATUS(kiln_jit_remove(leaving, &error), KILN_OK, &error);
    CHECK_INT(looked_up, 8);
    CHECK_CONTAINS(live_fails(l.dylib, "user", KILN_BIND), "'leaving'");
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "leaving.c", leaving_bytes.bytes, leaving_bytes.size,
                                    &leaving, &error),
                 KILN_OK, &error);
    CHECK_INT(live_int(&l, "user"), 4);
    live_end(&l);
}

/* A member of an archive that is being removed, and was not needed until then. */
static void *use_new_member(void *unused)
{
    (void)unused;
    CHECK_CONTAINS(live_fails(shared->dylib, "user", KILN_BIND), "being removed");
    return (void *)1;
}

void on_archive_end(void)
{
    if (stage++ == 0)
        looked_up = join(start(use_new_member, NULL));
}

TEST(what_was_not_linked_before_is_not_lent_either)
{
    static const struct {
        const char *path, *text;
    } members[] = {{"first.c", "void on_archive_end(void); int first(void) { return 3; }\n"
                               "__attribute__((destructor)) static void d(void)"
                               " { on_archive_end(); }\n"},
                   {"second.c", "int second(void) { return 4; }"}};
    const kiln_compile_options archive = {.size = sizeof archive, .kind = KILN_OUTPUT_ARCHIVE};
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    kiln_outputs *outputs;
    kiln_output output = {.size = sizeof output};
    live_begin(&l);
    shared = &l;
    kiln_spec *spec = kiln_spec_create("members");
    for (int i = 0; i < 2; i++)
        kiln_spec_add_memory_source(spec, members[i].path, members[i].text, strlen(members[i].text),
                                    NULL);
    CHECK_STATUS(kiln_compile(l.session, spec, &archive, &outputs, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_outputs_get(outputs, 0, &output), KILN_OK, NULL);
    CHECK_STATUS(
        kiln_jit_add_bytes(l.dylib, "members.a", output.bytes, output.size_bytes, &code, &error),
        KILN_OK, &error);
    live_add(&l, KILN_OUTPUT_OBJECT, "user.c",
             "int second(void); int user(void) { return second(); }");
    CHECK_INT(live_int(&l, "first"), 3);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    CHECK_INT(looked_up, 1);
    kiln_outputs_destroy(outputs);
    kiln_spec_destroy(spec);
    live_end(&l);
}

/* What handlers link of the code that is leaving ends with it. */
static char order[32];
void note_end(const char *name)
{
    kiln_error *error;
    strncat(order, name, sizeof order - strlen(order) - 1);
    if (strcmp(name, "first ") == 0)
        CHECK(kiln_jit_function(shared->dylib, "second", &error) != NULL);
}

TEST(what_a_destructor_links_of_its_own_ends_too)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    shared = &l;
    static const char *const texts[] = {"first", "second"};
    const kiln_compile_options archive = {.size = sizeof archive, .kind = KILN_OUTPUT_ARCHIVE};
    kiln_spec *spec = kiln_spec_create("members");
    for (int i = 0; i < 2; i++) {
        const char *text =
            text_of("void note_end(const char *);\n"
                    "__attribute__((destructor)) static void d(void) { note_end(\"%s \"); }\n"
                    "int %s(void) { return 3; }",
                    texts[i], texts[i]);
        kiln_spec_add_memory_source(spec, text_of("%s.c", texts[i]), text, strlen(text), NULL);
    }
    kiln_outputs *outputs;
    kiln_output output = {.size = sizeof output};
    kiln_jit_code *code;
    CHECK_STATUS(kiln_compile(l.session, spec, &archive, &outputs, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_outputs_get(outputs, 0, &output), KILN_OK, NULL);
    CHECK_STATUS(
        kiln_jit_add_bytes(l.dylib, "members.a", output.bytes, output.size_bytes, &code, &error),
        KILN_OK, &error);
    CHECK_INT(live_int(&l, "first"), 3);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_OK, &error);
    CHECK_TEXT(order, "first second ");
    live_end(&l);
    CHECK_TEXT(order, "first second ");
}

/* So does what is linked at the end of the JIT. */
TEST(what_a_destructor_links_at_the_end_ends_too)
{
    live l;
    kiln_error *error;
    live_begin(&l);
    shared = &l;
    live_add(&l, KILN_OUTPUT_OBJECT, "first.c",
             "void note_end(const char *); int first(void) { return 3; }\n"
             "__attribute__((destructor)) static void d(void) { note_end(\"first \"); }");
    made archive =
        live_compile(&l, KILN_OUTPUT_ARCHIVE, "second.c",
                     "void note_end(const char *); int second(void) { return 3; }\n"
                     "__attribute__((destructor)) static void d(void) { note_end(\"second \"); }",
                     NULL);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "second.a", archive.bytes, archive.size, NULL, &error),
                 KILN_OK, &error);
    CHECK_INT(live_int(&l, "first"), 3);
    live_end(&l);
    CHECK_TEXT(order, "first second ");
}

/* Within a link: a constructor of an image, which an object with a thread-local becomes. */
void look_up_in_vain(void)
{
    CHECK_CONTAINS(live_fails(shared->dylib, "lacking", KILN_BIND), "'nowhere'");
}

TEST(a_look_up_in_vain_within_a_link_is_told_there)
{
    live l;
    live_begin(&l);
    shared = &l;
    live_add(&l, KILN_OUTPUT_OBJECT, "lacking.c",
             "int nowhere(void); int lacking(void) { return nowhere(); }");
    live_add(&l, KILN_OUTPUT_OBJECT, "image.c",
             "void look_up_in_vain(void); _Thread_local int own = 2;\n"
             "__attribute__((constructor)) static void c(void) { look_up_in_vain(); }\n"
             "int image(void) { return own; }");
    live_add(&l, KILN_OUTPUT_OBJECT, "run.c",
             "int image(void); int run(void) { return image() + 1; }");
    CHECK_INT(live_int(&l, "run"), 3);
    live_fails(l.dylib, "lacking", KILN_BIND);
    live_end(&l);
}

/* A destructor that was put off calls Kiln when it runs at last, which collects once more. */
int destroyed_late(void)
{
    stage++;
    return join(start(look_up, "other"));
}

static void *touch(void *unused)
{
    (void)unused;
    CHECK_INT(live_int(shared, "touch"), 1);
    stage = 10;
    await(11);
    return NULL;
}

TEST(a_destructor_that_was_put_off_looks_up)
{
    static const char *const emulated[] = {"-femulated-tls", NULL};
    live l;
    kiln_error *error;
    kiln_jit_code *code;
    live_begin(&l);
    shared = &l;
    live_add(&l, KILN_OUTPUT_OBJECT, "other.c", "int other(void) { return 8; }");
    made input = live_compile(&l, KILN_OUTPUT_OBJECT, "late.cpp",
                              "extern \"C\" int destroyed_late(void);\n"
                              "struct S { int n = 1; ~S() { n = destroyed_late(); } };\n"
                              "struct T { int n = 1; ~T() { n = 0; } };\n"
                              "S s; thread_local T t;\n"
                              "extern \"C\" int touch() { return t.n; }",
                              emulated);
    CHECK_STATUS(kiln_jit_add_bytes(l.dylib, "late.cpp", input.bytes, input.size, &code, &error),
                 KILN_OK, &error);
    pthread_t thread = start(touch, NULL);
    await(10);
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_PENDING, &error);
    stage = 11;
    join(thread);
    CHECK_INT(live_int(&l, "other"), 8);
    CHECK_INT(stage, 12);
    live_end(&l);
}

/* ---- live libraries ---- */

static kiln_session *session;

static void *load(void *spec)
{
    const kiln_load_options live = {.size = sizeof live, .engine = "jit"};
    kiln_library *library;
    kiln_error *error;
    await(1);
    CHECK_STATUS(kiln_library_load_spec(session, spec, &live, &library, &error), KILN_OK, &error);
    return library;
}

TEST(threads_load_one_live_library)
{
    enum { count = 4 };
    static const char source[] = "static int n; int run(void) { return ++n; }";
    pthread_t loaders[count];
    void *libraries[count];
    session = session_create(scratch("cache"), NULL);
    kiln_spec *spec = kiln_spec_create("one");
    kiln_spec_add_memory_source(spec, "one.c", source, strlen(source), NULL);
    for (int i = 0; i < count; i++)
        loaders[i] = start(load, spec);
    stage = 1;
    for (int i = 0; i < count; i++) {
        pthread_join(loaders[i], &libraries[i]);
        CHECK(libraries[i] == libraries[0]);
    }
    for (int i = 0; i < count; i++)
        kiln_library_close(libraries[i]);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
}

/* A constructor loads a live library, which another thread makes, and whose constructor looks up what the
 * first one belongs to. */
static kiln_spec *met_spec;
int meet_library(int which)
{
    kiln_error *error;
    kiln_library *library = NULL;
    const kiln_load_options live = {.size = sizeof live, .engine = "jit"};
    arrived++;
    while (arrived < 2)
        sched_yield();
    if (which)
        return kiln_jit_function(shared->dylib, "a", &error) != NULL;
    /* Who comes second does not wait: the library's constructor goes on, or this load is told. */
    kiln_status status = kiln_library_load_spec(session, met_spec, &live, &library, &error);
    if (status == KILN_CYCLE)
        kiln_error_destroy(error);
    else
        CHECK_STATUS(status, KILN_OK, &error);
    kiln_library_close(library);
    return 1;
}

TEST(a_constructor_and_a_live_library_that_wait_for_each_other)
{
    static const char source[] =
        "int meet_library(int); static int n;\n"
        "__attribute__((constructor)) static void c(void) { n = meet_library(1); }\n"
        "int run(void) { return n; }";
    live l;
    live_begin(&l);
    shared = &l;
    session = l.session;
    met_spec = kiln_spec_create("met");
    kiln_spec_add_memory_source(met_spec, "met.c", source, strlen(source), NULL);
    live_add(&l, KILN_OUTPUT_OBJECT, "a.c",
             "int meet_library(int); static int n;\n"
             "__attribute__((constructor)) static void c(void) { n = meet_library(0); }\n"
             "int a(void) { return n; }");
    stage = 1;
    pthread_t maker = start(load, met_spec), user = start(look_up, "a");
    void *library;
    pthread_join(maker, &library);
    CHECK_INT(join(user), 1);
    kiln_error *error;
    int (*run)(void) = (int (*)(void))kiln_library_function(library, "run", &error);
    CHECK_INT(run(), 1);
    kiln_library_close(library);
    kiln_spec_destroy(met_spec);
    live_end(&l);
}

/* A constructor within a link does not wait for a library that another thread makes, since that thread
 * may need the link's end: it makes one of its own. */
static kiln_spec *slow_spec;
static atomic_int made_count;
void step_once(void)
{
    if (made_count++ == 0)
        await(20);
}

void load_slow(void)
{
    stage = 1;
    kiln_library_close(load(slow_spec));
    stage = 20;
}

TEST(a_live_library_within_a_link)
{
    static const char slow[] = "void step_once(void); int slow(void) { return 1; }\n"
                               "__attribute__((constructor)) static void c(void) { step_once(); }";
    static const char outer[] = "void load_slow(void); static int one(void) { return 1; }\n"
                                "static int (*resolve(void))(void) { return one; }\n"
                                "int run(void) __attribute__((ifunc(\"resolve\")));\n"
                                "__attribute__((constructor)) static void c(void) { load_slow(); }";
    session = session_create(scratch("cache"), NULL);
    slow_spec = kiln_spec_create("slow");
    kiln_spec_add_memory_source(slow_spec, "slow.c", slow, strlen(slow), NULL);
    kiln_spec *spec = kiln_spec_create("outer");
    kiln_spec_add_memory_source(spec, "outer.c", outer, strlen(outer), NULL);
    stage = 1;
    pthread_t maker = start(load, slow_spec);
    while (made_count == 0)
        sched_yield();
    kiln_library *library = load(spec);
    void *first;
    pthread_join(maker, &first);
    CHECK_INT(made_count, 2);
    kiln_library_close(library);
    kiln_library_close(first);
    kiln_spec_destroy(spec);
    kiln_spec_destroy(slow_spec);
    kiln_session_destroy(session);
}

static kiln_spec *own_spec;
static kiln_status own_status;
void load_own(void)
{
    const kiln_load_options live = {.size = sizeof live, .engine = "jit"};
    kiln_library *library;
    kiln_error *error = NULL;
    own_status = kiln_library_load_spec(session, own_spec, &live, &library, &error);
    kiln_error_destroy(error);
}

TEST(a_live_library_that_loads_itself)
{
    static const char source[] =
        "void load_own(void); __attribute__((constructor)) static void c(void) { load_own(); }\n"
        "int run(void) { return 1; }";
    session = session_create(scratch("cache"), NULL);
    own_spec = kiln_spec_create("own");
    kiln_spec_add_memory_source(own_spec, "own.c", source, strlen(source), NULL);
    stage = 1;
    kiln_library *library = load(own_spec);
    CHECK_INT(own_status, KILN_CYCLE);
    kiln_library_close(library);
    kiln_session_destroy(session);
}
