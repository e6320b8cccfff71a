// digest.cpp - BLAKE2b digests and the table shared by all jobs. See digest.h.
#include "compiler/digest.h"

#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <sodium.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

namespace kiln
{
namespace
{

constexpr size_t table_size = 1 << 14;
constexpr size_t probe_limit = 16;
// An identity vouches for its bytes once its times are older than any file system's clock could
// blur.
constexpr int64_t settled_ns = 2'000'000'000;

enum : uint32_t { slot_free, slot_claimed, slot_ready };

struct Slot {
    std::atomic<uint32_t> state;
    Identity identity;
    Digest digest;
};
static_assert(std::atomic<uint32_t>::is_always_lock_free, "the table is shared between processes");

Slot *table;

int64_t nanoseconds(const timespec &time)
{
    return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

bool is_settled(const Identity &identity)
{
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return std::max(identity.mtime_ns, identity.ctime_ns) + settled_ns < nanoseconds(now);
}

size_t first_slot(const Identity &identity)
{
    uint64_t mixed = identity.inode * 0x9e3779b97f4a7c15u ^ identity.device ^
                     uint64_t(identity.ctime_ns) ^ identity.size << 32;
    mixed ^= mixed >> 29;
    return mixed * 0xbf58476d1ce4e5b9u >> 40 & (table_size - 1);
}

} // namespace

Identity identity_of(const struct stat &status)
{
    return {uint64_t(status.st_dev), uint64_t(status.st_ino), uint64_t(status.st_size),
            nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

Digest digest_of(llvm::StringRef bytes)
{
    Digest digest;
    crypto_generichash(digest.data(), digest.size(),
                       reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(), nullptr,
                       0);
    return digest;
}

bool digest_fd(int fd, Digest *digest)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, nullptr, 0, digest->size());
    llvm::SmallVector<unsigned char, 0> buffer;
    buffer.resize_for_overwrite(1 << 16);
    for (off_t offset = 0;;) {
        ssize_t got = pread(fd, buffer.data(), buffer.size(), offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        crypto_generichash_update(&state, buffer.data(), size_t(got));
        offset += got;
    }
    crypto_generichash_final(&state, digest->data(), digest->size());
    return true;
}

void digest_table_create()
{
    void *memory = mmap(nullptr, table_size * sizeof(Slot), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        table = static_cast<Slot *>(memory); // zero pages: every slot is free
}

bool digest_table_find(const Identity &identity, Digest *digest)
{
    if (!table)
        return false;
    size_t index = first_slot(identity);
    for (size_t probe = 0; probe < probe_limit; probe++) {
        Slot &slot = table[(index + probe) & (table_size - 1)];
        uint32_t state = slot.state.load(std::memory_order_acquire);
        if (state == slot_free)
            return false;
        if (state == slot_ready && slot.identity == identity) {
            *digest = slot.digest;
            return true;
        }
    }
    return false;
}

void digest_table_add(const Identity &identity, const Digest &digest)
{
    if (!table || !is_settled(identity))
        return;
    size_t index = first_slot(identity);
    for (size_t probe = 0; probe < probe_limit; probe++) {
        Slot &slot = table[(index + probe) & (table_size - 1)];
        uint32_t expected = slot_free;
        if (slot.state.compare_exchange_strong(expected, slot_claimed, std::memory_order_acquire)) {
            slot.identity = identity;
            slot.digest = digest;
            slot.state.store(slot_ready, std::memory_order_release);
            return;
        }
        if (expected == slot_ready && slot.identity == identity)
            return;
    }
}

} // namespace kiln
