/* linux_watch.c - watching directories by inotify: see os.h.
 *
 * Directories, not files: editors save by renaming a new file over the old one, which ends a watch
 * of the file. */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "os/linux_descriptor.h"
#include "os/os.h"

int os_watch_create(void)
{
    return linux_above_standard(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
}

int os_watch_add(int watcher, const char *directory)
{
    return inotify_add_watch(watcher, directory,
                             IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

int os_watch_read(int watcher, void (*visit)(int directory, const char *name, void *data),
                  void *data)
{
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    for (;;) {
        ssize_t size = read(watcher, buffer, sizeof buffer);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size == 0 || errno == EAGAIN ? 0 : -1;
        for (const char *at = buffer; at < buffer + size;) {
            const struct inotify_event *event = (const void *)at;
            if (event->mask & IN_Q_OVERFLOW)
                visit(-1, NULL, data);
            else
                visit(event->wd, event->len ? event->name : NULL, data);
            at += sizeof *event + event->len;
        }
    }
}
