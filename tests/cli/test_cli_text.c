/* test_cli_text.c - texts that the command makes: colours, JSON strings, sizes and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_text.h"
#include "render.h"
#include "words.h"

static char *rendered(const char *text, bool color)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);
    render_diagnostics(stream, text, color);
    fclose(stream);
    return bytes;
}

static void expect_rendered(const char *text, const char *expected)
{
    char *bytes = rendered(text, true);
    assert_string_equal(bytes, expected);
    free(bytes);
}

static const char sample[] = "In file included from b.c:1:\n"
                             "./a: note.c:2:35: error: use of undeclared identifier 'b'\n"
                             "    2 | int f(int a) { return b; } // x: error: no\n"
                             "      |                       ^~~\n"
                             "a.c:5:21: warning: unused variable 'c' [-Wunused-variable]\n"
                             "a.c:3:18: note: expanded from macro 'M'\n"
                             "b.c:1:10: fatal error: 'x.h' file not found\n"
                             "error: unable to open\n"
                             "2 errors generated.\n";

static void colors_are_clangs(void **state)
{
    (void)state;
    expect_rendered(sample,
                    "In file included from b.c:1:\n"
                    "\033[1m./a: note.c:2:35: \033[0m\033[0;1;31merror: \033[0m"
                    "\033[1muse of undeclared identifier 'b'\033[0m\n"
                    "    2 | int f(int a) { return b; } // x: error: no\n"
                    "      | \033[0;1;32m                      ^~~\033[0m\n"
                    "\033[1ma.c:5:21: \033[0m\033[0;1;35mwarning: \033[0m"
                    "\033[1munused variable 'c' [-Wunused-variable]\033[0m\n"
                    "\033[1ma.c:3:18: \033[0m\033[0;1;36mnote: \033[0mexpanded from macro 'M'\n"
                    "\033[1mb.c:1:10: \033[0m\033[0;1;31mfatal error: \033[0m\033[1m'x.h' file not "
                    "found\033[0m\n"
                    "\033[0;1;31merror: \033[0m\033[1munable to open\033[0m\n"
                    "2 errors generated.\n");
}

static void without_color_nothing_changes(void **state)
{
    (void)state;
    char *bytes = rendered(sample, false);
    assert_string_equal(bytes, sample);
    free(bytes);
}

static void color_only_adds(void **state)
{
    (void)state;
    static const char odd[] = "\n\n  \n|\n 1 |\n | \nerror: \n: error: x\n7 | error: \nno newline";
    char *bytes = rendered(odd, true);
    char *to = bytes;
    for (const char *from = bytes; *from != '\0'; from++) {
        if (*from == '\033')
            from += strcspn(from, "m");
        else
            *to++ = *from;
    }
    *to = '\0';
    assert_string_equal(bytes, odd);
    free(bytes);
}

static void expect_json(const char *bytes, const char *expected)
{
    struct json_object *object = json_text(bytes);
    assert_string_equal(json_object_get_string(object), expected);
    json_object_put(object);
}

static void json_strings_are_utf8(void **state)
{
    (void)state;
    expect_json("plain", "plain");
    expect_json("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    expect_json("a\xff"
                "b",
                "a\xef\xbf\xbd"
                "b");
    expect_json("\xc3", "\xef\xbf\xbd");                                 /* cut off */
    expect_json("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong */
    expect_json("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    expect_json("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_null(json_text(NULL));
}

static void diagnostics_become_objects(void **state)
{
    (void)state;
    const kiln_fixit fixit = {"a.c", 1, 2, 1, 3, ";"};
    const kiln_diagnostic note = {
        .size = sizeof note, .severity = KILN_SEVERITY_NOTE, .message = "n"};
    const kiln_diagnostic diagnostic = {.size = sizeof diagnostic,
                                        .severity = KILN_SEVERITY_WARNING,
                                        .file = "a.c",
                                        .line = 1,
                                        .column = 2,
                                        .message = "m",
                                        .option = "-Wx",
                                        .rendered = "r\n",
                                        .notes = &note,
                                        .note_count = 1,
                                        .fixits = &fixit,
                                        .fixit_count = 1};
    struct json_object *object = json_diagnostic(&diagnostic);
    assert_string_equal(
        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
        "{\"severity\":\"warning\",\"file\":\"a.c\",\"line\":1,\"column\":2,\"end_line\":0,"
        "\"end_column\":0,\"message\":\"m\",\"option\":\"-Wx\",\"rendered\":\"r\\n\",\"notes\":["
        "{\"severity\":\"note\",\"file\":null,\"line\":0,\"column\":0,\"end_line\":0,\"end_"
        "column\":0,"
        "\"message\":\"n\",\"option\":null,\"rendered\":null,\"notes\":[],\"fixits\":[]}],"
        "\"fixits\":[{\"file\":\"a.c\",\"line\":1,\"column\":2,\"end_line\":1,\"end_column\":3,"
        "\"replacement\":\";\"}]}");
    json_object_put(object);
}

static void units_are_read(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(parse_size("17", &value));
    assert_int_equal(value, 17);
    assert_true(parse_size("2k", &value));
    assert_int_equal(value, 2048);
    assert_true(parse_size("3G", &value));
    assert_int_equal(value, 3ull << 30);
    assert_true(parse_seconds("2h", &value));
    assert_int_equal(value, 7200);
    assert_true(parse_seconds("30d", &value));
    assert_int_equal(value, 30 * 86400);
    assert_false(parse_size("", &value));
    assert_false(parse_size("-1", &value));
    assert_false(parse_size("1KB", &value));
    assert_false(parse_size("99999999999T", &value));
    assert_false(parse_size("99999999999999999999", &value));
    assert_false(parse_seconds("1w", &value));
}

static void units_are_written(void **state)
{
    (void)state;
    char text[UNIT_TEXT_CAPACITY];
    assert_string_equal(format_size(1023, text), "1023 B");
    assert_string_equal(format_size(1536, text), "1.5 KiB");
    assert_string_equal(format_size(UINT64_MAX, text), "16777216.0 TiB");
    assert_string_equal(format_seconds(0.0123, text), "12.3 ms");
    assert_string_equal(format_seconds(4.06, text), "4.1 s");
    assert_string_equal(format_seconds(125, text), "2 min 5 s");
}

static void distances_count_edits(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("", ""), 0);
    assert_int_equal(edit_distance("--json", "--jsn"), 1);
    assert_int_equal(edit_distance("--jobs", "--bojs"), 2);
    assert_int_equal(edit_distance("kitten", "sitting"), 3);
    assert_int_equal(edit_distance("", "a-word-of-more-than-thirty-two-bytes"), 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colors_are_clangs),
        cmocka_unit_test(without_color_nothing_changes),
        cmocka_unit_test(color_only_adds),
        cmocka_unit_test(json_strings_are_utf8),
        cmocka_unit_test(diagnostics_become_objects),
        cmocka_unit_test(units_are_read),
        cmocka_unit_test(units_are_written),
        cmocka_unit_test(distances_count_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
