/* os.h - everything Kiln asks of the operating system, and nothing else of the project.
 *
 * One contract a function; one file per system and subject implements it (linux_*.c). Functions
 * return 0 or a non-negative value on success and -1 with errno on failure, unless they say
 * otherwise. All descriptors are close-on-exec and at least 3. EINTR never shows. Thread-safe,
 * unless a function says otherwise. */
#ifndef KILN_OS_H
#define KILN_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- files (linux_file.c) ---- */

/* Which bytes a path stands for, as far as stat can tell: equal identities mean an unchanged file,
 * once mtime and ctime are older than os_clock_tick_ns. */
typedef struct os_identity {
    uint64_t device, inode, size;
    int64_t mtime_ns, ctime_ns;
} os_identity;

typedef enum os_kind { OS_ABSENT, OS_FILE, OS_DIRECTORY, OS_OTHER } os_kind;

/* What stands at `path` relative to directory descriptor `at` (AT_FDCWD: the working directory);
 * symbolic links are followed. ABSENT for ENOENT and ENOTDIR; -1 for other errors. *identity is set
 * unless ABSENT. */
int os_identify(int at, const char *path, os_kind *kind, os_identity *identity);
int os_identify_fd(int fd, os_kind *kind, os_identity *identity);
/* Whether a descriptor still is the file of that identity: some hosts close numbers that are not
 * theirs (closefrom), and then use them for something else. Of an identity that could not be taken, which is
 * all zero, every open file is. */
bool os_is_same_file(int fd, const os_identity *identity);
/* What a name itself stands for: a symbolic link may lead somewhere or not. */
typedef enum os_name { OS_NAME_ABSENT, OS_NAME_LINK, OS_NAME_OTHER } os_name;
os_name os_look_at_name(const char *path);
bool os_identity_equal(const os_identity *a, const os_identity *b);

/* The grain of file timestamps, rounded up generously, in
 * nanoseconds; and the clock that they are read from. */
int64_t os_clock_tick_ns(void);
int64_t os_clock_file_ns(void);
/* A steady clock, for durations. */
int64_t os_clock_steady_ns(void);

/* Open a directory only to resolve names below it (O_PATH). */
int os_open_directory(int at, const char *path);
int os_open_read(int at, const char *path);

/* Read a whole file into malloc'd memory with a NUL after the last byte. */
int os_read_file(int at, const char *path, uint8_t **bytes, size_t *size);
int os_read_fd(int fd, uint8_t **bytes, size_t *size);
int os_write_all(int fd, const void *bytes, size_t size);
/* Copy `size` bytes from the start of one descriptor to the current position of another, in the
 * kernel where it can. */
int os_copy_fd(int to, int from, size_t size);

/* Make a directory and those above it, for the owner alone (0700). */
int os_make_directories(const char *path);

/* Write bytes (or, where bytes is NULL, the first `size` bytes of from_fd)
 * to `name` in directory `at`, so that readers see all or nothing:
 * temporary name, write, rename. Nothing is flushed: after a power failure the name can lead to a file without its bytes.
 * *identity (may be NULL) is taken after the rename. mode: 0600, 0700 ... */
int os_publish_file(int at, const char *name, const void *bytes, int from_fd, size_t size,
                    unsigned mode, os_identity *identity);
/* Wait until the bytes of a file would outlive a power failure. */
int os_flush_fd(int fd);

/* Only the owner of this process can have written: owner is the effective user (or root), no write
 * bit for group or others. false with errno 0 where that does not hold. */
bool os_is_private_fd(int fd);

/* Whether a name still leads to an open file or directory. */
bool os_is_linked_fd(int fd);

/* Whether pages of the file system behind a directory
 * or file may be mapped executable (false: noexec). */
bool os_may_execute_fd(int fd);

/* An exclusive advisory lock on an open file, taken at once or not at all (-1, EWOULDBLOCK); ends
 * with the last descriptor. */
int os_try_lock(int fd);
/* A shared one that marks an entry as being in use by this process. */
int os_try_lock_shared(int fd);

/* ---- memory files (linux_memfd.c) ---- */

/* An anonymous file. name: for /proc and debuggers. executable: it will be mapped so. */
int os_memfd_create(const char *name, bool executable);
int os_memfd_with(const char *name, const void *bytes, size_t size, bool executable);
int os_memfd_seal(int fd);
/* A path by which this process's loader, and debuggers
 * of it, find the file as long as fd is open. */
void os_fd_path(int fd, char *path, size_t capacity);

/* Map a whole file read-only; size 0 gives a non-NULL pointer. */
int os_map_file(int fd, size_t size, const void **bytes);
/* The same, but writable: what is written stays in this process. */
int os_map_copy(int fd, size_t size, uint8_t **bytes);
void os_unmap(const void *bytes, size_t size);

/* ---- processes (linux_process.c) ---- */

enum { os_boot_id_size = 16 };
/* What tells this run of the system from every other one; random where the system does not say. */
void os_boot_id(uint8_t id[os_boot_id_size]);

/* Start a program that this process must not notice: not its child (nothing to wait for,
 * no SIGCHLD), in a session of its own, default signals and mask, no descriptors but 0-2
 * (on /dev/null) and those of fds (at most 16), which appear as 3, 4, ... in order. It
 * gets a generous stack limit, no core files, ordinary scheduling, `environment`, and
 * `/` as its directory. *pidfd (may be NULL): to watch or end it. Fails with the
 * program's own exec error. Works whatever the host does with SIGCHLD and descriptors
 * 0-2. In a host that is PID 1 or a subreaper the program becomes its child, as any
 * orphan does: there its end shows as a SIGCHLD, and os_pidfd_wait reaps it. */
int os_spawn_detached(const char *program, char *const *arguments, char *const *environment,
                      const int *fds, size_t fd_count, int *pidfd);

/* A descriptor that becomes readable when this process has ended. */
int os_pidfd_self(void);
/* Send a signal; 0 also where the process is gone already. */
int os_pidfd_kill(int pidfd, int signal);
/* Wait until a process is gone, for at most timeout_ms (negative: as long as it takes): 0, or -1
 * with ETIMEDOUT. */
int os_pidfd_wait(int pidfd, int timeout_ms);

/* A pair of connected stream sockets. */
int os_socket_pair(int sockets[2]);

/* How many jobs to run at once: processors by affinity and cgroup quota, bounded by free memory
 * (cgroup, system) over bytes_per_job; at least 1. */
unsigned os_job_count(uint64_t bytes_per_job);
/* The memory this process may use in all: the least of system, cgroup and limit. */
uint64_t os_memory_total(void);

/* ---- the loader (linux_loader.c) ---- */

/* dlopen, binding everything now. *message: the loader's words on failure, malloc'd (NULL when out
 * of memory). */
int os_load(const char *path, bool global, void **handle, char **message);
/* Count an image that is mapped already once more, and make it and its dependencies globally
 * visible if asked to. NULL where it is not mapped; never maps anything. */
void *os_load_again(const char *path, bool global);
/* Count one reference less; *gone (may be NULL): the image has left the address space. path: as it
 * was given to os_load. Destructors run on this thread. */
int os_unload(void *handle, const char *path, bool *gone);
/* Whether an image is mapped under that path. Does not ask the disk. */
bool os_is_loaded(const char *path);
/* Have the loader look for what nobody needs any longer: it does so only when something is closed.
 * path: an image that waits. */
void os_collect(const char *path);
/* The address of a definition in the image of a handle alone, not in its
 * dependencies; NULL where there is none. Of a weak variable that the loader has
 * unified with another image's, the one that this image uses; of a thread-local
 * one, the calling thread's. The image needs a .gnu.hash section. */
void *os_lookup(void *handle, const char *name);
/* An address that a reference would be bound to in the scope of a handle (the image, then its
 * dependencies), or in the process's global scope where handle is NULL. version: NULL for the
 * default one. */
void *os_lookup_scope(void *handle, const char *name, const char *version);
/* The C++ name behind a linker's, malloc'd, by the C++ run-time library, which is loaded for it:
 * for messages of failures. NULL for what is no C++ name, and where there is no such library. */
char *os_demangle(const char *name);
/* Directories that the loader searches for shared libraries, in order: a string list, freed as one
 * block with free(). */
char **os_library_directories(void);
/* The path of the shared object or program that contains an address, absolute where it still
 * exists; malloc'd. */
char *os_path_of_address(const void *address);
/* Features of the processor that -march=native depends on, as bytes to digest; the same on every
 * run of one machine. */
size_t os_processor_features(uint8_t *bytes, size_t capacity);

/* ---- watching directories (linux_watch.c) ---- */

/* A watcher: a descriptor that becomes readable when something happens in a directory that was
 * added. It belongs to the process that made it: after a fork, the child closes its copy. -1 with
 * EMFILE where the system has no more watchers for this user. */
int os_watch_create(void);
/* Watch the names in a directory: files that were written and closed, and names that come, go, or
 * change their attributes. The watch's number, the same for the same directory by another path; -1,
 * with ENOSPC where the system's limit is reached. */
int os_watch_add(int watcher, const char *directory);
/* Take all that has happened, without waiting. name: NULL where it is the directory itself that is
 * gone; directory: -1 where events were lost, so that anything may have happened. */
int os_watch_read(int watcher, void (*visit)(int directory, const char *name, void *data),
                  void *data);

/* ---- code that runs, and constants (linux_code.c; entries: linux_x86_64.c) ---- */

/* What the pages of an address may be used for. */
typedef struct os_protection {
    bool readable, writable, executable;
    uintptr_t begin, end; /* of what is mapped with it */
} os_protection;
/* -1 with EFAULT where nothing is mapped. */
int os_protection_of(const void *address, os_protection *protection);
/* Make the pages that hold [address, address + size) writable, on top of what they are: code stays
 * executable all the while, since threads run in it. -1 where the system forbids that (EACCES,
 * EPERM, ENOMEM), and nothing has changed. */
int os_make_writable(void *address, size_t size, const os_protection *protection);
/* Undo it. */
void os_restore_protection(void *address, size_t size, const os_protection *protection);
size_t os_page_size(void);

/* A function's entry as src/compiler/hot_entry.cpp makes it: whether it can be led elsewhere. */
bool os_entry_is_patchable(const void *entry);
/* The bytes that publishing writes: all lie in [*begin, *end). */
void os_entry_extent(const void *entry, const void **begin, const void **end);
/* Lead an entry, whose pages are writable, to another body: NULL is its own, first one. Threads may
 * call it meanwhile: each call goes to the one or the other. */
void os_entry_publish(void *entry, const void *target);
/* Where it leads to; NULL: to its own body. */
const void *os_entry_target(const void *entry);

/* ---- calls that may crash (linux_guard.c) ---- */

typedef struct os_crash {
    int signal;
    const char *name;  /* of the signal, without SIG */
    uintptr_t code;    /* where it ran; 0 where that is not known */
    uintptr_t address; /* what it accessed */
    char *function;    /* the exported name nearest to it, malloc'd, or NULL */
} os_crash;
/* Call a function of this thread's; false where it ended in an invalid access or instruction, an
 * arithmetic trap, or abort(): then *crash tells which. Frames between are left without unwinding;
 * an overflow of the stack is noticed too. Signals that others send are not crashes. Calls may be
 * nested; any thread. */
bool os_call_guarded(void (*function)(void *), void *argument, os_crash *crash);
/* The functions that this thread is in, innermost first, by their first instruction, as far as loaded
 * objects export them; how many there are. */
size_t os_running_functions(const void **functions, size_t capacity);
/* Around a fork: in the child only the calls of the thread that forked go on. */
void os_guard_before_fork(void);
void os_guard_after_fork(bool in_child);

/* ---- libc's list of exit handlers (linux_exit_list.c) ----
 *
 * glibc 2.36 does not reset its lock at a fork: in a child that is made while another thread is inside of
 * it, whoever registers or runs a handler waits for ever. So whoever may be inside says so: around the
 * loader's calls, constructors and handlers. Nests. */
void os_exit_list_enter(void);
void os_exit_list_leave(void);
/* Before a fork: keep others from entering, once none is within, or after that time, since handlers may wait
 * for the thread that forks; whether none is within. Released after it. */
bool os_exit_list_hold(unsigned wait_ms);
void os_exit_list_release(bool in_child);

#endif
