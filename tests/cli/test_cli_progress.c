/* test_cli_progress.c - what the progress line shows, on a terminal made here. */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "progress.h"

static int terminal; /* what is drawn is read here */

static void report(kiln_event_kind kind, const char *unit, uint32_t done)
{
    progress_event(&(kiln_event){.size = sizeof(kiln_event),
                                 .kind = kind,
                                 .library = "lib",
                                 .unit = unit,
                                 .done = done,
                                 .total = 3});
}

/* Whether the next tick draws this. The clock is on the same line, so its end is not looked at. */
static void expect_drawn(const char *text)
{
    char drawn[1024];
    progress_tick();
    ssize_t size = read(terminal, drawn, sizeof drawn - 1);
    assert_true(size > 0);
    drawn[size] = '\0';
    if (!strstr(drawn, text))
        fail_msg("'%s' is not in '%s'", text, drawn);
    progress_clear();
    assert_true(read(terminal, drawn, sizeof drawn) > 0);
}

static int begin(void **state)
{
    (void)state;
    progress_begin();
    usleep(600000); /* the line appears after half a second */
    return 0;
}

static int end(void **state)
{
    (void)state;
    progress_end();
    return 0;
}

static void a_unit_that_is_under_way_is_shown(void **state)
{
    (void)state;
    expect_drawn("starting  ");
    report(KILN_EVENT_LOOKUP_MISS, NULL, 0);
    expect_drawn("preparing lib  ");
    report(KILN_EVENT_UNIT_STARTED, "slow.c", 0);
    report(KILN_EVENT_UNIT_STARTED, "quick.c", 0);
    expect_drawn("[0/3] quick.c  ");
    report(KILN_EVENT_UNIT_FINISHED, "quick.c", 1);
    expect_drawn("[1/3] slow.c  ");
    report(KILN_EVENT_UNIT_STARTED, "third.c", 1);
    expect_drawn("[1/3] third.c  ");
    report(KILN_EVENT_UNIT_FINISHED, "slow.c", 2);
    expect_drawn("[2/3] third.c  ");
    report(KILN_EVENT_UNIT_FINISHED, "third.c", 3);
    report(KILN_EVENT_LINK_STARTED, NULL, 3);
    expect_drawn("[3/3] linking lib  ");
}

/* An object that the cache has was never begun; a unit whose job was lost never ends. */
static void units_need_not_begin_or_end(void **state)
{
    (void)state;
    report(KILN_EVENT_UNIT_FINISHED, "cached.c", 1);
    report(KILN_EVENT_UNIT_STARTED, "lost.c", 1);
    expect_drawn("[1/3] lost.c  ");
    report(KILN_EVENT_LOOKUP_MISS, NULL, 0);
    expect_drawn("preparing lib  ");
}

/* However long a name is, its end is shown, in one line. */
static void long_names_are_cut(void **state)
{
    (void)state;
    char name[3000];
    memset(name, 'x', sizeof name);
    strcpy(name + sizeof name - 6, "end.c");
    report(KILN_EVENT_UNIT_STARTED, name, 0);
    expect_drawn("xxend.c  ");
}

int main(void)
{
    int there;
    struct winsize size = {.ws_row = 24, .ws_col = 500};
    if (openpty(&terminal, &there, NULL, NULL, &size) != 0) {
        puts("skipped: no terminal can be made");
        return 77;
    }
    int kept = dup(STDERR_FILENO);
    dup2(there, STDERR_FILENO);
    setenv("TERM", "xterm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unit_that_is_under_way_is_shown, begin, end),
        cmocka_unit_test_setup_teardown(units_need_not_begin_or_end, begin, end),
        cmocka_unit_test_setup_teardown(long_names_are_cut, begin, end),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dup2(kept, STDERR_FILENO);
    return failed;
}
