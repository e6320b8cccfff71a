/* test_api_registry.c - a session's specs by name. */
#include "test_base_fixture.h"

#include <pthread.h>

#include "api/session.h"

static int setup(void **state)
{
    kiln_session_options options = {.size = sizeof options, .no_cache = true};
    return kiln_session_create(&options, (kiln_session **)state, NULL) != KILN_OK;
}

static int teardown(void **state)
{
    kiln_session_destroy(*state);
    return 0;
}

static kiln_status enter(kiln_session *session, const char *name, kiln_error **error)
{
    kiln_spec *spec = kiln_spec_create(name);
    kiln_status status = kiln_session_register(session, spec, error);
    kiln_spec_destroy(spec);
    return status;
}

static void check_names(kiln_session *session, const char *expected)
{
    char **names = NULL;
    size_t count = 99;
    kiln_error *error = NULL;
    text all = {0};
    CHECK_OK(kiln_session_names(session, &names, &count, &error), error);
    for (size_t i = 0; i < count; i++)
        text_format(&all, "%s%s", i ? " " : "", names[i]);
    assert_null(names[count]);
    assert_string_equal(text_string(&all), expected);
    kiln_names_destroy(names);
    text_destroy(&all);
}

static void test_names_are_sorted(void **state)
{
    static const char *const names[] = {"m", "b", "z", "a.b", "a", "B", "a-b", "10", "9"};
    check_names(*state, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(enter(*state, names[i], NULL), KILN_OK);
    check_names(*state, "10 9 B a a-b a.b b m z");
    kiln_names_destroy(NULL);
}

static void test_is_registered(void **state)
{
    assert_int_equal(enter(*state, "a", NULL), KILN_OK);
    assert_true(kiln_session_is_registered(*state, "a"));
    assert_false(kiln_session_is_registered(*state, "aa"));
    assert_false(kiln_session_is_registered(*state, ""));
    assert_false(kiln_session_is_registered(*state, NULL));
    assert_false(kiln_session_is_loaded(*state, "a"));
}

static void test_a_name_is_taken(void **state)
{
    kiln_error *error = NULL;
    assert_int_equal(enter(*state, "a", NULL), KILN_OK);
    assert_int_equal(enter(*state, "a", &error), KILN_ALREADY_EXISTS);
    check_error(error, KILN_ALREADY_EXISTS, "a library named 'a' is registered already");
    check_names(*state, "a");
}

static void test_unregister(void **state)
{
    kiln_error *error = NULL;
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        enter(*state, names[i], NULL);
    CHECK_OK(kiln_session_unregister(*state, "b", &error), error);
    CHECK_OK(kiln_session_unregister(*state, "d", &error), error);
    CHECK_OK(kiln_session_unregister(*state, "a", &error), error);
    check_names(*state, "c");
    assert_int_equal(kiln_session_unregister(*state, "a", &error), KILN_NOT_FOUND);
    check_error(error, KILN_NOT_FOUND, "no library named 'a' is registered");
    assert_int_equal(enter(*state, "a", NULL), KILN_OK);
}

/* The registry has a copy; what is found there is another. */
static void test_specs_are_copied(void **state)
{
    kiln_spec *spec = kiln_spec_create("a");
    kiln_spec_add_source(spec, "one.c", NULL);
    assert_int_equal(kiln_session_register(*state, spec, NULL), KILN_OK);
    kiln_spec_add_source(spec, "two.c", NULL);
    kiln_spec *found = NULL;
    assert_int_equal(session_find_spec(*state, "a", NULL, &found, NULL), KILN_OK);
    assert_int_equal(found->source_count, 1);
    kiln_spec_add_source(found, "three.c", NULL);
    kiln_spec_destroy(found);
    assert_int_equal(session_find_spec(*state, "a", NULL, &found, NULL), KILN_OK);
    assert_int_equal(found->source_count, 1);
    kiln_spec_destroy(found);
    kiln_spec_destroy(spec);
    kiln_error *error = NULL;
    assert_int_equal(session_find_spec(*state, "b", NULL, &found, &error), KILN_NOT_FOUND);
    check_error(error, KILN_NOT_FOUND, "no library named 'b' is registered");
    error = NULL;
    assert_int_equal(session_find_spec(*state, "b", "a", &found, &error), KILN_NOT_FOUND);
    check_error(error, KILN_NOT_FOUND, "library 'a' depends on 'b', which is not registered");
}

static void test_a_failed_spec_is_not_registered(void **state)
{
    kiln_error *error = NULL;
    kiln_spec *spec = kiln_spec_create("a");
    kiln_spec_add_source(spec, "", NULL);
    assert_int_equal(kiln_session_register(*state, spec, &error), KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "has no path");
    assert_false(kiln_session_is_registered(*state, "a"));
    kiln_spec_destroy(spec);
}

static void write_manifest(const char *path, const char *content)
{
    write_file(path, content);
    assert_int_equal(chmod(path, 0600), 0);
}

/* All or nothing. */
static void test_a_manifest_that_collides(void **state)
{
    kiln_error *error = NULL;
    write_manifest(scratch("kiln.yaml"), "libraries:\n"
                                         "  - name: a\n    sources: [a.c]\n"
                                         "  - name: taken\n    sources: [b.c]\n"
                                         "  - name: z\n    sources: [c.c]\n");
    enter(*state, "taken", NULL);
    assert_int_equal(kiln_session_read_manifest(*state, scratch("kiln.yaml"), &error),
                     KILN_ALREADY_EXISTS);
    check_error(error, KILN_ALREADY_EXISTS, "taken");
    check_names(*state, "taken");
    kiln_session_unregister(*state, "taken", NULL);
    error = NULL;
    CHECK_OK(kiln_session_read_manifest(*state, scratch("kiln.yaml"), &error), error);
    check_names(*state, "a taken z");
}

static void *use_in_thread(void *data)
{
    char name[32];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "lib%d", i % 20);
        enter(data, name, NULL);
        kiln_spec *found = NULL;
        session_find_spec(data, name, NULL, &found, NULL);
        kiln_spec_destroy(found);
        char **names = NULL;
        kiln_session_names(data, &names, NULL, NULL);
        kiln_names_destroy(names);
        kiln_session_unregister(data, name, NULL);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[6];
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_in_thread, *state), 0);
    for (size_t i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    check_names(*state, "");
}

#define WITH_SESSION(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SESSION(test_names_are_sorted),
        WITH_SESSION(test_is_registered),
        WITH_SESSION(test_a_name_is_taken),
        WITH_SESSION(test_unregister),
        WITH_SESSION(test_specs_are_copied),
        WITH_SESSION(test_a_failed_spec_is_not_registered),
        WITH_SESSION(test_a_manifest_that_collides),
        WITH_SESSION(test_threads),
    };
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
