/* test_api_options.c - structs that grow, and the options of a session. */
#include "test_base_fixture.h"

#include "api/session.h"

/* What libkiln knows, what an older header has, what a newer one has. */
typedef struct known {
    size_t size;
    int first;
    const char *second;
    bool third;
} known;

typedef struct newer {
    known known;
    uint64_t more[4];
} newer;

enum { older_size = offsetof(known, second) };

static void check_refused(const void *theirs, kiln_status code, const char *part)
{
    known ours;
    kiln_error *error = NULL;
    assert_int_equal(options_read(&ours, sizeof ours, theirs, "test", &error), code);
    check_error(error, code, part);
    assert_int_equal(options_read(&ours, sizeof ours, theirs, "test", NULL), code);
}

static void test_no_options(void **state)
{
    (void)state;
    known ours, zero = {.size = sizeof zero};
    memset(&ours, 0xff, sizeof ours);
    assert_int_equal(options_read(&ours, sizeof ours, NULL, "test", NULL), KILN_OK);
    assert_memory_equal(&ours, &zero, sizeof zero);
}

static void test_options_of_this_header(void **state)
{
    (void)state;
    known theirs = {.size = sizeof theirs, .first = 7, .second = "x", .third = true}, ours;
    assert_int_equal(options_read(&ours, sizeof ours, &theirs, "test", NULL), KILN_OK);
    assert_int_equal(ours.size, sizeof ours);
    assert_int_equal(ours.first, 7);
    assert_ptr_equal(ours.second, theirs.second);
    assert_true(ours.third);
}

/* What an older header does not have is not even looked at. */
static void test_options_of_an_older_header(void **state)
{
    (void)state;
    known ours, *theirs = malloc(older_size);
    memcpy(theirs, &(known){.size = older_size, .first = 7}, older_size);
    assert_int_equal(options_read(&ours, sizeof ours, theirs, "test", NULL), KILN_OK);
    assert_int_equal(ours.size, sizeof ours);
    assert_int_equal(ours.first, 7);
    assert_null(ours.second);
    assert_false(ours.third);
    theirs->size = sizeof theirs->size;
    assert_int_equal(options_read(&ours, sizeof ours, theirs, "test", NULL), KILN_OK);
    assert_int_equal(ours.first, 0);
    free(theirs);
}

static void test_options_of_a_newer_header(void **state)
{
    (void)state;
    newer theirs = {.known = {.size = sizeof theirs, .first = 7}};
    known ours;
    assert_int_equal(options_read(&ours, sizeof ours, &theirs, "test", NULL), KILN_OK);
    assert_int_equal(ours.first, 7);
    for (size_t i = 0; i < 4; i++) {
        theirs.more[i] = UINT64_C(1) << 63;
        check_refused(&theirs, KILN_UNSUPPORTED,
                      "the test options have fields that this version of libkiln");
        theirs.more[i] = 0;
    }
}

static void test_sizes_that_are_none(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 4097, SIZE_MAX};
    newer theirs = {.known.first = 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        theirs.known.size = sizes[i];
        check_refused(&theirs, KILN_INVALID_ARGUMENT, "set it to sizeof the struct");
    }
}

static void test_results(void **state)
{
    (void)state;
    const known ours = {.first = 7, .second = "x", .third = true};
    newer theirs;
    memset(&theirs, 0xff, sizeof theirs);
    theirs.known.size = sizeof theirs;
    result_write(&theirs, &ours, sizeof ours);
    assert_int_equal(theirs.known.size, sizeof theirs);
    assert_int_equal(theirs.known.first, 7);
    assert_true(theirs.known.third);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(theirs.more[i], 0);

    known *older = malloc(older_size);
    older->size = older_size;
    result_write(older, &ours, sizeof ours);
    assert_int_equal(older->size, older_size);
    assert_int_equal(older->first, 7);
    free(older);
}

/* ---- a session's options ---- */

static kiln_session *create(const kiln_session_options *options)
{
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    CHECK_OK(kiln_session_create(options, &session, &error), error);
    assert_null(error);
    return session;
}

static void clear_environment(void)
{
    static const char *const names[] = {"KILN_CACHE_DIR", "KILN_NO_CACHE", "KILN_JOBS",
                                        "XDG_CACHE_HOME", "KILN_COMPILER"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("HOME", scratch("home"), 1);
}

static void check_cache(const kiln_session_options *options, const char *expected)
{
    kiln_session *session = create(options);
    const char *actual = kiln_session_cache_directory(session);
    if (expected)
        assert_string_equal(actual, expected);
    else
        assert_null(actual);
    kiln_session_destroy(session);
}

/* The option first, then the environment's, then what is customary. */
static void test_where_the_cache_is(void **state)
{
    (void)state;
    kiln_session_options options = {.size = sizeof options};
    clear_environment();
    check_cache(NULL, scratch("home/.cache/kiln"));
    setenv("XDG_CACHE_HOME", scratch("xdg"), 1);
    check_cache(&options, scratch("xdg/kiln"));
    setenv("KILN_CACHE_DIR", scratch("environment"), 1);
    check_cache(&options, scratch("environment"));
    options.cache_directory = scratch("option");
    check_cache(&options, scratch("option"));
    setenv("KILN_NO_CACHE", "1", 1);
    check_cache(&options, scratch("option"));
    options.cache_directory = NULL;
    check_cache(&options, NULL);
    setenv("KILN_NO_CACHE", "0", 1);
    check_cache(&options, scratch("environment"));
    options.no_cache = true;
    check_cache(&options, NULL);
    clear_environment();
}

static void test_an_empty_variable_is_none(void **state)
{
    (void)state;
    clear_environment();
    setenv("KILN_CACHE_DIR", "", 1);
    setenv("XDG_CACHE_HOME", "", 1);
    setenv("KILN_NO_CACHE", "", 1);
    check_cache(NULL, scratch("home/.cache/kiln"));
    /* The XDG specification: a relative path is to be ignored. */
    setenv("XDG_CACHE_HOME", "relative", 1);
    check_cache(NULL, scratch("home/.cache/kiln"));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    check_cache(NULL, NULL);
    clear_environment();
}

static void test_a_relative_cache_is_meant_from_here(void **state)
{
    (void)state;
    char *before = getcwd(NULL, 0);
    kiln_session_options options = {.size = sizeof options, .cache_directory = "relative/cache"};
    make_directory(scratch("workplace"));
    assert_int_equal(chdir(scratch("workplace")), 0);
    check_cache(&options, scratch("workplace/relative/cache"));
    /* Where that has gone, nobody can tell. */
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    make_directory(scratch("demolished"));
    assert_int_equal(chdir(scratch("demolished")), 0);
    assert_int_equal(rmdir(scratch("demolished")), 0);
    assert_int_equal(kiln_session_create(&options, &session, &error), KILN_IO);
    check_error(error, KILN_IO, "cannot tell the working directory");
    assert_null(session);
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void test_a_session_that_cannot_be(void **state)
{
    (void)state;
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    int descriptors = count_descriptors();
    write_file(scratch("file"), "");
    kiln_session_options options = {.size = sizeof options, .cache_directory = scratch("file/x")};
    assert_int_equal(kiln_session_create(&options, &session, &error), KILN_IO);
    assert_null(session);
    check_error(error, KILN_IO, "cannot use the cache directory");
    options.size = 3;
    error = NULL;
    assert_int_equal(kiln_session_create(&options, &session, &error), KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "the session options");
    assert_int_equal(count_descriptors(), descriptors);
}

static void test_jobs(void **state)
{
    (void)state;
    kiln_session_options options = {.size = sizeof options, .no_cache = true};
    clear_environment();
    setenv("KILN_JOBS", "5", 1);
    kiln_session *session = create(&options);
    assert_int_equal(session->jobs, 5);
    kiln_session_destroy(session);
    options.jobs = 3;
    session = create(&options);
    assert_int_equal(session->jobs, 3);
    kiln_session_destroy(session);
    static const char *const wrong[] = {"abc", "0",  "-1",   "4x",
                                        " 4",  "+4", "4096", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kiln_error *error = NULL;
        setenv("KILN_JOBS", wrong[i], 1);
        options.jobs = 3;
        kiln_session_destroy(create(&options));
        options.jobs = 0;
        session = NULL;
        assert_int_equal(kiln_session_create(&options, &session, &error), KILN_INVALID_ARGUMENT);
        assert_null(session);
        check_error(error, KILN_INVALID_ARGUMENT, "KILN_JOBS is '");
    }
    clear_environment();
}

/* It would be the current directory. */
static void test_an_empty_cache_directory(void **state)
{
    (void)state;
    kiln_session_options options = {.size = sizeof options, .cache_directory = ""};
    kiln_session *session = NULL;
    kiln_error *error = NULL;
    clear_environment();
    assert_int_equal(kiln_session_create(&options, &session, &error), KILN_INVALID_ARGUMENT);
    assert_null(session);
    check_error(error, KILN_INVALID_ARGUMENT, "the cache directory is ''");
}

static void test_nothing_is_left_of_a_session(void **state)
{
    (void)state;
    kiln_session_options options = {.size = sizeof options, .cache_directory = scratch("brief")};
    int descriptors = count_descriptors();
    kiln_session *session = create(&options);
    assert_true(kiln_session_descriptor(session) >= 0);
    assert_int_equal(kiln_session_stop_compiler(session), KILN_OK);
    assert_int_equal(kiln_session_dispatch(session, 1000, NULL), KILN_OK);
    kiln_session_destroy(session);
    kiln_session_destroy(NULL);
    assert_int_equal(count_descriptors(), descriptors);
}

/* A default session without a usable cache, or number of jobs, works without. */
static void test_the_default_session(void **state)
{
    (void)state;
    clear_environment();
    write_file(scratch("blocked"), "");
    setenv("KILN_CACHE_DIR", scratch("blocked/x"), 1);
    setenv("KILN_JOBS", "many", 1);
    kiln_session *session = kiln_session_default();
    assert_non_null(session);
    assert_ptr_equal(kiln_session_default(), session);
    assert_null(kiln_session_cache_directory(NULL));
    assert_false(kiln_session_is_registered(NULL, "x"));
    kiln_spec *spec = kiln_spec_create("of-the-default-session");
    assert_int_equal(kiln_session_register(NULL, spec, NULL), KILN_OK);
    assert_true(kiln_session_is_registered(session, "of-the-default-session"));
    kiln_spec_destroy(spec);
    clear_environment();
}

static void test_version(void **state)
{
    (void)state;
    assert_string_equal(kiln_version(), KILN_VERSION_STRING);
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", KILN_VERSION_MAJOR, KILN_VERSION_MINOR,
             KILN_VERSION_PATCH);
    assert_string_equal(kiln_version(), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_options),
        cmocka_unit_test(test_options_of_this_header),
        cmocka_unit_test(test_options_of_an_older_header),
        cmocka_unit_test(test_options_of_a_newer_header),
        cmocka_unit_test(test_sizes_that_are_none),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_where_the_cache_is),
        cmocka_unit_test(test_an_empty_variable_is_none),
        cmocka_unit_test(test_a_relative_cache_is_meant_from_here),
        cmocka_unit_test(test_a_session_that_cannot_be),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_an_empty_cache_directory),
        cmocka_unit_test(test_nothing_is_left_of_a_session),
        cmocka_unit_test(test_the_default_session),
        cmocka_unit_test(test_version),
    };
    umask(077);
    fixture_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
