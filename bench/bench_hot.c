/* bench_hot.c - hot libraries: how long an edit takes until its new code runs, publishing alone, and
 * what being hot costs the code.
 *
 *     bench-hot edit COUNT FOLDER                    a three-line file, saved and watched
 *     bench-hot function COUNT islands|whole FOLDER FILE FROM TO WORD...   one function of a library:
 * in a copy of FOLDER's FILE, the text FROM (`%` in TO is a number that grows) is edited; WORDs
 * that begin with '-' are Clang's arguments, the others sources
 *     bench-hot publish COUNT FOLDER [THREADS]       3,000 functions at once
 *     bench-hot steady off|islands|whole CACHE FOLDER COUNT   SQLite of FOLDER running queries
 *
 * Prints the seconds of each sample. */
#include "measure.h"

#include <kiln.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 3, PAUSE_MS = 30, FUNCTIONS = 3000 };

static void check(kiln_status status, kiln_error *error)
{
    if (status != KILN_OK)
        measure_fail("bench-hot", error ? kiln_error_rendered(error) : kiln_status_text(status));
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static kiln_session *open_session(const char *cache)
{
    kiln_session_options options = {
        .size = sizeof options, .cache_directory = cache, .no_cache = !cache};
    kiln_session *session;
    kiln_error *error = NULL;
    check(kiln_session_create(&options, &session, &error), error);
    return session;
}

static kiln_library *load(kiln_session *session, kiln_spec *spec, kiln_hot_mode mode)
{
    kiln_load_options options = {.size = sizeof options, .hot = mode};
    kiln_library *library;
    kiln_error *error = NULL;
    check(kiln_library_load_spec(session, spec, &options, &library, &error), error);
    kiln_spec_destroy(spec);
    return library;
}

static kiln_hot_mode mode_of(const char *word)
{
    return strcmp(word, "islands") == 0 ? KILN_HOT_ISLANDS
           : strcmp(word, "whole") == 0 ? KILN_HOT_WHOLE
                                        : KILN_HOT_OFF;
}

static char *path_of(const char *folder, const char *name)
{
    static char paths[4][4096];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        measure_fail(path, "cannot be read");
    long size = ftell(file);
    char *text = malloc((size_t)size + 1);
    rewind(file);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
        measure_fail(path, "cannot be read");
    text[size] = '\0';
    fclose(file);
    return text;
}

/* ---- a small file, watched ---- */

static void save_answer(const char *path, int number)
{
    FILE *file = fopen(path, "w");
    if (!file)
        measure_fail(path, "cannot be written");
    fprintf(file,
            "enum { offset = %d };\nint answer(int x);\nint answer(int x) { return x * 17 + "
            "offset; }\n",
            number);
    fclose(file);
}

static void measure_edit(int count, const char *folder)
{
    char *path = path_of(folder, "hot.c");
    kiln_session *session = open_session(path_of(folder, "hot-cache"));
    kiln_spec *spec = kiln_spec_create("edit");
    kiln_error *error = NULL;
    save_answer(path, 0);
    kiln_spec_add_source(spec, path, NULL);
    kiln_library *library = load(session, spec, KILN_HOT_ISLANDS);
    int (*answer)(int) = (int (*)(int))kiln_library_function(library, "answer", NULL);
    check(kiln_library_watch(library, NULL, &error), error);
    for (int i = 1; i <= WARM_UP + count; i++) {
        pause_ms(PAUSE_MS);
        double start = measure_now();
        save_answer(path, i);
        while (answer(2) != 34 + i) {
            struct pollfd ready = {.fd = kiln_session_descriptor(session), .events = POLLIN};
            if (measure_now() - start > 10)
                measure_fail("kiln", "the new code did not answer");
            poll(&ready, 1, 100);
            kiln_session_dispatch(session, 0, NULL);
        }
        if (i > WARM_UP)
            printf("%.9f\n", measure_now() - start);
    }
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* ---- one function of a large file ---- */

static void save_edited(const char *path, const char *text, const char *from, const char *to,
                        int number)
{
    const char *at = strstr(text, from), *mark = strchr(to, '%');
    FILE *file = at && mark ? fopen(path, "w") : NULL;
    if (!file)
        measure_fail(path, "cannot be edited");
    fwrite(text, 1, (size_t)(at - text), file);
    fprintf(file, "%.*s%d%s", (int)(mark - to), to, number, mark + 1);
    fputs(at + strlen(from), file);
    fclose(file);
}

static void measure_function(int count, char **words)
{
    kiln_hot_mode mode = mode_of(words[0]);
    const char *folder = words[1];
    char *path = path_of(folder, words[2]), *text = read_whole(path);
    kiln_session *session = open_session(NULL);
    kiln_spec *spec = kiln_spec_create("function");
    kiln_spec_set_directory(spec, folder);
    for (char **word = words + 5; *word; word++) {
        if (**word == '-')
            kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){*word, NULL});
        else
            kiln_spec_add_source(spec, *word, NULL);
    }
    kiln_library *library = load(session, spec, mode);
    for (int i = 1; i <= count + 1; i++) {
        kiln_error *error = NULL;
        kiln_reload *report;
        double start = measure_now();
        save_edited(path, text, words[3], words[4], i);
        check(kiln_library_reload(library, NULL, &report, &error), error);
        double seconds = measure_now() - start;
        if (!kiln_reload_changed(report))
            measure_fail(path, "the edit changed nothing");
        kiln_reload_destroy(report);
        if (i > 1)
            printf("%.9f\n", seconds);
    }
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* ---- publishing ---- */

static void save_functions(const char *path, int number)
{
    FILE *file = fopen(path, "w");
    if (!file)
        measure_fail(path, "cannot be written");
    fprintf(file, "#define N %d\n", number);
    for (int i = 0; i < FUNCTIONS; i++)
        fprintf(file, "int f%d(int x) { return x + N + %d; }\n", i, i);
    fprintf(file, "int (*const all[])(int) = {");
    for (int i = 0; i < FUNCTIONS; i++)
        fprintf(file, "f%d,\n", i);
    fprintf(file, "};\n");
    fclose(file);
}

typedef int (*function)(int);
static const function *all;
static atomic_bool ends;

static void *call_all(void *data)
{
    long sum = 0;
    (void)data;
    while (!atomic_load_explicit(&ends, memory_order_relaxed))
        for (int i = 0; i < FUNCTIONS; i++)
            sum += all[i](i);
    return (void *)sum;
}

static void measure_publish(int count, const char *folder, int threads)
{
    char *path = path_of(folder, "functions.c");
    pthread_t ids[64];
    kiln_session *session = open_session(NULL);
    kiln_spec *spec = kiln_spec_create("functions");
    save_functions(path, 0);
    kiln_spec_add_source(spec, path, NULL);
    kiln_library *library = load(session, spec, KILN_HOT_ISLANDS);
    all = kiln_library_data(library, "all", NULL);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, call_all, NULL))
            measure_fail("pthread_create", "failed");
    for (int i = 1; i <= count; i++) {
        kiln_error *error = NULL;
        kiln_reload *report;
        save_functions(path, i);
        check(kiln_library_reload(library, NULL, &report, &error), error);
        if (kiln_reload_function_count(report) != FUNCTIONS || all[7](1) != 8 + i)
            measure_fail("kiln", "the functions were not published");
        printf("%.9f\n", kiln_reload_publish_seconds(report));
        kiln_reload_destroy(report);
    }
    atomic_store(&ends, true);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* ---- the cost of being hot ---- */

static const char queries[] =
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); BEGIN;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
    "  INSERT INTO t SELECT i, 'row ' || (i * 7919 % 40000), i * 0.5 FROM n; COMMIT;"
    "CREATE INDEX t_b ON t(b); SELECT count(*), sum(c) FROM t WHERE b LIKE 'row 1%';"
    "SELECT b, c FROM t ORDER BY b DESC LIMIT 100; SELECT x.a, y.b FROM t x JOIN t y ON x.b = y.b"
    "  WHERE x.a % 10 = 0; UPDATE t SET c = c + 1 WHERE a % 3 = 0; DELETE FROM t WHERE a % 2 = 0;"
    "SELECT count(*), avg(length(b)) FROM t GROUP BY a % 100;";

typedef struct sqlite3 sqlite3;

static void measure_steady(kiln_hot_mode mode, const char *cache, const char *folder, int count)
{
    kiln_session *session = open_session(cache);
    kiln_spec *spec = kiln_spec_create("sqlite");
    kiln_spec_set_directory(spec, folder);
    kiln_spec_add_source(spec, "sqlite3.c", NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-O2", "-g0", "-w", "-lm", NULL});
    kiln_library *library = load(session, spec, mode);
    int (*open)(const char *, sqlite3 **) =
        (int (*)(const char *, sqlite3 **))kiln_library_function(library, "sqlite3_open", NULL);
    int (*exec)(sqlite3 *, const char *, void *, void *, char **) =
        (int (*)(sqlite3 *, const char *, void *, void *, char **))kiln_library_function(
            library, "sqlite3_exec", NULL);
    int (*shut)(sqlite3 *) =
        (int (*)(sqlite3 *))kiln_library_function(library, "sqlite3_close", NULL);
    for (int i = 0; i < count; i++) {
        sqlite3 *database;
        char *words = NULL;
        double start = measure_now();
        if (open(":memory:", &database) || exec(database, queries, NULL, NULL, &words))
            measure_fail("sqlite", words ? words : "failed");
        shut(database);
        printf("%.9f\n", measure_now() - start);
    }
    kiln_library_close(library);
    kiln_session_destroy(session);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "edit") == 0 && argc == 4)
        measure_edit(atoi(argv[2]), argv[3]);
    else if (strcmp(what, "function") == 0 && argc > 8)
        measure_function(atoi(argv[2]), argv + 3);
    else if (strcmp(what, "publish") == 0 && argc > 3)
        measure_publish(atoi(argv[2]), argv[3], argc > 4 ? atoi(argv[4]) : 0);
    else if (strcmp(what, "steady") == 0 && argc == 6)
        measure_steady(mode_of(argv[2]), argv[3], argv[4], atoi(argv[5]));
    else
        measure_fail("usage", "bench-hot edit|function|publish|steady ...");
    return 0;
}
