/* hot_watch.c - sources that are watched: saves of every kind are noticed, published where the host
 * wants it, and none is lost. */
#include "edit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { patience_ms = 20000 };

static atomic_int told, failed;
static pthread_t told_on;
static char last_error[4096];
static void tell(kiln_library *library, const kiln_reload *report, const kiln_error *error,
                 void *data)
{
    (void)library, (void)data;
    told_on = pthread_self();
    if (error)
        snprintf(last_error, sizeof last_error, "%s", kiln_error_rendered(error));
    if (error)
        atomic_fetch_add(&failed, 1);
    else if (kiln_reload_changed(report))
        atomic_fetch_add(&told, 1);
}

static void watch(editing *e, bool at_once)
{
    kiln_watch_options options = {
        .size = sizeof options, .publish_at_once = at_once, .callback = tell};
    kiln_error *error;
    CHECK_STATUS(kiln_library_watch(e->library, &options, &error), KILN_OK, &error);
}

/* Dispatch until run() gives the value. */
static void await_value(editing *e, int value)
{
    for (int waited = 0; edit_int(e, "run") != value; waited += 5) {
        struct pollfd ready = {.fd = kiln_session_descriptor(e->session), .events = POLLIN};
        if (waited > patience_ms)
            support_fail(__FILE__, __LINE__, "run() is %d, not %d", edit_int(e, "run"), value);
        poll(&ready, 1, 5);
        CHECK_STATUS(kiln_session_dispatch(e->session, 0, NULL), KILN_OK, NULL);
    }
}

/* Dispatch until an error is told that says this. */
static void await_error(editing *e, const char *part)
{
    for (int i = 0; !strstr(last_error, part); i++) {
        CHECK(i < patience_ms);
        usleep(1000);
        kiln_session_dispatch(e->session, 0, NULL);
    }
}

static const char text[] = "#include \"value.h\"\nint run(void) { return VALUE; }\n";

static void begin(editing *e, bool at_once)
{
    write_file(scratch("value.h"), "#define VALUE 1\n");
    edit_begin(e, "c", text);
    watch(e, at_once);
    await_value(e, 1);
}

/* The ways in which editors and people save. */
static void save_in_place(const char *path, const char *content)
{
    write_file(path, content);
}
static void save_by_rename(const char *path, const char *content)
{
    write_file(text_of("%s.new", path), content);
    CHECK_INT(rename(text_of("%s.new", path), path), 0);
}
static void save_anew(const char *path, const char *content)
{
    CHECK_INT(rename(path, text_of("%s~", path)), 0);
    write_file(path, content);
}
static void save_and_delete(const char *path, const char *content)
{
    CHECK_INT(unlink(path), 0);
    write_file(path, content);
}

TEST(every_way_to_save)
{
    static void (*const ways[])(const char *, const char *) = {save_in_place, save_by_rename,
                                                               save_anew, save_and_delete};
    editing e;
    begin(&e, false);
    for (int i = 0; i < 8; i++) {
        ways[i % 4](scratch("value.h"), text_of("#define VALUE %d\n", i + 10));
        await_value(&e, i + 10 + (i ? 100 * (i - 1) : 0));
        ways[i % 4](e.path, text_of("#include \"value.h\"\nint run(void) { return VALUE + %d; }\n",
                                    100 * i));
        await_value(&e, i + 10 + 100 * i);
    }
    /* It was told of each, here. */
    CHECK(told >= 15 && pthread_equal(told_on, pthread_self()));
    edit_end(&e);
}

/* What was compiled for the code that was there before it went back is compiled anew. */
TEST(rolled_back_while_an_edit_waits)
{
    static const char both[] = "int one(void) { return %d; }\nint two(void) { return %d; }\n"
                               "int run(void) { return one() * 10 + two(); }\n";
    editing e;
    edit_begin(&e, "c", text_of(both, 1, 1));
    watch(&e, false);
    write_file(e.path, text_of(both, 2, 1));
    await_value(&e, 21);
    write_file(e.path, text_of(both, 2, 2));
    struct pollfd ready = {.fd = kiln_session_descriptor(e.session), .events = POLLIN};
    CHECK_INT(poll(&ready, 1, patience_ms), 1);
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(edit_int(&e, "run"), 11);
    await_value(&e, 22);
    edit_end(&e);
}

TEST(published_at_once)
{
    editing e;
    begin(&e, true);
    save_in_place(scratch("value.h"), "#define VALUE 2\n");
    for (int i = 0; edit_int(&e, "run") != 2 || !told; i++) {
        CHECK(i < patience_ms);
        usleep(1000);
    }
    CHECK(!pthread_equal(told_on, pthread_self()));
    edit_end(&e);
}

TEST(errors_are_told_and_mended)
{
    editing e;
    begin(&e, false);
    save_in_place(scratch("value.h"), "#define VALUE oops\n");
    for (int i = 0; !failed; i++) {
        CHECK(i < patience_ms);
        usleep(1000);
        kiln_session_dispatch(e.session, 0, NULL);
    }
    CHECK_INT(edit_int(&e, "run"), 1);
    save_in_place(scratch("value.h"), "#define VALUE 3\n");
    await_value(&e, 3);
    edit_end(&e);
}

/* Each of two errors that follow each other closely is told, and once. */
TEST(another_error_while_one_is_compiled)
{
    editing e;
    begin(&e, false);
    for (int i = 0; i < 12; i++) {
        save_in_place(scratch("value.h"), text_of("#define VALUE first_%d\n", i));
        usleep((useconds_t)(i * 2500));
        save_in_place(scratch("value.h"), text_of("#define VALUE second_%d\n", i));
        await_error(&e, text_of("second_%d'", i));
    }
    CHECK(failed <= 24);
    /* And what it looked for then is watched. */
    save_in_place(e.path, "#include \"value.h\"\n#include \"later.h\"\n");
    usleep(5000);
    save_in_place(e.path, "#include \"value.h\"\n#include \"later.h\"\n"
                          "int run(void) { return LATER; }\n");
    await_error(&e, "later.h");
    usleep(30000);
    save_in_place(scratch("later.h"), "#define LATER 6\n");
    await_value(&e, 6);
    edit_end(&e);
}

static atomic_int migrations, migrations_refused;
static bool migrate(kiln_library *library, const kiln_migration *migration, void *data)
{
    (void)library, (void)migration, (void)data;
    migrations++;
    return migrations > migrations_refused;
}

/* What cannot be published is not tried again and again. */
TEST(a_migration_that_refuses)
{
    editing e;
    static const char held[] = "struct s { int a; } held = {1};\n"
                               "int run(void) { return sizeof held; }\n";
    edit_begin(&e, "c", held);
    kiln_watch_options options = {.size = sizeof options, .callback = tell, .migrate = migrate};
    CHECK_STATUS(kiln_library_watch(e.library, &options, NULL), KILN_OK, NULL);
    await_value(&e, 4);
    migrations_refused = 1;
    write_file(e.path, replaced(held, "int a;", "int a, b;"));
    for (int i = 0; i < 600 || !failed; i++) {
        CHECK(i < patience_ms);
        usleep(1000);
        kiln_session_dispatch(e.session, 0, NULL);
    }
    CHECK_INT(migrations, 1);
    CHECK_INT(failed, 1);
    CHECK_CONTAINS(last_error, "migration refuses");
    write_file(e.path, replaced(held, "int a;", "int a, b, c;"));
    await_value(&e, 12);
    CHECK_INT(failed, 1);
    edit_end(&e);
}

/* Sources of what was rolled back are watched, too. */
TEST(watched_after_a_roll_back)
{
    editing e;
    edit_begin(&e, "c", "int run(void) { return 1; }\n");
    edit_save(&e, "int run(void) { return 2; }\n");
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, NULL), KILN_OK, NULL);
    watch(&e, false);
    /* The source still says 2. */
    await_value(&e, 2);
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(edit_int(&e, "run"), 1);
    save_in_place(e.path, "int run(void) { return 3; }\n");
    await_value(&e, 3);
    edit_end(&e);
}

TEST(a_header_that_was_missing)
{
    editing e;
    begin(&e, false);
    save_in_place(e.path, "#include \"later.h\"\nint run(void) { return LATER; }\n");
    await_error(&e, "later.h");
    usleep(30000);
    save_in_place(scratch("later.h"), "#define LATER 6\n");
    await_value(&e, 6);
    edit_end(&e);
}

TEST(a_header_that_appears)
{
    editing e = {0};
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){text_of("-I%s", scratch("deep/down")),
                                                  text_of("-I%s", scratch("far")), NULL});
    write_file(scratch("far/value.h"), "#define VALUE 1\n");
    write_file(scratch("lib.c"), "#include <value.h>\nint run(void) { return VALUE; }\n");
    kiln_spec_add_source(spec, scratch("lib.c"), NULL);
    edit_begin_spec(&e, spec);
    watch(&e, false);
    await_value(&e, 1);
    /* In a directory that was not there either. */
    make_directory(scratch("deep"));
    usleep(20000);
    make_directory(scratch("deep/down"));
    write_file(scratch("deep/down/value.h"), "#define VALUE 2\n");
    await_value(&e, 2);
    edit_end(&e);
}

TEST(a_file_that_a_pattern_matches)
{
    editing e = {0};
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_set_directory(spec, scratch("src"));
    write_file(scratch("src/a.c"),
               "__attribute__((weak)) int more(void); int run(void) { return 1; }\n");
    kiln_spec_add_source(spec, "*.c", NULL);
    edit_begin_spec(&e, spec);
    watch(&e, false);
    await_value(&e, 1);
    write_file(scratch("src/b.c"), "int more(void) { return 5; }\n");
    write_file(scratch("src/a.c"), "int more(void); int run(void) { return more(); }\n");
    await_value(&e, 5);
    edit_end(&e);
}

TEST(a_link_that_leads_elsewhere)
{
    editing e;
    write_file(scratch("one.h"), "#define VALUE 1\n");
    write_file(scratch("two.h"), "#define VALUE 2\n");
    CHECK_INT(symlink("one.h", scratch("value.h")), 0);
    edit_begin(&e, "c", text);
    watch(&e, false);
    await_value(&e, 1);
    save_in_place(scratch("one.h"), "#define VALUE 4\n");
    await_value(&e, 4);
    CHECK_INT(unlink(scratch("value.h")), 0);
    CHECK_INT(symlink("two.h", scratch("value.h")), 0);
    await_value(&e, 2);
    edit_end(&e);
}

TEST(edits_while_it_compiles)
{
    editing e;
    begin(&e, false);
    for (int i = 2; i <= 60; i++) {
        save_by_rename(scratch("value.h"), text_of("#define VALUE %d\n", i));
        if (i % 7 == 0)
            usleep(3000);
        kiln_session_dispatch(e.session, 0, NULL);
    }
    await_value(&e, 60);
    edit_end(&e);
}

TEST(reloads_beside_a_watch)
{
    editing e;
    begin(&e, false);
    for (int i = 2; i <= 20; i++) {
        save_in_place(scratch("value.h"), text_of("#define VALUE %d\n", i));
        edit_reload(&e);
        CHECK_INT(edit_int(&e, "run"), i);
    }
    edit_end(&e);
}

TEST(watched_once_and_let_go)
{
    editing e;
    begin(&e, false);
    kiln_error *error;
    CHECK_INT(kiln_library_watch(e.library, NULL, &error), KILN_ALREADY_EXISTS);
    kiln_error_destroy(error);
    kiln_library_unwatch(e.library);
    kiln_library_unwatch(e.library);
    save_in_place(scratch("value.h"), "#define VALUE 2\n");
    usleep(50000);
    kiln_session_dispatch(e.session, 0, NULL);
    CHECK_INT(edit_int(&e, "run"), 1);
    watch(&e, false);
    await_value(&e, 2);
    pid_t child = fork();
    if (child == 0) {
        kiln_library_close(e.library);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    edit_end(&e);
}
