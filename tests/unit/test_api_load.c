/* test_api_load.c - loads from the spec to the symbol, with the fake compiler: what is compiled
 * anew and what is not, what a failure says and leaves behind, and what the compiler's misbehaviour
 * comes to. */
#include "test_build_fake_compiler.h"

#include <pthread.h>
#include <sys/wait.h>

#include "api/session.h"

/* ---- a session for each test ---- */

typedef struct fixture {
    kiln_session_options options;
    kiln_session *session;
    char name[64]; /* of the test's folder of sources */
    unsigned events[KILN_EVENT_WARNING + 1];
    unsigned unit_hits;
    char reason[512], warning[512];
    text diagnostics;
} fixture;

static void on_event(const kiln_event *event, void *data)
{
    fixture *f = data;
    assert_int_equal(event->size, sizeof *event);
    f->events[event->kind]++;
    f->unit_hits += event->kind == KILN_EVENT_UNIT_FINISHED && event->hit;
    if (event->kind == KILN_EVENT_LOOKUP_MISS)
        snprintf(f->reason, sizeof f->reason, "%s", event->text);
    if (event->kind == KILN_EVENT_WARNING)
        snprintf(f->warning, sizeof f->warning, "%s", event->text);
    if (event->kind == KILN_EVENT_DIAGNOSTIC)
        text_add_string(&f->diagnostics, event->diagnostic->rendered);
}

static void forget_events(fixture *f)
{
    memset(f->events, 0, sizeof f->events);
    f->unit_hits = 0;
    f->reason[0] = f->warning[0] = '\0';
    text_destroy(&f->diagnostics);
}

static void open_session(fixture *f)
{
    kiln_error *error = NULL;
    kiln_session_destroy(f->session);
    f->session = NULL;
    CHECK_OK(kiln_session_create(&f->options, &f->session, &error), error);
}

static int setup(void **state)
{
    static int number;
    static char caches[64][256];
    fixture *f = calloc(1, sizeof *f);
    snprintf(f->name, sizeof f->name, "test-%d", number);
    snprintf(caches[number % 64], 256, "%s", scratch("cache-%d", number));
    f->options = (kiln_session_options){.size = sizeof f->options,
                                        .cache_directory = caches[number++ % 64],
                                        .jobs = 3,
                                        .compiler_path = fake_path,
                                        .event_callback = on_event,
                                        .event_user_data = f};
    fake_reset();
    open_session(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    kiln_session_destroy(f->session);
    text_destroy(&f->diagnostics);
    free(f);
    return 0;
}

static int setup_without_cache(void **state)
{
    int failed = setup(state);
    fixture *f = *state;
    f->options.no_cache = true;
    f->options.cache_directory = NULL;
    open_session(f);
    return failed;
}

/* ---- sources and specs ---- */

static const char *source(const fixture *f, const char *name)
{
    return scratch("%s/%s", f->name, name);
}

static void write_source(const fixture *f, const char *name, const char *content)
{
    write_file(source(f, name), content);
}

static kiln_spec *spec_of(const fixture *f, const char *library, const char *first, ...)
{
    kiln_spec *spec = kiln_spec_create(library);
    kiln_spec_set_directory(spec, source(f, ""));
    va_list names;
    va_start(names, first);
    for (const char *name = first; name; name = va_arg(names, const char *))
        kiln_spec_add_source(spec, name, NULL);
    va_end(names);
    return spec;
}

/* ---- loading ---- */

/* Load; the spec is destroyed. */
static kiln_library *load(fixture *f, kiln_spec *spec)
{
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    CHECK_OK(kiln_library_load_spec(f->session, spec, NULL, &library, &error), error);
    assert_null(error);
    kiln_spec_destroy(spec);
    return library;
}

static kiln_error *load_fails(fixture *f, kiln_spec *spec, kiln_status expected)
{
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    kiln_status status = kiln_library_load_spec(f->session, spec, NULL, &library, &error);
    if (status != expected)
        fail_msg("%s: %s", kiln_status_name(status), error ? kiln_error_message(error) : "");
    assert_null(library);
    assert_non_null(error);
    kiln_spec_destroy(spec);
    return error;
}

static void check_value(const kiln_library *library, const char *name, uint64_t expected)
{
    kiln_error *error = NULL;
    void *data = kiln_library_data(library, name, &error);
    if (!data)
        fail_msg("%s", kiln_error_message(error));
    assert_int_equal((uintptr_t)data, expected);
}

static bool was_hit(const kiln_library *library)
{
    kiln_report report = {.size = sizeof report};
    assert_int_equal(kiln_library_report(library, &report), KILN_OK);
    return report.hit;
}

/* Load the test's a.c alone, and close it again. Whether it was a hit. */
static bool load_a(fixture *f, uint64_t expected)
{
    kiln_library *library = load(f, spec_of(f, "lib", "a.c", NULL));
    check_value(library, "answer", expected);
    bool hit = was_hit(library);
    kiln_library_close(library);
    return hit;
}

/* ---- hits and misses ---- */

static void test_cold_and_warm(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=42");
    settle();
    assert_false(load_a(f, 42));
    assert_int_equal(fake_count("compile"), 1);
    assert_int_equal(f->events[KILN_EVENT_LOOKUP_MISS], 1);
    assert_string_equal(f->reason, "'lib' was not built with this cache before");
    assert_int_equal(f->events[KILN_EVENT_UNIT_STARTED], 1);
    assert_int_equal(f->events[KILN_EVENT_UNIT_FINISHED], 1);
    assert_int_equal(f->events[KILN_EVENT_LINK_FINISHED], 1);
    assert_int_equal(f->events[KILN_EVENT_LOADED], 1);
    assert_int_equal(f->events[KILN_EVENT_CLOSED], 1);
    forget_events(f);
    open_session(f);
    assert_true(load_a(f, 42));
    assert_int_equal(f->events[KILN_EVENT_LOOKUP_HIT], 1);
    assert_int_equal(f->events[KILN_EVENT_LOOKUP_MISS], 0);
    /* A hit starts no process. */
    assert_int_equal(fake_count("start"), 1);
    assert_int_equal(fake_count("compile"), 1);
}

static void test_report(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1\nother=2");
    kiln_library *library = load(f, spec_of(f, "lib", "a.c", NULL));
    kiln_report report = {.size = sizeof report};
    assert_int_equal(kiln_library_report(library, &report), KILN_OK);
    assert_string_equal(report.name, "lib");
    assert_string_equal(report.engine, "image");
    assert_int_equal(report.unit_count, 1);
    assert_int_equal(report.symbol_count, 2);
    assert_int_equal(report.input_count, 2);
    assert_int_equal(strlen(report.key), 64);
    assert_memory_equal(report.image, f->options.cache_directory,
                        strlen(f->options.cache_directory));
    assert_non_null(report.miss_reason);
    assert_true(report.total_seconds > 0);
    assert_true(kiln_session_is_loaded(f->session, "lib"));
    kiln_library_close(library);
    assert_false(kiln_session_is_loaded(f->session, "lib"));
}

static void test_an_edit_and_its_undoing(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    settle();
    assert_false(load_a(f, 1));
    write_source(f, "a.c", "answer=2");
    assert_false(load_a(f, 2));
    char expected[512];
    snprintf(expected, sizeof expected, "'%s' has changed", source(f, "a.c"));
    assert_string_equal(f->reason, expected);
    write_source(f, "a.c", "answer=1");
    settle();
    assert_true(load_a(f, 1));
    write_source(f, "a.c", "answer=2");
    settle();
    assert_true(load_a(f, 2));
    assert_int_equal(fake_count("compile"), 2);
}

/* Edited right after it was loaded, within the clock's tick. */
static void test_edits_in_quick_succession(void **state)
{
    fixture *f = *state;
    char content[32];
    for (uint64_t i = 0; i < 20; i++) {
        snprintf(content, sizeof content, "answer=%d", (int)(i % 9) + 1);
        write_source(f, "a.c", content);
        load_a(f, i % 9 + 1);
    }
}

static void test_a_touch_is_no_edit(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    assert_false(load_a(f, 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(utimensat(AT_FDCWD, source(f, "a.c"), NULL, 0), 0);
        assert_true(load_a(f, 1));
    }
    assert_int_equal(fake_count("compile"), 1);
}

static void test_a_file_that_appears(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    assert_false(load_a(f, 1));
    write_source(f, "absent.h", "");
    assert_false(load_a(f, 1));
    assert_non_null(strstr(f->reason, "absent.h' has appeared"));
    unlink(source(f, "absent.h"));
    assert_true(load_a(f, 1));
}

/* Of several units those are compiled that have changed. */
static void test_unchanged_units_are_not_compiled_again(void **state)
{
    fixture *f = *state;
    char name[16], content[32];
    kiln_spec *spec = kiln_spec_create("many");
    kiln_spec_set_directory(spec, source(f, ""));
    kiln_spec_add_source(spec, "*.c", NULL);
    for (int i = 1; i <= 7; i++) {
        snprintf(name, sizeof name, "%d.c", i);
        snprintf(content, sizeof content, "d%d=%d", i, i);
        write_source(f, name, content);
    }
    kiln_library_close(load(f, spec_copy(spec)));
    assert_int_equal(fake_count("compile"), 7);
    write_source(f, "3.c", "d3=33");
    write_source(f, "5.c", "d5=55");
    forget_events(f);
    kiln_library *library = load(f, spec_copy(spec));
    check_value(library, "d1", 1);
    check_value(library, "d3", 33);
    check_value(library, "d5", 55);
    check_value(library, "d7", 7);
    kiln_library_close(library);
    assert_int_equal(fake_count("compile"), 9);
    assert_int_equal(f->events[KILN_EVENT_UNIT_FINISHED], 7);
    assert_int_equal(f->unit_hits, 5);
    /* A new file that the pattern finds. */
    write_source(f, "8.c", "d8=8");
    library = load(f, spec);
    check_value(library, "d8", 8);
    kiln_library_close(library);
    assert_int_equal(fake_count("compile"), 10);
}

static void test_memory_sources(void **state)
{
    fixture *f = *state;
    static char large[200 * 1024];
    memset(large, '#', sizeof large);
    memcpy(large, "large=1\n", 8);
    for (int i = 0; i < 3; i++) {
        kiln_spec *spec = kiln_spec_create("memory");
        const char *small = i < 2 ? "answer=1" : "answer=2";
        kiln_spec_add_memory_source(spec, "small.c", small, 8, NULL);
        kiln_spec_add_memory_source(spec, "large.c", large, sizeof large, NULL);
        kiln_library *library = load(f, spec);
        check_value(library, "answer", i < 2 ? 1 : 2);
        check_value(library, "large", 1);
        assert_int_equal(was_hit(library), i == 1);
        kiln_library_close(library);
    }
    assert_string_equal(f->reason, "memory source /kiln/memory/small.c has changed");
    assert_int_equal(fake_count("compile /kiln/memory/small.c"), 2);
    assert_int_equal(fake_count("compile /kiln/memory/large.c"), 1);
}

static void test_without_a_cache(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    kiln_library *first = load(f, spec_of(f, "lib", "a.c", NULL));
    kiln_library *second = load(f, spec_of(f, "lib", "a.c", NULL));
    /* While it is loaded the session has it. */
    assert_ptr_equal(first, second);
    assert_int_equal(fake_count("compile"), 1);
    write_source(f, "a.c", "answer=2");
    kiln_library *third = load(f, spec_of(f, "lib", "a.c", NULL));
    check_value(first, "answer", 1);
    check_value(third, "answer", 2);
    kiln_library_close(first);
    kiln_library_close(second);
    kiln_library_close(third);
    assert_false(load_a(f, 2));
}

/* ---- the cache is in a bad way ---- */

static void for_each_file(const char *directory, void (*visit)(const char *path))
{
    char command[fixture_path_size], path[fixture_path_size];
    snprintf(command, sizeof command, "find '%s' -type f", directory);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = '\0';
        visit(path);
    }
    pclose(list);
}

static void cut(const char *path)
{
    os_identity identity = identity_of(path);
    assert_int_equal(truncate(path, (off_t)(identity.size / 2)), 0);
}

static void flip(const char *path)
{
    size_t size;
    uint8_t *bytes = read_whole(path, &size);
    if (size)
        bytes[size / 2] ^= 0x40;
    write_bytes(path, bytes, size);
    free(bytes);
}

static void empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void test_a_damaged_cache_is_built_anew(void **state)
{
    fixture *f = *state;
    static void (*const damages[])(const char *) = {cut, flip, empty};
    write_source(f, "a.c", "answer=1\n_Zf=2");
    load_a(f, 1);
    for (size_t i = 0; i < 3; i++) {
        for_each_file(f->options.cache_directory, damages[i]);
        open_session(f);
        kiln_library *library = load(f, spec_of(f, "lib", "a.c", NULL));
        check_value(library, "answer", 1);
        kiln_error *error = NULL;
        kiln_function function = kiln_library_function(library, "ns::f(int)", &error);
        if (!function)
            fail_msg("%s", kiln_error_message(error));
        kiln_library_close(library);
    }
}

static void remove_image(const char *path)
{
    if (strstr(path, "/images/"))
        unlink(path);
}

/* The objects are still there: only the link is repeated. */
static void test_a_lost_image(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    load_a(f, 1);
    for_each_file(f->options.cache_directory, remove_image);
    assert_false(load_a(f, 1));
    assert_string_equal(f->reason, "its image was removed from the cache, or damaged");
    assert_int_equal(fake_count("compile"), 1);
    assert_int_equal(fake_count("link"), 2);
    assert_true(load_a(f, 1));
}

/* However often the image is lost, the results of other edits are not pushed out of the record. */
static void test_a_lost_image_takes_no_place(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    settle();
    load_a(f, 1);
    char kept[fixture_path_size];
    snprintf(kept, sizeof kept, "cp -a '%s/images' '%s'", f->options.cache_directory,
             source(f, "kept"));
    assert_int_equal(system(kept), 0);
    write_source(f, "a.c", "answer=2");
    settle();
    for (int i = 0; i < 10; i++) {
        load_a(f, 2);
        for_each_file(f->options.cache_directory, remove_image);
    }
    snprintf(kept, sizeof kept, "cp -a '%s/.' '%s/images'", source(f, "kept"),
             f->options.cache_directory);
    assert_int_equal(system(kept), 0);
    write_source(f, "a.c", "answer=1");
    settle();
    assert_true(load_a(f, 1));
}

static void test_a_cache_that_vanishes(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    kiln_library *library = load(f, spec_of(f, "lib", "a.c", NULL));
    remove_tree(f->options.cache_directory);
    check_value(library, "answer", 1);
    kiln_library_close(library);
    assert_false(load_a(f, 1));
    assert_true(load_a(f, 1));
}

/* ---- warnings and errors ---- */

/* A hit repeats the warnings. */
static void test_warnings(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "#warning look out\nanswer=1");
    write_source(f, "b.c", "#warning and here\nd=1");
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            open_session(f);
        forget_events(f);
        kiln_library *library = load(f, spec_of(f, "lib", "a.c", "b.c", NULL));
        assert_int_equal(was_hit(library), i > 0);
        assert_int_equal(f->events[KILN_EVENT_DIAGNOSTIC], 2);
        assert_non_null(strstr(f->diagnostics.bytes, "a.c: look out\n"));
        assert_non_null(strstr(f->diagnostics.bytes, "b.c: and here\n"));
        kiln_library_close(library);
    }
    /* So does the hit of a unit alone. */
    forget_events(f);
    write_source(f, "b.c", "d=2");
    kiln_library_close(load(f, spec_of(f, "lib", "a.c", "b.c", NULL)));
    assert_string_equal(text_string(&f->diagnostics), "a.c: look out\n");
}

static void test_an_error(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "#error no good\n#warning either");
    for (int i = 0; i < 2; i++) {
        kiln_error *error = load_fails(f, spec_of(f, "lib", "a.c", NULL), KILN_COMPILE);
        assert_int_equal(kiln_error_phase(error), KILN_PHASE_COMPILE);
        assert_string_equal(kiln_error_message(error), "cannot compile 'a.c'");
        assert_int_equal(kiln_error_diagnostic_count(error), 2);
        assert_string_equal(kiln_error_rendered(error),
                            "a.c: no good\na.c: either\n1 diagnostic generated.\n"
                            "kiln: cannot compile 'a.c'\n");
        kiln_error_destroy(error);
    }
    /* A failure is not kept. */
    assert_int_equal(fake_count("compile"), 2);
    write_source(f, "a.c", "answer=1");
    assert_false(load_a(f, 1));
}

static void test_errors_of_several_units(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "#error in a");
    write_source(f, "b.c", "d=1");
    write_source(f, "c.c", "#error in c");
    kiln_error *error = load_fails(f, spec_of(f, "lib", "a.c", "b.c", "c.c", NULL), KILN_COMPILE);
    /* All three ran at once, so both errors are told. */
    assert_int_equal(kiln_error_diagnostic_count(error), 2);
    assert_non_null(strstr(kiln_error_message(error), " and 1 more"));
    assert_non_null(strstr(kiln_error_rendered(error), "a.c: in a\n"));
    assert_non_null(strstr(kiln_error_rendered(error), "c.c: in c\n"));
    kiln_error_destroy(error);
    /* What did compile is there. */
    write_source(f, "a.c", "answer=1");
    write_source(f, "c.c", "e=1");
    kiln_library_close(load(f, spec_of(f, "lib", "a.c", "b.c", "c.c", NULL)));
    assert_int_equal(fake_count("compile b.c"), 1);
}

static void test_a_link_error(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "unlinkable=1");
    kiln_error *error = load_fails(f, spec_of(f, "lib", "a.c", NULL), KILN_LINK);
    check_error(error, KILN_LINK, "cannot link 'lib'");
    write_source(f, "a.c", "answer=1");
    assert_false(load_a(f, 1));
}

static void test_a_missing_source(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    check_error(load_fails(f, spec_of(f, "lib", "gone.c", NULL), KILN_NOT_FOUND), KILN_NOT_FOUND,
                "gone.c");
    load_a(f, 1);
}

static void test_arguments_of_a_source(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "//kiln: -O2 -DX\nanswer=1");
    assert_false(load_a(f, 1));
    write_source(f, "a.c", "//kiln: -O2 -c\nanswer=1");
    kiln_error *error = load_fails(f, spec_of(f, "lib", "a.c", NULL), KILN_SPEC);
    assert_non_null(strstr(kiln_error_message(error), "`//kiln:` comment of 'a.c' is refused"));
    check_error(error, KILN_SPEC, "the argument '-c'");
}

static void test_a_plan_that_is_refused(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    fake_set("", "reject", "plan", "");
    check_error(load_fails(f, spec_of(f, "lib", "a.c", NULL), KILN_SPEC), KILN_SPEC,
                "cannot plan the build");
    open_session(f);
    fake_reset();
    load_a(f, 1);
}

/* ---- a source that changes while it compiles ---- */

static void test_a_source_changes_once(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    setenv("FAKE_ONCE", source(f, "once"), 1);
    fake_set("", "edit-once", "compile", "");
    kiln_library *library = load(f, spec_of(f, "lib", "a.c", NULL));
    check_value(library, "answer", 1);
    kiln_library_close(library);
    fake_set("", "", "", "");
    /* Whatever was recorded, the next load is right. */
    library = load(f, spec_of(f, "lib", "a.c", NULL));
    check_value(library, "edited", 1);
    kiln_library_close(library);
    settle();
    library = load(f, spec_of(f, "lib", "a.c", NULL));
    check_value(library, "edited", 1);
    assert_true(was_hit(library));
    kiln_library_close(library);
    unsetenv("FAKE_ONCE");
}

static void test_the_disk_keeps_changing(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    fake_set("", "edit", "compile", "");
    assert_false(load_a(f, 1));
    assert_string_equal(f->warning, "a source keeps changing while it is compiled: the result is "
                                    "not cached");
    assert_true(fake_count("compile") > 1);
    open_session(f);
    fake_reset();
    assert_false(load_a(f, 1));
    assert_true(load_a(f, 1));
}

/* ---- a compiler that misbehaves ---- */

/* A library of one unit, which the lead job compiles, or of two, which have jobs of their own; each
 * time with new numbers. */
static kiln_spec *make_numbered(fixture *f, int units, uint64_t *number)
{
    static uint64_t last;
    char content[64];
    *number = ++last;
    snprintf(content, sizeof content, "answer=%d", (int)last);
    write_source(f, "a.c", content);
    snprintf(content, sizeof content, "d=%d", (int)last);
    write_source(f, "b.c", content);
    return spec_of(f, "lib", "a.c", units == 2 ? "b.c" : NULL, NULL);
}

static void check_misbehaviour(fixture *f, const char *job, const char *at, kiln_status expected,
                               const char *part)
{
    for (int units = 1; units <= 2; units++) {
        uint64_t number;
        kiln_session_destroy(f->session);
        f->session = NULL;
        int descriptors = count_descriptors();
        open_session(f);
        kiln_spec *spec = make_numbered(f, units, &number);
        fake_set("", job, at, strcmp(at, "compile") == 0 ? "a.c" : "");
        kiln_error *error = load_fails(f, spec_copy(spec), expected);
        if (!strstr(kiln_error_message(error), part))
            fail_msg("%s at %s: '%s' is not in '%s'", job, at, part, kiln_error_message(error));
        kiln_error_destroy(error);
        /* The session goes on. */
        fake_set("", "", "", "");
        /* Not the one started last: the load of a second unit may have started another already. */
        if (strcmp(job, "zygote") == 0)
            fake_await_end(fake_last("killed "));
        kiln_library *library = load(f, spec);
        check_value(library, "answer", number);
        kiln_library_close(library);
        kiln_session_destroy(f->session);
        f->session = NULL;
        assert_int_equal(count_descriptors(), descriptors);
    }
}

static void test_jobs_that_die(void **state)
{
    static const char *const requests[] = {"setup", "plan", "compile", "link"};
    for (size_t i = 0; i < 4; i++) {
        check_misbehaviour(*state, "close", requests[i], KILN_COMPILER,
                           "has gone while it worked on");
        check_misbehaviour(*state, "exited-signal", requests[i], KILN_COMPILER,
                           "was ended by signal 11 (Segmentation fault) while it worked on");
        check_misbehaviour(*state, "exited-status", requests[i], KILN_COMPILER,
                           "gave up with status 3");
        check_misbehaviour(*state, "exited-time", requests[i], KILN_LIMIT,
                           "longer than the limit of time allows");
        check_misbehaviour(*state, "exited-memory-detail", requests[i], KILN_LIMIT,
                           "more memory than the limit allows");
    }
}

static void test_jobs_that_talk_nonsense(void **state)
{
    static const char *const requests[] = {"plan", "compile", "link"};
    for (size_t i = 0; i < 3; i++) {
        check_misbehaviour(*state, "garbage", requests[i], KILN_COMPILER, "has gone while");
        check_misbehaviour(*state, "half", requests[i], KILN_COMPILER, "has gone while");
        check_misbehaviour(*state, "wrong-type", requests[i], KILN_COMPILER, "has gone while");
        check_misbehaviour(*state, "undecodable", requests[i], KILN_COMPILER, "has gone while");
        check_misbehaviour(*state, "undecodable-exit", requests[i], KILN_COMPILER,
                           "has gone while");
    }
}

static void test_replies_without_an_output(void **state)
{
    check_misbehaviour(*state, "no-output", "compile", KILN_COMPILER,
                       "the compiler sent no output for 'a.c'");
    check_misbehaviour(*state, "no-fd", "compile", KILN_COMPILER,
                       "the compiler sent no output for 'a.c'");
    check_misbehaviour(*state, "short-digest", "compile", KILN_COMPILER,
                       "the compiler sent no output for 'a.c'");
    check_misbehaviour(*state, "no-output", "link", KILN_COMPILER,
                       "the compiler sent no output for 'lib'");
}

/* All jobs end at once, and one error is told. */
static void test_the_process_dies_under_its_jobs(void **state)
{
    check_misbehaviour(*state, "zygote", "plan", KILN_COMPILER, "has gone while it worked on");
    check_misbehaviour(*state, "zygote", "compile", KILN_COMPILER, "has gone while it worked on");
    check_misbehaviour(*state, "zygote", "link", KILN_COMPILER, "has gone while it worked on");
}

static void test_every_job_dies(void **state)
{
    fixture *f = *state;
    kiln_spec *spec = kiln_spec_create("many");
    char name[16];
    kiln_spec_set_directory(spec, source(f, ""));
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%d.c", i);
        write_source(f, name, "d=1");
        kiln_spec_add_source(spec, name, NULL);
    }
    static const char *const jobs[] = {"close", "exited-time", "no-output", "garbage"};
    for (size_t i = 0; i < 4; i++) {
        fake_set("", jobs[i], "compile", "");
        kiln_error_destroy(load_fails(f, spec_copy(spec), i == 1 ? KILN_LIMIT : KILN_COMPILER));
    }
    fake_set("", "", "", "");
    kiln_library_close(load(f, spec));
}

/* An error of one job and the death of another: what is wrong with the source is told. */
static void test_an_error_beside_a_crash(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    write_source(f, "b.c", "#error in b");
    fake_set("", "close", "compile", "a.c");
    kiln_library *library;
    kiln_error *error = NULL;
    kiln_spec *spec = spec_of(f, "lib", "a.c", "b.c", NULL);
    kiln_status status = kiln_library_load_spec(f->session, spec, NULL, &library, &error);
    assert_true(status == KILN_COMPILE || status == KILN_COMPILER);
    assert_int_equal(kiln_error_code(error), status);
    kiln_error_destroy(error);
    kiln_spec_destroy(spec);
}

static void test_descriptors_that_go_ahead(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    fake_set("", "attach", "compile", "");
    assert_false(load_a(f, 1));
}

/* ---- several libraries ---- */

static void enter(fixture *f, kiln_spec *spec)
{
    kiln_error *error = NULL;
    CHECK_OK(kiln_session_register(f->session, spec, &error), error);
    kiln_spec_destroy(spec);
}

static kiln_spec *depending(const fixture *f, const char *library, const char *file,
                            const char *dependency)
{
    kiln_spec *spec = spec_of(f, library, file, NULL);
    if (dependency)
        kiln_spec_add_dependency(spec, dependency);
    return spec;
}

static kiln_error *load_name_fails(fixture *f, const char *name, kiln_status expected)
{
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    assert_int_equal(kiln_library_load(f->session, name, NULL, &library, &error), expected);
    assert_null(library);
    return error;
}

static void test_dependencies(void **state)
{
    fixture *f = *state;
    kiln_library *library;
    kiln_error *error = NULL;
    write_source(f, "low.c", "low=1");
    write_source(f, "middle.c", "middle=2");
    write_source(f, "high.c", "high=3");
    enter(f, depending(f, "high", "high.c", "middle"));
    enter(f, depending(f, "middle", "middle.c", "low"));
    enter(f, depending(f, "low", "low.c", NULL));
    CHECK_OK(kiln_library_load(f->session, "high", NULL, &library, &error), error);
    check_value(library, "high", 3);
    assert_null(kiln_library_data(library, "low", NULL));
    assert_true(kiln_session_is_loaded(f->session, "low"));
    assert_int_equal(kiln_library_close(library), KILN_OK);
    assert_false(kiln_session_is_loaded(f->session, "low"));
    /* An edit of the lowest is a miss for all above it, whose objects stay. */
    write_source(f, "low.c", "low=11");
    forget_events(f);
    CHECK_OK(kiln_library_load(f->session, "high", NULL, &library, &error), error);
    assert_int_equal(f->events[KILN_EVENT_LOOKUP_MISS], 3);
    assert_non_null(strstr(f->reason, "dependency middle has changed"));
    assert_int_equal(fake_count("compile"), 4);
    kiln_library_close(library);
}

static void test_dependencies_that_cannot_be(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    enter(f, depending(f, "a", "a.c", "b"));
    enter(f, depending(f, "b", "a.c", "c"));
    enter(f, depending(f, "c", "a.c", "a"));
    enter(f, depending(f, "self", "a.c", "self"));
    enter(f, depending(f, "lonely", "a.c", "nobody"));
    check_error(load_name_fails(f, "a", KILN_CYCLE), KILN_CYCLE,
                "libraries depend on each other in a circle: a -> b -> c -> a");
    check_error(load_name_fails(f, "self", KILN_CYCLE), KILN_CYCLE, "self -> self");
    check_error(load_name_fails(f, "lonely", KILN_NOT_FOUND), KILN_NOT_FOUND,
                "library 'lonely' depends on 'nobody', which is not registered");
    check_error(load_name_fails(f, "nobody", KILN_NOT_FOUND), KILN_NOT_FOUND,
                "no library named 'nobody' is registered");
    assert_int_equal(fake_count("compile"), 0);
}

static void test_a_library_is_counted(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    kiln_library *first = load(f, spec_of(f, "lib", "a.c", NULL));
    kiln_library *second = load(f, spec_of(f, "lib", "a.c", NULL));
    assert_ptr_equal(first, second);
    assert_int_equal(kiln_library_close(first), KILN_OK);
    check_value(second, "answer", 1);
    assert_true(kiln_session_is_loaded(f->session, "lib"));
    assert_int_equal(kiln_library_close(second), KILN_OK);
    assert_false(kiln_session_is_loaded(f->session, "lib"));
    assert_int_equal(kiln_library_close(NULL), KILN_OK);
}

static void test_libraries_left_open_go_with_their_session(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    write_source(f, "b.c", "d=1");
    enter(f, depending(f, "b", "b.c", NULL));
    load(f, depending(f, "a", "a.c", "b"));
    load(f, spec_of(f, "other", "a.c", NULL));
    kiln_session_destroy(f->session);
    f->session = NULL;
}

/* Without a cache an image is memory of the process: none stays that nobody has loaded. */
static void test_images_that_nobody_has_loaded(void **state)
{
    fixture *f = *state;
    kiln_outputs *outputs;
    kiln_error *error = NULL;
    write_source(f, "good.c", "d=1");
    write_source(f, "bad.c", "#error bad");
    enter(f, depending(f, "good", "good.c", NULL));
    kiln_error_destroy(load_fails(f, depending(f, "bad", "bad.c", "good"), KILN_COMPILE));
    assert_int_equal(f->session->uncached_count, 0);
    kiln_spec *spec = depending(f, "bad", "bad.c", "good");
    assert_int_equal(kiln_compile(f->session, spec, NULL, &outputs, NULL), KILN_COMPILE);
    assert_int_equal(f->session->uncached_count, 0);
    kiln_spec_destroy(spec);
    spec = depending(f, "other", "good.c", "good");
    CHECK_OK(kiln_compile(f->session, spec, NULL, &outputs, &error), error);
    assert_int_equal(f->session->uncached_count, 0);
    kiln_outputs_destroy(outputs);
    kiln_spec_destroy(spec);
}

/* ---- loads under way ---- */

static void test_a_load_that_was_begun(void **state)
{
    fixture *f = *state;
    kiln_load *under_way;
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    write_source(f, "a.c", "answer=1");
    kiln_spec *spec = spec_of(f, "lib", "a.c", NULL);
    CHECK_OK(kiln_load_begin(f->session, NULL, spec, NULL, &under_way, &error), error);
    kiln_spec_destroy(spec);
    CHECK_OK(kiln_load_wait(under_way, -1, &library, &error), error);
    check_value(library, "answer", 1);
    /* Events came on this thread. */
    assert_int_equal(f->events[KILN_EVENT_LOADED], 1);
    assert_int_equal(f->events[KILN_EVENT_LINK_FINISHED], 1);
    assert_int_equal(kiln_load_wait(under_way, 0, &library, &error), KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "has handed out its library already");
    kiln_load_destroy(under_way);
    check_value(library, "answer", 1);
    kiln_library_close(library);
    kiln_load_destroy(NULL);
}

static void test_a_load_that_is_dispatched(void **state)
{
    fixture *f = *state;
    kiln_load *under_way;
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    write_source(f, "a.c", "answer=1");
    enter(f, spec_of(f, "lib", "a.c", NULL));
    CHECK_OK(kiln_load_begin(f->session, "lib", NULL, NULL, &under_way, &error), error);
    kiln_status status;
    while ((status = kiln_load_poll(under_way, &library, &error)) == KILN_PENDING) {
        struct pollfd readable = {.fd = kiln_session_descriptor(f->session), .events = POLLIN};
        poll(&readable, 1, -1);
        CHECK_OK(kiln_session_dispatch(f->session, 0, &error), error);
    }
    assert_int_equal(status, KILN_OK);
    check_value(library, "answer", 1);
    kiln_library_close(library);
    kiln_load_destroy(under_way);
}

static void check_cancelled(fixture *f, const char *at, int units)
{
    kiln_load *under_way;
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    uint64_t number;
    kiln_spec *spec = make_numbered(f, units, &number);
    fake_set("", "hang", at, "");
    CHECK_OK(kiln_load_begin(f->session, NULL, spec, NULL, &under_way, &error), error);
    while (fake_count("hang") == 0)
        assert_int_equal(kiln_load_wait(under_way, 1, &library, &error), KILN_PENDING);
    assert_int_equal(kiln_session_stop_compiler(f->session), KILN_PENDING);
    kiln_load_cancel(under_way);
    assert_int_equal(kiln_load_wait(under_way, -1, &library, &error), KILN_CANCELLED);
    check_error(error, KILN_CANCELLED, "the load was cancelled");
    assert_null(library);
    kiln_load_destroy(under_way);
    fake_reset();
    library = load(f, spec);
    check_value(library, "answer", number);
    kiln_library_close(library);
}

static void test_cancelled_loads(void **state)
{
    for (int units = 1; units <= 2; units++) {
        check_cancelled(*state, "plan", units);
        check_cancelled(*state, "compile", units);
        check_cancelled(*state, "link", units);
    }
}

/* Neither waited for nor cancelled. */
static void test_loads_that_are_dropped(void **state)
{
    fixture *f = *state;
    kiln_load *loads[3];
    kiln_error *error = NULL;
    uint64_t number;
    for (size_t i = 0; i < 3; i++) {
        kiln_spec *spec = make_numbered(f, 2, &number);
        CHECK_OK(kiln_load_begin(f->session, NULL, spec, NULL, &loads[i], &error), error);
        kiln_spec_destroy(spec);
    }
    /* One is done and never handed out. */
    kiln_library *library;
    while (kiln_load_poll(loads[1], &library, NULL) == KILN_PENDING)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    kiln_library_close(library);
    for (size_t i = 0; i < 3; i++)
        kiln_load_destroy(loads[i]);
}

static void test_what_is_to_be_loaded(void **state)
{
    fixture *f = *state;
    kiln_load *under_way = NULL;
    kiln_error *error = NULL;
    kiln_spec *spec = spec_of(f, "lib", "a.c", NULL);
    assert_int_equal(kiln_load_begin(f->session, "lib", spec, NULL, &under_way, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "either a name or a spec");
    assert_int_equal(kiln_load_begin(f->session, NULL, NULL, NULL, &under_way, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "either a name or a spec");
    assert_int_equal(kiln_load_begin(f->session, "nobody", NULL, NULL, &under_way, &error),
                     KILN_NOT_FOUND);
    check_error(error, KILN_NOT_FOUND, "no library named 'nobody' is registered");
    assert_null(under_way);
    kiln_spec_destroy(spec);
}

/* ---- threads and processes ---- */

static void *load_in_thread(void *data)
{
    fixture *f = data;
    kiln_library *library;
    kiln_error *error = NULL;
    CHECK_OK(kiln_library_load(f->session, "lib", NULL, &library, &error), error);
    check_value(library, "answer", 1);
    kiln_library_close(library);
    return NULL;
}

/* Who asks for the same at the same time waits for one compilation, and gets its result. */
static void check_threads(fixture *f)
{
    pthread_t threads[8];
    write_source(f, "a.c", "answer=1");
    f->options.event_callback = NULL;
    open_session(f);
    enter(f, spec_of(f, "lib", "a.c", NULL));
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_in_thread, f), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void test_threads(void **state)
{
    settle();
    check_threads(*state);
    assert_int_equal(fake_count("compile"), 1);
}

static void test_threads_without_a_cache(void **state)
{
    check_threads(*state);
}

static void *fail_in_thread(void *data)
{
    fixture *f = data;
    check_error(load_name_fails(f, "lib", KILN_COMPILE), KILN_COMPILE, "cannot compile 'a.c'");
    return NULL;
}

static void test_threads_share_a_failure(void **state)
{
    fixture *f = *state;
    pthread_t threads[8];
    write_source(f, "a.c", "#error of all");
    f->options.event_callback = NULL;
    open_session(f);
    enter(f, spec_of(f, "lib", "a.c", NULL));
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fail_in_thread, f), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void *edit_and_load(void *data)
{
    fixture *f = data;
    for (int i = 0; i < 10; i++) {
        kiln_library *library;
        kiln_error *error = NULL;
        CHECK_OK(kiln_library_load(f->session, "lib", NULL, &library, &error), error);
        kiln_library_close(library);
    }
    return NULL;
}

/* While one writes, others load: each gets a version that was there. */
static void test_threads_and_an_editor(void **state)
{
    fixture *f = *state;
    pthread_t threads[4];
    char content[32];
    f->options.event_callback = NULL;
    open_session(f);
    write_source(f, "a.c", "answer=0");
    enter(f, spec_of(f, "lib", "a.c", NULL));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, edit_and_load, f), 0);
    for (int i = 1; i <= 30; i++) {
        snprintf(content, sizeof content, "answer=%d", i);
        write_source(f, "new", content);
        assert_int_equal(rename(source(f, "new"), source(f, "a.c")), 0);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    load_a(f, 30);
}

static void test_a_forked_child_goes_on(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    write_source(f, "b.c", "answer=2");
    kiln_library *library = load(f, spec_of(f, "lib", "a.c", NULL));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        check_value(library, "answer", 1);
        kiln_library *other = load(f, spec_of(f, "other", "b.c", NULL));
        check_value(other, "answer", 2);
        kiln_library_close(other);
        kiln_library_close(library);
        kiln_session_destroy(f->session);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_value(library, "answer", 1);
    kiln_library_close(library);
    write_source(f, "a.c", "answer=3");
    assert_false(load_a(f, 3));
}

/* Two processes want the same: the second waits for the first one's lock, and has a hit. */
static void test_two_processes(void **state)
{
    fixture *f = *state;
    pid_t children[4];
    write_source(f, "a.c", "answer=1");
    settle();
    kiln_session_destroy(f->session);
    f->session = NULL;
    fflush(NULL);
    for (size_t i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            open_session(f);
            load_a(f, 1);
            kiln_session_destroy(f->session);
            _exit(0);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(fake_count("compile"), 1);
    open_session(f);
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    assert_int_equal(kiln_cache_statistics_read(f->session, &statistics, NULL), KILN_OK);
    assert_int_equal(statistics.entry_count, 2);
}

/* ---- compiling only ---- */

static void check_output(const kiln_outputs *outputs, size_t index, const char *source_name,
                         const char *bytes, bool hit)
{
    kiln_output output = {.size = sizeof output};
    assert_int_equal(kiln_outputs_get(outputs, index, &output), KILN_OK);
    assert_string_equal(output.source, source_name);
    assert_int_equal(output.size_bytes, strlen(bytes));
    assert_memory_equal(output.bytes, bytes, strlen(bytes));
    assert_int_equal(output.hit, hit);
}

static kiln_outputs *compile(fixture *f, kiln_output_kind kind, bool merge)
{
    kiln_outputs *outputs = NULL;
    kiln_error *error = NULL;
    kiln_compile_options options = {.size = sizeof options, .kind = kind, .merge = merge};
    kiln_spec *spec = spec_of(f, "lib", "a.c", "b.c", NULL);
    CHECK_OK(kiln_compile(f->session, spec, &options, &outputs, &error), error);
    kiln_spec_destroy(spec);
    return outputs;
}

static void test_objects(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    write_source(f, "b.c", "d=2");
    for (int i = 0; i < 2; i++) {
        kiln_outputs *outputs = compile(f, KILN_OUTPUT_OBJECT, false);
        assert_int_equal(kiln_outputs_count(outputs), 2);
        check_output(outputs, 0, "a.c", "answer=1", i == 1);
        check_output(outputs, 1, "b.c", "d=2", i == 1);
        kiln_output none = {.size = sizeof none};
        assert_int_equal(kiln_outputs_get(outputs, 2, &none), KILN_INVALID_ARGUMENT);
        none.size = 0;
        assert_int_equal(kiln_outputs_get(outputs, 0, &none), KILN_INVALID_ARGUMENT);
        kiln_outputs_destroy(outputs);
    }
    assert_int_equal(fake_count("compile"), 2);
    assert_int_equal(fake_count("link"), 0);
    kiln_outputs_destroy(NULL);
}

static void test_combined_outputs(void **state)
{
    fixture *f = *state;
    write_source(f, "a.c", "answer=1");
    write_source(f, "b.c", "d=2");
    static const struct {
        kiln_output_kind kind;
        bool merge;
    } cases[] = {{KILN_OUTPUT_OBJECT, true},
                 {KILN_OUTPUT_BITCODE, true},
                 {KILN_OUTPUT_ARCHIVE, false},
                 {KILN_OUTPUT_SHARED_LIBRARY, false}};
    for (size_t i = 0; i < 4; i++) {
        kiln_outputs *outputs = compile(f, cases[i].kind, cases[i].merge);
        assert_int_equal(kiln_outputs_count(outputs), 1);
        check_output(outputs, 0, "lib", "answer=1\nd=2\n", false);
        kiln_outputs_destroy(outputs);
    }
    assert_int_equal(fake_count("link"), 4);
}

/* One module is merged already: it is not linked, and has the merged output's name. */
static void test_one_module_merged(void **state)
{
    fixture *f = *state;
    const kiln_output_kind kinds[] = {KILN_OUTPUT_BITCODE, KILN_OUTPUT_RAW_BITCODE};
    write_source(f, "a.c", "answer=1");
    kiln_spec *spec = spec_of(f, "lib", "a.c", NULL);
    for (int i = 0; i < 4; i++) {
        kiln_outputs *outputs = NULL;
        kiln_error *error = NULL;
        kiln_compile_options options = {
            .size = sizeof options, .kind = kinds[i / 2], .merge = true};
        CHECK_OK(kiln_compile(f->session, spec, &options, &outputs, &error), error);
        assert_int_equal(kiln_outputs_count(outputs), 1);
        check_output(outputs, 0, "lib", "answer=1", i % 2 == 1);
        kiln_outputs_destroy(outputs);
    }
    assert_int_equal(fake_count("link"), 0);
    kiln_spec_destroy(spec);
}

static void test_outputs_that_cannot_be(void **state)
{
    fixture *f = *state;
    kiln_outputs *outputs = NULL;
    kiln_error *error = NULL;
    write_source(f, "a.c", "#error no");
    kiln_spec *spec = spec_of(f, "lib", "a.c", NULL);
    kiln_compile_options options = {.size = sizeof options, .kind = KILN_OUTPUT_IR, .merge = true};
    assert_int_equal(kiln_compile(f->session, spec, &options, &outputs, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "only objects and bitcode can be merged");
    options.kind = (kiln_output_kind)99;
    assert_int_equal(kiln_compile(f->session, spec, &options, &outputs, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "no such kind of output: 99");
    assert_int_equal(kiln_compile(f->session, spec, NULL, &outputs, &error), KILN_COMPILE);
    check_error(error, KILN_COMPILE, "cannot compile 'a.c'");
    assert_null(outputs);
    kiln_spec_destroy(spec);
}

/* ---- host symbols, options ---- */

static void test_host_symbols(void **state)
{
    fixture *f = *state;
    static int lent;
    write_source(f, "a.c", "answer=1");
    for (int i = 0; i < 2; i++) {
        kiln_spec *spec = spec_of(f, "lib", "a.c", NULL);
        kiln_spec_add_host_symbol(spec, "lent", &lent);
        kiln_library *library = load(f, spec);
        assert_int_equal(was_hit(library), i == 1);
        check_value(library, "answer", 1);
        kiln_library_close(library);
    }
}

static void test_options_of_a_load(void **state)
{
    fixture *f = *state;
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    write_source(f, "a.c", "answer=1");
    kiln_spec *spec = spec_of(f, "lib", "a.c", NULL);
    kiln_load_options options = {.size = sizeof options, .visibility = (kiln_visibility)9};
    assert_int_equal(kiln_library_load_spec(f->session, spec, &options, &library, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "no such visibility: 9");
    options = (kiln_load_options){.size = sizeof options, .engine = "tape"};
    assert_int_equal(kiln_library_load_spec(f->session, spec, &options, &library, &error),
                     KILN_UNSUPPORTED);
    check_error(error, KILN_UNSUPPORTED, "there is no engine 'tape' in this version");
    options.engine = "image";
    CHECK_OK(kiln_library_load_spec(f->session, spec, &options, &library, &error), error);
    kiln_library_close(library);
    kiln_spec_destroy(spec);
}

static void test_open_a_file(void **state)
{
    fixture *f = *state;
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    write_source(f, "odd name-1.2.c", "answer=1");
    CHECK_OK(kiln_library_open(f->session, source(f, "odd name-1.2.c"), NULL, &library, &error),
             error);
    kiln_report report = {.size = sizeof report};
    assert_int_equal(kiln_library_report(library, &report), KILN_OK);
    assert_string_equal(report.name, "odd_name-1.2");
    kiln_library_close(library);
    assert_int_equal(kiln_library_open(f->session, NULL, NULL, &library, &error),
                     KILN_INVALID_ARGUMENT);
    check_error(error, KILN_INVALID_ARGUMENT, "path");
}

#define WITH_SESSION(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITHOUT_CACHE(test) cmocka_unit_test_setup_teardown(test, setup_without_cache, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SESSION(test_cold_and_warm),
        WITH_SESSION(test_report),
        WITH_SESSION(test_an_edit_and_its_undoing),
        WITH_SESSION(test_edits_in_quick_succession),
        WITH_SESSION(test_a_touch_is_no_edit),
        WITH_SESSION(test_a_file_that_appears),
        WITH_SESSION(test_unchanged_units_are_not_compiled_again),
        WITH_SESSION(test_memory_sources),
        WITHOUT_CACHE(test_without_a_cache),
        WITH_SESSION(test_a_damaged_cache_is_built_anew),
        WITH_SESSION(test_a_lost_image),
        WITH_SESSION(test_a_lost_image_takes_no_place),
        WITH_SESSION(test_a_cache_that_vanishes),
        WITH_SESSION(test_warnings),
        WITH_SESSION(test_an_error),
        WITH_SESSION(test_errors_of_several_units),
        WITH_SESSION(test_a_link_error),
        WITH_SESSION(test_a_missing_source),
        WITH_SESSION(test_arguments_of_a_source),
        WITH_SESSION(test_a_plan_that_is_refused),
        WITH_SESSION(test_a_source_changes_once),
        WITH_SESSION(test_the_disk_keeps_changing),
        WITH_SESSION(test_jobs_that_die),
        WITH_SESSION(test_jobs_that_talk_nonsense),
        WITH_SESSION(test_replies_without_an_output),
        WITH_SESSION(test_the_process_dies_under_its_jobs),
        WITH_SESSION(test_every_job_dies),
        WITHOUT_CACHE(test_every_job_dies),
        WITH_SESSION(test_an_error_beside_a_crash),
        WITH_SESSION(test_descriptors_that_go_ahead),
        WITHOUT_CACHE(test_descriptors_that_go_ahead),
        WITH_SESSION(test_dependencies),
        WITH_SESSION(test_dependencies_that_cannot_be),
        WITH_SESSION(test_a_library_is_counted),
        WITHOUT_CACHE(test_a_library_is_counted),
        WITH_SESSION(test_libraries_left_open_go_with_their_session),
        WITHOUT_CACHE(test_images_that_nobody_has_loaded),
        WITH_SESSION(test_a_load_that_was_begun),
        WITH_SESSION(test_a_load_that_is_dispatched),
        WITH_SESSION(test_cancelled_loads),
        WITHOUT_CACHE(test_cancelled_loads),
        WITH_SESSION(test_loads_that_are_dropped),
        WITH_SESSION(test_what_is_to_be_loaded),
        WITH_SESSION(test_threads),
        WITHOUT_CACHE(test_threads_without_a_cache),
        WITH_SESSION(test_threads_share_a_failure),
        WITH_SESSION(test_threads_and_an_editor),
        WITH_SESSION(test_a_forked_child_goes_on),
        WITH_SESSION(test_two_processes),
        WITH_SESSION(test_objects),
        WITH_SESSION(test_combined_outputs),
        WITH_SESSION(test_one_module_merged),
        WITH_SESSION(test_outputs_that_cannot_be),
        WITH_SESSION(test_host_symbols),
        WITH_SESSION(test_options_of_a_load),
        WITH_SESSION(test_open_a_file),
    };
    umask(077);
    fake_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
