/* misuse_host.c - the host must not notice its compiler process: nothing to wait for, no signal, no
 * descriptor, no terminal; and the compiler notices the end of its host. */
#include "host_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void works(kiln_session *session)
{
    static unsigned number;
    char *path = scratch("good%u-%d.c", number++, (int)getpid());
    write_file(path, "int value(void) { return 42; }\n");
    kiln_library *library = load_file(session, path);
    CHECK_INT(call_int(library, "value"), 42);
    CHECK_STATUS(kiln_library_close(library), KILN_OK, NULL);
}

static volatile sig_atomic_t child_signals;

static void count_signal(int number)
{
    (void)number;
    child_signals++;
}

/* ---- wait and SIGCHLD ---- */

TEST(nothing_to_wait_for)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    signal(SIGCHLD, count_signal);
    works(session);
    CHECK(compiler_zygote() != 0);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    CHECK(process_parent(compiler_zygote()) != getpid());
    CHECK_INT(kill(compiler_zygote(), SIGKILL), 0);
    wait_until_no_compiler();
    works(session);
    kiln_session_destroy(session);
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    CHECK_INT(child_signals, 0);
}

/* A host that reaps everything, all the time, on another thread. */
static volatile bool stop_reaping;
static unsigned strangers;
static int reap_flags;

static void *reap(void *own_child)
{
    while (!stop_reaping) {
        pid_t pid = waitpid(-1, NULL, reap_flags);
        if (pid > 0 && pid != *(pid_t *)own_child)
            strangers++;
        if (pid < 0)
            nap_ms(1);
    }
    return NULL;
}

static void load_beside_a_reaper(void)
{
    pthread_t thread;
    kiln_session *session = session_create(NULL, NULL);
    pid_t own = fork(); /* so that waitpid has something to block on */
    if (own == 0) {
        pause();
        _exit(0);
    }
    pthread_create(&thread, NULL, reap, &own);
    for (int i = 0; i < 5; i++) {
        works(session);
        CHECK_STATUS(kiln_session_stop_compiler(session), KILN_OK, NULL);
    }
    stop_reaping = true;
    kill(own, SIGKILL);
    pthread_join(thread, NULL);
    kiln_session_destroy(session);
}

TEST(wait_loop)
{
    load_beside_a_reaper();
    CHECK_INT(strangers, 0);
}

/* With __WALL, which debuggers use, the intermediate of a start can be seen for a moment; stealing it does no harm. */
TEST(wait_loop_for_all_kinds)
{
    reap_flags = __WALL;
    load_beside_a_reaper();
}

TEST(sigchld_ignored)
{
    signal(SIGCHLD, SIG_IGN);
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    kiln_session_destroy(session);
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT}, now;
    sigaction(SIGCHLD, &action, NULL);
    session = session_create(NULL, NULL);
    works(session);
    kiln_session_destroy(session);
    sigaction(SIGCHLD, NULL, &now);
    CHECK(now.sa_flags & SA_NOCLDWAIT); /* the host's choice was left alone */
}

/* ---- signals, terminal, limits ---- */

TEST(default_signals_whatever_the_host_has)
{
    sigset_t all;
    use_private_compiler();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    pid_t zygote = compiler_zygote();
    CHECK_TEXT(process_status(zygote, "SigBlk"), "0000000000000000");
    unsigned long long ignored = strtoull(process_status(zygote, "SigIgn"), NULL, 16);
    /* The compiler's own choice, and LLVM's. */
    unsigned long long chosen =
        1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1) | 1ull << (SIGINT - 1);
    CHECK_INT(ignored & ~chosen, 0);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR2));
    kiln_session_destroy(session);
}

TEST(session_and_directory_of_its_own)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    pid_t zygote = compiler_zygote();
    CHECK(getsid(zygote) != getsid(0)); /* so Ctrl-C on the host's terminal does not reach it */
    CHECK(getpgid(zygote) != getpgrp());
    char target[512];
    ssize_t length = readlink(text_of("/proc/%d/cwd", (int)zygote), target, sizeof target - 1);
    CHECK(length == 1 && target[0] == '/');
    char *limits = read_file(text_of("/proc/%d/limits", (int)zygote), NULL);
    char *core = strstr(limits, "Max core file size");
    long soft = -1;
    CHECK(core && sscanf(core, "Max core file size %ld", &soft) == 1);
    CHECK_INT(soft, 0);
    kiln_session_destroy(session);
}

TEST(interrupt_for_the_group_of_the_host)
{
    use_private_compiler();
    setpgid(0, 0);
    signal(SIGINT, count_signal);
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    pid_t zygote = compiler_zygote();
    kill(0, SIGINT);
    works(session);
    CHECK_INT(compiler_zygote(), zygote);
    CHECK(child_signals >= 1);
    kiln_session_destroy(session);
}

TEST(interrupted_system_calls)
{
    struct sigaction action = {.sa_handler = count_signal}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 1000}, {0, 1000}};
    kiln_session *session = session_create(scratch("cache"), NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 5; i++)
        works(session);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    CHECK(child_signals > 10);
    kiln_session_destroy(session);
}

/* ---- descriptors ---- */

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

TEST(compiler_has_none_of_the_hosts_descriptors)
{
    int pipes[2];
    use_private_compiler();
    CHECK_INT(pipe(pipes), 0); /* inheritable */
    int file = open("/dev/null", O_RDWR);
    CHECK(file >= 0 && dup2(file, 100) == 100);
    kiln_session *session = session_create(scratch("cache"), NULL);
    works(session);
    pid_t pids[max_compilers];
    size_t count = compilers(pids);
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
        char *folder = text_of("/proc/%d/fd", (int)pids[i]);
        DIR *directory = opendir(folder);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            char target[512] = "";
            ssize_t length =
                readlink(text_of("%s/%s", folder, entry->d_name), target, sizeof target - 1);
            if (length < 0)
                continue;
            int number = atoi(entry->d_name);
            if (number <= 2) /* a job may gather its words in a memory file */
                CHECK(strcmp(target, "/dev/null") == 0 || strncmp(target, "/memfd:", 7) == 0);
            CHECK(number != 100);
            CHECK(strncmp(target, "pipe:", 5) != 0 || number > 2);
        }
        if (directory)
            closedir(directory);
    }
    close(pipes[1]);
    char byte;
    CHECK_INT(read(pipes[0], &byte, 1), 0); /* nobody else holds the other end */
    kiln_session_destroy(session);
}

/* Bit n: descriptor n is open and would pass to a program that the host starts. */
static unsigned long long inheritable_descriptors(void)
{
    unsigned long long set = 0;
    for (int fd = 0; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            set |= 1ull << fd;
    }
    return set;
}

TEST(hosts_children_inherit_nothing)
{
    unsigned long long before = inheritable_descriptors();
    kiln_session *session = session_create(scratch("cache"), NULL);
    write_file(scratch("kept.c"), "int value(void) { return 1; }\n");
    kiln_library *kept = load_file(session, scratch("kept.c"));
    works(session);
    CHECK_INT(inheritable_descriptors(), before);
    kiln_library_close(kept);
    kiln_session_destroy(session);
}

TEST(no_descriptor_is_left)
{
    kiln_session *session = session_create(scratch("cache"), NULL);
    works(session);
    kiln_session_destroy(session);
    unsigned before = open_descriptors();
    for (int i = 0; i < 5; i++) {
        session = session_create(i % 2 ? scratch("cache") : NULL, NULL);
        works(session);
        write_file(scratch("bad.c"), "int x = nowhere;\n");
        kiln_error_destroy(load_file_fails(session, scratch("bad.c"), KILN_COMPILE));
        kiln_error_destroy(load_file_fails(session, scratch("missing.c"), KILN_NOT_FOUND));
        kiln_session_destroy(session);
    }
    CHECK_INT(open_descriptors(), before);
}

HELPER(load_without_standard_descriptors)
{
    int output = dup(1);
    close(0);
    close(1);
    close(2);
    kiln_session *session = session_create(scratch("cache"), NULL);
    works(session);
    bool untouched = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    dprintf(output, "%s\n", untouched ? "untouched" : "taken");
    kiln_session_destroy(session);
}

TEST(standard_descriptors_closed)
{
    int output;
    char text[32] = "";
    pid_t child = start_again(&output, "load_without_standard_descriptors", NULL);
    CHECK_INT(wait_for(child), 0);
    CHECK(read(output, text, sizeof text - 1) > 0);
    CHECK_TEXT(text, "untouched\n");
}

/* ---- the end of the host ---- */

HELPER(load_then_stop_the_compiler_and_leave)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    pid_t pids[max_compilers];
    size_t count = compilers(pids);
    for (size_t i = 0; i < count; i++) {
        printf("%d ", (int)pids[i]);
        kill(pids[i], SIGSTOP); /* it cannot close anything now */
    }
    fflush(stdout);
    _exit(0);
}

/* $(...) waits until every copy of its pipe is closed: a compiler that holds one, here a stopped
 * one, would keep it waiting for ever. */
TEST(command_substitution)
{
    char *text, *rest;
    CHECK_INT(RUN(&text, SELF, "load_then_stop_the_compiler_and_leave"), 0);
    pid_t pid;
    unsigned count = 0;
    for (rest = text; (pid = (pid_t)strtol(rest, &rest, 10)) > 0; count++)
        kill(pid, SIGKILL);
    CHECK(count > 0);
}

HELPER(load_and_say_who_compiles)
{
    bool endless = support_arguments[0] && strcmp(support_arguments[0], "endless") == 0;
    event_log log = {0};
    use_private_compiler();
    kiln_session *session = session_create(NULL, &log);
    works(session);
    if (endless) {
        write_file(scratch("endless.cpp"), "//kiln: -fconstexpr-steps=4294967295\n"
                                           "constexpr int f() { int n = 0; for (;;) n ^= 1; return "
                                           "n; }\nconstexpr int x = f();\n");
        kiln_spec *spec = spec_of_file("endless", scratch("endless.cpp"));
        kiln_load *load;
        kiln_library *library;
        kiln_error *error;
        event_log_reset(&log);
        CHECK_STATUS(kiln_load_begin(session, NULL, spec, NULL, &load, &error), KILN_OK, &error);
        while (log.count[KILN_EVENT_UNIT_STARTED] == 0)
            CHECK_STATUS(kiln_load_wait(load, 10, &library, &error), KILN_PENDING, &error);
    }
    pid_t pids[max_compilers];
    size_t count = compilers(pids);
    for (size_t i = 0; i < count; i++)
        printf("%d ", (int)pids[i]);
    puts(".");
    fflush(stdout);
    pause();
}

static void host_killed(const char *what)
{
    int output;
    char text[1024], *rest = text;
    size_t length = 0;
    pid_t pids[max_compilers], host = start_again(&output, "load_and_say_who_compiles", what, NULL);
    while (length < sizeof text - 1 && read(output, text + length, 1) == 1 && text[length] != '.')
        length++;
    text[length] = '\0';
    size_t count = 0;
    while (count < max_compilers && (pids[count] = (pid_t)strtol(rest, &rest, 10)) > 0)
        count++;
    CHECK(count > 0);
    kill(host, SIGKILL);
    wait_for(host);
    for (size_t i = 0; i < count; i++) {
        for (int waited = 0; kill(pids[i], 0) == 0; waited += 10) {
            char *state = process_status(pids[i], "State");
            if (!state || *state == 'Z')
                break;
            if (waited > 20000) {
                kill(pids[i], SIGKILL);
                support_fail(__FILE__, __LINE__, "compiler process %d outlived its host",
                             (int)pids[i]);
            }
            nap_ms(10);
        }
    }
}

TEST(host_killed_while_the_compiler_idles)
{
    host_killed("idle");
}

TEST(host_killed_while_it_compiles)
{
    host_killed("endless");
}

/* ---- threads and forks ---- */

static void *load_once(void *session)
{
    works(session);
    return NULL;
}

TEST(thread_that_started_the_compiler_ends)
{
    pthread_t thread;
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    pthread_create(&thread, NULL, load_once, session);
    pthread_join(thread, NULL);
    pid_t zygote = compiler_zygote();
    CHECK(zygote != 0);
    nap_ms(50);
    works(session);
    CHECK_INT(compiler_zygote(), zygote);
    kiln_session_destroy(session);
}

TEST(small_stack)
{
    pthread_t thread;
    pthread_attr_t attributes;
    kiln_session *session = session_create(scratch("cache"), NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 << 10);
    CHECK_INT(pthread_create(&thread, &attributes, load_once, session), 0);
    pthread_join(thread, NULL);
    kiln_session_destroy(session);
}

static int load_in_child(void *session)
{
    works(session);
    return 0;
}

TEST(fork_then_load_in_both)
{
    use_private_compiler();
    kiln_session *session = session_create(scratch("cache"), NULL);
    works(session);
    pid_t zygote = compiler_zygote();
    CHECK_INT(in_child(load_in_child, session), 0);
    CHECK_INT(compiler_zygote(), zygote); /* the child had another one, which went with it */
    works(session);
    CHECK_INT(compiler_zygote(), zygote);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(fork_before_the_first_load)
{
    kiln_session *session = session_create(NULL, NULL);
    CHECK_INT(in_child(load_in_child, session), 0);
    works(session);
    CHECK_INT(in_child(load_in_child, session), 0);
    kiln_session_destroy(session);
}

/* A host that closes what it did not open, as daemons do, and has other files under these numbers
 * next: they stay as they are, and loads go on. In a child, where no output of the test is lost. */
static int close_all_and_go_on(void *session)
{
    enum { numbers = 64 };
    struct stat before[numbers], after[numbers];
    works(session);
    write_file(scratch("kept.c"), "int value(void) { return 7; }\n");
    kiln_library *kept = load_file(session, scratch("kept.c"));
    closefrom(3);
    works(session); /* not the one that is still mapped */
    closefrom(3);
    for (int i = 3; i < numbers; i++) {
        char *path = scratch("own%d", i);
        CHECK_INT(open(path, O_RDWR | O_CREAT, 0600), i);
        CHECK_INT(fstat(i, &before[i]), 0);
    }
    works(session);
    works(session);
    CHECK_INT(call_int(kept, "value"), 7);
    CHECK_STATUS(kiln_library_close(kept), KILN_OK, NULL);
    kiln_session_destroy(session);
    for (int i = 3; i < numbers; i++) {
        CHECK_INT(fstat(i, &after[i]), 0);
        CHECK(before[i].st_ino == after[i].st_ino && after[i].st_size == 0);
    }
    return 0;
}

TEST(host_closes_all_descriptors)
{
    use_private_compiler();
    kiln_session *session = session_create(scratch("cache"), NULL);
    CHECK_INT(in_child(close_all_and_go_on, session), 0);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

TEST(host_closes_all_descriptors_without_a_cache)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    CHECK_INT(in_child(close_all_and_go_on, session), 0);
    kiln_session_destroy(session);
    wait_until_no_compiler();
}

static int destroy_in_child(void *session)
{
    works(session);
    kiln_session_destroy(session);
    return 0;
}

TEST(child_may_destroy_its_copy)
{
    use_private_compiler();
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    pid_t zygote = compiler_zygote();
    CHECK_INT(in_child(destroy_in_child, session), 0);
    works(session);
    CHECK_INT(compiler_zygote(), zygote);
    kiln_session_destroy(session);
}

/* Forks while other threads are in the middle of loads: the child's locks must be usable. */
static volatile bool stop_loading;

static void *load_on(void *session)
{
    while (!stop_loading)
        works(session);
    return NULL;
}

TEST(fork_while_others_load)
{
    pthread_t threads[3];
    kiln_session *session = session_create(NULL, NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, load_on, session);
    for (int i = 0; i < 5; i++)
        CHECK_INT(in_child(load_in_child, session), 0);
    stop_loading = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    kiln_session_destroy(session);
}

TEST(default_session_at_exit)
{
    int output;
    pid_t child = start_again(&output, "use_default_session_and_return", NULL);
    CHECK_INT(wait_for(child), 0);
}

HELPER(use_default_session_and_return)
{
    write_file(scratch("simple.c"), "#include <stdlib.h>\nstatic void at_exit(void) {}\nint "
                                    "value(void) { atexit(at_exit); return 42; }\n");
    kiln_library *library = load_file(NULL, scratch("simple.c"));
    CHECK_INT(call_int(library, "value"), 42);
    remove_tree(scratch("."));
    exit(0); /* with the library loaded */
}

/* ---- what was preloaded into the host ---- */

/* A sanitizer's run time, say, which reserves more memory than a job may have. */
TEST(what_is_preloaded_stays_in_the_host)
{
    use_private_compiler();
    write_file(scratch("preload.c"),
               text_of("#include <fcntl.h>\n"
                       "__attribute__((constructor)) static void begin(void)\n"
                       "{ open(\"%s\", O_WRONLY | O_CREAT, 0600); }\n",
                       scratch("was-here")));
    clang("-shared", "-fPIC", scratch("preload.c"), "-o", scratch("preload.so"), NULL);
    setenv("LD_PRELOAD", scratch("preload.so"), 1);
    kiln_session *session = session_create(NULL, NULL);
    works(session);
    kiln_session_destroy(session);
    CHECK(access(scratch("was-here"), F_OK) != 0);
    CHECK(getenv("LD_PRELOAD") != NULL);
}
