// slab.h - where the code and data of one engine lie: one range of addresses.
//
// Everything in it is within reach of everything else, so that no relocation between two pieces of
// code can be out of range. Pages are private to one piece; they are writable or executable, never
// both once a piece is linked, and go back to the system when it is removed. Any thread.
#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"

#include <atomic>
#include <map>
#include <mutex>

namespace kiln
{

class Slab : public llvm::jitlink::JITLinkMemoryManager
{
  public:
    // Reserve address space: half of it, and so on, where the system does not give as much.
    static llvm::Expected<std::unique_ptr<Slab>> create(size_t size);
    ~Slab() override;

    using JITLinkMemoryManager::allocate;
    using JITLinkMemoryManager::deallocate;
    void allocate(const llvm::jitlink::JITLinkDylib *dylib, llvm::jitlink::LinkGraph &graph,
                  OnAllocatedFunction done) override;
    void deallocate(std::vector<FinalizedAlloc> allocations, OnDeallocatedFunction done) override;

    // The piece that holds this address stays after its deallocation, until it is let go.
    void hold(const void *inside);
    void let_go(const void *inside);

    // A word of data within reach of all code, for as long as the slab is there. NULL: it is full.
    void **new_word();
    void free_word(void **word);

    bool contains(const void *address) const
    {
        return address >= base_ && address < static_cast<const char *>(base_) + size_;
    }
    // Bytes in use.
    size_t used() const
    {
        return used_;
    }

  private:
    class Piece;
    struct Finished {
        size_t size;
        std::vector<llvm::orc::shared::WrapperFunctionCall> at_end;
        bool is_held = false, is_deallocated = false;
    };
    using Pieces = std::map<char *, Finished>;
    using Holes = std::map<char *, size_t>;

    Slab(void *base, size_t size, size_t page_size);
    char *take(size_t size); // NULL: it is full
    char *take_from(Holes::iterator hole, char *begin, size_t size);
    void give_back(char *address, size_t size);
    Pieces::iterator find(const void *inside);
    llvm::Error end(Pieces::iterator piece, std::unique_lock<std::mutex> lock);

    mutable std::mutex mutex_; // guards what follows
    void *base_;
    size_t size_, page_size_;
    std::atomic<size_t> used_ = 0; // to be read by anybody
    char *next_;                   // where to look first
    Holes free_;                   // by address
    Pieces finished_;
    std::vector<void **> free_words_;
};

} // namespace kiln
