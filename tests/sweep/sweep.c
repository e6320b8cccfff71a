/* sweep.c - kiln-sweep KIND SCENARIO: a scenario of the API in which the Nth call of a kind fails,
 * for N from 1 on until a run meets no failure.
 *
 * Whatever N is: the outcome is an error that says something, or right; nothing is left behind (no
 * allocation, no descriptor); and the same again, without a failure, works. Each N is tried twice,
 * with one failing call and with all calls failing from the Nth on. KILN_SWEEP_AT=N in the
 * environment tries that N alone. The compiler is the fake one, but for hot libraries. */
#include "failing_calls.h"
#include "test_build_fake_compiler.h"

#include "api/session.h"

typedef struct scenario scenario;

/* What a scenario works with; made before anything fails. */
typedef struct world {
    kiln_session *session;
    char cache[256], folder[256];
    long round;    /* counts runs, for what must be new in each */
    bool may_fail; /* calls fail meanwhile */
} world;

struct scenario {
    const char *name;
    /* Run once. May be left in the middle by a failure, and must then have given everything back.
     */
    kiln_status (*run)(world *w, kiln_error **error);
    kiln_status expected;
    bool has_cache;
    long sampled;  /* about so many N in a short run; 0: all */
    bool compiles; /* C, by the real compiler */
};

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- specs ---- */

/* With one of everything. Adders that fail are passed over: the spec remembers. */
static kiln_spec *make_full_spec(const world *w, const char *name)
{
    kiln_spec *spec = kiln_spec_create(name);
    if (!spec)
        return NULL;
    kiln_spec_set_directory(spec, w->folder);
    for (int i = 0; i < 10; i++) {
        char path[32];
        snprintf(path, sizeof path, "m%d.c", i);
        kiln_spec_add_memory_source(spec, path, "answer=1", 8, LIST("-DX", "-DY"));
        snprintf(path, sizeof path, "h%d.h", i);
        kiln_spec_add_memory_header(spec, path, "#define H", 9);
        kiln_spec_add_host_symbol(spec, path, spec);
        kiln_spec_add_dependency(spec, path);
        kiln_spec_add_package(spec, path);
    }
    kiln_spec_add_source(spec, "a.c", LIST("-DX"));
    kiln_spec_add_arguments(spec, KILN_PUBLIC, LIST("-Iinclude", "-DP", "-O1"));
    kiln_spec_set_language(spec, "c", true);
    kiln_spec_set_standard(spec, "c17");
    return spec;
}

static kiln_status run_spec(world *w, kiln_error **error)
{
    char **names = NULL;
    size_t count = 0;
    kiln_spec *spec = make_full_spec(w, "full");
    if (!spec)
        return error_no_memory(error);
    kiln_status status = kiln_session_register(w->session, spec, error);
    bool registered = status == KILN_OK;
    assert_int_equal(kiln_session_is_registered(w->session, "full"), registered);
    if (status == KILN_OK)
        status = kiln_session_register(w->session, spec, error) == KILN_ALREADY_EXISTS
                     ? KILN_OK
                     : kiln_error_code(*error);
    if (status == KILN_OK) {
        kiln_error_destroy(*error);
        *error = NULL;
        status = kiln_session_names(w->session, &names, &count, error);
    }
    if (status == KILN_OK)
        assert_int_equal(count, 1);
    kiln_names_destroy(names);
    kiln_spec_destroy(spec);
    if (registered)
        assert_int_equal(kiln_session_unregister(w->session, "full", NULL), KILN_OK);
    return status;
}

static kiln_status run_parse(world *w, kiln_error **error)
{
    static const char text[] = "name: parsed\nsources: [a.c, b.c]\ninclude: [include]\n"
                               "define: [X, Y=1]\narguments: [-O1]\nstandard: c17\n"
                               "dependencies: [d]\npackages: [zlib]\n";
    kiln_spec *spec = NULL;
    kiln_status status = kiln_spec_parse(text, sizeof text - 1, "text", &spec, error);
    if (status == KILN_OK)
        assert_int_equal(spec->source_count, 2);
    kiln_spec_destroy(spec);
    char path[512];
    snprintf(path, sizeof path, "%s/kiln.yaml", w->folder);
    if (status == KILN_OK)
        status = kiln_session_read_manifest(w->session, path, error);
    if (status == KILN_OK) {
        assert_int_equal(kiln_session_unregister(w->session, "one", NULL), KILN_OK);
        assert_int_equal(kiln_session_unregister(w->session, "two", NULL), KILN_OK);
    }
    assert_false(kiln_session_is_registered(w->session, "one"));
    return status;
}

/* ---- sessions ---- */

static kiln_status run_session(world *w, kiln_error **error)
{
    kiln_session *session = NULL;
    kiln_session_options options = {
        .size = sizeof options, .cache_directory = w->cache, .compiler_path = fake_path};
    kiln_status status = kiln_session_create(&options, &session, error);
    if (status != KILN_OK) {
        assert_null(session);
        return status;
    }
    assert_string_equal(kiln_session_cache_directory(session), w->cache);
    if (kiln_session_descriptor(session) < 0)
        status = error_set(error, KILN_IO, KILN_PHASE_SPEC, "no descriptor");
    if (status == KILN_OK)
        status = kiln_session_dispatch(session, 0, error);
    kiln_session_destroy(session);
    return status;
}

/* ---- loads ---- */

static kiln_status check_library(kiln_library *library, uint64_t answer, kiln_error **error)
{
    kiln_report report = {.size = sizeof report};
    assert_int_equal((uintptr_t)kiln_library_data(library, "answer", NULL), answer);
    if (!kiln_library_function(library, "ns::f(int)", error))
        return kiln_error_code(*error);
    assert_int_equal(kiln_library_symbol_count(library), 2);
    assert_int_equal(kiln_library_report(library, &report), KILN_OK);
    assert_int_equal(report.symbol_count, 2);
    return KILN_OK;
}

static kiln_status load_and_check(world *w, const kiln_spec *spec, uint64_t answer,
                                  kiln_error **error)
{
    kiln_library *library = NULL;
    kiln_status status = kiln_library_load_spec(w->session, spec, NULL, &library, error);
    if (status != KILN_OK) {
        assert_null(library);
        return status;
    }
    status = check_library(library, answer, error);
    assert_int_equal(kiln_library_close(library), KILN_OK);
    return status;
}

/* The same at every run: two units, one of them a file, a warning, a dependency, a host symbol. */
static kiln_spec *make_steady_spec(const world *w)
{
    kiln_spec *spec = kiln_spec_create("steady");
    if (!spec)
        return NULL;
    kiln_spec_set_directory(spec, w->folder);
    kiln_spec_add_source(spec, "*.c", NULL);
    kiln_spec_add_memory_source(spec, "memory.c", "#warning look\n_Zf=77", 20, NULL);
    kiln_spec_add_memory_header(spec, "memory.h", "h", 1);
    kiln_spec_add_dependency(spec, "dependency");
    kiln_spec_add_host_symbol(spec, "lent", w);
    return spec;
}

static kiln_status run_hit(world *w, kiln_error **error)
{
    kiln_spec *spec = make_steady_spec(w);
    if (!spec)
        return error_no_memory(error);
    kiln_status status = load_and_check(w, spec, 42, error);
    kiln_spec_destroy(spec);
    return status;
}

/* New at every run, so that it must be compiled, linked and published. */
static kiln_status publish(world *w, int units, kiln_error **error)
{
    char text[128];
    uint64_t answer = (uint64_t)(1000000 + 10 * w->round + units);
    kiln_spec *spec = kiln_spec_create("new");
    if (!spec)
        return error_no_memory(error);
    snprintf(text, sizeof text, "#warning look\nanswer=%llu%s", (unsigned long long)answer,
             units == 1 ? "\n_Zf=5" : "");
    kiln_spec_add_memory_source(spec, "0.c", text, strlen(text), NULL);
    for (int i = 1; i < units; i++) {
        char path[16];
        snprintf(path, sizeof path, "%d.c", i);
        snprintf(text, sizeof text, "# %llu\n%s", (unsigned long long)answer,
                 i == 1 ? "_Zf=5" : "");
        kiln_spec_add_memory_source(spec, path, text, strlen(text), NULL);
    }
    kiln_status status = load_and_check(w, spec, answer, error);
    kiln_spec_destroy(spec);
    return status;
}

static kiln_status run_publish(world *w, kiln_error **error)
{
    return publish(w, 1, error);
}

static kiln_status run_publish_units(world *w, kiln_error **error)
{
    return publish(w, 3, error);
}

static kiln_status run_compile_error(world *w, kiln_error **error)
{
    kiln_library *library = NULL;
    kiln_spec *spec = kiln_spec_create("wrong");
    if (!spec)
        return error_no_memory(error);
    kiln_spec_add_memory_source(spec, "a.c", "#error one\n#warning two", 23, NULL);
    kiln_spec_add_memory_source(spec, "b.c", "#error three", 12, NULL);
    kiln_status status = kiln_library_load_spec(w->session, spec, NULL, &library, error);
    kiln_spec_destroy(spec);
    assert_null(library);
    if (status == KILN_COMPILE) {
        kiln_error *copy = error_copy(*error);
        assert_non_null(copy);
        kiln_error_destroy(copy);
    }
    return status;
}

static kiln_status run_begun(world *w, kiln_error **error)
{
    kiln_load *load = NULL;
    kiln_library *library = NULL;
    kiln_spec *spec = make_steady_spec(w);
    if (!spec)
        return error_no_memory(error);
    kiln_status status = kiln_load_begin(w->session, NULL, spec, NULL, &load, error);
    kiln_spec_destroy(spec);
    if (status != KILN_OK)
        return status;
    status = kiln_load_wait(load, -1, &library, error);
    assert_int_not_equal(status, KILN_PENDING);
    if (status == KILN_OK) {
        status = check_library(library, 42, error);
        assert_int_equal(kiln_library_close(library), KILN_OK);
    }
    kiln_load_destroy(load);
    return status;
}

static kiln_status run_compile(world *w, kiln_error **error)
{
    char text[64];
    kiln_outputs *outputs = NULL;
    kiln_compile_options options = {.size = sizeof options, .kind = KILN_OUTPUT_OBJECT};
    kiln_spec *spec = kiln_spec_create("objects");
    if (!spec)
        return error_no_memory(error);
    snprintf(text, sizeof text, "answer=%ld", w->round);
    kiln_spec_add_memory_source(spec, "a.c", text, strlen(text), NULL);
    kiln_spec_add_memory_source(spec, "b.c", "steady=1", 8, NULL);
    kiln_status status = kiln_compile(w->session, spec, &options, &outputs, error);
    kiln_spec_destroy(spec);
    if (status != KILN_OK) {
        assert_null(outputs);
        return status;
    }
    kiln_output output = {.size = sizeof output};
    assert_int_equal(kiln_outputs_count(outputs), 2);
    assert_int_equal(kiln_outputs_get(outputs, 0, &output), KILN_OK);
    assert_int_equal(output.size_bytes, strlen(text));
    assert_memory_equal(output.bytes, text, strlen(text));
    kiln_outputs_destroy(outputs);
    return KILN_OK;
}

/* ---- hot libraries ---- */

static kiln_status call_run(kiln_library *library, int expected, kiln_error **error)
{
    kiln_function run = kiln_library_function(library, "run", error);
    if (!run)
        return kiln_error_code(*error);
    assert_int_equal(((int (*)(void))run)(), expected);
    return KILN_OK;
}

static void write_hot(const world *w, int value, const char *more)
{
    char path[512], text[512];
    snprintf(path, sizeof path, "%s/hot/hot.c", w->folder);
    snprintf(text, sizeof text,
             "static int kept = %d; const int table[2] = {%d, 2};\n"
             "int run(void) {%s return table[0] * 0 + kept * 0 + %d; }\n"
             "int plain(void) { return 3; }\n",
             value, value, more, value);
    write_file(path, text);
}

/* An edit of a function, of a constant and of an initial value, whose lines a follow-up brings up to
 * date; and back. */
static kiln_status edit_hot(world *w, kiln_library *library, kiln_error **error)
{
    const kiln_reload_options options = {.size = sizeof options, .follow_up = true};
    int value = 10 + (int)w->round;
    kiln_reload *report = NULL;
    kiln_error *ours = NULL;
    kiln_status status = call_run(library, 1, error);
    if (status != KILN_OK)
        return status;
    write_hot(w, value, "\n");
    status = kiln_library_reload(library, &options, &report, error);
    if (status != KILN_OK) {
        assert_null(report);
        /* It is as it was, or the edit is in and the follow-up is not. */
        if (kiln_library_generation(library) == 1)
            assert_int_equal(call_run(library, 1, &ours), ours ? kiln_error_code(ours) : KILN_OK);
        kiln_error_destroy(ours);
        return status;
    }
    assert_true(kiln_reload_changed(report));
    /* An input that cannot be looked at counts as edited: then the follow-up is for later. */
    if (!w->may_fail)
        assert_int_equal(kiln_reload_moved_count(report), 1);
    kiln_reload_destroy(report);
    status = call_run(library, value, error);
    if (status == KILN_OK)
        status = kiln_library_reset_variable(library, "kept", error);
    if (status == KILN_OK)
        status = kiln_library_roll_back(library, NULL, error);
    return status == KILN_OK ? call_run(library, 1, error) : status;
}

static kiln_status run_reload(world *w, kiln_error **error)
{
    const kiln_load_options options = {.size = sizeof options, .hot = KILN_HOT_ISLANDS};
    kiln_library *library = NULL;
    kiln_spec *spec = kiln_spec_create("hot");
    if (!spec)
        return error_no_memory(error);
    write_hot(w, 1, "");
    kiln_spec_set_directory(spec, w->folder);
    kiln_spec_add_source(spec, "hot/hot.c", NULL);
    kiln_status status = kiln_library_load_spec(w->session, spec, &options, &library, error);
    kiln_spec_destroy(spec);
    if (status != KILN_OK) {
        assert_null(library);
        return status;
    }
    status = edit_hot(w, library, error);
    assert_int_equal(kiln_library_close(library), KILN_OK);
    return status;
}

/* ---- the cache ---- */

static bool see_entry(const kiln_cache_entry *entry, void *data)
{
    (void)data;
    assert_non_null(entry->name);
    return true;
}

static kiln_status run_cache(world *w, kiln_error **error)
{
    char *explanation = NULL;
    uint64_t checked, removed, freed;
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    kiln_status status = kiln_cache_statistics_read(w->session, &statistics, error);
    if (status == KILN_OK)
        status = kiln_cache_list(w->session, see_entry, NULL, error);
    if (status == KILN_OK)
        status = kiln_cache_verify(w->session, &checked, &removed, error);
    if (status == KILN_OK)
        status = kiln_cache_collect(w->session, 0, 1 << 30, &removed, &freed, error);
    if (status == KILN_OK)
        status = kiln_cache_explain(w->session, "steady", &explanation, error);
    kiln_string_destroy(explanation);
    return status;
}

static const scenario scenarios[] = {
    {"spec", run_spec, KILN_OK, false, 0, false},
    {"parse", run_parse, KILN_OK, false, 0, false},
    {"session", run_session, KILN_OK, true, 0, false},
    {"hit", run_hit, KILN_OK, true, 0, false},
    {"publish", run_publish, KILN_OK, true, 150, false},
    {"publish-units", run_publish_units, KILN_OK, true, 100, false},
    {"without-cache", run_publish_units, KILN_OK, false, 100, false},
    {"compile-error", run_compile_error, KILN_COMPILE, true, 100, false},
    {"begun", run_begun, KILN_OK, true, 200, false},
    {"compile", run_compile, KILN_OK, true, 100, false},
    {"cache", run_cache, KILN_OK, true, 200, false},
    {"reload", run_reload, KILN_OK, true, 120, true},
};

/* ---- the sweep ---- */

typedef struct state {
    size_t allocations;
    int descriptors;
} state;

static state take_state(void)
{
    return (state){.allocations = failing_live_allocations(), .descriptors = count_descriptors()};
}

static void open_world(world *w, const scenario *s)
{
    char path[512];
    kiln_error *error = NULL;
    snprintf(w->cache, sizeof w->cache, "%s", scratch("cache"));
    snprintf(w->folder, sizeof w->folder, "%s", scratch("sources"));
    snprintf(path, sizeof path, "%s/a.c", w->folder);
    write_file(path, "answer=42");
    snprintf(path, sizeof path, "%s/kiln.yaml", w->folder);
    write_file(path, "libraries:\n  - name: one\n    sources: [a.c]\n"
                     "  - name: two\n    sources: [\"*.c\"]\n    define: [X]\n");
    settle();
    kiln_session_options options = {.size = sizeof options,
                                    .no_cache = !s->has_cache,
                                    .cache_directory = s->has_cache ? w->cache : NULL,
                                    .jobs = 2,
                                    .compiler_path =
                                        s->compiles ? getenv("KILN_COMPILER") : fake_path};
    CHECK_OK(kiln_session_create(&options, &w->session, &error), error);
    kiln_spec *spec = kiln_spec_create("dependency");
    kiln_spec_add_memory_source(spec, "d.c", "d=9", 3, NULL);
    if (strcmp(s->name, "spec") != 0)
        CHECK_OK(kiln_session_register(w->session, spec, &error), error);
    kiln_spec_destroy(spec);
    /* What the cache is to hold. */
    if (s->has_cache && s->run != run_session && !s->compiles)
        CHECK_OK(run_hit(w, &error), error);
}

static void run_clean(world *w, const scenario *s, const char *when)
{
    kiln_error *error = NULL;
    w->round++;
    kiln_status status = s->run(w, &error);
    if (status != s->expected)
        fail_msg("%s: %s: %s", when, kiln_status_name(status),
                 error ? kiln_error_message(error) : "no error object");
    kiln_error_destroy(error);
}

/* An error says what is wrong; which call failed is known here. */
static void check_outcome(const scenario *s, call_kind kind, kiln_status status,
                          const kiln_error *error)
{
    bool right = status == s->expected || (status == KILN_NO_MEMORY && kind == CALLS_MEMORY);
    if (kind == CALLS_FILES)
        right |= status == KILN_IO || status == KILN_COMPILER || status == KILN_BIND ||
                 status == KILN_NOT_FOUND || status == KILN_COMPILE || status == KILN_NO_MEMORY;
    if (status != KILN_OK && (!error || kiln_error_code(error) != status))
        fail_msg("%s without an error object of that code", kiln_status_name(status));
    if (status == KILN_OK && error)
        fail_msg("success, and an error object: %s", kiln_error_message(error));
    if (!right)
        fail_msg("%s: %s", kiln_status_name(status), kiln_error_message(error));
    if (error)
        assert_true(strlen(kiln_error_message(error)) > 5 &&
                    strlen(kiln_error_rendered(error)) > 5);
}

/* Run with the Nth call failing, then without. Whether there were so many. */
static bool run_failing(world *w, const scenario *s, call_kind kind, long nth, bool persistent)
{
    kiln_error *error = NULL;
    w->round++;
    failing_mark();
    failing_begin(kind, nth, persistent);
    w->may_fail = true;
    kiln_status status = s->run(w, &error);
    w->may_fail = false;
    long calls = failing_end();
    fprintf(stderr, "\r%s %ld%s: %s: %-60s", s->name, nth, persistent ? " and on" : "",
            failing_description(), kiln_status_name(status));
    check_outcome(s, kind, status, error);
    kiln_error_destroy(error);
    run_clean(w, s, "the next run");
    return calls >= nth;
}

static bool is_same(const state *a, const state *b)
{
    return a->allocations == b->allocations && a->descriptors == b->descriptors;
}

/* What is left behind by one run may be something that the session keeps from then on; what is left
 * by each is a leak. */
static bool try(world *w, const scenario *s, call_kind kind, long nth, bool persistent,
                state *before)
{
    bool more = run_failing(w, s, kind, nth, persistent);
    state after = take_state();
    if (is_same(before, &after))
        return more;
    *before = after;
    run_failing(w, s, kind, nth, persistent);
    after = take_state();
    if (!is_same(before, &after)) {
        failing_print_leaks();
        fail_msg("%zu allocations and %d descriptors became %zu and %d", before->allocations,
                 before->descriptors, after.allocations, after.descriptors);
    }
    return more;
}

static void sweep(world *w, const scenario *s, call_kind kind)
{
    const char *only = getenv("KILN_SWEEP_AT"), *is_long = getenv("KILN_TEST_LONG");
    /* Twice: what is made once, and what is made at the first repetition. */
    run_clean(w, s, "the first run");
    run_clean(w, s, "the second run");
    failing_begin(kind, 0, false);
    run_clean(w, s, "the third run");
    long calls = failing_end();
    run_clean(w, s, "the fourth run");
    state before = take_state();
    long step = s->sampled && !is_long && calls > s->sampled ? calls / s->sampled : 1;
    for (long nth = only ? atol(only) : 1;; nth += step) {
        bool more = try(w, s, kind, nth, false, &before);
        more |= try(w, s, kind, nth, true, &before);
        if (!more || only)
            break;
        /* A sample takes all of the first calls, and then not always the same ones of a loop. */
        step = nth < 20 ? 1 : s->sampled && !is_long ? 1 + calls / s->sampled + nth % 3 : 1;
    }
    fprintf(stderr, "\n%s: %ld calls\n", s->name, calls);
}

static const scenario *chosen;
static call_kind chosen_kind;

static void test_sweep(void **unused)
{
    (void)unused;
    world w = {.round = 0};
    open_world(&w, chosen);
    sweep(&w, chosen, chosen_kind);
    kiln_session_destroy(w.session);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sweep)};
    umask(077);
    fake_main();
    alarm(590);
    for (size_t i = 0; argc == 3 && i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, argv[2]) == 0)
            chosen = &scenarios[i];
    if (!chosen) {
        fprintf(stderr, "usage: kiln-sweep memory|files SCENARIO\n");
        return 2;
    }
    chosen_kind = strcmp(argv[1], "memory") == 0 ? CALLS_MEMORY : CALLS_FILES;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
