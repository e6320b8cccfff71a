// recording_file_system.h - the file system that Clang and its driver see.
//
// Memory files lie below one virtual directory, which never reaches the real file system;
// everything else is real. Contents are copies made with read(), and the digest that goes to the
// InputLog is of those very bytes: a mapped file could change between digest and use. Each lookup
// is recorded, the failed ones too. One thread.
#pragma once

#include "compiler/inputs.h"

#include "llvm/ADT/IntrusiveRefCntPtr.h"
#include "llvm/Support/VirtualFileSystem.h"

namespace kiln
{

class RecordingFileSystem : public llvm::vfs::FileSystem
{
  public:
    // virtual_directory: absolute, or empty for none. Dependencies lend their headers in directories
    // beside it. The working directory is the process's, which must not change.
    RecordingFileSystem(InputLog &log, llvm::StringRef virtual_directory,
                        llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> memory_files);

    // The source whose first line may be `#!...`, which Clang gets to see as blanks.
    void set_script(llvm::StringRef path);

    llvm::ErrorOr<llvm::vfs::Status> status(const llvm::Twine &Path) override;
    llvm::ErrorOr<std::unique_ptr<llvm::vfs::File>>
    openFileForRead(const llvm::Twine &Path) override;
    llvm::vfs::directory_iterator dir_begin(const llvm::Twine &Dir, std::error_code &EC) override;
    std::error_code setCurrentWorkingDirectory(const llvm::Twine &Path) override;
    llvm::ErrorOr<std::string> getCurrentWorkingDirectory() const override;
    std::error_code getRealPath(const llvm::Twine &Path,
                                llvm::SmallVectorImpl<char> &Output) override;
    std::error_code isLocal(const llvm::Twine &Path, bool &Result) override;

  private:
    class OpenFile;
    class MemoryFile;

    bool is_virtual(llvm::StringRef path) const;

    InputLog &log_;
    std::string directory_;
    std::string virtual_directory_;
    llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> memory_files_;
    std::string script_; // absolute path, or empty
};

} // namespace kiln
