// file_gate.cpp - the wrapped libc calls. See file_gate.h.
//
// The linker sends each reference to `open` to __wrap_open and each to __real_open to libc's own.
#include "compiler/file_gate.h"

#include "llvm/ADT/StringMap.h"

#include <cassert>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

extern "C" {
int __real_open(const char *path, int flags, ...);
int __real_stat(const char *path, struct stat *status);
int __real_lstat(const char *path, struct stat *status);
int __real_access(const char *path, int mode);
DIR *__real_opendir(const char *path);
FILE *__real_fopen(const char *path, const char *mode);
}

namespace kiln
{
namespace
{

InputLog *active_log;            // of the request at work, or null
llvm::StringMap<int> lent_files; // changed only while no other thread runs

// Standard input and output by the name that tools give them: no file.
bool is_stream(const char *path)
{
    return strcmp(path, "-") == 0;
}

bool was_missing(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

int lent_file(const char *path)
{
    auto position = lent_files.find(path);
    return position == lent_files.end() ? -1 : position->second;
}

// Open a lent memory file anew, with a position of its own.
int open_lent(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return __real_open(path, O_RDONLY | O_CLOEXEC);
}

void record_open(const char *path, int fd, int error)
{
    if (!active_log || is_stream(path))
        return;
    struct stat status;
    if (fd < 0 && was_missing(error))
        active_log->absent(path);
    else if (fd >= 0 && fstat(fd, &status) == 0)
        active_log->opened(path, status);
}

void record_look(const char *path, bool found, int error)
{
    if (!active_log || is_stream(path))
        return;
    struct stat status;
    if (!found && was_missing(error))
        active_log->absent(path);
    else if (found && __real_stat(path, &status) == 0)
        active_log->exists(path, status);
}

int refuse(int error)
{
    errno = error;
    return -1;
}

} // namespace

GateRecording::GateRecording(InputLog &log)
{
    assert(!active_log);
    active_log = &log;
}

GateRecording::~GateRecording()
{
    active_log = nullptr;
}

void gate_lend(llvm::StringRef name, int fd)
{
    lent_files[name] = fd;
}

void gate_return_all()
{
    lent_files.clear();
}

int gate_open_unrecorded(const char *path)
{
    int fd;
    do
        fd = __real_open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int gate_stat_unrecorded(const char *path, struct stat *status)
{
    return __real_stat(path, status);
}

} // namespace kiln

using namespace kiln;

extern "C" {

int __wrap_open(const char *path, int flags, ...)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    if (writes && strcmp(path, "/dev/null") != 0)
        return refuse(EROFS);
    int lent = lent_file(path);
    if (lent >= 0)
        return open_lent(lent);
    int fd = __real_open(path, flags | O_CLOEXEC);
    int error = errno;
    record_open(path, fd, error);
    errno = error;
    return fd;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (strpbrk(mode, "wa+") != nullptr) {
        errno = EROFS;
        return nullptr;
    }
    FILE *file = __real_fopen(path, mode);
    int error = errno;
    record_open(path, file ? fileno(file) : -1, error);
    errno = error;
    return file;
}

int __wrap_stat(const char *path, struct stat *status)
{
    int lent = lent_file(path);
    if (lent >= 0)
        return fstat(lent, status);
    int result = __real_stat(path, status);
    int error = errno;
    record_look(path, result == 0, error);
    errno = error;
    return result;
}

int __wrap_lstat(const char *path, struct stat *status)
{
    int lent = lent_file(path);
    if (lent >= 0)
        return fstat(lent, status);
    int result = __real_lstat(path, status);
    int error = errno;
    record_look(path, result == 0, error);
    errno = error;
    return result;
}

int __wrap_access(const char *path, int mode)
{
    if (lent_file(path) >= 0)
        return 0;
    int result = __real_access(path, mode);
    int error = errno;
    record_look(path, result == 0, error);
    errno = error;
    return result;
}

DIR *__wrap_opendir(const char *path)
{
    DIR *directory = __real_opendir(path);
    int error = errno;
    struct stat status;
    if (active_log && directory && fstat(dirfd(directory), &status) == 0)
        active_log->listed(path, status);
    else if (active_log && !directory && was_missing(error))
        active_log->absent(path);
    errno = error;
    return directory;
}

// ---- what a compile has no business with ----

int __wrap_mkdir(const char *, mode_t)
{
    return refuse(EROFS);
}

int __wrap_remove(const char *)
{
    return refuse(EROFS);
}

int __wrap_unlink(const char *)
{
    return refuse(EROFS);
}

int __wrap_rename(const char *, const char *)
{
    return refuse(EROFS);
}

int __wrap_link(const char *, const char *)
{
    return refuse(EROFS);
}

int __wrap_symlink(const char *, const char *)
{
    return refuse(EROFS);
}

int __wrap_chmod(const char *, mode_t)
{
    return refuse(EROFS);
}

int __wrap_posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const *, char *const *)
{
    return EPERM;
}

int __wrap_execv(const char *, char *const *)
{
    return refuse(EPERM);
}

int __wrap_execve(const char *, char *const *, char *const *)
{
    return refuse(EPERM);
}

void *__wrap_dlopen(const char *, int)
{
    return nullptr;
}

char *__wrap_dlerror(void)
{
    static char text[] = "plugins are not loaded here";
    return text;
}

} // extern "C"
