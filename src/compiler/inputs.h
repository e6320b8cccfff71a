// inputs.h - what a compile or link read, looked for, and did not find.
//
// An InputLog gathers one request's inputs from whoever touches files: the recording file system
// (which knows digests of the very bytes it handed out) and the file gate (which sees what bypasses
// that). Its result is sorted and holds each path once per kind, without what other entries imply.
// Thread-safe: LLD opens files on several threads.
#pragma once

#include "compiler/digest.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <map>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace kiln
{

// As Input.Kind of wire.proto, in its order.
enum class InputKind { File, Absent, Directory, Exists, Clock, Timestamp };

struct Input {
    std::string path;
    InputKind kind;
    Identity identity{};
    Digest digest{};
};

// Whether a path stands for stored state at all; devices, processes and the kernel's tables do not.
bool is_recordable(llvm::StringRef path);

class InputLog
{
  public:
    // Relative paths are resolved against `directory`.
    explicit InputLog(std::string directory) : directory_(std::move(directory)) {}

    void absent(llvm::StringRef path);
    void exists(llvm::StringRef path, const struct stat &status);
    void listed(llvm::StringRef path, const struct stat &status);
    // The bytes behind `digest` were handed out.
    void read(llvm::StringRef path, const Identity &identity, const Digest &digest);
    // Somebody reads the file past the recorder; finish() digests it.
    void opened(llvm::StringRef path, const struct stat &status);
    // The result depends on the clock: it holds from..until (nanoseconds since 1970).
    void clock(int64_t from_ns, int64_t until_ns);
    // __TIMESTAMP__: the time of the file's last change is part of the result.
    void timestamp(llvm::StringRef path);
    // What another process of this request has found.
    void add(const Input &input);
    // A file was seen with different contents within this request, or would not stand still.
    void changed(llvm::StringRef path);

    // The inputs so far. Files that were read past the recorder are digested now; *changed_paths
    // gets those that were altered since they were opened.
    std::vector<Input> finish(std::vector<std::string> *changed_paths);

    // The files that were read past the recorder so far.
    std::vector<std::string> opened_paths();

    std::string absolute(llvm::StringRef path) const;

  private:
    struct Entry {
        InputKind kind;
        Identity identity{};
        Digest digest{};
        bool needs_digest = false;
    };
    void note(llvm::StringRef path, InputKind kind, const Identity &identity);
    void digest_opened(const std::string &path, Entry &entry);

    std::mutex mutex_; // guards all below
    std::string directory_;
    std::map<std::string, Entry, std::less<>> entries_;
    std::vector<Input> special_; // Clock and Timestamp
    std::vector<std::string> changed_;
};

} // namespace kiln
