// memory_file.cpp - memfds. See memory_file.h.
#include "compiler/memory_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace kiln
{

int memory_file_create(const char *name, bool executable)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
    if (fd < 0 && errno == EINVAL) // before Linux 6.3
        fd = memfd_create(name, flags);
    if (fd < 0 || fd > 2)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return high;
}

bool write_fully(int fd, llvm::StringRef bytes)
{
    while (!bytes.empty()) {
        ssize_t written = write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR)
            return false;
        bytes = bytes.drop_front(written < 0 ? 0 : size_t(written));
    }
    return true;
}

int memory_file_with(const char *name, llvm::StringRef bytes, bool executable)
{
    int fd = memory_file_create(name, executable);
    if (fd < 0)
        return -1;
    if (write_fully(fd, bytes)) {
        memory_file_seal(fd);
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool memory_file_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

FileView::FileView(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return;
    if (status.st_size == 0) {
        data_ = "";
        return;
    }
    void *memory = mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        return;
    data_ = static_cast<const char *>(memory);
    size_ = size_t(status.st_size);
}

FileView::~FileView()
{
    if (size_ > 0)
        munmap(const_cast<char *>(data_), size_);
}

} // namespace kiln
