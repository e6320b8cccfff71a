/* jit_departures.c - code that threads owe destructors to: it is removed, and leaves when they have ended. */
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static atomic_int stage;
static live *shared;

static void remove_later(kiln_jit_code *code)
{
    kiln_error *error;
    CHECK_STATUS(kiln_jit_remove(code, &error), KILN_PENDING, &error);
}

/* A thread that has used a thread_local owes it its destructor. */
static void *use_and_wait(void *data)
{
    (void)data;
    int r = live_int(shared, "use");
    stage = 1;
    while (stage != 2)
        sched_yield();
    return (void *)(long)r;
}

static int destroyed;
static void note_destroyed(void)
{
    destroyed++;
}

static kiln_jit_code *add_owing(live *l, kiln_output_kind kind)
{
    live_lend(l, "note", (const void *)(uintptr_t)note_destroyed);
    return live_add(l, kind, "a.cpp",
                    "extern \"C\" void note(); struct S { int v = 3; ~S() { note(); } };\n"
                    "static thread_local S s; extern \"C\" int use() { return s.v++; }");
}

TEST(a_thread_owes_a_destructor)
{
    live l;
    pthread_t thread;
    live_begin(&l);
    shared = &l;
    size_t before = kiln_jit_memory_bytes(l.jit);
    kiln_jit_code *code = add_owing(&l, KILN_OUTPUT_BITCODE);
    pthread_create(&thread, NULL, use_and_wait, NULL);
    while (stage != 1)
        sched_yield();
    remove_later(code);
    live_fails(l.dylib, "use", KILN_NOT_FOUND);
    CHECK(kiln_jit_memory_bytes(l.jit) > before);
    CHECK_INT(destroyed, 0);
    stage = 2;
    pthread_join(thread, NULL);
    CHECK_INT(destroyed, 1);
    live_fails(l.dylib, "use", KILN_NOT_FOUND);
    CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
    live_end(&l);
}

/* An object with native thread-locals is an image, which libc itself keeps until then. */
TEST(a_thread_owes_a_destructor_of_an_image)
{
    live l;
    pthread_t thread;
    live_begin(&l);
    shared = &l;
    kiln_jit_code *code = add_owing(&l, KILN_OUTPUT_OBJECT);
    pthread_create(&thread, NULL, use_and_wait, NULL);
    while (stage != 1)
        sched_yield();
    remove_later(code);
    live_fails(l.dylib, "use", KILN_NOT_FOUND);
    CHECK_INT(destroyed, 0);
    stage = 2;
    pthread_join(thread, NULL);
    CHECK_INT(destroyed, 1);
    live_end(&l);
}

/* A thread that calls `use`, and ends when it is told to. */
static pthread_t begin_use(live *l)
{
    pthread_t thread;
    shared = l;
    stage = 0;
    CHECK_INT(pthread_create(&thread, NULL, use_and_wait, NULL), 0);
    while (stage != 1)
        sched_yield();
    return thread;
}

static void end_use(pthread_t thread)
{
    stage = 2;
    pthread_join(thread, NULL);
}

static char order[32];
static void note_text(const char *text)
{
    strncat(order, text, sizeof order - strlen(order) - 1);
}

static void add_notes(live *l)
{
    *order = 0;
    live_lend(l, "note", (const void *)(uintptr_t)note_text);
}

static const char needed_text[] =
    "extern \"C\" void note(const char *); static int left = 1;\n"
    "extern \"C\" int needed() { return left; }\n"
    "struct N { ~N() { left = 0; note(\"needed \"); } }; static N n;\n";
static const char user_text[] =
    "extern \"C\" int needed(); extern \"C\" void note(const char *);\n"
    "struct S { int n = 1; ~S() { note(needed() ? \"thread \" : \"late \"); } };\n"
    "struct E { ~E() { note(needed() ? \"user \" : \"late \"); } };\n"
    "static E e; static thread_local S s; extern \"C\" int use() { return s.n; }\n";

/* What code that cannot leave needs stays with it, and is ended after it. */
static kiln_jit_code *add_lazily(live *l, const char *name, const char *text)
{
    kiln_error *error;
    kiln_jit_code *code;
    made input = live_compile(l, KILN_OUTPUT_RAW_BITCODE, name, text, NULL);
    CHECK_STATUS(kiln_jit_add_lazy(l->dylib, name, input.bytes, input.size, "-O1", &code, &error),
                 KILN_OK, &error);
    return code;
}

TEST(what_it_needs_stays_with_it)
{
    for (int is_lazy = 0; is_lazy < 2; is_lazy++) {
        live l;
        kiln_error *error;
        live_begin(&l);
        size_t before = kiln_jit_memory_bytes(l.jit);
        add_notes(&l);
        kiln_jit_code *needed = is_lazy
                                    ? add_lazily(&l, "needed.cpp", needed_text)
                                    : live_add(&l, KILN_OUTPUT_BITCODE, "needed.cpp", needed_text);
        kiln_jit_code *user = live_add(&l, KILN_OUTPUT_BITCODE, "user.cpp", user_text);
        pthread_t thread = begin_use(&l);
        CHECK_INT(kiln_jit_remove(needed, &error), KILN_REFUSED);
        kiln_error_destroy(error);
        remove_later(user);
        remove_later(needed);
        live_fails(l.dylib, "needed", KILN_NOT_FOUND);
        CHECK_TEXT(order, "");
        end_use(thread);
        live_fails(l.dylib, "needed", KILN_NOT_FOUND);
        CHECK_TEXT(order, "thread user needed ");
        CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
        live_end(&l);
    }
}

/* So does a library of the image engine that it needs. */
TEST(a_library_that_it_needs_stays_with_it)
{
    live l;
    kiln_error *error;
    kiln_jit_code *lender;
    live_begin(&l);
    add_notes(&l);
    kiln_spec *spec = kiln_spec_create("needed");
    kiln_spec_add_memory_source(spec, "needed.cpp", needed_text, strlen(needed_text), NULL);
    kiln_spec_add_host_symbol(spec, "note", (const void *)(uintptr_t)note_text);
    kiln_library *library = load_spec(l.session, spec);
    CHECK_STATUS(kiln_jit_add_library(l.dylib, library, &lender, &error), KILN_OK, &error);
    kiln_jit_code *user = live_add(&l, KILN_OUTPUT_BITCODE, "user.cpp", user_text);
    pthread_t thread = begin_use(&l);
    remove_later(user);
    remove_later(lender);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    end_use(thread);
    live_fails(l.dylib, "needed", KILN_NOT_FOUND);
    CHECK_TEXT(order, "thread user needed ");
    live_end(&l);
}

/* An image in between: its own destructors come before those of what it needs. */
TEST(an_image_in_between_ends_in_order)
{
    static const char image_text[] =
        "extern \"C\" int needed(); extern \"C\" void note(const char *);\n"
        "thread_local int own = 1; extern \"C\" int between() { return own; }\n"
        "struct I { ~I() { note(needed() ? \"image \" : \"late \"); } }; static I i;\n";
    live l;
    live_begin(&l);
    add_notes(&l);
    kiln_jit_code *codes[] = {
        live_add(&l, KILN_OUTPUT_BITCODE, "needed.cpp", needed_text),
        live_add(&l, KILN_OUTPUT_OBJECT, "image.cpp", image_text),
        live_add(&l, KILN_OUTPUT_BITCODE, "user.cpp",
                 "extern \"C\" int between(); extern \"C\" void note(const char *);\n"
                 "struct S { int n = between(); ~S() { note(between() ? \"thread \" : \"\"); } };\n"
                 "static thread_local S s; extern \"C\" int use() { return s.n; }\n")};
    pthread_t thread = begin_use(&l);
    for (int i = 3; i-- > 0;)
        remove_later(codes[i]);
    end_use(thread);
    live_fails(l.dylib, "needed", KILN_NOT_FOUND);
    CHECK_TEXT(order, "thread image needed ");
    live_end(&l);
}

/* Code that an image needs, while the image cannot leave. */
TEST(what_an_image_needs_stays_with_it)
{
    live l;
    live_begin(&l);
    size_t before = kiln_jit_memory_bytes(l.jit);
    add_notes(&l);
    kiln_jit_code *needed = live_add(&l, KILN_OUTPUT_BITCODE, "needed.cpp", needed_text);
    kiln_jit_code *image = live_add(&l, KILN_OUTPUT_OBJECT, "user.cpp", user_text);
    pthread_t thread = begin_use(&l);
    remove_later(image);
    remove_later(needed);
    end_use(thread);
    live_fails(l.dylib, "needed", KILN_NOT_FOUND);
    CHECK_TEXT(order, "thread user needed ");
    CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
    live_end(&l);
}

/* A handler that was put off leaves its own thread something to destroy. */
static const char once_more_text[] =
    "extern \"C\" void note(const char *);\n"
    "extern \"C\" int needed(); struct S { int n = 1; ~S() { note(needed() ? \"thread \" : \"late "
    "\"); } };\n"
    "static thread_local S s;\n"
    "struct E { ~E() { if (s.n) note(\"user \"); } }; static E e;\n"
    "extern \"C\" int needed(); extern \"C\" int use() { return s.n + needed() - 1; }\n";

static void *call_kiln(void *unused)
{
    (void)unused;
    live_fails(shared->dylib, "use", KILN_NOT_FOUND);
    CHECK_TEXT(order, "thread user ");
    return NULL;
}

TEST(a_handler_leaves_a_destructor)
{
    live l;
    live_begin(&l);
    size_t before = kiln_jit_memory_bytes(l.jit);
    add_notes(&l);
    kiln_jit_code *needed = live_add(&l, KILN_OUTPUT_BITCODE, "needed.cpp", needed_text);
    kiln_jit_code *code = live_add(&l, KILN_OUTPUT_BITCODE, "user.cpp", once_more_text);
    pthread_t thread = begin_use(&l);
    remove_later(code);
    remove_later(needed);
    end_use(thread);
    CHECK_INT(pthread_create(&thread, NULL, call_kiln, NULL), 0);
    pthread_join(thread, NULL);
    CHECK_TEXT(order, "thread user thread ");
    live_fails(l.dylib, "use", KILN_NOT_FOUND);
    CHECK_TEXT(order, "thread user thread needed ");
    CHECK_INT(kiln_jit_memory_bytes(l.jit), before);
    live_end(&l);
}

/* Functions that are compiled at their first call, which is behind the removal. */
TEST(destructors_that_are_not_compiled_yet)
{
    live l;
    live_begin(&l);
    add_notes(&l);
    live_add(&l, KILN_OUTPUT_BITCODE, "needed.cpp", needed_text);
    kiln_jit_code *code = add_lazily(&l, "user.cpp", user_text);
    pthread_t thread = begin_use(&l);
    remove_later(code);
    end_use(thread);
    live_fails(l.dylib, "use", KILN_NOT_FOUND);
    CHECK_TEXT(order, "thread user ");
    live_end(&l);
    CHECK_TEXT(order, "thread user needed ");
}

/* At the end of the JIT handlers run; what a thread owes it runs still, and what that needs is there. */
TEST(a_jit_ends_while_a_destructor_is_owed)
{
    for (int is_lazy = 0; is_lazy < 2; is_lazy++) {
        live l;
        live_begin(&l);
        add_notes(&l);
        if (is_lazy) {
            add_lazily(&l, "needed.cpp", needed_text);
            add_lazily(&l, "user.cpp", user_text);
        } else {
            live_add(&l, KILN_OUTPUT_BITCODE, "needed.cpp", needed_text);
            live_add(&l, KILN_OUTPUT_BITCODE, "user.cpp", user_text);
        }
        pthread_t thread = begin_use(&l);
        live_end(&l);
        CHECK_TEXT(order, "user needed ");
        end_use(thread);
        CHECK_TEXT(order, "user needed late ");
    }
}

/* An image that cannot leave calls what was not compiled until then. */
TEST(a_jit_ends_while_an_image_owes_a_destructor)
{
    live l;
    live_begin(&l);
    add_notes(&l);
    add_lazily(&l, "needed.cpp", needed_text);
    live_add(&l, KILN_OUTPUT_OBJECT, "user.cpp", user_text);
    pthread_t thread = begin_use(&l);
    live_end(&l);
    CHECK_TEXT(order, "needed ");
    end_use(thread);
    CHECK_TEXT(order, "needed late ");
}

/* What it calls is compiled only then, and calls another image. */
TEST(a_jit_ends_while_an_image_owes_a_destructor_that_needs_another)
{
    live l;
    live_begin(&l);
    add_notes(&l);
    live_add(&l, KILN_OUTPUT_OBJECT, "user.cpp", user_text);
    add_lazily(&l, "needed.cpp",
               "extern \"C\" int other(); extern \"C\" int needed() { return other(); }");
    live_add(&l, KILN_OUTPUT_OBJECT, "other.cpp",
             "thread_local int own = 1; extern \"C\" int other() { return own; }");
    CHECK_INT(live_int(&l, "other"), 1);
    pthread_t thread = begin_use(&l);
    live_end(&l);
    CHECK_TEXT(order, "");
    end_use(thread);
    CHECK_TEXT(order, "thread ");
}

/* A session ends: images that a live library depends on stay, too, with what a thread owes. */
static int (*use_library)(void);
static void *use_library_and_wait(void *unused)
{
    CHECK_INT(use_library(), 1);
    stage = 1;
    while (stage != 2)
        sched_yield();
    return unused;
}

TEST(an_image_that_a_live_library_needs_at_the_end)
{
    const kiln_load_options options = {.size = sizeof options, .engine = "jit"};
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_library *library;
    kiln_error *error;
    pthread_t thread;
    *order = 0;
    kiln_spec *needed = kiln_spec_create("needed"), *user = kiln_spec_create("user");
    kiln_spec_add_memory_source(needed, "needed.cpp", needed_text, strlen(needed_text), NULL);
    kiln_spec_add_host_symbol(needed, "note", (const void *)(uintptr_t)note_text);
    kiln_spec_add_arguments(needed, KILN_PRIVATE, (const char *const[]){"-Wl,-z,now", NULL});
    kiln_spec_add_memory_source(user, "user.cpp", user_text, strlen(user_text), NULL);
    kiln_spec_add_host_symbol(user, "note", (const void *)(uintptr_t)note_text);
    kiln_spec_add_dependency(user, "needed");
    CHECK_STATUS(kiln_session_register(session, needed, &error), KILN_OK, &error);
    CHECK_STATUS(kiln_library_load_spec(session, user, &options, &library, &error), KILN_OK,
                 &error);
    use_library = (int (*)(void))kiln_library_function(library, "use", &error);
    CHECK_INT(pthread_create(&thread, NULL, use_library_and_wait, NULL), 0);
    while (stage != 1)
        sched_yield();
    kiln_session_destroy(session);
    CHECK_TEXT(order, "user ");
    end_use(thread);
    CHECK_TEXT(order, "user thread ");
    kiln_spec_destroy(needed);
    kiln_spec_destroy(user);
}

/* A session may end while this thread owes a destructor to code of it. */
TEST(a_session_ends_while_a_destructor_is_owed)
{
    static int ended;
    const kiln_load_options options = {.size = sizeof options, .engine = "jit"};
    for (int is_closed = 0; is_closed < 2; is_closed++) {
        kiln_session *session = session_create(scratch("cache"), NULL);
        kiln_library *library;
        kiln_error *error;
        static const char text[] =
            "extern \"C\" int ended; struct S { int n = 3; ~S() { ended++; } };\n"
            "thread_local S s; extern \"C\" int use() { return s.n; }";
        kiln_spec *spec = kiln_spec_create("owes");
        kiln_spec_add_memory_source(spec, "o.cpp", text, sizeof text - 1, NULL);
        kiln_spec_add_host_symbol(spec, "ended", &ended);
        CHECK_STATUS(kiln_library_load_spec(session, spec, &options, &library, &error), KILN_OK,
                     &error);
        int (*use)(void) = (int (*)(void))kiln_library_function(library, "use", &error);
        CHECK_INT(use(), 3);
        if (is_closed)
            CHECK_INT(kiln_library_close(library), KILN_PENDING);
        kiln_session_destroy(session);
        kiln_spec_destroy(spec);
    }
}
