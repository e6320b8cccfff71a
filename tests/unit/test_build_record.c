/* test_build_record.c - records: which changes of the disk a check sees, and which it does not
 * mistake for one. What damage does to a record stands in test_build_record_damage.c. */
#include "test_base_fixture.h"

#include <sys/time.h>

#include "build/record.h"
#include "build/record_format.h"

static const record_check_options plain = {0};

/* ---- making ---- */

static void add_read(input_set *set, const char *path)
{
    os_identity identity = identity_of(path);
    size_t size;
    uint8_t *bytes = read_whole(path, &size);
    digest content = digest_of(bytes, size);
    free(bytes);
    assert_true(input_set_add(set, path, strlen(path), INPUT_READ, &identity, &content));
}

static void add_state(input_set *set, const char *path, input_state state)
{
    os_identity identity = {0};
    if (state != INPUT_ABSENT)
        identity = identity_of(path);
    assert_true(input_set_add(set, path, strlen(path), state, &identity, NULL));
}

/* A record of these inputs; they are destroyed. content: names the result. */
static record make_on(const record *old, input_set *inputs, const char *content, int64_t not_before)
{
    record made;
    char *changed;
    record_entry entry = {.name = "lib",
                          .host_symbols = "one\0two",
                          .diagnostics = (const uint8_t *)"\x00\x01\x02",
                          .fixed = {.content = digest_of(content, strlen(content)),
                                    .content_size = 42,
                                    .image_id = "kiln-0123",
                                    .unit_count = 2,
                                    .symbol_count = 3,
                                    .needs_cxx = 1,
                                    .name_size = 3,
                                    .diagnostics_size = 3,
                                    .host_symbols_size = 8}};
    input_set_sort(inputs);
    if (!record_make(&made, old, inputs, &entry, not_before, &changed))
        fail_msg("no record: '%s' has changed", changed ? changed : "");
    assert_null(changed);
    input_set_destroy(inputs);
    return made;
}

/* The same for inputs that were read just now, after a wait that makes them old. */
static record make_settled(input_set *inputs)
{
    settle();
    return make_on(NULL, inputs, "content", os_clock_file_ns());
}

/* ---- checking ---- */

static void check_holds_with(record *record, const record_check_options *options, bool refreshed)
{
    record_check_report report;
    if (!record_check(record, 0, options, &report))
        fail_msg("does not hold: %s", report.mismatch ? report.mismatch : "(no reason)");
    assert_null(report.mismatch);
    if (report.refreshed != refreshed)
        fail_msg("it was%s refreshed", refreshed ? " not" : "");
}

static void check_holds(record *record, bool refreshed)
{
    check_holds_with(record, &plain, refreshed);
}

static void check_fails(record *record, const char *expected)
{
    record_check_report report;
    assert_false(record_check(record, 0, &plain, &report));
    assert_non_null(report.mismatch);
    assert_string_equal(report.mismatch, expected);
    free(report.mismatch);
}

/* A file with given times of change and content, in place, as an editor that sets times could do.
 */
static void rewrite_keeping_mtime(const char *path, const char *content)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    write_file(path, content);
    struct timespec times[] = {status.st_atim, status.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ---- contents ---- */

static void test_what_a_record_holds(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("holds/a.c"), "a");
    add_read(&set, scratch("holds/a.c"));
    add_state(&set, scratch("holds/none.h"), INPUT_ABSENT);
    add_state(&set, scratch("holds"), INPUT_LISTED);
    record made = make_settled(&set);
    assert_int_equal(made.result_count, 1);
    assert_int_equal(record_input_count(&made, 0), 3);
    record_entry entry = record_result(&made, 0);
    digest content = digest_of("content", 7);
    assert_true(digest_equal(&entry.fixed.content, &content));
    assert_string_equal(entry.name, "lib");
    assert_string_equal(entry.fixed.image_id, "kiln-0123");
    assert_int_equal(entry.fixed.content_size, 42);
    assert_int_equal(entry.fixed.unit_count, 2);
    assert_int_equal(entry.fixed.symbol_count, 3);
    assert_int_equal(entry.fixed.needs_cxx, 1);
    assert_memory_equal(entry.diagnostics, "\x00\x01\x02", 3);
    assert_memory_equal(entry.host_symbols, "one\0two", 8);

    input_set back = {0};
    assert_true(record_add_inputs(&made, 0, &back));
    assert_int_equal(back.count, 3);
    const input *file = input_set_find(&back, scratch("holds/a.c"));
    os_identity identity = identity_of(scratch("holds/a.c"));
    digest a = digest_of("a", 1);
    assert_int_equal(file->state, INPUT_READ);
    assert_true(os_identity_equal(&file->identity, &identity));
    assert_true(digest_equal(&file->content, &a));
    assert_int_equal(input_set_find(&back, scratch("holds/none.h"))->state, INPUT_ABSENT);
    assert_int_equal(input_set_find(&back, scratch("holds"))->state, INPUT_LISTED);
    input_set_destroy(&back);
    record_destroy(&made);
    record_destroy(&made);
}

static void test_marks_survive_the_way_through_a_record(void **state)
{
    (void)state;
    static const os_identity interval = {.ctime_ns = 0, .mtime_ns = INT64_MAX};
    input_set set = {0}, back = {0};
    write_file(scratch("marks/a.c"), "a");
    add_read(&set, scratch("marks/a.c"));
    add_state(&set, scratch("marks/a.c"), INPUT_TIMESTAMP);
    add_state(&set, "/", INPUT_EXISTS);
    assert_true(input_set_add(&set, "", 0, INPUT_CLOCK, &interval, NULL));
    record made = make_settled(&set);
    check_holds(&made, false);
    assert_true(record_add_inputs(&made, 0, &back));
    assert_true(input_set_find(&back, scratch("marks/a.c"))->exact);
    assert_int_equal(input_set_find(&back, "/")->state, INPUT_EXISTS);
    assert_int_equal(input_set_find(&back, "/clock")->identity.mtime_ns, INT64_MAX);
    input_set_destroy(&back);
    record_destroy(&made);
}

static void test_no_inputs(void **state)
{
    (void)state;
    input_set set = {0};
    record made = make_settled(&set);
    assert_int_equal(record_input_count(&made, 0), 0);
    check_holds(&made, false);
    record_destroy(&made);
}

static void test_bytes_and_back(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("bytes/a.c"), "a");
    add_read(&set, scratch("bytes/a.c"));
    record made = make_settled(&set), again;
    uint8_t *copy = malloc(made.size);
    memcpy(copy, made.bytes, made.size);
    assert_true(record_open(&again, copy, made.size));
    check_holds(&again, false);
    record_destroy(&again);
    record_destroy(&made);
}

static void test_identity_of_the_content(void **state)
{
    (void)state;
    input_set set = {0};
    record made = make_settled(&set), again;
    os_identity identity = {.device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};
    record_set_identity(&made, 0, &identity, true);
    uint8_t *unsealed = malloc(made.size), *sealed = malloc(made.size);
    memcpy(unsealed, made.bytes, made.size);
    assert_false(record_open(&again, unsealed, made.size));
    record_seal(&made);
    memcpy(sealed, made.bytes, made.size);
    assert_true(record_open(&again, sealed, made.size));
    record_entry entry = record_result(&again, 0);
    assert_true(os_identity_equal(&entry.fixed.content_identity, &identity));
    record_destroy(&again);
    record_destroy(&made);
}

/* ---- files ---- */

static void test_unchanged(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("same/a.c"), "a");
    write_file(scratch("same/b.h"), "b");
    add_read(&set, scratch("same/a.c"));
    add_read(&set, scratch("same/b.h"));
    add_state(&set, scratch("same/exists"), INPUT_ABSENT);
    add_state(&set, scratch("same"), INPUT_EXISTS);
    record made = make_settled(&set);
    check_holds(&made, false);
    check_holds(&made, false);
    record_destroy(&made);
}

/* A new time alone is no change; the record learns the new identity. */
static void test_touched(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("touched/a.c"), "a");
    add_read(&set, scratch("touched/a.c"));
    record made = make_settled(&set);
    assert_int_equal(utimes(scratch("touched/a.c"), NULL), 0);
    settle();
    check_holds(&made, true);
    check_holds(&made, false);
    record_destroy(&made);
}

static void test_changed(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("changed/a.c"), "a");
    write_file(scratch("changed/b.c"), "b");
    add_read(&set, scratch("changed/a.c"));
    add_read(&set, scratch("changed/b.c"));
    record made = make_settled(&set);
    write_file(scratch("changed/b.c"), "bb");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has changed", scratch("changed/b.c"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* The same size and the same time of last modification: ctime tells. */
static void test_changed_behind_its_time(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("behind/a.c"), "a");
    add_read(&set, scratch("behind/a.c"));
    record made = make_settled(&set);
    rewrite_keeping_mtime(scratch("behind/a.c"), "b");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has changed", scratch("behind/a.c"));
    check_fails(&made, expected);
    record_destroy(&made);
}

static void test_gone(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("gone/a.c"), "a");
    add_read(&set, scratch("gone/a.c"));
    record made = make_settled(&set);
    assert_int_equal(unlink(scratch("gone/a.c")), 0);
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' is gone", scratch("gone/a.c"));
    check_fails(&made, expected);
    make_directory(scratch("gone/a.c"));
    snprintf(expected, sizeof expected, "'%s' has changed", scratch("gone/a.c"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* A file that something else was put in the place of by rename, as editors save. */
static void test_replaced(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("replaced/a.c"), "a");
    add_read(&set, scratch("replaced/a.c"));
    record made = make_settled(&set);
    write_file(scratch("replaced/new"), "a");
    assert_int_equal(rename(scratch("replaced/new"), scratch("replaced/a.c")), 0);
    settle();
    check_holds(&made, true);
    write_file(scratch("replaced/new"), "b");
    assert_int_equal(rename(scratch("replaced/new"), scratch("replaced/a.c")), 0);
    record_check_report report;
    assert_false(record_check(&made, 0, &plain, &report));
    free(report.mismatch);
    record_destroy(&made);
}

/* What was read without a digest is held to its identity alone. */
static void test_without_a_digest(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("undigested/a"), "a");
    add_state(&set, scratch("undigested/a"), INPUT_READ);
    record made = make_settled(&set);
    check_holds(&made, false);
    assert_int_equal(utimes(scratch("undigested/a"), NULL), 0);
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has changed", scratch("undigested/a"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* ---- times that are too fresh ---- */

/* Two edits within one tick of the clock that stamps files: size, inode and times are the same, and
 * only the digest tells. The second edit is played by a digest that the file no longer has. */
static void test_two_edits_within_a_tick(void **state)
{
    (void)state;
    digest before = digest_of("a", 1);
    for (int fresh = 0; fresh < 2; fresh++) {
        input_set set = {0};
        int64_t begun = os_clock_file_ns();
        write_file(scratch("tick/a.c"), "b");
        os_identity identity = identity_of(scratch("tick/a.c"));
        const char *path = scratch("tick/a.c");
        assert_true(input_set_add(&set, path, strlen(path), INPUT_READ, &identity, &before));
        if (!fresh)
            settle();
        record made = make_on(NULL, &set, "content", fresh ? begun : os_clock_file_ns());
        char expected[256];
        snprintf(expected, sizeof expected, "'%s' has changed", path);
        if (fresh)
            check_fails(&made, expected);
        else
            check_holds(&made, false); /* an identity that is old enough is believed */
        record_destroy(&made);
    }
}

/* The times at which a file counts as fresh, to the nanosecond. */
static void test_what_is_fresh(void **state)
{
    (void)state;
    write_file(scratch("border/a.c"), "a");
    os_identity identity = identity_of(scratch("border/a.c"));
    int64_t youngest =
        identity.mtime_ns > identity.ctime_ns ? identity.mtime_ns : identity.ctime_ns;
    for (int older = 0; older < 2; older++) {
        input_set set = {0};
        add_read(&set, scratch("border/a.c"));
        record made = make_on(NULL, &set, "content", youngest + os_clock_tick_ns() + older);
        assert_int_equal(record_view(&made, 0).inputs[0].fresh, !older);
        record_destroy(&made);
    }
}

/* Once the file is older than a tick, its digest is not asked for any more. */
static void test_fresh_files_become_trusted(void **state)
{
    (void)state;
    input_set set = {0};
    int64_t begun = os_clock_file_ns();
    write_file(scratch("fresh/a.c"), "a");
    add_read(&set, scratch("fresh/a.c"));
    record made = make_on(NULL, &set, "content", begun);
    assert_true(record_view(&made, 0).inputs[0].fresh);
    settle();
    check_holds(&made, true);
    assert_false(record_view(&made, 0).inputs[0].fresh);
    check_holds(&made, false);
    record_destroy(&made);
}

/* A check right after the build digests, but does not trust. */
static void test_fresh_files_stay_fresh_for_a_tick(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("stay/a.c"), "a");
    /* Its time lies in the future of every clock that is read below. */
    struct timespec later[] = {{.tv_sec = time(NULL) + 3600}, {.tv_sec = time(NULL) + 3600}};
    assert_int_equal(utimensat(AT_FDCWD, scratch("stay/a.c"), later, 0), 0);
    add_read(&set, scratch("stay/a.c"));
    record made = make_settled(&set);
    check_holds(&made, false);
    assert_true(record_view(&made, 0).inputs[0].fresh);
    rewrite_keeping_mtime(scratch("stay/a.c"), "b");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has changed", scratch("stay/a.c"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* ---- absences ---- */

static void test_absence_appears(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("absent/a.c"), "a");
    add_read(&set, scratch("absent/a.c"));
    add_state(&set, scratch("absent/x.h"), INPUT_ABSENT);
    record made = make_settled(&set);
    check_holds(&made, false);
    write_file(scratch("absent/x.h"), "");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has appeared", scratch("absent/x.h"));
    check_fails(&made, expected);
    unlink(scratch("absent/x.h"));
    settle();
    check_holds(&made, true);
    check_holds(&made, false);
    record_destroy(&made);
}

/* A new file beside an absent one changes the directory, not the result. */
static void test_other_files_appear(void **state)
{
    (void)state;
    input_set set = {0};
    make_directory(scratch("others"));
    add_state(&set, scratch("others/x.h"), INPUT_ABSENT);
    record made = make_settled(&set);
    write_file(scratch("others/y.h"), "");
    settle();
    check_holds(&made, true);
    check_holds(&made, false);
    record_destroy(&made);
}

static void test_files_in_unrelated_directories_do_not_disturb(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("unrelated/include/a.h"), "a");
    add_read(&set, scratch("unrelated/include/a.h"));
    add_state(&set, scratch("unrelated/include/b.h"), INPUT_ABSENT);
    record made = make_settled(&set);
    write_file(scratch("unrelated/new.h"), "");
    write_file(scratch("unrelated/include/sub/b.h"), "");
    unlink(scratch("unrelated/include/sub/b.h"));
    rmdir(scratch("unrelated/include/sub"));
    settle();
    check_holds(&made, true);
    record_destroy(&made);
}

/* A directory that is not there has nothing in it, until it is. */
static void test_absence_in_an_absent_directory(void **state)
{
    (void)state;
    input_set set = {0};
    add_state(&set, scratch("later/sub/x.h"), INPUT_ABSENT);
    add_state(&set, scratch("later/sub/y.h"), INPUT_ABSENT);
    record made = make_settled(&set);
    check_holds(&made, false);
    make_directory(scratch("later/sub"));
    settle();
    check_holds(&made, true);
    check_holds(&made, false);
    write_file(scratch("later/sub/y.h"), "");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has appeared", scratch("later/sub/y.h"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* The directory above speaks for what was missing below it, until it has changed itself. */
static void test_directory_that_appears_step_by_step(void **state)
{
    (void)state;
    input_set set = {0};
    make_directory(scratch("steps"));
    add_state(&set, scratch("steps/none.h"), INPUT_ABSENT);
    add_state(&set, scratch("steps/one/two/a.h"), INPUT_ABSENT);
    record made = make_settled(&set);
    check_holds(&made, false);
    make_directory(scratch("steps/one"));
    settle();
    check_holds(&made, true);
    check_holds(&made, false);
    write_file(scratch("steps/one/two/a.h"), "");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has appeared", scratch("steps/one/two/a.h"));
    check_fails(&made, expected);
    record_destroy(&made);
}

static void test_directory_removed(void **state)
{
    (void)state;
    input_set set = {0};
    make_directory(scratch("removed"));
    for (int i = 0; i < 5; i++)
        add_state(&set, scratch("removed/%d.h", i), INPUT_ABSENT);
    record made = make_settled(&set);
    assert_int_equal(rmdir(scratch("removed")), 0);
    /* The absences hold, and are known to from now on. */
    check_holds(&made, true);
    check_holds(&made, false);
    make_directory(scratch("removed"));
    write_file(scratch("removed/3.h"), "");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has appeared", scratch("removed/3.h"));
    check_fails(&made, expected);
    record_destroy(&made);
}

static void test_directory_with_files_removed(void **state)
{
    (void)state;
    input_set set = {0};
    for (int i = 0; i < 4; i++) {
        write_file(scratch("emptied/%d.h", i), "");
        add_read(&set, scratch("emptied/%d.h", i));
    }
    add_state(&set, scratch("emptied/x.h"), INPUT_ABSENT);
    record made = make_settled(&set);
    check_holds(&made, false);
    remove_tree(scratch("emptied"));
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' is gone", scratch("emptied/0.h"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* A record is not made of a disk that has changed meanwhile. */
static void test_appeared_while_building(void **state)
{
    (void)state;
    input_set set = {0};
    record made;
    record_entry entry = {.name = "", .host_symbols = ""};
    char *changed;
    make_directory(scratch("meanwhile"));
    add_state(&set, scratch("meanwhile/x.h"), INPUT_ABSENT);
    write_file(scratch("meanwhile/x.h"), "");
    input_set_sort(&set);
    assert_false(record_make(&made, NULL, &set, &entry, os_clock_file_ns(), &changed));
    assert_string_equal(changed, scratch("meanwhile/x.h"));
    free(changed);
    input_set_destroy(&set);
}

static void test_contradicting_inputs_make_no_record(void **state)
{
    (void)state;
    input_set set = {0};
    record made;
    record_entry entry = {.name = "", .host_symbols = ""};
    char *changed;
    write_file(scratch("contradiction"), "a");
    add_read(&set, scratch("contradiction"));
    add_state(&set, scratch("contradiction"), INPUT_ABSENT);
    assert_false(record_make(&made, NULL, &set, &entry, os_clock_file_ns(), &changed));
    assert_string_equal(changed, scratch("contradiction"));
    free(changed);
    input_set_destroy(&set);
}

/* ---- other states ---- */

static void test_existence(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("existence/a"), "a");
    make_directory(scratch("existence/d"));
    add_state(&set, scratch("existence/a"), INPUT_EXISTS);
    add_state(&set, scratch("existence/d"), INPUT_EXISTS);
    record made = make_settled(&set);
    write_file(scratch("existence/a"), "changed");
    write_file(scratch("existence/d/new"), "");
    check_holds(&made, false);
    unlink(scratch("existence/a"));
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' is gone", scratch("existence/a"));
    check_fails(&made, expected);
    record_destroy(&made);
}

static void test_listed_directory(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("listed/a"), "a");
    add_state(&set, scratch("listed"), INPUT_LISTED);
    record made = make_settled(&set);
    check_holds(&made, false);
    write_file(scratch("listed/a"), "changed");
    check_holds(&made, false);
    write_file(scratch("listed/b"), "");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' lists other files", scratch("listed"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* Where __TIMESTAMP__ was used, a touch is a change. */
static void test_time_of_change(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("exact/a.c"), "a");
    add_read(&set, scratch("exact/a.c"));
    add_state(&set, scratch("exact/a.c"), INPUT_TIMESTAMP);
    record made = make_settled(&set);
    check_holds(&made, false);
    assert_int_equal(utimes(scratch("exact/a.c"), NULL), 0);
    record_check_report report;
    assert_false(record_check(&made, 0, &plain, &report));
    assert_non_null(strstr(report.mismatch, "__TIMESTAMP__"));
    free(report.mismatch);
    record_destroy(&made);
}

static void check_clock(int64_t from_ns, int64_t until_ns, bool holds)
{
    input_set set = {0};
    os_identity interval = {.ctime_ns = from_ns, .mtime_ns = until_ns};
    assert_true(input_set_add(&set, "", 0, INPUT_CLOCK, &interval, NULL));
    record made = make_on(NULL, &set, "content", os_clock_file_ns());
    if (holds)
        check_holds(&made, false);
    else
        check_fails(&made, "the time, which __DATE__ or __TIME__ uses, has changed");
    record_destroy(&made);
}

static void test_clock(void **state)
{
    (void)state;
    const int64_t hour = INT64_C(3600) * 1000000000;
    int64_t now = os_clock_file_ns();
    check_clock(now - hour, now + hour, true);
    check_clock(now - hour, now, false);
    check_clock(now + hour, now + 2 * hour, false);
}

static void test_directories_of_the_root(void **state)
{
    (void)state;
    input_set set = {0};
    add_state(&set, "/", INPUT_EXISTS);
    add_state(&set, "/etc", INPUT_EXISTS);
    add_state(&set, "/no-such-directory-of-anyone", INPUT_ABSENT);
    record made = make_settled(&set);
    record_check_report report;
    assert_true(record_check(&made, 0, &plain, &report));
    record_destroy(&made);
}

/* Names and directories up to the longest path that the system takes. */
static void test_long_paths(void **state)
{
    (void)state;
    input_set set = {0};
    char path[8192];
    for (size_t length = 4000; length < 4400; length += 50) {
        memset(path, 'x', length);
        for (size_t i = 0; i < length; i += 200)
            path[i] = '/';
        path[length] = '\0';
        assert_true(input_set_add(&set, path, length, INPUT_ABSENT, NULL, NULL));
    }
    record made = make_settled(&set);
    record_check_report report;
    record_check(&made, 0, &plain, &report);
    free(report.mismatch);
    record_destroy(&made);
}

static void test_names_that_are_no_text(void **state)
{
    (void)state;
    input_set set = {0};
    write_file(scratch("no text\xff/a \n\xfe.c"), "a");
    add_read(&set, scratch("no text\xff/a \n\xfe.c"));
    record made = make_settled(&set);
    check_holds(&made, false);
    write_file(scratch("no text\xff/a \n\xfe.c"), "b");
    char expected[256];
    snprintf(expected, sizeof expected, "'%s' has changed", scratch("no text\xff/a \n\xfe.c"));
    check_fails(&made, expected);
    record_destroy(&made);
}

/* ---- trusted system headers ---- */

/* A record of a directory that counts as one of the system: its path below /usr leads here. */
static record make_system_record(const char *directory)
{
    input_set set = {0};
    for (int i = 0; i < 3; i++) {
        write_file(scratch("%s/%d.h", directory, i), "h");
        add_read(&set, scratch("%s/%d.h", directory, i));
    }
    record made = make_settled(&set);
    record_view(&made, 0).directories[0].flags |= DIRECTORY_SYSTEM;
    return made;
}

static void test_trusted_directories(void **state)
{
    (void)state;
    static const record_check_options trusting = {.trust_system = true};
    record made = make_system_record("system");
    check_holds_with(&made, &trusting, false);
    /* In place: the directory does not tell. */
    rewrite_keeping_mtime(scratch("system/1.h"), "H");
    check_holds_with(&made, &trusting, false);
    record_check_report report;
    assert_false(record_check(&made, 0, &plain, &report));
    free(report.mismatch);
    /* As packages are installed: by a new file. */
    write_file(scratch("system/new"), "H");
    assert_int_equal(rename(scratch("system/new"), scratch("system/1.h")), 0);
    assert_false(record_check(&made, 0, &trusting, &report));
    free(report.mismatch);
    record_destroy(&made);
}

/* The same directory by another path: under trust, one look tells of both. */
static void test_one_look_for_two_paths(void **state)
{
    (void)state;
    static const record_check_options trusting = {.trust_system = true};
    input_set set = {0};
    write_file(scratch("once/1.h"), "h");
    assert_int_equal(symlink("once", scratch("twice")), 0);
    add_read(&set, scratch("once/1.h"));
    add_read(&set, scratch("twice/1.h"));
    record made = make_settled(&set);
    result_directory *directories = record_view(&made, 0).directories;
    assert_int_equal(record_view(&made, 0).header->directory_count, 2);
    directories[0].flags |= DIRECTORY_SYSTEM;
    directories[1].flags |= DIRECTORY_SYSTEM;
    directories[1].same_as = 1;
    /* The second path leads nowhere any more: nobody looks. */
    assert_int_equal(unlink(scratch("twice")), 0);
    check_holds_with(&made, &trusting, false);
    record_check_report report;
    assert_false(record_check(&made, 0, &plain, &report));
    free(report.mismatch);
    /* What the first says no longer holds: each speaks for itself. */
    write_file(scratch("once/new"), "H");
    assert_false(record_check(&made, 0, &trusting, &report));
    free(report.mismatch);
    record_destroy(&made);
}

static void test_which_paths_are_the_same(void **state)
{
    (void)state;
    input_set set = {0};
    add_read(&set, "/usr/include/stdio.h");
    add_read(&set, "/usr/include/../include/errno.h");
    add_read(&set, "/usr/include/linux/errno.h");
    record made = make_settled(&set);
    const result_view view = record_view(&made, 0);
    size_t same = 0;
    for (uint32_t i = 0; i < view.header->directory_count; i++) {
        const result_directory *directory = &view.directories[i];
        same += directory->same_as != 0;
        if (directory->same_as) {
            const result_directory *other = &view.directories[directory->same_as - 1];
            assert_true(os_identity_equal(&other->identity, &directory->identity));
        }
    }
    assert_int_equal(same, 1);
    record_destroy(&made);
}

static void test_which_directories_are_the_systems(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool system;
    } cases[] = {{"/usr/include/x.h", true},
                 {"/lib/x86_64-linux-gnu/x.so", true},
                 {"/lib64/x.so", true},
                 {"/libx/x.so", false},
                 {"/usr/local/include/x.h", false},
                 {"/usrx/include/x.h", false},
                 {"/home/usr/x.h", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        input_set set = {0};
        assert_true(input_set_add(&set, cases[i].path, strlen(cases[i].path), INPUT_READ,
                                  &(os_identity){0}, NULL));
        record made = make_on(NULL, &set, "content", os_clock_file_ns());
        bool system = record_view(&made, 0).directories[0].flags & DIRECTORY_SYSTEM;
        assert_int_equal(system, cases[i].system);
        record_destroy(&made);
    }
}

/* ---- several results ---- */

static void check_content(const record *record, uint32_t index, const char *content)
{
    digest expected = digest_of(content, strlen(content));
    record_entry entry = record_result(record, index);
    assert_true(digest_equal(&entry.fixed.content, &expected));
}

static record make_edited(const record *old, const char *path, const char *content)
{
    input_set set = {0};
    write_file(path, content);
    settle();
    add_read(&set, path);
    return make_on(old, &set, content, os_clock_file_ns());
}

static int find_holding(record *record)
{
    for (uint32_t i = 0; i < record->result_count; i++) {
        record_check_report report;
        bool holds = record_check(record, i, &plain, &report);
        free(report.mismatch);
        if (holds)
            return (int)i;
    }
    return -1;
}

/* Edited, and the edit undone: the first result is right again. */
static void test_an_undone_edit_holds(void **state)
{
    (void)state;
    const char *path = scratch("undone/a.c");
    record first = make_edited(NULL, path, "old");
    record both = make_edited(&first, path, "new");
    assert_int_equal(both.result_count, 2);
    check_content(&both, 0, "new");
    check_content(&both, 1, "old");
    assert_int_equal(find_holding(&both), 0);
    write_file(path, "old");
    assert_int_equal(find_holding(&both), 1);
    write_file(path, "another");
    assert_int_equal(find_holding(&both), -1);
    record_destroy(&first);
    record_destroy(&both);
}

/* The same inputs again, because the content was lost: the old result is of no use any more. */
static void test_the_same_inputs_make_one_result(void **state)
{
    (void)state;
    const char *path = scratch("same-inputs/a.c");
    record first = make_edited(NULL, path, "old"), second = make_edited(&first, path, "new");
    record third = make_edited(&second, path, "old"), fourth;
    assert_int_equal(second.result_count, 2);
    assert_int_equal(third.result_count, 2);
    check_content(&third, 0, "old");
    check_content(&third, 1, "new");
    /* One input more is another result. */
    input_set set = {0};
    add_read(&set, path);
    add_state(&set, scratch("same-inputs/none"), INPUT_ABSENT);
    fourth = make_on(&third, &set, "more", os_clock_file_ns());
    assert_int_equal(fourth.result_count, 3);
    record_destroy(&first);
    record_destroy(&second);
    record_destroy(&third);
    record_destroy(&fourth);
}

static void test_at_most_eight_results(void **state)
{
    (void)state;
    record record = {0};
    for (int i = 0; i < 11; i++) {
        char content[16];
        snprintf(content, sizeof content, "%d", i);
        struct record next = make_edited(i ? &record : NULL, scratch("many/a.c"), content);
        record_destroy(&record);
        record = next;
        assert_int_equal(record.result_count, i < 8 ? i + 1 : 8);
    }
    check_content(&record, 0, "10");
    check_content(&record, 7, "3");
    write_file(scratch("many/a.c"), "3");
    assert_int_equal(find_holding(&record), 7);
    record_destroy(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_record_holds),
        cmocka_unit_test(test_marks_survive_the_way_through_a_record),
        cmocka_unit_test(test_no_inputs),
        cmocka_unit_test(test_bytes_and_back),
        cmocka_unit_test(test_identity_of_the_content),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_touched),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_changed_behind_its_time),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_without_a_digest),
        cmocka_unit_test(test_two_edits_within_a_tick),
        cmocka_unit_test(test_what_is_fresh),
        cmocka_unit_test(test_fresh_files_become_trusted),
        cmocka_unit_test(test_fresh_files_stay_fresh_for_a_tick),
        cmocka_unit_test(test_absence_appears),
        cmocka_unit_test(test_other_files_appear),
        cmocka_unit_test(test_files_in_unrelated_directories_do_not_disturb),
        cmocka_unit_test(test_absence_in_an_absent_directory),
        cmocka_unit_test(test_directory_that_appears_step_by_step),
        cmocka_unit_test(test_directory_removed),
        cmocka_unit_test(test_directory_with_files_removed),
        cmocka_unit_test(test_appeared_while_building),
        cmocka_unit_test(test_contradicting_inputs_make_no_record),
        cmocka_unit_test(test_existence),
        cmocka_unit_test(test_listed_directory),
        cmocka_unit_test(test_time_of_change),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_directories_of_the_root),
        cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_names_that_are_no_text),
        cmocka_unit_test(test_trusted_directories),
        cmocka_unit_test(test_one_look_for_two_paths),
        cmocka_unit_test(test_which_paths_are_the_same),
        cmocka_unit_test(test_which_directories_are_the_systems),
        cmocka_unit_test(test_an_undone_edit_holds),
        cmocka_unit_test(test_the_same_inputs_make_one_result),
        cmocka_unit_test(test_at_most_eight_results),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
