/* bench_edit.c - from a saved edit of a three-line C file to the call of its new code, in a program
 * that keeps running.
 *
 *     bench-edit COUNT FOLDER kiln                      load with Kiln, one session for all edits
 *     bench-edit COUNT FOLDER command COMMAND...        run COMMAND, which makes FOLDER/edit.so of
 * FOLDER/edit.c; dlopen bench-edit COUNT FOLDER repl COMMAND...           define and call a
 * function in one running REPL
 *
 * Prints the seconds of each edit. Every edit has new contents, and its call must return the new
 * answer. A pause before each stands for the person who types; the first edits, which start
 * compilers and fill caches, are not counted. */
#include "measure.h"

#include <dlfcn.h>
#include <kiln.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 3, PAUSE_MS = 30 };

extern char **environ;

typedef int (*answer_function)(int);

typedef struct edit_bench {
    char source[4096], library[4096];
    char **command;
    kiln_session *session;
    FILE *to_repl, *from_repl;
} edit_bench;

/* What edit `number` answers for x = 2. */
static int expected(int number)
{
    return 2 * 17 + number;
}

static void save_edit(const edit_bench *bench, int number)
{
    FILE *file = fopen(bench->source, "w");

    if (!file)
        measure_fail(bench->source, "cannot be written");
    fprintf(file,
            "enum { offset = %d };\nint answer(int x);\nint answer(int x) { return x * 17 + "
            "offset; }\n",
            number);
    fclose(file);
}

static int call_with_kiln(edit_bench *bench, int number)
{
    kiln_library *library = NULL;
    kiln_error *error = NULL;

    save_edit(bench, number);
    if (kiln_library_open(bench->session, bench->source, NULL, &library, &error) != KILN_OK)
        measure_fail("kiln", error ? kiln_error_rendered(error) : "out of memory");
    answer_function answer = (answer_function)kiln_library_function(library, "answer", NULL);
    int result = answer(2);
    kiln_library_close(library);
    return result;
}

static int call_with_command(edit_bench *bench, int number)
{
    pid_t child;
    int status;

    save_edit(bench, number);
    if (posix_spawnp(&child, bench->command[0], NULL, NULL, bench->command, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        measure_fail(bench->command[0], "failed");
    void *library = dlopen(bench->library, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        measure_fail(bench->library, dlerror());
    answer_function answer = (answer_function)dlsym(library, "answer");
    int result = answer(2);
    dlclose(library);
    return result;
}

/* A REPL cannot define a function twice, so each edit has a name of its own. */
static int call_with_repl(edit_bench *bench, int number)
{
    char line[256];
    int result;

    fprintf(bench->to_repl, "int answer%d(int x) { return x * 17 + %d; }\n", number, number);
    fprintf(bench->to_repl, "printf(\"answer %%d\\n\", answer%d(2)); fflush(stdout);\n", number);
    fflush(bench->to_repl);
    while (fgets(line, sizeof line, bench->from_repl)) {
        const char *text = strstr(line, "answer ");
        if (text && sscanf(text, "answer %d", &result) == 1)
            return result;
    }
    measure_fail(bench->command[0], "ended");
}

static void start_repl(edit_bench *bench)
{
    int to[2], from[2];
    pid_t child;
    posix_spawn_file_actions_t actions;

    if (pipe(to) != 0 || pipe(from) != 0)
        measure_fail("pipe", "no descriptors");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, to[1]);
    posix_spawn_file_actions_addclose(&actions, from[0]);
    if (posix_spawnp(&child, bench->command[0], &actions, NULL, bench->command, environ) != 0)
        measure_fail(bench->command[0], "cannot be started");
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    bench->to_repl = fdopen(to[1], "w");
    bench->from_repl = fdopen(from[0], "r");
    fputs("#include <stdio.h>\n", bench->to_repl);
}

static void start_kiln(edit_bench *bench, const char *folder)
{
    static char cache[4096];
    kiln_session_options options = {.size = sizeof options, .cache_directory = cache};
    kiln_error *error = NULL;

    snprintf(cache, sizeof cache, "%s/cache", folder);
    if (kiln_session_create(&options, &bench->session, &error) != KILN_OK)
        measure_fail("kiln", error ? kiln_error_rendered(error) : "out of memory");
}

int main(int argc, char **argv)
{
    edit_bench bench = {.command = argv + 4};
    int (*call)(edit_bench *, int) = call_with_command;

    if (argc < 4)
        measure_fail("usage", "bench-edit COUNT FOLDER kiln|command|repl [COMMAND...]");
    snprintf(bench.source, sizeof bench.source, "%s/edit.c", argv[2]);
    snprintf(bench.library, sizeof bench.library, "%s/edit.so", argv[2]);
    if (strcmp(argv[3], "kiln") == 0) {
        start_kiln(&bench, argv[2]);
        call = call_with_kiln;
    } else if (strcmp(argv[3], "repl") == 0) {
        start_repl(&bench);
        call = call_with_repl;
    }

    /* Numbers that no earlier run used, or a cache would know the contents. */
    int first = (int)(time(NULL) % 1000000) * 1000;
    for (int i = 0; i < WARM_UP + atoi(argv[1]); i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        double start = measure_now();
        int result = call(&bench, first + i);
        double seconds = measure_now() - start;
        if (result != expected(first + i))
            measure_fail(argv[3], "the new code did not answer");
        if (i >= WARM_UP)
            printf("%.9f\n", seconds);
    }
    kiln_session_destroy(bench.session);
    return 0;
}
