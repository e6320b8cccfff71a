// recording_file_system.cpp - copies, digests and records. See recording_file_system.h.
#include "compiler/recording_file_system.h"
#include "compiler/file_gate.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

using llvm::ErrorOr;
using llvm::SmallString;
using llvm::StringRef;
using llvm::Twine;

namespace kiln
{
namespace
{

// How often a file that changes under the reader is read again.
constexpr int read_attempts = 3;

std::error_code last_error()
{
    return std::error_code(errno, std::generic_category());
}

bool is_absence(const std::error_code &error)
{
    return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory;
}

llvm::sys::fs::file_type type_of(mode_t mode)
{
    using llvm::sys::fs::file_type;
    if (S_ISREG(mode))
        return file_type::regular_file;
    if (S_ISDIR(mode))
        return file_type::directory_file;
    if (S_ISFIFO(mode))
        return file_type::fifo_file;
    if (S_ISCHR(mode))
        return file_type::character_file;
    if (S_ISBLK(mode))
        return file_type::block_file;
    return file_type::type_unknown;
}

llvm::vfs::Status status_of(const Twine &name, const struct stat &status)
{
    auto modified = llvm::sys::toTimePoint(status.st_mtim.tv_sec, uint32_t(status.st_mtim.tv_nsec));
    return llvm::vfs::Status(name, llvm::sys::fs::UniqueID(status.st_dev, status.st_ino), modified,
                             status.st_uid, status.st_gid, uint64_t(status.st_size),
                             type_of(status.st_mode), llvm::sys::fs::perms(status.st_mode & 07777));
}

// All bytes of a descriptor from its start, whatever size stat claimed. false with errno.
bool read_all(int fd, uint64_t size_hint, llvm::SmallVectorImpl<char> &bytes)
{
    bytes.clear();
    size_t chunk = size_hint + 1; // one more shows the end without another round
    lseek(fd, 0, SEEK_SET);
    for (;;) {
        size_t used = bytes.size();
        bytes.resize_for_overwrite(used + chunk);
        ssize_t got = read(fd, bytes.data() + used, chunk);
        if (got < 0 && errno != EINTR)
            return false;
        bytes.truncate(used + size_t(got < 0 ? 0 : got));
        if (got == 0)
            return true;
        chunk = std::max<size_t>(chunk - size_t(got < 0 ? 0 : got), 4096);
    }
}

void blank_first_line(llvm::MutableArrayRef<char> text)
{
    if (text.size() < 2 || text[0] != '#' || text[1] != '!')
        return;
    for (char &c : text) {
        if (c == '\n')
            break;
        c = ' ';
    }
}

} // namespace

// A real file, opened.
class RecordingFileSystem::OpenFile : public llvm::vfs::File
{
  public:
    OpenFile(RecordingFileSystem &owner, int fd, const struct stat &stat, std::string name)
        : owner_(owner), fd_(fd), stat_(stat), name_(std::move(name))
    {
    }
    ~OpenFile() override
    {
        close();
    }

    ErrorOr<llvm::vfs::Status> status() override
    {
        return status_of(name_, stat_);
    }

    ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> getBuffer(const Twine &name, int64_t, bool,
                                                           bool) override;

    std::error_code close() override
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
        return {};
    }

  private:
    bool read_settled(llvm::SmallVectorImpl<char> &bytes);

    RecordingFileSystem &owner_;
    int fd_;
    struct stat stat_;
    std::string name_;
};

// Read until the file stood still meanwhile. false with errno.
bool RecordingFileSystem::OpenFile::read_settled(llvm::SmallVectorImpl<char> &bytes)
{
    for (int attempt = 0; attempt < read_attempts; attempt++) {
        struct stat after;
        if (!read_all(fd_, uint64_t(stat_.st_size), bytes) || fstat(fd_, &after) != 0)
            return false;
        bool same =
            identity_of(stat_) == identity_of(after) && bytes.size() == uint64_t(after.st_size);
        stat_ = after;
        if (same)
            return true;
    }
    owner_.log_.changed(name_);
    return true;
}

ErrorOr<std::unique_ptr<llvm::MemoryBuffer>>
RecordingFileSystem::OpenFile::getBuffer(const Twine &name, int64_t, bool, bool)
{
    llvm::SmallVector<char, 0> bytes;
    if (!S_ISREG(stat_.st_mode)) {
        if (!read_all(fd_, 0, bytes))
            return last_error();
    } else {
        if (!read_settled(bytes))
            return last_error();
        Identity identity = identity_of(stat_);
        Digest digest;
        if (!digest_table_find(identity, &digest)) {
            digest = digest_of(StringRef(bytes.data(), bytes.size()));
            digest_table_add(identity, digest);
        }
        owner_.log_.read(name_, identity, digest);
    }
    if (owner_.script_ == owner_.log_.absolute(name_))
        blank_first_line(bytes);
    return llvm::MemoryBuffer::getMemBufferCopy(StringRef(bytes.data(), bytes.size()), name);
}

// A memory file that is the script: the same but for its first line.
class RecordingFileSystem::MemoryFile : public llvm::vfs::File
{
  public:
    explicit MemoryFile(std::unique_ptr<llvm::vfs::File> file) : file_(std::move(file)) {}
    ErrorOr<llvm::vfs::Status> status() override
    {
        return file_->status();
    }
    ErrorOr<std::unique_ptr<llvm::MemoryBuffer>>
    getBuffer(const Twine &name, int64_t size, bool terminated, bool is_volatile) override
    {
        auto original = file_->getBuffer(name, size, terminated, is_volatile);
        if (!original)
            return original;
        auto copy =
            llvm::WritableMemoryBuffer::getNewUninitMemBuffer((*original)->getBufferSize(), name);
        std::copy((*original)->getBufferStart(), (*original)->getBufferEnd(),
                  copy->getBufferStart());
        blank_first_line(copy->getBuffer());
        return std::unique_ptr<llvm::MemoryBuffer>(std::move(copy));
    }
    std::error_code close() override
    {
        return file_->close();
    }

  private:
    std::unique_ptr<llvm::vfs::File> file_;
};

RecordingFileSystem::RecordingFileSystem(
    InputLog &log, StringRef virtual_directory,
    llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> memory_files)
    : log_(log), virtual_directory_(virtual_directory), memory_files_(std::move(memory_files))
{
    char buffer[PATH_MAX];
    if (const char *directory = getcwd(buffer, sizeof buffer))
        directory_ = directory;
}

void RecordingFileSystem::set_script(StringRef path)
{
    script_ = log_.absolute(path);
}

namespace
{

bool is_below(StringRef path, StringRef directory)
{
    return path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

} // namespace

// Below the library's own directory everything is in memory, also what is looked for in vain; beside
// it, where dependencies have lent files, theirs.
bool RecordingFileSystem::is_virtual(StringRef path) const
{
    if (virtual_directory_.empty())
        return false;
    if (is_below(path, virtual_directory_))
        return true;
    StringRef root = StringRef(virtual_directory_).rsplit('/').first;
    if (root.empty() || !is_below(path, root) || path.size() == root.size())
        return false;
    return memory_files_->exists(path.substr(0, path.find('/', root.size() + 1)));
}

ErrorOr<llvm::vfs::Status> RecordingFileSystem::status(const Twine &Path)
{
    SmallString<256> storage;
    StringRef path = Path.toNullTerminatedStringRef(storage);
    if (is_virtual(path))
        return memory_files_->status(Path);
    struct stat result;
    if (gate_stat_unrecorded(path.data(), &result) != 0) {
        std::error_code error = last_error();
        if (is_absence(error))
            log_.absent(path);
        return error;
    }
    log_.exists(path, result);
    return status_of(Path, result);
}

ErrorOr<std::unique_ptr<llvm::vfs::File>> RecordingFileSystem::openFileForRead(const Twine &Path)
{
    SmallString<256> storage;
    StringRef path = Path.toNullTerminatedStringRef(storage);
    if (is_virtual(path)) {
        auto file = memory_files_->openFileForRead(Path);
        if (file && script_ == path)
            return std::unique_ptr<llvm::vfs::File>(std::make_unique<MemoryFile>(std::move(*file)));
        return file;
    }
    int fd = gate_open_unrecorded(path.data());
    if (fd < 0) {
        std::error_code error = last_error();
        if (is_absence(error))
            log_.absent(path);
        return error;
    }
    struct stat stat;
    if (fstat(fd, &stat) != 0) {
        std::error_code error = last_error();
        close(fd);
        return error;
    }
    log_.exists(path, stat);
    return std::unique_ptr<llvm::vfs::File>(
        std::make_unique<OpenFile>(*this, fd, stat, std::string(path)));
}

// The gate records the listing.
llvm::vfs::directory_iterator RecordingFileSystem::dir_begin(const Twine &Dir, std::error_code &EC)
{
    SmallString<256> storage;
    if (is_virtual(Dir.toStringRef(storage)))
        return memory_files_->dir_begin(Dir, EC);
    return llvm::vfs::getRealFileSystem()->dir_begin(Dir, EC);
}

std::error_code RecordingFileSystem::setCurrentWorkingDirectory(const Twine &Path)
{
    SmallString<256> storage;
    StringRef path = Path.toStringRef(storage);
    if (path == directory_)
        return {};
    // -working-directory= is applied by the file manager; nothing else of Clang changes directory.
    return std::make_error_code(std::errc::operation_not_permitted);
}

ErrorOr<std::string> RecordingFileSystem::getCurrentWorkingDirectory() const
{
    return directory_;
}

std::error_code RecordingFileSystem::getRealPath(const Twine &Path,
                                                 llvm::SmallVectorImpl<char> &Output)
{
    SmallString<256> storage;
    StringRef path = Path.toNullTerminatedStringRef(storage);
    if (is_virtual(path)) {
        Output.assign(path.begin(), path.end());
        return {};
    }
    char resolved[PATH_MAX];
    if (!realpath(path.data(), resolved))
        return last_error();
    StringRef result(resolved);
    Output.assign(result.begin(), result.end());
    return {};
}

std::error_code RecordingFileSystem::isLocal(const Twine &, bool &Result)
{
    Result = true; // contents are copies: nothing depends on it
    return {};
}

} // namespace kiln
