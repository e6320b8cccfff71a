/* bench_jit.c - live code: objects in memory, lazy functions, and what they cost.
 *
 *     bench-jit small|small-image COUNT FOLDER         one object with one function: added, looked up
 * and called; in a running JIT, or as a library of the image engine
 *     bench-jit thousand|thousand-image COUNT FOLDER   a thousand of them, each of which calls the next
 *     bench-jit object COUNT OBJECT FOLDER             SQLite's object, from disk: until sqlite3_open
 * has returned
 *     bench-jit lazy SOURCES                           SQLite's source, function by function at -O2,
 * nothing of it cached: the same
 *     bench-jit memory FOLDER                          what the engine takes of memory, in KiB
 *
 * Prints the seconds of each sample. FOLDER is for what it writes. */
#include "measure.h"

#include <kiln.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARM_UP = 3, THOUSAND = 1000 };

typedef struct sqlite3 sqlite3;
typedef int (*number_function)(void);
typedef int (*open_function)(const char *, sqlite3 **);

static void check(kiln_status status, kiln_error *error)
{
    if (status != KILN_OK)
        measure_fail("bench-jit", error ? kiln_error_rendered(error) : kiln_status_text(status));
}

static char *path_of(const char *folder, const char *name)
{
    static char paths[4][4096];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static kiln_session *open_session(const char *folder)
{
    const kiln_session_options options = {.size = sizeof options,
                                          .cache_directory = path_of(folder, "cache")};
    kiln_session *session;
    kiln_error *error = NULL;
    check(kiln_session_create(&options, &session, &error), error);
    return session;
}

static kiln_jit *open_jit(kiln_session *session, kiln_jit_dylib **dylib)
{
    kiln_jit *jit;
    kiln_error *error = NULL;
    check(kiln_jit_create(session, NULL, &jit, &error), error);
    check(kiln_jit_add_dylib(jit, "main", NULL, dylib, &error), error);
    return jit;
}

/* ---- small objects ---- */

/* Numbers that no earlier run used, or a cache would know the contents. */
static int fresh_number(void)
{
    return (int)(time(NULL) % 1000000) * 1000;
}

/* Objects with one function f0 ..., of which each calls the next, if there is one. */
static kiln_outputs *compile_chain(kiln_session *session, int count, int number)
{
    const kiln_compile_options options = {.size = sizeof options, .kind = KILN_OUTPUT_OBJECT};
    char text[256], path[64];
    kiln_outputs *outputs;
    kiln_error *error = NULL;
    kiln_spec *spec = kiln_spec_create("chain");
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-O2", NULL});
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "f%d.c", i);
        if (i + 1 < count)
            snprintf(text, sizeof text, "int f%d(void); int f%d(void) { return f%d() + 1; }", i + 1,
                     i, i + 1);
        else
            snprintf(text, sizeof text, "int f%d(void) { return %d; }", i, number);
        kiln_spec_add_memory_source(spec, path, text, strlen(text), NULL);
    }
    check(kiln_compile(session, spec, &options, &outputs, &error), error);
    kiln_spec_destroy(spec);
    return outputs;
}

static kiln_output output_of(const kiln_outputs *outputs, int index)
{
    kiln_output output = {.size = sizeof output};
    check(kiln_outputs_get(outputs, (size_t)index, &output), NULL);
    return output;
}

static double add_chain(kiln_jit_dylib *dylib, const kiln_outputs *outputs, int count, int number)
{
    static kiln_jit_code *codes[THOUSAND];
    char name[64];
    kiln_error *error = NULL;
    double start = measure_now();
    for (int i = 0; i < count; i++) {
        kiln_output object = output_of(outputs, i);
        snprintf(name, sizeof name, "f%d.o", i);
        check(kiln_jit_add_bytes(dylib, name, object.bytes, object.size_bytes, &codes[i], &error),
              error);
    }
    number_function f0 = (number_function)kiln_jit_function(dylib, "f0", &error);
    if (!f0 || f0() != number + count - 1)
        measure_fail("jit", error ? kiln_error_rendered(error) : "the wrong answer");
    double seconds = measure_now() - start;
    for (int i = 0; i < count; i++)
        check(kiln_jit_remove(codes[i], &error), error);
    return seconds;
}

/* The objects are files by then, as the image engine takes them. */
static double load_chain(kiln_session *session, const kiln_outputs *outputs, int count, int number,
                         const char *folder)
{
    char name[64];
    kiln_error *error = NULL;
    kiln_library *library;
    kiln_spec *spec = kiln_spec_create("chain");
    kiln_spec_set_directory(spec, folder);
    for (int i = 0; i < count; i++) {
        kiln_output object = output_of(outputs, i);
        snprintf(name, sizeof name, "f%d.o", i);
        FILE *file = fopen(path_of(folder, name), "w");
        if (!file || fwrite(object.bytes, 1, object.size_bytes, file) != object.size_bytes ||
            fclose(file) != 0)
            measure_fail(name, "cannot be written");
        kiln_spec_add_source(spec, name, NULL);
    }
    double start = measure_now();
    check(kiln_library_load_spec(session, spec, NULL, &library, &error), error);
    number_function f0 = (number_function)kiln_library_function(library, "f0", NULL);
    if (!f0 || f0() != number + count - 1)
        measure_fail("image", "the wrong answer");
    double seconds = measure_now() - start;
    kiln_library_close(library);
    kiln_spec_destroy(spec);
    return seconds;
}

static void measure_chain(int samples, int count, bool as_image, const char *folder)
{
    kiln_session *session = open_session(folder);
    kiln_jit_dylib *dylib;
    kiln_jit *jit = as_image ? NULL : open_jit(session, &dylib);
    int first = fresh_number();
    for (int i = 0; i < WARM_UP + samples; i++) {
        kiln_outputs *outputs = compile_chain(session, count, first + i);
        double seconds = as_image ? load_chain(session, outputs, count, first + i, folder)
                                  : add_chain(dylib, outputs, count, first + i);
        if (i >= WARM_UP)
            printf("%.9f\n", seconds);
        kiln_outputs_destroy(outputs);
    }
    kiln_jit_destroy(jit);
    kiln_session_destroy(session);
}

/* ---- SQLite ---- */

static void open_database(open_function open)
{
    sqlite3 *database;
    if (!open || open(":memory:", &database))
        measure_fail("sqlite3_open", "failed");
}

static void measure_object(int samples, const char *object, const char *folder)
{
    kiln_session *session = open_session(folder);
    kiln_error *error = NULL;
    for (int i = 0; i < samples; i++) {
        kiln_jit_dylib *dylib;
        kiln_jit *jit = open_jit(session, &dylib);
        double start = measure_now();
        check(kiln_jit_add_file(dylib, object, NULL, &error), error);
        open_database((open_function)kiln_jit_function(dylib, "sqlite3_open", &error));
        printf("%.9f\n", measure_now() - start);
        kiln_jit_destroy(jit);
    }
    kiln_session_destroy(session);
}

static void measure_lazy(const char *sources)
{
    const kiln_session_options no_cache = {.size = sizeof no_cache, .no_cache = true};
    const kiln_load_options lazily = {.size = sizeof lazily, .lazy = true};
    kiln_report report = {.size = sizeof report};
    kiln_session *session;
    kiln_library *library;
    kiln_error *error = NULL;
    double start = measure_now();
    check(kiln_session_create(&no_cache, &session, &error), error);
    kiln_spec *spec = kiln_spec_create("sqlite");
    kiln_spec_set_directory(spec, sources);
    kiln_spec_add_source(spec, "sqlite3.c", NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-O2", "-w", NULL});
    check(kiln_library_load_spec(session, spec, &lazily, &library, &error), error);
    open_database((open_function)kiln_library_function(library, "sqlite3_open", NULL));
    printf("%.9f\n", measure_now() - start);
    check(kiln_library_report(library, &report), NULL);
    if (strcmp(report.engine, "jit") != 0)
        measure_fail("sqlite", "the image engine loaded it");
    kiln_spec_destroy(spec);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

/* ---- memory ---- */

static void measure_memory(const char *folder)
{
    kiln_jit_dylib *dylib;
    kiln_session *session = open_session(folder);
    int number = fresh_number();
    kiln_outputs *outputs = compile_chain(session, 1, number);
    long before = measure_pss_kib();
    kiln_jit *jit = open_jit(session, &dylib);
    add_chain(dylib, outputs, 1, number);
    printf("%ld\n", measure_pss_kib() - before);
    kiln_outputs_destroy(outputs);
    kiln_jit_destroy(jit);
    kiln_session_destroy(session);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool as_image = strstr(what, "-image");
    if ((strcmp(what, "small") == 0 || strcmp(what, "small-image") == 0) && argc == 4)
        measure_chain(atoi(argv[2]), 1, as_image, argv[3]);
    else if ((strcmp(what, "thousand") == 0 || strcmp(what, "thousand-image") == 0) && argc == 4)
        measure_chain(atoi(argv[2]), THOUSAND, as_image, argv[3]);
    else if (strcmp(what, "object") == 0 && argc == 5)
        measure_object(atoi(argv[2]), argv[3], argv[4]);
    else if (strcmp(what, "lazy") == 0 && argc == 3)
        measure_lazy(argv[2]);
    else if (strcmp(what, "memory") == 0 && argc == 3)
        measure_memory(argv[2]);
    else
        measure_fail("usage", "bench-jit small|thousand|object|lazy|memory ...");
    return 0;
}
