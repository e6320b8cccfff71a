/* glibc hands argc, argv and envp to constructors of libraries too. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int seen_argc = -1;
static char **seen_argv, **seen_envp;
extern char **environ;

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
    seen_argc = argc;
    seen_argv = argv;
    seen_envp = envp;
}

int run(void)
{
    printf("argc %d\n", seen_argc);
    printf("argv[0] %s\n",
           seen_argv && strstr(seen_argv[0], "conformance") ? "names the host" : "is strange");
    printf("envp %s\n", seen_envp == environ ? "is environ" : "is strange");
    return 0;
}
