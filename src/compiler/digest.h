// digest.h - identities and digests of files, and the table that lets jobs share them.
//
// BLAKE2b-256 throughout. The table lives in memory shared by the zygote and all jobs, so that
// system headers and the C library are digested once per compiler process. Lock-free: a slot is
// claimed once, written, then published, and never changes again; a writer that dies leaves a dead
// slot.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <array>
#include <cstdint>
#include <sys/stat.h>

namespace kiln
{

// Which bytes a path stands for, as far as stat can tell.
struct Identity {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t mtime_ns = 0, ctime_ns = 0;
    bool operator==(const Identity &) const = default;
};

using Digest = std::array<uint8_t, 32>;

Identity identity_of(const struct stat &status);
Digest digest_of(llvm::StringRef bytes);
// Of the whole of an open file, read at offset 0 onwards. false with errno.
bool digest_fd(int fd, Digest *digest);

// Map the shared table; called once by the zygote before it forks. Without it (no memory) nothing
// is shared.
void digest_table_create();
// Only identities that are older than the clock's grain are remembered: those alone vouch for the
// bytes.
bool digest_table_find(const Identity &identity, Digest *digest);
void digest_table_add(const Identity &identity, const Digest &digest);

} // namespace kiln
