/* test_base_error.c - the error object: how it is made, enriched, rendered and copied. */
#include "test_base_fixture.h"

static void test_message_and_rendering(void **state)
{
    (void)state;
    kiln_error *error = NULL;
    assert_int_equal(error_set(&error, KILN_LINK, KILN_PHASE_LINK, "no %s for %d", "room", 7),
                     KILN_LINK);
    assert_int_equal(kiln_error_code(error), KILN_LINK);
    assert_int_equal(kiln_error_phase(error), KILN_PHASE_LINK);
    assert_string_equal(kiln_error_message(error), "no room for 7");
    assert_string_equal(kiln_error_rendered(error), "kiln: no room for 7\n");
    assert_int_equal(kiln_error_diagnostic_count(error), 0);
    assert_null(kiln_error_diagnostic(error, 0));
    assert_int_equal(kiln_error_missing_symbol_count(error), 0);
    assert_null(kiln_error_missing_symbol(error, 0));
    kiln_error_destroy(error);
    kiln_error_destroy(NULL);
}

static void test_errno_is_told(void **state)
{
    (void)state;
    kiln_error *error = NULL;
    assert_int_equal(
        error_set_errno(&error, KILN_IO, KILN_PHASE_LOOKUP, ENOENT, "cannot read '%s'", "foo.c"),
        KILN_IO);
    assert_string_equal(kiln_error_message(error),
                        "cannot read 'foo.c': No such file or directory");
    kiln_error_destroy(error);
}

static void test_nobody_cares(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, KILN_BIND, KILN_PHASE_BIND, "x"), KILN_BIND);
    assert_int_equal(error_set_errno(NULL, KILN_IO, KILN_PHASE_BIND, EIO, "x"), KILN_IO);
    assert_int_equal(error_no_memory(NULL), KILN_NO_MEMORY);
}

/* The object for "out of memory" is static: it is not freed, and takes nothing on. */
static void test_out_of_memory(void **state)
{
    (void)state;
    kiln_error *error = NULL, *again = NULL;
    assert_int_equal(error_no_memory(&error), KILN_NO_MEMORY);
    error_no_memory(&again);
    assert_ptr_equal(error, again);
    assert_int_equal(kiln_error_code(error), KILN_NO_MEMORY);
    assert_string_equal(kiln_error_message(error), "out of memory");
    assert_string_equal(kiln_error_rendered(error), "kiln: out of memory\n");
    assert_ptr_equal(error_copy(error), error);

    diagnostic_list list = {.items = calloc(1, sizeof(kiln_diagnostic)), .count = 1};
    list.items[0].message = strdup("freed all the same");
    error_add_diagnostics(error, &list, "summary\n");
    assert_null(list.items);
    error_add_missing_symbol(error, "f", NULL, "a", NULL);
    assert_int_equal(kiln_error_diagnostic_count(error), 0);
    assert_int_equal(kiln_error_missing_symbol_count(error), 0);
    kiln_error_destroy(error);
    assert_string_equal(kiln_error_message(error), "out of memory");
}

static kiln_diagnostic *make_notes(void)
{
    kiln_diagnostic *note = calloc(1, sizeof *note);
    *note = (kiln_diagnostic){.size = sizeof *note,
                              .severity = KILN_SEVERITY_NOTE,
                              .message = strdup("declared here"),
                              .rendered = strdup("a.h:1:1: note: declared here\n")};
    return note;
}

static kiln_fixit *make_fixits(void)
{
    kiln_fixit *fixit = calloc(1, sizeof *fixit);
    *fixit = (kiln_fixit){.file = strdup("a.c"),
                          .line = 3,
                          .column = 4,
                          .end_line = 3,
                          .end_column = 6,
                          .replacement = strdup(";")};
    return fixit;
}

static diagnostic_list make_diagnostics(void)
{
    diagnostic_list list = {.items = calloc(2, sizeof(kiln_diagnostic)), .count = 2};
    list.items[0] = (kiln_diagnostic){.size = sizeof(kiln_diagnostic),
                                      .severity = KILN_SEVERITY_ERROR,
                                      .file = strdup("a.c"),
                                      .line = 3,
                                      .column = 4,
                                      .message = strdup("expected ';'"),
                                      .rendered = strdup("a.c:3:4: error: expected ';'\n"),
                                      .notes = make_notes(),
                                      .note_count = 1,
                                      .fixits = make_fixits(),
                                      .fixit_count = 1};
    list.items[1] = (kiln_diagnostic){.size = sizeof(kiln_diagnostic),
                                      .severity = KILN_SEVERITY_WARNING,
                                      .message = strdup("unused"),
                                      .option = strdup("-Wunused"),
                                      .rendered = strdup("warning: unused\n")};
    return list;
}

static void check_diagnostics(const kiln_error *error)
{
    assert_int_equal(kiln_error_diagnostic_count(error), 2);
    assert_null(kiln_error_diagnostic(error, 2));
    const kiln_diagnostic *first = kiln_error_diagnostic(error, 0);
    const kiln_diagnostic *second = kiln_error_diagnostic(error, 1);
    assert_string_equal(first->file, "a.c");
    assert_int_equal(first->line, 3);
    assert_null(first->option);
    assert_int_equal(first->note_count, 1);
    assert_string_equal(first->notes[0].message, "declared here");
    assert_int_equal(first->notes[0].severity, KILN_SEVERITY_NOTE);
    assert_int_equal(first->fixit_count, 1);
    assert_string_equal(first->fixits[0].replacement, ";");
    assert_int_equal(first->fixits[0].end_column, 6);
    assert_null(second->file);
    assert_string_equal(second->option, "-Wunused");
}

static void test_diagnostics_come_before_the_message(void **state)
{
    (void)state;
    kiln_error *error = NULL;
    diagnostic_list list = make_diagnostics();
    error_set(&error, KILN_COMPILE, KILN_PHASE_COMPILE, "cannot compile 'a.c'");
    error_add_diagnostics(error, &list, "1 error generated.\n");
    assert_null(list.items);
    assert_int_equal(list.count, 0);
    check_diagnostics(error);
    assert_string_equal(kiln_error_rendered(error), "a.c:3:4: error: expected ';'\n"
                                                    "warning: unused\n"
                                                    "1 error generated.\n"
                                                    "kiln: cannot compile 'a.c'\n");
    assert_string_equal(kiln_error_message(error), "cannot compile 'a.c'");
    kiln_error_destroy(error);
}

/* A copy shares nothing with what it is a copy of. */
static void test_copy_is_deep(void **state)
{
    (void)state;
    kiln_error *error = NULL;
    diagnostic_list list = make_diagnostics();
    error_set(&error, KILN_COMPILE, KILN_PHASE_COMPILE, "m");
    error_add_diagnostics(error, &list, NULL);
    error_add_missing_symbol(error, "_Z1fi", "f(int)", "lib", "/usr/lib/libf.so");
    char *rendered = strdup(kiln_error_rendered(error));
    kiln_error *copy = error_copy(error);
    assert_ptr_not_equal(copy, error);
    kiln_error_destroy(error);
    check_diagnostics(copy);
    assert_int_equal(kiln_error_code(copy), KILN_COMPILE);
    assert_string_equal(kiln_error_rendered(copy), rendered);
    assert_int_equal(kiln_error_missing_symbol_count(copy), 1);
    assert_string_equal(kiln_error_missing_symbol(copy, 0)->provider, "/usr/lib/libf.so");
    kiln_error_destroy(copy);
    free(rendered);
    assert_null(error_copy(NULL));
}

static void test_missing_symbols(void **state)
{
    (void)state;
    kiln_error *error = NULL;
    error_set(&error, KILN_BIND, KILN_PHASE_BIND, "missing");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        error_add_missing_symbol(error, name, NULL, "lib", NULL);
    }
    assert_int_equal(kiln_error_missing_symbol_count(error), 20);
    const kiln_missing_symbol *last = kiln_error_missing_symbol(error, 19);
    assert_string_equal(last->name, "f19");
    assert_string_equal(last->demangled, "f19");
    assert_string_equal(last->needed_by, "lib");
    assert_null(last->provider);
    assert_int_equal(last->size, sizeof *last);
    assert_null(kiln_error_missing_symbol(error, 20));
    kiln_error_destroy(error);
}

static void test_error_of_diagnostics_leaves_them_to_the_caller(void **state)
{
    (void)state;
    diagnostic_list list = make_diagnostics();
    kiln_error *error = error_of_diagnostics(KILN_COMPILE, KILN_PHASE_COMPILE, list.items, 2);
    assert_string_equal(kiln_error_message(error), "expected ';'");
    assert_ptr_not_equal(kiln_error_diagnostic(error, 0)->message, list.items[0].message);
    diagnostic_list_destroy(&list);
    assert_int_equal(list.count, 0);
    check_diagnostics(error);
    kiln_error_destroy(error);
    error = error_of_diagnostics(KILN_COMPILE, KILN_PHASE_COMPILE, NULL, 0);
    assert_int_equal(kiln_error_diagnostic_count(error), 0);
    kiln_error_destroy(error);
}

static void test_names_of_statuses_and_phases(void **state)
{
    (void)state;
    assert_string_equal(kiln_status_name(KILN_OK), "KILN_OK");
    assert_string_equal(kiln_status_name(KILN_INTERNAL), "KILN_INTERNAL");
    assert_string_equal(kiln_status_name(KILN_REFUSED), "KILN_REFUSED");
    assert_string_equal(kiln_status_name(KILN_CRASHED), "KILN_CRASHED");
    assert_string_equal(kiln_status_text(KILN_CYCLE), "libraries depend on each other in a circle");
    assert_string_equal(kiln_phase_name(KILN_PHASE_BIND), "bind");
    for (int status = KILN_OK; status <= KILN_CRASHED; status++) {
        assert_non_null(kiln_status_name((kiln_status)status));
        assert_non_null(kiln_status_text((kiln_status)status));
    }
    assert_string_equal(kiln_status_name((kiln_status)(KILN_CRASHED + 1)), "KILN_?");
    assert_string_equal(kiln_status_name((kiln_status)-1), "KILN_?");
    assert_string_equal(kiln_status_text((kiln_status)1000), "unknown status");
    assert_string_equal(kiln_phase_name(KILN_PHASE_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_and_rendering),
        cmocka_unit_test(test_errno_is_told),
        cmocka_unit_test(test_nobody_cares),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_diagnostics_come_before_the_message),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_missing_symbols),
        cmocka_unit_test(test_error_of_diagnostics_leaves_them_to_the_caller),
        cmocka_unit_test(test_names_of_statuses_and_phases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
