// inputs.cpp - gathering of inputs. See inputs.h.
#include "compiler/inputs.h"
#include "compiler/file_gate.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace kiln
{
namespace
{

// How much a kind says: a path that was read needs no entry for its mere existence.
int strength(InputKind kind)
{
    switch (kind) {
    case InputKind::File:
        return 3;
    case InputKind::Directory:
        return 2;
    case InputKind::Exists:
        return 1;
    default:
        return 0;
    }
}

bool is_below(llvm::StringRef path, llvm::StringRef directory)
{
    return path.size() > directory.size() && path.starts_with(directory) &&
           path[directory.size()] == '/';
}

// Whether an entry says nothing beside its neighbours: the existence of a directory in which
// something was found, and the absence of what stands below an absent directory. `next` is the
// first entry below `input`, if there is one.
bool is_implied(const Input &input, const std::vector<Input> &kept, const std::vector<Input> &all,
                size_t position)
{
    if (input.kind == InputKind::Absent)
        return !kept.empty() && kept.back().kind == InputKind::Absent &&
               is_below(input.path, kept.back().path);
    if (input.kind != InputKind::Exists)
        return false;
    for (size_t i = position + 1; i < all.size() && is_below(all[i].path, input.path); i++) {
        if (all[i].kind != InputKind::Absent)
            return true;
    }
    return false;
}

// Byte order, but with '/' first, so that whatever stands below a directory follows it at once.
bool path_less(const Input &a, const Input &b)
{
    auto rank = [](unsigned char c) { return c == '/' ? 0 : int(c) + 1; };
    return std::lexicographical_compare(a.path.begin(), a.path.end(), b.path.begin(), b.path.end(),
                                        [&](char x, char y) { return rank(x) < rank(y); });
}

} // namespace

bool is_recordable(llvm::StringRef path)
{
    return !path.empty() && !path.starts_with("/proc/") && !path.starts_with("/dev/") &&
           !path.starts_with("/sys/");
}

std::string InputLog::absolute(llvm::StringRef path) const
{
    llvm::SmallString<256> result;
    if (!llvm::sys::path::is_absolute(path))
        result = directory_;
    llvm::sys::path::append(result, path);
    // Only "." goes: what ".." means is up to symbolic links.
    llvm::sys::path::remove_dots(result, /*remove_dot_dot=*/false);
    return std::string(result);
}

void InputLog::note(llvm::StringRef path, InputKind kind, const Identity &identity)
{
    std::string name = absolute(path);
    if (!is_recordable(name))
        return;
    std::lock_guard<std::mutex> guard(mutex_);
    auto [position, is_new] = entries_.try_emplace(std::move(name), Entry{kind, identity});
    if (is_new || position->second.kind == kind)
        return;
    Entry &entry = position->second;
    if (entry.kind == InputKind::Absent || kind == InputKind::Absent)
        changed_.push_back(position->first); // came or went meanwhile
    if (strength(kind) > strength(entry.kind))
        entry = Entry{kind, identity};
}

void InputLog::absent(llvm::StringRef path)
{
    note(path, InputKind::Absent, {});
}

void InputLog::exists(llvm::StringRef path, const struct stat &status)
{
    note(path, InputKind::Exists, identity_of(status));
}

void InputLog::listed(llvm::StringRef path, const struct stat &status)
{
    note(path, InputKind::Directory, identity_of(status));
}

void InputLog::read(llvm::StringRef path, const Identity &identity, const Digest &digest)
{
    note(path, InputKind::File, identity);
    std::lock_guard<std::mutex> guard(mutex_);
    auto position = entries_.find(absolute(path));
    if (position == entries_.end())
        return;
    Entry &entry = position->second;
    bool is_first = entry.digest == Digest{} && !entry.needs_digest;
    if (is_first)
        entry.digest = digest;
    else if (entry.identity != identity || (!entry.needs_digest && entry.digest != digest))
        changed_.push_back(position->first);
}

void InputLog::opened(llvm::StringRef path, const struct stat &status)
{
    if (!S_ISREG(status.st_mode)) {
        exists(path, status);
        return;
    }
    Identity identity = identity_of(status);
    note(path, InputKind::File, identity);
    std::lock_guard<std::mutex> guard(mutex_);
    auto position = entries_.find(absolute(path));
    if (position == entries_.end())
        return;
    Entry &entry = position->second;
    if (entry.identity != identity)
        changed_.push_back(position->first);
    else if (entry.digest == Digest{})
        entry.needs_digest = true;
}

void InputLog::clock(int64_t from_ns, int64_t until_ns)
{
    std::lock_guard<std::mutex> guard(mutex_);
    Input input{"", InputKind::Clock};
    input.identity.ctime_ns = from_ns;
    input.identity.mtime_ns = until_ns;
    special_.push_back(std::move(input));
}

void InputLog::timestamp(llvm::StringRef path)
{
    std::string name = absolute(path);
    std::lock_guard<std::mutex> guard(mutex_);
    auto position = entries_.find(name);
    if (position != entries_.end())
        special_.push_back({name, InputKind::Timestamp, position->second.identity});
}

void InputLog::add(const Input &input)
{
    switch (input.kind) {
    case InputKind::File:
        read(input.path, input.identity, input.digest);
        break;
    case InputKind::Absent:
    case InputKind::Directory:
    case InputKind::Exists:
        note(input.path, input.kind, input.identity);
        break;
    case InputKind::Clock:
    case InputKind::Timestamp:
        break; // the front end's alone: this process has them
    }
}

void InputLog::changed(llvm::StringRef path)
{
    std::string name = absolute(path);
    std::lock_guard<std::mutex> guard(mutex_);
    changed_.push_back(std::move(name));
}

std::vector<std::string> InputLog::opened_paths()
{
    std::lock_guard<std::mutex> guard(mutex_);
    std::vector<std::string> paths;
    for (const auto &[path, entry] : entries_) {
        if (entry.needs_digest)
            paths.push_back(path);
    }
    return paths;
}

void InputLog::digest_opened(const std::string &path, Entry &entry)
{
    entry.needs_digest = false;
    int fd = gate_open_unrecorded(path.c_str());
    struct stat before, after;
    bool same = fd >= 0 && fstat(fd, &before) == 0 && identity_of(before) == entry.identity;
    if (same && !digest_table_find(entry.identity, &entry.digest)) {
        same = digest_fd(fd, &entry.digest) && fstat(fd, &after) == 0 &&
               identity_of(after) == entry.identity;
        if (same)
            digest_table_add(entry.identity, entry.digest);
    }
    if (!same)
        changed_.push_back(path);
    if (fd >= 0)
        close(fd);
}

std::vector<Input> InputLog::finish(std::vector<std::string> *changed_paths)
{
    std::lock_guard<std::mutex> guard(mutex_);
    std::vector<Input> all, kept;
    for (auto &[path, entry] : entries_) {
        if (entry.needs_digest)
            digest_opened(path, entry);
        all.push_back({path, entry.kind, entry.identity, entry.digest});
    }
    std::sort(all.begin(), all.end(), path_less);
    for (size_t i = 0; i < all.size(); i++) {
        if (!is_implied(all[i], kept, all, i))
            kept.push_back(all[i]);
    }
    kept.insert(kept.end(), special_.begin(), special_.end());
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    *changed_paths = changed_;
    return kept;
}

} // namespace kiln
