// memory_file.h - anonymous files: how results leave a job.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace kiln
{

// A file that exists only as a descriptor, at least 3 and close-on-exec. executable: it will be
// mapped so. -1 with errno.
int memory_file_create(const char *name, bool executable);
// One that holds `bytes` and can no longer be changed.
int memory_file_with(const char *name, llvm::StringRef bytes, bool executable);
// false with errno.
bool write_fully(int fd, llvm::StringRef bytes);
// From now on nobody can change it; no writable mapping of it may be left.
bool memory_file_seal(int fd);

// A private read-only view of a whole file.
class FileView
{
  public:
    explicit FileView(int fd);
    ~FileView();
    FileView(const FileView &) = delete;
    FileView &operator=(const FileView &) = delete;

    bool is_open() const
    {
        return data_ != nullptr;
    }
    llvm::StringRef bytes() const
    {
        return {data_, size_};
    }

  private:
    const char *data_ = nullptr;
    size_t size_ = 0;
};

} // namespace kiln
