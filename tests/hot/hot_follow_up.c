/* hot_follow_up.c - code that stands at other lines of its source since what stands before it was
 * edited is brought to them: on request, and by a watch when edits have paused. */
#include "edit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "int first(void)\n{\n    return 1;\n}\n"
                           "int line(void)\n{\n    return __LINE__;\n}\n"
                           "int plain(int x)\n{\n    return x;\n}\n"
                           "int run(void)\n{\n    return plain(first() * 100 + line());\n}\n";

static bool is_whole(void)
{
    return edit_mode() == KILN_HOT_WHOLE;
}

static void follow_up(editing *e)
{
    const kiln_reload_options how = {.size = sizeof how, .follow_up = true};
    kiln_error *error;
    kiln_reload_destroy(e->report);
    CHECK_STATUS(kiln_library_reload(e->library, &how, &e->report, &error), KILN_OK, &error);
}

TEST(what_stands_behind_an_edited_function)
{
    editing e;
    edit_begin(&e, "c", text);
    CHECK_INT(edit_int(&e, "run"), 107);
    follow_up(&e);
    CHECK(!kiln_reload_changed(e.report));
    edit_replace(&e, text, "return 1", "int a = 2;\n    return a");
    CHECK_INT(edit_int(&e, "run"), is_whole() ? 208 : 207);
    CHECK_INT(kiln_reload_moved_count(e.report), 0);
    follow_up(&e);
    CHECK_INT(edit_int(&e, "run"), 208);
    /* line, plain and run; as functions that an edit has changed they are not told. */
    CHECK_INT(kiln_reload_moved_count(e.report), is_whole() ? 0 : 3);
    CHECK_INT(kiln_reload_function_count(e.report), 0);
    CHECK_INT(kiln_library_generation(e.library), is_whole() ? 2 : 3);
    follow_up(&e);
    CHECK(!kiln_reload_changed(e.report));
    /* The way back is that of the edit. */
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(edit_int(&e, "run"), is_whole() ? 107 : 108);
    CHECK_INT(kiln_library_roll_back(e.library, NULL, NULL), KILN_NOT_FOUND);
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 208);
    edit_end(&e);
}

/* Nothing but lines differs. */
TEST(an_empty_line)
{
    editing e;
    edit_begin(&e, "cpp",
               "inline int shared()\n{\n    return 1;\n}\n"
               "extern \"C\" int run()\n{\n    return shared();\n}\n");
    uint32_t generation = kiln_library_generation(e.library);
    edit_save(&e, "\ninline int shared()\n{\n    return 1;\n}\n"
                  "extern \"C\" int run()\n{\n    return shared();\n}\n");
    CHECK_INT(kiln_library_generation(e.library), generation);
    follow_up(&e);
    CHECK_INT(kiln_library_generation(e.library), generation + 1);
    CHECK(kiln_reload_changed(e.report) && kiln_reload_moved_count(e.report) > 0);
    CHECK_INT(edit_int(&e, "run"), 1);
    edit_end(&e);
}

/* An edit, and a follow-up of the same function after that: the way back leads before both. */
TEST(rolled_back_beyond_a_follow_up)
{
    editing e;
    char *second = replaced(text, "return __LINE__", "return 5000 + __LINE__");
    edit_begin(&e, "c", text);
    edit_save(&e, second);
    CHECK_INT(edit_int(&e, "line"), 5007);
    edit_replace(&e, second, "return 1;", "int a = 2;\n    return a;");
    follow_up(&e);
    CHECK_INT(edit_int(&e, "line"), 5008);
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(edit_int(&e, "first"), 1);
    CHECK_STATUS(kiln_library_roll_back(e.library, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(edit_int(&e, "line"), 7);
    edit_reload(&e);
    CHECK_INT(edit_int(&e, "run"), 5208);
    free(second);
    edit_end(&e);
}

/* What is told when a whole source is compiled: nothing is lost by it. */
TEST(one_that_fails)
{
    static const char with_unused[] =
        "#pragma clang diagnostic error \"-Wunused-but-set-variable\"\n"
        "static int helper(void)\n{\n    return 1;\n}\n"
        "int line(void)\n{\n    return __LINE__;\n}\n"
        "int run(void)\n{\n    return helper() + 10 * line();\n}\n";
    editing e;
    edit_begin(&e, "c", with_unused);
    edit_replace(&e, with_unused, "return 1", "int a = 2;\n    return a");
    CHECK_INT(edit_int(&e, "run"), is_whole() ? 92 : 82);
    write_file(e.path, "int run(void) { return ; }\n");
    const kiln_reload_options how = {.size = sizeof how, .follow_up = true};
    CHECK_INT(kiln_library_reload(e.library, &how, NULL, NULL), KILN_COMPILE);
    CHECK_INT(edit_int(&e, "run"), is_whole() ? 92 : 82);
    edit_end(&e);
}

/* ---- by a watch ---- */

enum { patience_ms = 60000, functions = 200 };

static atomic_int moved, failed;
static void tell(kiln_library *library, const kiln_reload *report, const kiln_error *error,
                 void *data)
{
    (void)library, (void)data;
    atomic_fetch_add(&failed, error != NULL);
    atomic_fetch_add(&moved, report ? (int)kiln_reload_moved_count(report) : 0);
}

static void watch(editing *e, bool at_once, bool no_follow_up)
{
    kiln_watch_options options = {.size = sizeof options,
                                  .publish_at_once = at_once,
                                  .no_follow_up = no_follow_up,
                                  .callback = tell};
    kiln_error *error;
    CHECK_STATUS(kiln_library_watch(e->library, &options, &error), KILN_OK, &error);
}

static void dispatch(editing *e, int wait_ms)
{
    struct pollfd ready = {.fd = kiln_session_descriptor(e->session), .events = POLLIN};
    poll(&ready, 1, wait_ms);
    CHECK_STATUS(kiln_session_dispatch(e->session, 0, NULL), KILN_OK, NULL);
}

static void await(editing *e, const char *function, int value)
{
    for (int waited = 0; edit_int(e, function) != value; waited += 5) {
        if (waited > patience_ms)
            support_fail(__FILE__, __LINE__, "%s() is %d, not %d", function, edit_int(e, function),
                         value);
        dispatch(e, 5);
    }
}

static void comes_by_itself(bool at_once)
{
    editing e;
    edit_begin(&e, "c", text);
    watch(&e, at_once, false);
    char *edited = replaced(text, "return 1", "int a = 2;\n\n    return a");
    write_file(e.path, edited);
    await(&e, "first", 2);
    await(&e, "line", 9);
    /* The callback may be on its way. */
    for (int waited = 0; !is_whole() && !moved && waited < patience_ms; waited += 5)
        poll(NULL, 0, 5);
    CHECK_INT(moved, is_whole() ? 0 : 3);
    CHECK_INT(failed, 0);
    free(edited);
    edit_end(&e);
}
TEST(comes_by_itself)
{
    comes_by_itself(false);
}
TEST(comes_by_itself_at_once)
{
    comes_by_itself(true);
}

TEST(can_be_turned_off)
{
    editing e;
    edit_begin(&e, "c", text);
    watch(&e, false, true);
    char *edited = replaced(text, "return 1", "int a = 2;\n    return a");
    write_file(e.path, edited);
    await(&e, "first", 2);
    for (int waited = 0; waited < 2000; waited += 50)
        dispatch(&e, 50);
    CHECK_INT(edit_int(&e, "line"), is_whole() ? 8 : 7);
    free(edited);
    edit_end(&e);
}

/* A source that takes a while to compile, with one function before all others. */
static char *large_text(int value, int lines)
{
    char *made = NULL;
    size_t size;
    FILE *stream = open_memstream(&made, &size);
    fprintf(stream, "int first(void)\n{\n");
    for (int i = 0; i < lines; i++)
        fputc('\n', stream);
    fprintf(stream, "    return %d;\n}\n", value);
    for (int i = 0; i < functions; i++)
        fprintf(stream,
                "int f%d(int n)\n{\n    int s = 0;\n    for (int i = 0; i < n; i++)\n"
                "        s += i * %d + (n ^ i);\n    return s;\n}\n",
                i, i);
    fprintf(stream, "int line(void)\n{\n    return __LINE__;\n}\n");
    fclose(stream);
    return made;
}

static atomic_bool stops;
static void *ask_for_reloads(void *data)
{
    editing *e = data;
    while (!stops) {
        CHECK_STATUS(kiln_library_reload(e->library, NULL, NULL, NULL), KILN_OK, NULL);
        poll(NULL, 0, 700);
    }
    return NULL;
}

/* Edits come while follow-ups are compiled, and calls want their turn. */
TEST(gives_way)
{
    editing e;
    pthread_t asking;
    char *large = large_text(1, 0);
    edit_begin(&e, "c", large);
    free(large);
    watch(&e, false, false);
    CHECK_INT(pthread_create(&asking, NULL, ask_for_reloads, &e), 0);
    for (int i = 2; i < 6; i++) {
        large = large_text(i, i);
        write_file(e.path, large);
        free(large);
        await(&e, "first", i);
        for (int waited = 0; waited < 900 + i * 50; waited += 20)
            dispatch(&e, 20);
    }
    stops = true;
    pthread_join(asking, NULL);
    await(&e, "line", 4 + 5 + 7 * functions + 3);
    CHECK_INT(failed, 0);
    edit_end(&e);
}

/* One that waits to be published when a comment is edited is of before. */
TEST(one_that_is_overtaken)
{
    editing e;
    kiln_error *error;
    if (is_whole())
        return;
    edit_begin(&e, "c", text);
    watch(&e, false, false);
    char *edited = replaced(text, "return 1", "int a = 2;\n    return a");
    write_file(e.path, edited);
    await(&e, "first", 2);
    struct pollfd ready = {.fd = kiln_session_descriptor(e.session), .events = POLLIN};
    CHECK_INT(poll(&ready, 1, patience_ms), 1);
    CHECK_INT(edit_int(&e, "line"), 7);
    write_file(e.path, text_of("%s/* the end */\n", edited));
    /* The watch sees to that by itself: no code is published. */
    poll(NULL, 0, 500);
    dispatch(&e, 0);
    kiln_library_unwatch(e.library);
    kiln_reload_destroy(e.report);
    CHECK_STATUS(kiln_library_reload(e.library, NULL, &e.report, &error), KILN_OK, &error);
    CHECK_INT(kiln_reload_file_count(e.report), 0);
    follow_up(&e);
    CHECK_INT(edit_int(&e, "line"), 8);
    free(edited);
    edit_end(&e);
}
