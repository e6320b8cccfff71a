/* demo.c - the demo's host: loads SQLite, Dear ImGui, stb and the demo's own sources while it runs.
 *
 *     kiln-demo INPUTS SOURCES PICTURE [TIMES]        run SQL, print the rows, draw them into a PNG,
 *                                                     note the time of each load
 *     kiln-demo --live INPUTS SOURCES BEFORE AFTER    the same, and go on drawing frames until
 *                                                     somebody has edited window.cpp
 *     kiln-demo --dlopen LIBRARY                      print the seconds that dlopen of a prebuilt
 *                                                     library takes
 *
 * INPUTS and SOURCES are absolute paths. Linked against libkiln alone: every other function that it
 * calls comes from source. One thread.
 */
#include "demo.h"

#include <kiln.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 1280, HEIGHT = 640, LIBRARY_COUNT = 6 };

#define PLANETS_SETUP                                                                              \
    "CREATE TABLE planet(name TEXT, radius_km REAL, distance_mkm REAL, moons INTEGER);"            \
    "INSERT INTO planet VALUES ('Mercury', 2439.7, 57.9, 0), ('Venus', 6051.8, 108.2, 0), "        \
    "('Earth', 6371.0, 149.6, 1),"                                                                 \
    " ('Mars', 3389.5, 227.9, 2), ('Jupiter', 69911, 778.6, 95), ('Saturn', 58232, 1433.5, 146),"  \
    " ('Uranus', 25362, 2872.5, 28), ('Neptune', 24622, 4495.1, 16);"
#define PLANETS_SELECT                                                                             \
    "SELECT name AS planet, printf('%,d', radius_km) AS 'radius, km', moons,"                      \
    " printf('%.2f', sqrt(pow(distance_mkm / 149.6, 3))) AS 'year, earths',"                       \
    " rank() OVER (ORDER BY radius_km DESC) AS 'by size'"                                          \
    " FROM planet ORDER BY distance_mkm;"
#define WAVE_SELECT                                                                                \
    "WITH RECURSIVE wave(x) AS (SELECT 0.0 UNION ALL SELECT x + 0.4 FROM wave WHERE x < 25)"       \
    " SELECT sin(x) * exp(-x / 8) FROM wave LIMIT 64;"

typedef struct demo_host {
    kiln_session *session;
    kiln_library *libraries[LIBRARY_COUNT];
    demo_timing timings[LIBRARY_COUNT];
    size_t count;
} demo_host;

/* The demo has nothing to go on with after any error. error: where the call that gave the status
 * put its error, or NULL: a pointer, because the error is only there after the call. */
static void check(kiln_status status, kiln_error *const *error)
{
    if (status == KILN_OK)
        return;
    fputs(error && *error ? kiln_error_rendered(*error) : kiln_status_text(status), stderr);
    exit(125);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* A spec with one source (a path or a pattern) and the arguments of its own; directory: what to add
 * to the header search of the library and of its dependents. */
static kiln_spec *describe(const char *name, const char *directory, const char *source,
                           const char *const *arguments)
{
    kiln_spec *spec = kiln_spec_create(name);

    if (!spec)
        exit(125);
    kiln_spec_set_directory(spec, directory);
    kiln_spec_add_source(spec, source, NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, arguments);
    kiln_spec_add_arguments(spec, KILN_PUBLIC, (const char *const[]){"-I", directory, NULL});
    return spec;
}

static void add(demo_host *host, kiln_spec *spec)
{
    kiln_error *error = NULL;

    check(kiln_session_register(host->session, spec, &error), &error);
    kiln_spec_destroy(spec);
}

static void describe_all(demo_host *host, const char *inputs, const char *sources)
{
    static const char *const sqlite_arguments[] = {"-DSQLITE_ENABLE_MATH_FUNCTIONS", "-lm", NULL};
    static const char *const math_arguments[] = {"-lm", NULL};
    static const char stb_source[] =
        "#define STB_IMAGE_WRITE_IMPLEMENTATION\n#include <stb/stb_image_write.h>\n";
    char sqlite_directory[4096], imgui_directory[4096];
    kiln_spec *spec;

    snprintf(sqlite_directory, sizeof sqlite_directory, "%s/sqlite", inputs);
    snprintf(imgui_directory, sizeof imgui_directory, "%s/imgui", inputs);
    add(host, describe("sqlite", sqlite_directory, "sqlite3.c", sqlite_arguments));
    add(host, describe("imgui", imgui_directory, "imgui*.cpp", NULL));
    add(host, describe("rasterizer", sources, "rasterizer.c", math_arguments));

    spec = describe("query", sources, "query.c", NULL);
    kiln_spec_add_dependency(spec, "sqlite");
    add(host, spec);

    spec = describe("window", sources, "window.cpp", NULL);
    kiln_spec_add_dependency(spec, "imgui");
    add(host, spec);

    /* A header-only library needs no file to be compiled in: two lines of source from memory do. */
    spec = kiln_spec_create("stb");
    kiln_spec_add_memory_source(spec, "stb.c", stb_source, sizeof stb_source - 1, NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE, math_arguments);
    add(host, spec);
}

static kiln_library *load(demo_host *host, const char *name, kiln_hot_mode hot)
{
    const kiln_load_options options = {.size = sizeof options, .hot = hot};
    kiln_error *error = NULL;
    kiln_report report = {.size = sizeof report};
    kiln_library *library = NULL;

    fprintf(stderr, "loading %-12s ", name);
    double start = now();
    check(kiln_library_load(host->session, name, &options, &library, &error), &error);
    double seconds = now() - start;
    check(kiln_library_report(library, &report), NULL);
    host->timings[host->count] = (demo_timing){name, seconds, report.hit};
    host->libraries[host->count++] = library;
    fprintf(stderr, "%10.2f ms  %s\n", seconds * 1e3, report.hit ? "from the cache" : "compiled");
    return library;
}

static kiln_function function(const kiln_library *library, const char *name)
{
    kiln_error *error = NULL;
    kiln_function result = kiln_library_function(library, name, &error);

    check(result ? KILN_OK : kiln_error_code(error), &error);
    return result;
}

static void print_table(const demo_table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        printf("%s%-14s", i ? " " : "", table->names[i]);
    putchar('\n');
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t i = 0; i < table->column_count; i++)
            printf("%s%-14s", i ? " " : "", table->cells[row][i]);
        putchar('\n');
    }
}

static void query(kiln_library *library, const char *setup, const char *select, demo_table *table)
{
    __typeof__(query_run) *run = (__typeof__(query_run) *)function(library, "query_run");
    char message[256];

    if (run(setup, select, table, message, sizeof message) == 0)
        return;
    fprintf(stderr, "SQL failed: %s\n", message);
    exit(1);
}

/* What turns content into a picture. */
typedef struct painter {
    __typeof__(window_draw) *layout;
    __typeof__(window_close) *dispose;
    __typeof__(raster_draw) *raster;
    int (*write_png)(const char *, int, int, int, const void *, int);
    uint8_t *pixels;
} painter;

/* path: NULL to draw without keeping it. */
static void draw_frame(const painter *painter, const demo_content *content, const char *path)
{
    static const uint8_t backdrop[4] = {58, 72, 88, 255};
    uint8_t *pixels = painter->pixels;
    demo_mesh mesh;

    if (!pixels || !painter->layout(content, WIDTH, HEIGHT, &mesh)) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++)
        memcpy(pixels + 4 * i, backdrop, 4);
    painter->raster(&mesh, pixels, WIDTH, HEIGHT);
    if (path)
        printf("\n%zu triangles in %zu draw calls -> %s\n", mesh.index_count / 3,
               mesh.command_count, path);
    if (path && !painter->write_png(path, WIDTH, HEIGHT, 4, pixels, WIDTH * 4)) {
        fprintf(stderr, "cannot write '%s'\n", path);
        exit(1);
    }
    painter->dispose(&mesh);
}

static void tell_reload(kiln_library *library, const kiln_reload *report, const kiln_error *error,
                        void *user_data)
{
    if (error) {
        fputs(kiln_error_rendered(error), stderr);
        return;
    }
    printf("generation %u of the window:", kiln_library_generation(library));
    for (size_t i = 0; i < kiln_reload_function_count(report); i++)
        printf(" %s", kiln_reload_function(report, i));
    putchar('\n');
    *(bool *)user_data |= kiln_reload_changed(report);
}

/* Frames go on while an edit is compiled; it is published between two of them. */
static void draw_until_edited(demo_host *host, kiln_library *window, const painter *painter,
                              const demo_content *content)
{
    bool is_edited = false;
    const kiln_watch_options options = {
        .size = sizeof options, .callback = tell_reload, .user_data = &is_edited};
    kiln_error *error = NULL;
    size_t frames = 0;

    check(kiln_library_watch(window, &options, &error), &error);
    puts("drawing frames until the window is edited");
    fflush(stdout);
    for (; !is_edited; frames++) {
        draw_frame(painter, content, NULL);
        check(kiln_session_dispatch(host->session, 0, &error), &error);
    }
    printf("%zu frames were drawn meanwhile\n", frames);
}

/* after: NULL, or where the picture goes that shows an edit of the window. */
static void draw(demo_host *host, const demo_content *content, const char *path, const char *after)
{
    kiln_library *window = load(host, "window", after ? KILN_HOT_ISLANDS : KILN_HOT_OFF);
    kiln_library *rasterizer = load(host, "rasterizer", KILN_HOT_OFF);
    kiln_library *stb = load(host, "stb", KILN_HOT_OFF);
    const painter painter = {
        .layout = (__typeof__(window_draw) *)function(window, "window_draw"),
        .dispose = (__typeof__(window_close) *)function(window, "window_close"),
        .raster = (__typeof__(raster_draw) *)function(rasterizer, "raster_draw"),
        .write_png = (int (*)(const char *, int, int, int, const void *, int))function(
            stb, "stbi_write_png"),
        .pixels = malloc((size_t)WIDTH * HEIGHT * 4)};
    demo_content all = *content;

    all.timings = host->timings;
    all.timing_count = host->count;
    draw_frame(&painter, &all, path);
    if (after) {
        draw_until_edited(host, window, &painter, &all);
        draw_frame(&painter, &all, after);
    }
    free(painter.pixels);
}

static void note_times(const demo_host *host, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i < host->count; i++)
        fprintf(file, "%s\t%.9f\t%s\n", host->timings[i].library, host->timings[i].seconds,
                host->timings[i].hit ? "hit" : "miss");
    fclose(file);
}

static int time_dlopen(const char *path)
{
    double start = now();
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    double seconds = now() - start;

    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    printf("%.9f\n", seconds);
    return 0;
}

int main(int argc, char **argv)
{
    static demo_host host;
    static demo_table planets, wave;
    kiln_error *error = NULL;

    if (argc == 3 && strcmp(argv[1], "--dlopen") == 0)
        return time_dlopen(argv[2]);
    bool is_live = argc == 6 && strcmp(argv[1], "--live") == 0;
    const char *const *operands = (const char *const *)argv + (is_live ? 2 : 1);
    if (argc != 4 && argc != 5 && !is_live) {
        fprintf(stderr,
                "usage: %s INPUTS SOURCES PICTURE [TIMES]\n"
                "       %s --live INPUTS SOURCES BEFORE AFTER\n",
                argv[0], argv[0]);
        return 2;
    }
    check(kiln_session_create(NULL, &host.session, &error), &error);
    describe_all(&host, operands[0], operands[1]);

    load(&host, "sqlite", KILN_HOT_OFF);
    kiln_library *queries = load(&host, "query", KILN_HOT_OFF);
    query(queries, PLANETS_SETUP, PLANETS_SELECT, &planets);
    query(queries, "", WAVE_SELECT, &wave);
    print_table(&planets);

    __typeof__(query_version) *version =
        (__typeof__(query_version) *)function(queries, "query_version");
    if (!is_live) /* else the window brings it along, hot like itself */
        load(&host, "imgui", KILN_HOT_OFF);
    demo_content content = {.sqlite_version = version(), .planets = &planets, .wave = &wave};
    draw(&host, &content, operands[2], is_live ? operands[3] : NULL);
    if (argc == 5)
        note_times(&host, argv[4]);

    while (host.count > 0)
        kiln_library_close(host.libraries[--host.count]);
    kiln_session_destroy(host.session);
    return 0;
}
