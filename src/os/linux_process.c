/* linux_process.c - pidfds and sockets: see os.h. No state; any thread. Starting programs:
 * linux_spawn.c. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/linux_descriptor.h"

int os_pidfd_self(void)
{
    return linux_above_standard((int)syscall(SYS_pidfd_open, getpid(), 0));
}

/* random(4): boot_id "contains the random string 6fd5a44b-35f4-4ad4-a9b9-6b9be13e1fe9", of every boot
 * another. */
static uint8_t boot_id[os_boot_id_size];

static void read_boot_id(void)
{
    char text[40] = {0};
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    bool done = fd >= 0 && read(fd, text, sizeof text - 1) >= 36;
    size_t count = 0;
    for (const char *at = text; done && count < sizeof boot_id; at += 2) {
        if (*at == '-')
            at++;
        done = sscanf(at, "%2hhx", &boot_id[count++]) == 1;
    }
    linux_close(fd);
    if (!done)
        (void)!getrandom(boot_id, sizeof boot_id, 0);
}

void os_boot_id(uint8_t id[os_boot_id_size])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_boot_id);
    memcpy(id, boot_id, sizeof boot_id);
}

int os_pidfd_kill(int pidfd, int signal)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 || errno == ESRCH)
        return 0;
    return -1;
}

/* A host that is PID 1 or a subreaper becomes the parent of what it started detached; the remains
 * must not stay. */
static void reap_if_ours(int pidfd)
{
    siginfo_t info;
    waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | __WALL);
}

int os_pidfd_wait(int pidfd, int timeout_ms)
{
    int64_t end = timeout_ms < 0 ? INT64_MAX : os_clock_steady_ns() + timeout_ms * INT64_C(1000000);
    int wait_ms = timeout_ms;
    for (;;) {
        struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
        int count = poll(&poll_fd, 1, wait_ms);
        if (count > 0 && (poll_fd.revents & POLLNVAL)) {
            errno = EBADF;
            return -1;
        }
        if (count > 0) {
            reap_if_ours(pidfd);
            return 0;
        }
        if (count == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        if (errno != EINTR)
            return -1;
        int64_t left = (end - os_clock_steady_ns()) / 1000000;
        if (timeout_ms >= 0)
            wait_ms = left > 0 ? (int)left : 0;
    }
}

int os_socket_pair(int sockets[2])
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -1;
    pair[0] = linux_above_standard(pair[0]);
    pair[1] = linux_above_standard(pair[1]);
    if (pair[0] < 0 || pair[1] < 0) {
        linux_close(pair[0]);
        linux_close(pair[1]);
        return -1;
    }
    sockets[0] = pair[0];
    sockets[1] = pair[1];
    return 0;
}
