/* misuse_async.c - loads under way: polled, waited for, cancelled, destroyed, driven by the session's descriptor; and on which threads
 * callbacks run. */
#include "host_process.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kiln_spec *quick_spec(const char *name, int value)
{
    kiln_spec *spec = kiln_spec_create(name);
    char *text = text_of("int value(void) { return %d; }\n", value);
    kiln_spec_add_memory_source(spec, text_of("%s.c", name), text, strlen(text), NULL);
    free(text);
    return spec;
}

static kiln_spec *endless_spec(void)
{
    static const char text[] =
        "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\nconstexpr int x = f();\n";
    kiln_spec *spec = kiln_spec_create("endless");
    kiln_spec_add_memory_source(spec, "endless.cpp", text, strlen(text),
                                (const char *const[]){"-fconstexpr-steps=4294967295", NULL});
    return spec;
}

static kiln_load *begin(kiln_session *session, kiln_spec *spec)
{
    kiln_load *load;
    kiln_error *error;
    CHECK_STATUS(kiln_load_begin(session, NULL, spec, NULL, &load, &error), KILN_OK, &error);
    kiln_spec_destroy(spec); /* the load has what it needs */
    return load;
}

TEST(polled_until_done)
{
    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library = NULL;
    kiln_error *error;
    kiln_status status;
    while ((status = kiln_load_poll(load, &library, &error)) == KILN_PENDING) {
        CHECK(library == NULL && error == NULL);
        nap_ms(1);
    }
    CHECK_STATUS(status, KILN_OK, &error);
    CHECK_INT(call_int(library, "value"), 5);
    kiln_load_destroy(load); /* the library was handed out: it stays */
    CHECK_INT(call_int(library, "value"), 5);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    kiln_session_destroy(session);
}

TEST(waited_for)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_OK, &error);
    CHECK_INT(call_int(library, "value"), 5);
    kiln_library_close(library);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
}

TEST(wait_gives_up)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_load *load = begin(session, endless_spec());
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, 0, &library, &error), KILN_PENDING, &error);
    CHECK_STATUS(kiln_load_wait(load, 300, &library, &error), KILN_PENDING, &error);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
}

TEST(library_is_handed_out_once)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library, *again = NULL;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_OK, &error);
    kiln_status status = kiln_load_poll(load, &again, &error);
    CHECK(status != KILN_OK && again == NULL);
    kiln_error_destroy(error);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    kiln_load_destroy(load);
    CHECK(!kiln_session_is_loaded(session, "quick"));
    kiln_session_destroy(session);
}

TEST(never_handed_out_is_closed)
{
    event_log log = {0};
    kiln_session *session = session_create(NULL, &log);
    kiln_load *load = begin(session, quick_spec("quick", 5));
    for (int i = 0; log.count[KILN_EVENT_LINK_FINISHED] == 0 && i < 1000; i++)
        CHECK_STATUS(kiln_session_dispatch(session, 10, NULL), KILN_OK, NULL);
    CHECK_STATUS(kiln_session_dispatch(session, 50, NULL), KILN_OK, NULL);
    kiln_load_destroy(load);
    CHECK(!kiln_session_is_loaded(session, "quick"));
    CHECK_INT(log.count[KILN_EVENT_LOADED], log.count[KILN_EVENT_CLOSED]);
    kiln_session_destroy(session);
}

TEST(cancelled)
{
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(scratch("cache"), &log);
    kiln_load *load = begin(session, endless_spec());
    kiln_library *library;
    kiln_error *error;
    while (log.count[KILN_EVENT_UNIT_STARTED] == 0)
        CHECK_STATUS(kiln_load_wait(load, 5, &library, &error), KILN_PENDING, &error);
    kiln_load_cancel(load);
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_CANCELLED, &error);
    kiln_error_destroy(error);
    kiln_load_destroy(load);
    /* Its job is gone, and the next load of anything works. */
    library = load_spec(session, quick_spec("quick", 6));
    CHECK_INT(call_int(library, "value"), 6);
    kiln_library_close(library);
    CHECK_STATUS(kiln_session_stop_compiler(session), KILN_OK, NULL);
    wait_until_no_compiler();
    kiln_session_destroy(session);
}

static void *cancel_soon(void *load)
{
    nap_ms(100);
    kiln_load_cancel(load);
    return NULL;
}

TEST(cancelled_from_another_thread)
{
    pthread_t thread;
    kiln_session *session = session_create(NULL, NULL);
    kiln_load *load = begin(session, endless_spec());
    kiln_library *library;
    kiln_error *error;
    pthread_create(&thread, NULL, cancel_soon, load);
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_CANCELLED, &error);
    pthread_join(thread, NULL);
    kiln_error_destroy(error);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
}

TEST(cancelled_too_late)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_OK, &error);
    kiln_load_cancel(load);
    CHECK_INT(call_int(library, "value"), 5);
    kiln_load_destroy(load);
    CHECK_INT(call_int(library, "value"), 5);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(cancelled_at_once)
{
    kiln_session *session = session_create(scratch("cache"), NULL);
    for (int i = 0; i < 20; i++) {
        kiln_load *load = begin(session, quick_spec("quick", i));
        kiln_library *library;
        kiln_error *error;
        nap_ms(i * 3);
        kiln_load_cancel(load);
        kiln_status status = kiln_load_wait(load, -1, &library, &error);
        CHECK(status == KILN_CANCELLED || status == KILN_OK);
        if (status == KILN_OK)
            kiln_library_close(library);
        kiln_error_destroy(error);
        kiln_load_destroy(load);
    }
    kiln_library *library = load_spec(session, quick_spec("quick", 77));
    CHECK_INT(call_int(library, "value"), 77);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(destroyed_under_way)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    for (int i = 0; i < 4; i++) {
        kiln_load *load = begin(session, endless_spec());
        nap_ms(i * 60);
        kiln_load_destroy(load);
    }
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(failure_comes_with_its_diagnostics)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_spec *spec = kiln_spec_create("bad");
    kiln_spec_add_memory_source(spec, "bad.c", "int x = nowhere;\n", 17, NULL);
    kiln_load *load = begin(session, spec);
    kiln_library *library;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_COMPILE, &error);
    CHECK_INT(kiln_error_diagnostic_count(error), 1);
    kiln_error_destroy(error);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
}

TEST(unknown_name)
{
    kiln_session *session = session_create(NULL, NULL);
    kiln_load *load;
    kiln_library *library;
    kiln_error *error;
    kiln_status status = kiln_load_begin(session, "never registered", NULL, NULL, &load, &error);
    if (status == KILN_OK) {
        status = kiln_load_wait(load, -1, &library, &error);
        kiln_load_destroy(load);
    }
    CHECK_INT(status, KILN_NOT_FOUND);
    CHECK_CONTAINS(kiln_error_message(error), "never registered");
    kiln_error_destroy(error);
    kiln_session_destroy(session);
}

/* An event loop that knows only the descriptor: poll it, dispatch, look at the load. */
TEST(driven_by_the_descriptor)
{
    event_log log = {0};
    kiln_session *session = session_create(NULL, &log);
    struct pollfd waiting = {.fd = kiln_session_descriptor(session), .events = POLLIN};
    CHECK(waiting.fd >= 0);
    CHECK_INT(poll(&waiting, 1, 0), 0); /* nothing to do yet */
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library = NULL;
    kiln_error *error;
    kiln_status status = KILN_PENDING;
    unsigned wakeups = 0;
    while (status == KILN_PENDING) {
        if (poll(&waiting, 1, 30000) != 1)
            support_fail(__FILE__, __LINE__, "the descriptor never became readable");
        wakeups++;
        CHECK_STATUS(kiln_session_dispatch(session, 0, &error), KILN_OK, &error);
        status = kiln_load_poll(load, &library, &error);
    }
    CHECK_STATUS(status, KILN_OK, &error);
    CHECK_INT(call_int(library, "value"), 5);
    CHECK_INT(log.count[KILN_EVENT_LOADED], 1);
    CHECK(wakeups < 1000); /* it tells of work, it is not always readable */
    kiln_load_destroy(load);
    kiln_library_close(library);
    CHECK_STATUS(kiln_session_dispatch(session, 0, &error), KILN_OK, &error);
    CHECK_INT(poll(&waiting, 1, 0), 0);
    kiln_session_destroy(session);
}

TEST(dispatch_alone_drives_a_load)
{
    kiln_session *session = session_create(NULL, NULL);
    CHECK_STATUS(kiln_session_dispatch(session, -1, NULL), KILN_OK,
                 NULL); /* nothing is under way: it does not wait */
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library;
    kiln_error *error;
    while (kiln_load_poll(load, &library, &error) == KILN_PENDING)
        CHECK_STATUS(kiln_session_dispatch(session, -1, &error), KILN_OK, &error);
    CHECK_INT(call_int(library, "value"), 5);
    kiln_load_destroy(load);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

TEST(several_at_once)
{
    event_log log = {0};
    kiln_session *session = session_create(scratch("cache"), &log);
    kiln_load *loads[12];
    kiln_library *libraries[12];
    kiln_error *error;
    for (int i = 0; i < 12; i++) /* four of each */
        loads[i] = begin(session, quick_spec(text_of("quick%d", i % 3), i % 3));
    for (int i = 11; i >= 0; i--) {
        CHECK_STATUS(kiln_load_wait(loads[i], -1, &libraries[i], &error), KILN_OK, &error);
        CHECK_INT(call_int(libraries[i], "value"), i % 3);
    }
    CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], 3);
    for (int i = 0; i < 12; i++) {
        kiln_library_close(libraries[i]);
        kiln_load_destroy(loads[i]);
    }
    for (int i = 0; i < 3; i++)
        CHECK(!kiln_session_is_loaded(session, text_of("quick%d", i)));
    kiln_session_destroy(session);
}

/* Blocking and begun loads of one library meet. */
TEST(begun_and_blocking)
{
    event_log log = {0};
    kiln_session *session = session_create(NULL, &log);
    kiln_load *load = begin(session, quick_spec("quick", 5));
    kiln_library *library = load_spec(session, quick_spec("quick", 5)), *other;
    kiln_error *error;
    CHECK_STATUS(kiln_load_wait(load, -1, &other, &error), KILN_OK, &error);
    CHECK(kiln_library_function(library, "value", NULL) ==
          kiln_library_function(other, "value", NULL));
    CHECK_INT(log.count[KILN_EVENT_UNIT_STARTED], 1);
    kiln_library_close(library);
    kiln_library_close(other);
    kiln_load_destroy(load);
    kiln_session_destroy(session);
}

/* ---- threads of callbacks ---- */

static __thread int calls_under_way; /* of this thread, into Kiln */
static unsigned callbacks, strays;
static kiln_session *busy_session;

static void check_thread(const kiln_event *event, void *user_data)
{
    (void)user_data;
    CHECK(event->size >= sizeof *event);
    __atomic_fetch_add(&callbacks, 1, __ATOMIC_SEQ_CST);
    if (calls_under_way == 0)
        __atomic_fetch_add(&strays, 1, __ATOMIC_SEQ_CST);
}

TEST(callbacks_only_inside_calls)
{
    kiln_session_options options = session_options(scratch("cache"), NULL);
    options.event_callback = check_thread;
    kiln_session *session = session_create_with(&options);
    calls_under_way++;
    kiln_load *load = begin(session, quick_spec("quick", 5));
    calls_under_way--;
    nap_ms(500); /* the compile goes on beside; nobody is inside a call */
    CHECK_INT(strays, 0);
    kiln_library *library;
    kiln_error *error;
    calls_under_way++;
    CHECK_STATUS(kiln_load_wait(load, -1, &library, &error), KILN_OK, &error);
    kiln_library_close(library);
    kiln_load_destroy(load);
    CHECK_STATUS(kiln_session_dispatch(session, 0, NULL), KILN_OK, NULL);
    calls_under_way--;
    CHECK(callbacks > 3);
    CHECK_INT(strays, 0);
    calls_under_way++;
    kiln_session_destroy(session);
}

/* A callback may call Kiln: no lock is held. */
static void call_back_in(const kiln_event *event, void *user_data)
{
    static __thread int depth;
    (void)user_data;
    if (depth > 0 || event->kind == KILN_EVENT_CLOSED)
        return;
    depth++;
    char **names;
    size_t count;
    CHECK_STATUS(kiln_session_names(busy_session, &names, &count, NULL), KILN_OK, NULL);
    kiln_names_destroy(names);
    kiln_session_is_loaded(busy_session, event->library);
    if (event->kind == KILN_EVENT_UNIT_STARTED || event->kind == KILN_EVENT_LOADED) {
        kiln_library *library = load_spec(busy_session, quick_spec("from-callback", 9));
        CHECK_INT(call_int(library, "value"), 9);
        kiln_library_close(library);
    }
    callbacks++;
    depth--;
}

TEST(callbacks_may_call_kiln)
{
    kiln_session_options options = session_options(scratch("cache"), NULL);
    options.event_callback = call_back_in;
    busy_session = session_create_with(&options);
    kiln_library *library = load_spec(busy_session, quick_spec("quick", 5));
    CHECK_INT(call_int(library, "value"), 5);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
    CHECK(callbacks > 3);
    kiln_session_destroy(busy_session);
}

TEST(session_destroyed_with_open_libraries)
{
    event_log log = {0};
    kiln_session *session = session_create(scratch("cache"), &log);
    for (int i = 0; i < 3; i++)
        load_spec(session, quick_spec(text_of("open%d", i), i));
    kiln_session_destroy(session);
    CHECK_INT(log.count[KILN_EVENT_CLOSED], 3);
}
