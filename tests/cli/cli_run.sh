# cli_run.sh - `kiln run`: the program behaves as one that was built.
. "$(dirname "$0")/cli_lib.sh"

# Exit status, cold, warm and without a cache.
echo 'int main(void) { return 42; }' >status.c
kiln 42 run status.c
kiln 42 run status.c
kiln 42 run --no-cache status.c
quiet

# Arguments in the source's own comment; a byte order mark is no text.
printf '//kiln: -DQ=7\nint main(void) { return Q; }\n' >own.c
kiln 7 run own.c
printf '\357\273\277//kiln: -DQ=8\nint main(void) { return Q; }\n' >marked.c
kiln 8 run marked.c
printf '\357\273\277//kiln: -DQ=9\nint main(void) { return Q; }\n' | kiln 9 run -

# argv and envp; argv[0] is the input; standard input is the program's.
cat >arguments.c <<'END'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv, char **envp)
{
    char line[16];
    for (int i = 0; i < argc; i++)
        printf("[%s]", argv[i]);
    for (; *envp; envp++)
        if (strncmp(*envp, "KILN_TEST=", 10) == 0)
            printf("%s", *envp);
    printf(" %d %s", argv[argc] == NULL, fgets(line, sizeof line, stdin) ? line : "none");
    argv[0][0] = 'x'; /* is the program's to change */
    return 0;
}
END
export KILN_TEST=1
echo "from outside" >input
kiln 0 run arguments.c -- one '' -O2 -- '@x' <input
prints "[arguments.c][one][][-O2][--][@x]KILN_TEST=1 1 from outside"
kiln 0 run ./arguments.c </dev/null
prints "[./arguments.c]KILN_TEST=1 1 none"

# C++: exceptions, static objects, exit handlers and destructors in a program's order.
cat >order.cpp <<'END'
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
struct Object {
    ~Object() { puts("static object"); }
};
static Object object;
__attribute__((constructor)) static void before() { puts("constructor"); }
__attribute__((destructor)) static void after() { puts("destructor"); }
int main()
{
    atexit([] { puts("exit handler"); });
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &error) {
        puts(error.what());
    }
    std::fputs("unflushed ", stdout);
    return 3;
}
END
kiln 3 run order.cpp
prints "constructor
thrown
unflushed exit handler
static object
destructor"

# exit and _exit from deep inside.
printf '#include <stdlib.h>\nstatic void deep(void) { exit(9); }\nint main(void) { deep(); return 1; }\n' >exit.c
kiln 9 run exit.c
printf '#include <unistd.h>\nint main(void) { _exit(8); }\n' >exit.c
kiln 8 run exit.c

# A signal ends it as it ends a program.
printf '#include <signal.h>\nint main(void) { raise(SIGTERM); return 0; }\n' >signal.c
kiln 143 run signal.c
printf '#include <stdlib.h>\nint main(void) { abort(); }\n' >abort.c
(ulimit -c 0; exec "$KILN" run abort.c) >"$out" 2>"$err"
[ $? = 134 ] || fail "abort does not end with SIGABRT"

# One thread, no child, and no compiler process: it has a name here that only this test uses.
directory=$(dirname "$KILN")
compiler=${KILN_COMPILER:-$directory/kiln-compiler}
[ -x "$compiler" ] || skip "there is no kiln-compiler beside kiln"
ln -s "$compiler" "kc$$"
cat >alone.c <<'END'
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
/* How many processes of that name live; one that is dead and waits to be reaped by init does not. */
static int compilers(const char *name)
{
    int count = 0;
    struct dirent *entry;
    DIR *processes = opendir("/proc");
    while ((entry = readdir(processes))) {
        char path[300], found[64] = "", state = 'Z';
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%*d (%63[^)]) %c", found, &state) == 2 && state != 'Z' && !strcmp(found, name))
            count++;
        fclose(file);
    }
    closedir(processes);
    return count;
}
int main(int argc, char **argv)
{
    int threads = 0;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    while ((entry = readdir(tasks)))
        threads += entry->d_name[0] != '.';
    closedir(tasks);
    int waited = waitpid(-1, NULL, WNOHANG | __WALL);
    int reason = errno;
    printf("%d threads, child: %d, %d compilers, %s\n", threads, waited == -1 && reason == ECHILD ? 0 : 1,
           compilers(argv[1]), program_invocation_short_name);
    return argc - 2;
}
END
sed -i '1i #define _GNU_SOURCE' alone.c
kiln 0 run --compiler "$PWD/kc$$" ./alone.c -- "kc$$"
prints "1 threads, child: 0, 0 compilers, alone.c"

# Standard input as the source: C, unless -x says otherwise; the program's arguments come after `--`.
cat >source <<'END'
#include <stdio.h>
int main(int argc, char **argv) { printf("%s %s\n", argv[0], argc > 1 ? argv[1] : ""); return 7; }
END
kiln 7 run - -- word <source
prints "- word"
cat >source <<'END'
#include <iostream>
int main() { std::cout << "c++" << std::endl; }
END
kiln 0 run -x c++ - <source
prints "c++"
echo 'int main(void) { return nothing; }' >source
kiln 125 run - <source
says_part "<stdin>:1:25: error: use of undeclared identifier 'nothing'"
kiln 125 run - - <source
says_part "can be read only once"

# A pipe by name, as shells make them.
mkfifo pipe
echo 'int main(void) { return 6; }' >pipe &
kiln 6 run -x c pipe
wait

# Scripts: the first line is no C; whatever follows the script is its own.
cat >script <<END
#!/usr/bin/env -S $KILN run -DVALUE=5
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("[%s]", argv[i]);
    printf("%d line %d\n", VALUE, __LINE__);
    return 4;
}
END
chmod +x script
check 4 ./script -O2 -- --help '@x'
prints "[-O2][--][--help][@x]5 line 7"
kiln 4 run -DVALUE=6 script a
prints "[a]6 line 7"
printf '#!/usr/bin/env -S kiln run\n#include <cstdio>\nint main() { std::puts("c++ script"); }\n' >script.cpp
kiln 0 run script.cpp
prints "c++ script"
printf '#!/usr/bin/env -S kiln run\nint main(void) { return broken; }\n' >bad.c
kiln 125 run bad.c
says_part "bad.c:2:25: error:"

# Arguments that a source carries itself.
printf '//kiln: -DVALUE=11 -lm\n#include <math.h>\nint main(int argc, char **argv) { return (int)floor(VALUE + 0.5 * argc); }\n' >own.c
kiln 11 run own.c
printf '#!/usr/bin/env -S kiln run\n//kiln: -DVALUE=12\nint main(void) { return VALUE; }\n' >own
kiln 12 run own

# A library without main is Kiln's own failure.
echo 'int f(void) { return 1; }' >library.c
kiln 125 run library.c
says_part "'library' has no function 'main' to call"

# Output goes nowhere but where the program sends it.
printf '#include <stdio.h>\nint main(void) { printf("x"); fprintf(stderr, "y"); return 0; }\n' >both.c
kiln 0 run both.c
prints "x"
says "y"
finish
