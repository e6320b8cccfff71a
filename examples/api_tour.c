/* api_tour.c - the snippets of docs/api.md, in its order, each of them called.
 *
 *     api-tour FOLDER
 *
 * Works in FOLDER, which is made where it is not there, and stops at the first answer that is not
 * what docs/api.md says. scripts/check-readme sees to it that each C block of the guide stands in a
 * program of this folder. One thread. */
#include <dlfcn.h>
#include <kiln.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect(bool fine, const char *what)
{
    if (fine)
        return;
    fflush(stdout);
    fprintf(stderr, "not as the guide says: %s\n", what);
    exit(1);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");

    expect(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, path);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* ---- errors ---- */

/* Print an error, free it, and say that it failed. */
static bool failed(kiln_error *error)
{
    fputs(kiln_error_rendered(error), stderr);
    kiln_error_destroy(error);
    return false;
}

static void print_parts(const kiln_error *error)
{
    printf("%s while in phase %s\n", kiln_status_name(kiln_error_code(error)),
           kiln_phase_name(kiln_error_phase(error)));
    for (size_t i = 0; i < kiln_error_diagnostic_count(error); i++) {
        const kiln_diagnostic *diagnostic = kiln_error_diagnostic(error, i);
        printf("%s:%u:%u: %s\n", diagnostic->file ? diagnostic->file : "(no file)",
               (unsigned)diagnostic->line, (unsigned)diagnostic->column, diagnostic->message);
    }
    for (size_t i = 0; i < kiln_error_missing_symbol_count(error); i++) {
        const kiln_missing_symbol *symbol = kiln_error_missing_symbol(error, i);
        printf("%s%s%s%s%s\n", symbol->needed_by,
               *symbol->needed_by ? " needs " : "missing: ", symbol->demangled,
               symbol->provider ? ", which is in " : "", symbol->provider ? symbol->provider : "");
    }
}

static kiln_status load_text(kiln_session *session, const char *text, kiln_error **error)
{
    kiln_library *library;
    kiln_spec *spec = kiln_spec_create("text");

    if (!spec)
        return KILN_NO_MEMORY;
    kiln_spec_add_memory_source(spec, "text.c", text, strlen(text), NULL);
    kiln_status status = kiln_library_load_spec(session, spec, NULL, &library, error);
    kiln_spec_destroy(spec);
    if (status == KILN_OK)
        kiln_library_close(library);
    return status;
}

static void tour_errors(kiln_session *session)
{
    kiln_error *error;

    expect(load_text(session, "int f(void) { return x; }", &error) == KILN_COMPILE, "COMPILE");
    expect(kiln_error_diagnostic_count(error) == 1, "a diagnostic");
    expect(strcmp(kiln_error_diagnostic(error, 0)->file, "text.c") == 0 ||
               strstr(kiln_error_diagnostic(error, 0)->file, "/text.c"),
           "the file's name");
    print_parts(error);
    kiln_error_destroy(error);
    expect(load_text(session, "int lost(void); int f(void) { return lost(); }", &error) ==
               KILN_BIND,
           "BIND");
    expect(kiln_error_missing_symbol_count(error) == 1, "a missing symbol");
    print_parts(error);
    kiln_error_destroy(error);
    expect(load_text(session, "int f(void) { return 1; }", &error) == KILN_OK, "goes on");
    expect(!error, "*error is NULL on success");
}

/* ---- sessions ---- */

typedef struct app_log {
    unsigned finished, warnings;
} app_log;

static void on_event(const kiln_event *event, void *user_data)
{
    app_log *log = user_data;

    switch (event->kind) {
    case KILN_EVENT_UNIT_FINISHED:
        log->finished++;
        fprintf(stderr, "[%u/%u] %s\n", event->done, event->total, event->unit);
        break;
    case KILN_EVENT_DIAGNOSTIC:
        log->warnings++;
        fputs(event->diagnostic->rendered, stderr);
        break;
    case KILN_EVENT_WARNING:
        fprintf(stderr, "warning: %s\n", event->text);
        break;
    default: /* newer versions may have more kinds */
        break;
    }
}

static kiln_session *open_session(app_log *log)
{
    kiln_session *session;
    kiln_error *error;
    const kiln_session_options options = {
        .size = sizeof options,
        .cache_directory = "app-cache",
        .job_seconds = 120,
        .event_callback = on_event,
        .event_user_data = log,
    };

    if (kiln_session_create(&options, &session, &error) != KILN_OK)
        return failed(error), NULL;
    return session;
}

/* ---- specs ---- */

static kiln_spec *describe_engine(void)
{
    kiln_spec *spec = kiln_spec_create("engine");

    if (!spec)
        return NULL;
    kiln_spec_set_directory(spec, "engine");
    kiln_spec_set_standard(spec, "c++20");
    kiln_spec_add_source(spec, "src/**/*.cpp", NULL);
    kiln_spec_add_source(spec, "fast.cpp", (const char *const[]){"-O3", "-ffast-math", NULL});
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-Wall", "-DENGINE", NULL});
    kiln_spec_add_arguments(spec, KILN_PUBLIC, (const char *const[]){"-Iinclude", NULL});
    return spec;
}

static kiln_spec *describe_formula(const char *formula)
{
    static const char header[] = "#define SCALE 10\n";
    char source[256];
    kiln_spec *spec = kiln_spec_create("formula");

    if (!spec)
        return NULL;
    snprintf(source, sizeof source,
             "#include \"formula/config.h\"\n"
             "#line 1 \"formula\"\n"
             "double formula(double x) { return SCALE * (%s); }\n",
             formula);
    kiln_spec_add_memory_source(spec, "formula.c", source, strlen(source), NULL);
    kiln_spec_add_memory_header(spec, "formula/config.h", header, sizeof header - 1);
    return spec;
}

static kiln_spec *describe_game(void)
{
    kiln_spec *spec = kiln_spec_create("game");

    if (!spec)
        return NULL;
    kiln_spec_add_source(spec, "game.cpp", NULL);
    kiln_spec_add_source(spec, "codec.o", NULL);
    kiln_spec_add_source(spec, "libtools.a", NULL);
    kiln_spec_add_dependency(spec, "engine");
    kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const[]){"-lm", NULL});
    return spec;
}

static int score;

static void add_score(int points)
{
    score += points;
}

static kiln_spec *describe_plugin(void)
{
    static const char source[] = "extern int score;\n"
                                 "void add_score(int);\n"
                                 "int play(void) { add_score(5); return score; }\n";
    kiln_spec *spec = kiln_spec_create("plugin");

    if (!spec)
        return NULL;
    kiln_spec_add_memory_source(spec, "plugin.c", source, sizeof source - 1, NULL);
    kiln_spec_add_host_symbol(spec, "score", &score);
    kiln_spec_add_host_symbol(spec, "add_score", (const void *)add_score);
    return spec;
}

static kiln_spec *describe_from_text(void)
{
    static const char text[] =
        "{\"name\": \"answer\", \"arguments\": [\"-O3\"], \"memory_sources\":"
        " [{\"path\": \"answer.c\", \"text\": \"int answer = 42;\"}]}";
    kiln_spec *spec;
    kiln_error *error;

    if (kiln_spec_parse(text, sizeof text - 1, "the host's settings", &spec, &error) != KILN_OK)
        return failed(error), NULL;
    return spec;
}

/* ---- compile only ---- */

static bool compile(kiln_session *session, const kiln_spec *spec, kiln_output_kind kind,
                    void (*take)(const kiln_output *output))
{
    const kiln_compile_options options = {.size = sizeof options, .kind = kind};
    kiln_outputs *outputs;
    kiln_error *error;

    if (kiln_compile(session, spec, &options, &outputs, &error) != KILN_OK)
        return failed(error);
    for (size_t i = 0; i < kiln_outputs_count(outputs); i++) {
        kiln_output output = {.size = sizeof output};
        if (kiln_outputs_get(outputs, i, &output) == KILN_OK)
            take(&output);
    }
    kiln_outputs_destroy(outputs); /* and the bytes with it */
    return true;
}

static void take_codec(const kiln_output *output)
{
    write_file("codec.o", output->bytes, output->size_bytes);
}

static void take_tools(const kiln_output *output)
{
    write_file("libtools.a", output->bytes, output->size_bytes);
}

static void make_files(kiln_session *session)
{
    static const char codec[] = "int decode(int x) { return x + 1; }";
    static const char tools[] = "int tool(int x) { return 2 * x; }";
    kiln_spec *spec = kiln_spec_create("codec");

    mkdir("engine", 0777);
    mkdir("engine/include", 0777);
    mkdir("engine/src", 0777);
    mkdir("engine/src/deep", 0777);
    write_text("engine/include/engine.h", "namespace engine { int turn(int); double fast(double);\n"
                                          "extern int speed; }\n");
    write_text("engine/src/deep/turn.cpp", "#include \"engine.h\"\nint engine::speed = 3;\n"
                                           "int engine::turn(int x) { return x * speed; }\n");
    write_text("engine/fast.cpp", "#include \"engine.h\"\n"
                                  "double engine::fast(double x) { return x / 2; }\n");
    write_text("game.cpp",
               "#include <engine.h>\n#include <cmath>\n"
               "extern \"C\" int decode(int);\nextern \"C\" int tool(int);\n"
               "extern \"C\" int game(int x) { return engine::turn(tool(decode(x))); }\n");
    kiln_spec_add_memory_source(spec, "codec.c", codec, sizeof codec - 1, NULL);
    expect(compile(session, spec, KILN_OUTPUT_OBJECT, take_codec), "an object");
    kiln_spec_destroy(spec);
    spec = kiln_spec_create("tools");
    kiln_spec_add_memory_source(spec, "tools.c", tools, sizeof tools - 1, NULL);
    expect(compile(session, spec, KILN_OUTPUT_ARCHIVE, take_tools), "an archive");
    kiln_spec_destroy(spec);
}

/* ---- registry, manifest, import ---- */

static bool register_all(kiln_session *session)
{
    kiln_spec *(*const describers[])(void) = {describe_engine, describe_game, describe_plugin};
    kiln_error *error;

    for (size_t i = 0; i < sizeof describers / sizeof *describers; i++) {
        kiln_spec *spec = describers[i]();
        if (!spec)
            return false;
        kiln_status status = kiln_session_register(session, spec, &error);
        kiln_spec_destroy(spec); /* the registry has a copy */
        if (status != KILN_OK)
            return failed(error);
    }
    return true;
}

static void print_names(kiln_session *session)
{
    char **names;
    size_t count;

    if (kiln_session_names(session, &names, &count, NULL) != KILN_OK)
        return;
    for (size_t i = 0; i < count; i++)
        printf("%s%s\n", names[i], kiln_session_is_loaded(session, names[i]) ? ", loaded" : "");
    kiln_names_destroy(names);
}

static bool read_descriptions(kiln_session *session)
{
    kiln_error *error;

    if (kiln_session_read_manifest(session, "project/kiln.yaml", &error) != KILN_OK)
        return failed(error);
    if (kiln_session_import_commands(session, "project/build", "viewer", "viewer", &error) !=
        KILN_OK)
        return failed(error);
    return true;
}

static void tour_descriptions(kiln_session *session)
{
    char directory[4096], commands[9000];

    expect(getcwd(directory, sizeof directory), "the working directory");
    mkdir("project", 0777);
    mkdir("project/build", 0777);
    write_text("project/kiln.yaml", "libraries:\n  - {name: from-manifest, sources: [viewer.c]}\n");
    write_text("project/viewer.c", "int viewer(void) { return 8; }\n");
    snprintf(commands, sizeof commands,
             "[{\"directory\": \"%s/project/build\", \"file\": \"../viewer.c\", \"command\": "
             "\"cc -o CMakeFiles/viewer.dir/viewer.c.o -c ../viewer.c\", "
             "\"output\": \"CMakeFiles/viewer.dir/viewer.c.o\"}]",
             directory);
    write_text("project/build/compile_commands.json", commands);
    expect(read_descriptions(session), "manifest and database");
    print_names(session);
    expect(kiln_session_is_registered(session, "from-manifest"), "the manifest's library");
    expect(kiln_session_unregister(session, "from-manifest", NULL) == KILN_OK, "unregister");
    expect(!kiln_session_is_registered(session, "from-manifest"), "it is forgotten");
}

/* ---- loading ---- */

static bool play(kiln_session *session)
{
    kiln_library *library;
    kiln_error *error;

    if (kiln_library_load(session, "game", NULL, &library, &error) != KILN_OK)
        return failed(error);
    int (*game)(int) = (int (*)(int))kiln_library_function(library, "game", &error);
    if (!game) {
        kiln_library_close(library);
        return failed(error);
    }
    printf("game(1) = %d\n", game(1));
    kiln_library_close(library);
    return true;
}

/* Take the edited library, if it is another one and it builds; else keep the old one. */
static void refresh(kiln_session *session, const char *name, kiln_library **held)
{
    kiln_library *fresh;
    kiln_error *error;

    if (kiln_library_load(session, name, NULL, &fresh, &error) != KILN_OK) {
        failed(error);
        return;
    }
    kiln_library_close(*held);
    *held = fresh;
}

static int call_viewer(kiln_library *library)
{
    int (*viewer)(void) = (int (*)(void))kiln_library_function(library, "viewer", NULL);

    expect(viewer, "viewer");
    return viewer();
}

static void tour_reload(kiln_session *session)
{
    kiln_library *held, *again;

    expect(kiln_library_load(session, "viewer", NULL, &held, NULL) == KILN_OK, "viewer loads");
    expect(kiln_library_load(session, "viewer", NULL, &again, NULL) == KILN_OK, "and once more");
    expect(again == held, "an unchanged library is handed out again");
    expect(kiln_library_close(again) == KILN_OK && call_viewer(held) == 8, "it is counted");
    write_text("project/viewer.c", "int viewer(void) { return 9 }\n");
    refresh(session, "viewer", &held);
    expect(call_viewer(held) == 8, "an edit that does not compile changes nothing");
    write_text("project/viewer.c", "int viewer(void) { return 9; }\n");
    refresh(session, "viewer", &held);
    expect(call_viewer(held) == 9, "an edit is loaded");
    kiln_library_close(held);
}

/* Load hot, and publish what was edited of it. */
static kiln_library *load_hot(kiln_session *session, const char *name)
{
    const kiln_load_options options = {.size = sizeof options, .hot = KILN_HOT_ISLANDS};
    kiln_library *library;
    kiln_error *error;

    if (kiln_library_load(session, name, &options, &library, &error) != KILN_OK)
        return failed(error), NULL;
    return library;
}

static bool take_edits(kiln_library *library)
{
    kiln_reload *report;
    kiln_error *error;

    if (kiln_library_reload(library, NULL, &report, &error) != KILN_OK)
        return failed(error); /* nothing has changed */
    for (size_t i = 0; i < kiln_reload_function_count(report); i++)
        printf("new code: %s\n", kiln_reload_function(report, i));
    for (size_t i = 0; i < kiln_reload_notice_count(report); i++) {
        kiln_notice notice = {.size = sizeof notice};

        if (kiln_reload_notice(report, i, &notice) == KILN_OK)
            printf("%s: %s\n", notice.display, notice.detail);
    }
    kiln_reload_destroy(report);
    return true;
}

static bool run_frame(kiln_library *library, void (*frame)(void *), void *world)
{
    kiln_reload *report;
    kiln_error *error;

    if (kiln_library_call_guarded(library, frame, world, &report, &error) == KILN_OK)
        return true;
    for (size_t i = 0; report && i < kiln_reload_function_count(report); i++)
        printf("old code again: %s\n", kiln_reload_function(report, i));
    kiln_reload_destroy(report);
    return failed(error);
}

/* `place` may get more members at its end: those that it has come along. Anything else is refused. */
static bool migrate(kiln_library *library, const kiln_migration *migration, void *user_data)
{
    (void)library, (void)user_data;
    if (strcmp(migration->variable, "place") != 0 || migration->to_size < migration->from_size)
        return false;
    memmove(migration->to, migration->from, migration->from_size);
    return true;
}

static bool take_edits_of_layouts(kiln_library *library)
{
    const kiln_reload_options options = {.size = sizeof options, .migrate = migrate};
    kiln_error *error;

    return kiln_library_reload(library, &options, NULL, &error) == KILN_OK || failed(error);
}

static void call_viewer_once(void *library)
{
    call_viewer(library);
}

static void tour_hot(kiln_session *session)
{
    write_text("project/viewer.c", "static int n = 10; int viewer(void) { return n++; }\n");
    kiln_library *library = load_hot(session, "viewer");
    expect(library && call_viewer(library) == 10, "a hot library");
    write_text("project/viewer.c", "static int n = 10; int viewer(void) { return n++ }\n");
    expect(!take_edits(library) && call_viewer(library) == 11, "an edit that does not compile");
    write_text("project/viewer.c", "static int n = 10; int viewer(void) { return 100 + n++; }\n");
    expect(take_edits(library) && call_viewer(library) == 112, "new code, the same data");
    write_text("project/viewer.c",
               "#include <stdlib.h>\nstatic int n = 10; int viewer(void) { n++; abort(); }\n");
    expect(take_edits(library) && !run_frame(library, call_viewer_once, library),
           "new code that crashes");
    expect(run_frame(library, call_viewer_once, library) && call_viewer(library) == 115,
           "the code before it, the same data");
    write_text("project/viewer.c", "struct { int turns; } place;\n"
                                   "int viewer(void) { return ++place.turns; }\n");
    expect(take_edits(library) && call_viewer(library) == 1, "a new variable");
    write_text("project/viewer.c", "struct { int turns, more; } place;\n"
                                   "int viewer(void) { return ++place.turns + ++place.more; }\n");
    expect(!take_edits(library) && call_viewer(library) == 2, "a layout that data holds");
    expect(take_edits_of_layouts(library) && call_viewer(library) == 4, "data that is migrated");
    kiln_library_close(library);
}

static kiln_library *load_for_everybody(kiln_session *session, const char *name)
{
    const kiln_load_options options = {.size = sizeof options, .visibility = KILN_GLOBAL};
    kiln_library *library;
    kiln_error *error;

    if (kiln_library_load(session, name, &options, &library, &error) != KILN_OK)
        return failed(error), NULL;
    return library;
}

/* Load while the program goes on with its own work, a frame at a time. */
static kiln_library *load_beside(kiln_session *session, const char *name, void (*draw_frame)(void))
{
    kiln_library *library = NULL;
    kiln_error *error;
    kiln_load *load;

    if (kiln_load_begin(session, name, NULL, NULL, &load, &error) != KILN_OK)
        return failed(error), NULL;
    kiln_status status;
    while ((status = kiln_load_poll(load, &library, &error)) == KILN_PENDING)
        draw_frame();
    if (status != KILN_OK)
        failed(error);
    kiln_load_destroy(load);
    return library;
}

/* Load in an event loop; whatever comes in at `input` cancels it. */
static kiln_status run_loop(kiln_session *session, kiln_load *load, int input,
                            kiln_library **library, kiln_error **error)
{
    struct pollfd waiting[] = {
        {.fd = kiln_session_descriptor(session), .events = POLLIN},
        {.fd = input, .events = POLLIN},
    };
    kiln_status status;

    while ((status = kiln_load_poll(load, library, error)) == KILN_PENDING) {
        poll(waiting, 2, -1);
        if (waiting[1].revents)
            kiln_load_cancel(load);
        kiln_session_dispatch(session, 0, NULL); /* delivers events, maps what is built */
    }
    return status;
}

static unsigned frames;

static void draw_frame(void)
{
    frames++;
    usleep(1000);
}

static void tour_loads(kiln_session *session)
{
    int ends[2];
    kiln_load *load;
    kiln_library *library;
    kiln_error *error;
    kiln_spec *endless = kiln_spec_create("endless");
    static const char text[] = "constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }\n"
                               "constexpr int x = f();\n";

    library = load_beside(session, "game", draw_frame);
    expect(library && kiln_library_close(library) == KILN_OK, "a load that was polled");
    printf("%u frames meanwhile\n", frames);

    kiln_spec_set_standard(endless, "c++20");
    kiln_spec_add_memory_source(endless, "endless.cpp", text, sizeof text - 1,
                                (const char *const[]){"-fconstexpr-steps=4294967295", NULL});
    expect(kiln_load_begin(session, NULL, endless, NULL, &load, &error) == KILN_OK, "begin");
    kiln_spec_destroy(endless);
    expect(pipe(ends) == 0 && write(ends[1], "q", 1) == 1, "a pipe");
    expect(run_loop(session, load, ends[0], &library, &error) == KILN_CANCELLED, "cancelled");
    kiln_error_destroy(error);
    kiln_load_destroy(load);
    close(ends[0]);
    close(ends[1]);
}

/* ---- symbols ---- */

static bool look_up(const kiln_library *library)
{
    kiln_error *error;
    int *speed = kiln_library_data(library, "engine::speed", &error);

    if (!speed)
        return failed(error);
    int (*turn)(int) = (int (*)(int))kiln_library_function(library, "engine::turn(int)", &error);
    if (!turn)
        return failed(error);
    *speed = 7;
    printf("engine::turn(6) = %d\n", turn(6));
    return true;
}

static void print_symbols(const kiln_library *library)
{
    for (size_t i = 0; i < kiln_library_symbol_count(library); i++) {
        kiln_symbol symbol = {.size = sizeof symbol};
        if (kiln_library_symbol(library, i, &symbol) == KILN_OK)
            printf("%p %4llu %s\n", symbol.address, (unsigned long long)symbol.size_bytes,
                   symbol.demangled);
    }
}

static void print_report(const kiln_library *library)
{
    kiln_report report = {.size = sizeof report};

    if (kiln_library_report(library, &report) != KILN_OK)
        return;
    printf("%s: %s, %.1f ms\n", report.name, report.hit ? "hit" : report.miss_reason,
           report.total_seconds * 1e3);
    for (int phase = 0; phase < KILN_PHASE_COUNT; phase++)
        printf("  %-8s %.1f ms\n", kiln_phase_name((kiln_phase)phase), report.seconds[phase] * 1e3);
}

static void tour_symbols(kiln_session *session)
{
    kiln_library *library = load_for_everybody(session, "engine");

    expect(library, "engine loads");
    expect(look_up(library), "C++ names");
    print_symbols(library);
    print_report(library);
    expect(kiln_library_function(library, "engine::turn", NULL) ==
               kiln_library_function(library, "_ZN6engine4turnEi", NULL),
           "one function by three names");
    /* Opened again, not dlsym(RTLD_DEFAULT): that would bind the library for ever. */
    void *program = dlopen(NULL, RTLD_NOW);
    expect(dlsym(program, "_ZN6engine5speedE") == kiln_library_data(library, "engine::speed", NULL),
           "dlsym finds what is global");
    dlclose(program);
    expect(kiln_library_close(library) == KILN_OK, "a close that takes the image away");
}

static void tour_specs(kiln_session *session)
{
    kiln_library *library;
    kiln_spec *spec = describe_formula("x * x + 1");

    expect(kiln_library_load_spec(session, spec, NULL, &library, NULL) == KILN_OK, "formula");
    double (*formula)(double) = (double (*)(double))kiln_library_function(library, "formula", NULL);
    expect(formula && formula(2) == 50, "memory sources and headers");
    kiln_library_close(library);
    kiln_spec_destroy(spec);

    spec = describe_from_text();
    expect(spec && kiln_library_load_spec(session, spec, NULL, &library, NULL) == KILN_OK, "text");
    const int *answer = kiln_library_data(library, "answer", NULL);
    expect(answer && *answer == 42, "a spec as text");
    kiln_library_close(library);
    kiln_spec_destroy(spec);

    expect(kiln_library_load(session, "plugin", NULL, &library, NULL) == KILN_OK, "plugin");
    int (*play_once)(void) = (int (*)(void))kiln_library_function(library, "play", NULL);
    expect(play_once && play_once() == 5 && score == 5, "host symbols");
    kiln_library_close(library);
}

/* ---- fork ---- */

static void tour_fork(kiln_session *session)
{
    int status;
    kiln_error *error;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(load_text(session, "int in_child(void) { return 1; }", &error) != KILN_OK);
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child loads too");
}

/* ---- the cache ---- */

static void print_cache(kiln_session *session)
{
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    char *reason;

    if (kiln_cache_statistics_read(session, &statistics, NULL) == KILN_OK)
        printf("%llu entries, %llu bytes\n", (unsigned long long)statistics.entry_count,
               (unsigned long long)statistics.total_bytes);
    if (kiln_cache_explain(session, "game", &reason, NULL) == KILN_OK) {
        fputs(reason, stdout);
        kiln_string_destroy(reason);
    }
}

int main(int argc, char **argv)
{
    app_log log = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    mkdir(argv[1], 0777);
    expect(chdir(argv[1]) == 0, argv[1]);
    kiln_session *session = open_session(&log);
    expect(session, "a session");
    make_files(session);
    expect(register_all(session), "the registry");
    expect(play(session), "the game");
    tour_specs(session);
    tour_descriptions(session);
    tour_reload(session);
    tour_hot(session);
    tour_loads(session);
    tour_symbols(session);
    tour_errors(session);
    tour_fork(session);
    print_cache(session);
    expect(log.finished > 0 && log.warnings == 0, "events tell of units");
    kiln_session_destroy(session);
    puts("all as the guide says");
    return 0;
}
