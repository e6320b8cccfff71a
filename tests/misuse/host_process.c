/* host_process.c - finding, watching and ending processes of a test; see host_process.h.
 *
 * Everything comes from /proc. A process may go at any moment while it is looked at: what cannot be
 * read is skipped. */
#include "host_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { patience_ms = 30000 };

static char *private_compiler;

void nap_ms(int milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000L}, NULL);
}

void use_private_compiler(void)
{
    const char *original = getenv("KILN_COMPILER");
    if (access(original, X_OK) != 0)
        skip("'%s' cannot be run", original);
    private_compiler = scratch("private/kiln-compiler");
    make_directory(scratch("private"));
    CHECK_INT(RUN(NULL, "cp", original, private_compiler), 0);
    setenv("KILN_COMPILER", private_compiler, 1);
}

char *process_status(pid_t pid, const char *field)
{
    char line[512], path[64], *value = NULL;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    size_t length = strlen(field);
    while (file && !value && fgets(line, sizeof line, file)) {
        if (strncmp(line, field, length) != 0 || line[length] != ':')
            continue;
        line[strcspn(line, "\n")] = '\0';
        value = strdup(line + length + 1 + strspn(line + length + 1, " \t"));
    }
    if (file)
        fclose(file);
    return value;
}

pid_t process_parent(pid_t pid)
{
    char *text = process_status(pid, "PPid");
    pid_t parent = text ? (pid_t)atoi(text) : 0;
    free(text);
    return parent;
}

static bool is_zombie(pid_t pid)
{
    char *state = process_status(pid, "State");
    bool zombie = !state || *state == 'Z' || *state == 'X';
    free(state);
    return zombie;
}

size_t compilers(pid_t pids[max_compilers])
{
    size_t count = 0;
    DIR *directory = opendir("/proc");
    CHECK(directory && private_compiler);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[300], target[512];
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0 || atoi(entry->d_name) == 0)
            continue;
        target[length] = '\0';
        if (strcmp(target, private_compiler) == 0 && !is_zombie(atoi(entry->d_name)) &&
            count < max_compilers)
            pids[count++] = atoi(entry->d_name);
    }
    closedir(directory);
    return count;
}

pid_t compiler_zygote(void)
{
    pid_t pids[max_compilers];
    size_t count = compilers(pids);
    for (size_t i = 0; i < count; i++) {
        pid_t parent = process_parent(pids[i]);
        bool is_job = false;
        for (size_t n = 0; n < count; n++)
            is_job |= pids[n] == parent;
        if (!is_job)
            return pids[i];
    }
    return 0;
}

void wait_for_compilers_at_least(size_t count)
{
    pid_t pids[max_compilers];
    for (int waited = 0; compilers(pids) < count; waited += 5) {
        if (waited > patience_ms)
            support_fail(__FILE__, __LINE__, "still not %zu compiler processes", count);
        nap_ms(5);
    }
}

/* A process that ends loses its program first and its sockets later: whether one is on that way.
 * Anybody's, as nothing but the name is left; it does not last. */
static bool a_compiler_is_ending(void)
{
    bool ending = false;
    DIR *directory = opendir("/proc");
    CHECK(directory);
    for (struct dirent *entry; !ending && (entry = readdir(directory));) {
        char path[300], target[512];
        pid_t pid = (pid_t)atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        if (pid == 0 || readlink(path, target, sizeof target) >= 0 || errno != ENOENT)
            continue;
        char *name = process_status(pid, "Name");
        ending = name && strcmp(name, "kiln-compiler") == 0 && !is_zombie(pid);
        free(name);
    }
    closedir(directory);
    return ending;
}

void wait_until_no_compiler(void)
{
    pid_t pids[max_compilers];
    size_t count;
    for (int waited = 0; (count = compilers(pids)) > 0 || a_compiler_is_ending(); waited += 5) {
        if (waited > patience_ms)
            support_fail(__FILE__, __LINE__, "%zu compiler processes are still there, %d the first",
                         count, (int)pids[0]);
        nap_ms(5);
    }
}

void kill_compilers(void)
{
    pid_t pids[max_compilers];
    for (size_t count; (count = compilers(pids)) > 0; nap_ms(5)) {
        for (size_t i = 0; i < count; i++)
            kill(pids[i], SIGKILL);
    }
}

pid_t start_again(int *output, const char *helper, ...)
{
    const char *arguments[16] = {"again", helper};
    int pipes[2];
    pid_t child;
    va_list rest;
    va_start(rest, helper);
    for (size_t i = 2; (arguments[i] = va_arg(rest, const char *)); i++)
        CHECK(i < 14);
    va_end(rest);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    CHECK_INT(posix_spawn(&child, SELF, &actions, NULL, (char *const *)arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    *output = pipes[0];
    return child;
}

int wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int in_child(int (*function)(void *), void *argument)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        support_end(function(argument));
    return wait_for(child);
}
