/* spawned.c - a program that a host has started detached: it says on descriptor 3 in what
 * surroundings it finds itself.
 *
 * One "name=value" a line, then "end"; it lives until the host closes its end of descriptor 3. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void say_descriptors(FILE *out)
{
    fputs("fds=", out);
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory))
            fprintf(out, "%s ", entry->d_name);
    if (directory)
        closedir(directory);
    fputc('\n', out);
}

static void say_link(FILE *out, const char *name, const char *path)
{
    char target[4096] = {0};
    if (readlink(path, target, sizeof target - 1) > 0)
        fprintf(out, "%s=%s\n", name, target);
}

/* The signals that are blocked or not at their default. */
static void say_signals(FILE *out)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "Sig", 3) || !strncmp(line, "ShdPnd", 6)) {
            line[strcspn(line, ":")] = '=';
            fputs(line, out);
        }
    if (status)
        fclose(status);
}

int main(int argc, char **argv)
{
    struct rlimit stack = {0, 0}, core = {1, 1};
    getrlimit(RLIMIT_STACK, &stack);
    getrlimit(RLIMIT_CORE, &core);
    FILE *out = fdopen(dup(3), "w");
    if (!out)
        return 1;
    fprintf(out, "\nargc=%d\nargv=%s\nenvironment=%s\n", argc, argc > 1 ? argv[1] : "",
            getenv("SPAWN_TEST") ? getenv("SPAWN_TEST") : "");
    fprintf(out, "pid=%d\nparent=%d\nsession=%d\ngroup=%d\n", getpid(), getppid(), getsid(0),
            getpgrp());
    fprintf(out, "stack=%llu\ncore=%llu\npolicy=%d\n", (unsigned long long)stack.rlim_cur,
            (unsigned long long)core.rlim_cur, sched_getscheduler(0));
    say_link(out, "directory", "/proc/self/cwd");
    say_link(out, "fd0", "/proc/self/fd/0");
    say_link(out, "fd1", "/proc/self/fd/1");
    say_link(out, "fd2", "/proc/self/fd/2");
    say_signals(out);
    fclose(out);
    out = fdopen(3, "r+");
    say_descriptors(out);
    fputs("end\n", out);
    fflush(out);
    while (fgetc(out) != EOF)
        continue;
    return 0;
}
