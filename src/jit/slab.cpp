// slab.cpp - see slab.h.
#include "jit/slab.h"

#include "llvm/ExecutionEngine/JITLink/JITLink.h"

#include <sys/mman.h>
#include <unistd.h>

namespace kiln
{

using namespace llvm;
using jitlink::BasicLayout;

namespace
{

constexpr size_t least_size = size_t(1) << 24;

int protection_of(orc::MemProt protection)
{
    int bits = PROT_NONE;
    if ((protection & orc::MemProt::Read) != orc::MemProt::None)
        bits |= PROT_READ;
    if ((protection & orc::MemProt::Write) != orc::MemProt::None)
        bits |= PROT_WRITE;
    if ((protection & orc::MemProt::Exec) != orc::MemProt::None)
        bits |= PROT_EXEC;
    return bits;
}

Error system_error(const char *what)
{
    return make_error<StringError>(what, std::error_code(errno, std::generic_category()));
}

} // namespace

// One graph's memory, from its allocation to the end of its link.
class Slab::Piece : public InFlightAlloc
{
  public:
    Piece(Slab &slab, jitlink::LinkGraph &graph, BasicLayout layout, char *begin, size_t size,
          size_t kept)
        : slab_(slab), graph_(&graph), layout_(std::move(layout)), begin_(begin), size_(size),
          kept_(kept)
    {
    }

    void abandon(OnAbandonedFunction done) override
    {
        slab_.give_back(begin_, size_);
        done(Error::success());
    }

    void finalize(OnFinalizedFunction done) override
    {
        for (auto &[group, segment] : layout_.segments()) {
            size_t size = alignTo(segment.ContentSize + segment.ZeroFillSize, slab_.page_size_);
            if (size && mprotect(segment.WorkingMem, size, protection_of(group.getMemProt()))) {
                Error error = system_error("cannot protect linked code");
                slab_.give_back(begin_, size_);
                return done(std::move(error));
            }
        }
        auto at_end = orc::shared::runFinalizeActions(graph_->allocActions());
        if (!at_end) {
            slab_.give_back(begin_, size_);
            return done(at_end.takeError());
        }
        // What only the link needed goes at once.
        slab_.give_back(begin_ + kept_, size_ - kept_);
        {
            std::lock_guard<std::mutex> lock(slab_.mutex_);
            slab_.finished_[begin_] = {kept_, std::move(*at_end)};
        }
        done(FinalizedAlloc(orc::ExecutorAddr::fromPtr(begin_)));
    }

  private:
    Slab &slab_;
    jitlink::LinkGraph *graph_;
    BasicLayout layout_;
    char *begin_;
    size_t size_, kept_;
};

Slab::Slab(void *base, size_t size, size_t page_size)
    : base_(base), size_(size), page_size_(page_size), next_(static_cast<char *>(base))
{
    free_[static_cast<char *>(base)] = size;
}

Slab::~Slab()
{
    munmap(base_, size_);
}

Expected<std::unique_ptr<Slab>> Slab::create(size_t size)
{
    size_t page_size = size_t(sysconf(_SC_PAGESIZE));
    for (size = alignTo(size, page_size);; size = alignTo(size / 2, page_size)) {
        void *base =
            mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base != MAP_FAILED)
            return std::unique_ptr<Slab>(new Slab(base, size, page_size));
        if (size <= least_size)
            return system_error("cannot reserve address space for code");
    }
}

// Next fit (Knuth, The Art of Computer Programming 1, 2.5): an address is used again as late as can be,
// for the sake of debuggers, profilers and whoever keeps a pointer too long.
char *Slab::take(size_t size)
{
    std::lock_guard<std::mutex> lock(mutex_);
    auto behind = free_.upper_bound(next_);
    if (behind != free_.begin()) {
        auto hole = std::prev(behind); // that next_ lies in
        char *end = hole->first + hole->second;
        if (next_ < end && size_t(end - next_) >= size)
            return take_from(hole, next_, size);
    }
    auto fits = [size](const auto &hole) { return hole.second >= size; };
    auto hole = std::find_if(behind, free_.end(), fits);
    if (hole == free_.end())
        hole = std::find_if(free_.begin(), free_.end(), fits);
    return hole == free_.end() ? nullptr : take_from(hole, hole->first, size);
}

char *Slab::take_from(Holes::iterator hole, char *begin, size_t size)
{
    size_t before = size_t(begin - hole->first), after = hole->second - before - size;
    if (before)
        hole->second = before;
    else
        free_.erase(hole);
    next_ = begin + size;
    if (after)
        free_[next_] = after;
    used_ += size;
    return begin;
}

// Its pages are gone, and full of zeros when they are taken again.
void Slab::give_back(char *begin, size_t size)
{
    if (!size)
        return;
    madvise(begin, size, MADV_DONTNEED);
    mprotect(begin, size, PROT_NONE);
    std::lock_guard<std::mutex> lock(mutex_);
    used_ -= size;
    auto hole = free_.emplace(begin, size).first;
    auto next = std::next(hole);
    if (next != free_.end() && hole->first + hole->second == next->first) {
        hole->second += next->second;
        free_.erase(next);
    }
    if (hole == free_.begin())
        return;
    auto last = std::prev(hole);
    if (last->first + last->second == hole->first) {
        last->second += hole->second;
        free_.erase(hole);
    }
}

void Slab::allocate(const jitlink::JITLinkDylib *, jitlink::LinkGraph &graph,
                    OnAllocatedFunction done)
{
    BasicLayout layout(graph);
    auto sizes = layout.getContiguousPageBasedLayoutSizes(page_size_);
    if (!sizes)
        return done(sizes.takeError());
    // A page at least: a piece is known by where it begins.
    size_t kept = std::max(size_t(sizes->StandardSegs), page_size_);
    size_t size = kept + size_t(sizes->FinalizeSegs);
    char *begin = take(size);
    if (!begin)
        return done(make_error<StringError>("no room is left for '" + graph.getName() +
                                                "' in the address space of the engine",
                                            std::make_error_code(std::errc::not_enough_memory)));
    if (mprotect(begin, size, PROT_READ | PROT_WRITE)) {
        Error error = system_error("cannot make room for code");
        give_back(begin, size);
        return done(std::move(error));
    }
    char *standard = begin, *finalize = begin + kept;
    for (auto &[group, segment] : layout.segments()) {
        char *&next = group.getMemLifetime() == orc::MemLifetime::Standard ? standard : finalize;
        segment.Addr = orc::ExecutorAddr::fromPtr(next);
        segment.WorkingMem = next;
        next += alignTo(segment.ContentSize + segment.ZeroFillSize, page_size_);
    }
    if (Error error = layout.apply()) {
        give_back(begin, size);
        return done(std::move(error));
    }
    done(std::make_unique<Piece>(*this, graph, std::move(layout), begin, size, kept));
}

Slab::Pieces::iterator Slab::find(const void *inside)
{
    char *address = static_cast<char *>(const_cast<void *>(inside));
    auto next = finished_.upper_bound(address);
    if (next == finished_.begin())
        return finished_.end();
    auto piece = std::prev(next);
    return address < piece->first + piece->second.size ? piece : finished_.end();
}

void Slab::hold(const void *inside)
{
    std::lock_guard<std::mutex> lock(mutex_);
    auto piece = find(inside);
    if (piece != finished_.end())
        piece->second.is_held = true;
}

void Slab::let_go(const void *inside)
{
    std::unique_lock<std::mutex> lock(mutex_);
    auto piece = find(inside);
    if (piece == finished_.end())
        return;
    piece->second.is_held = false;
    if (piece->second.is_deallocated)
        consumeError(end(piece, std::move(lock)));
}

Error Slab::end(Pieces::iterator found, std::unique_lock<std::mutex> lock)
{
    Error error = Error::success();
    char *begin = found->first;
    Finished piece = std::move(found->second);
    finished_.erase(found);
    lock.unlock();
    for (; !piece.at_end.empty(); piece.at_end.pop_back())
        error = joinErrors(std::move(error), piece.at_end.back().runWithSPSRetErrorMerged());
    give_back(begin, piece.size);
    return error;
}

void Slab::deallocate(std::vector<FinalizedAlloc> allocations, OnDeallocatedFunction done)
{
    Error error = Error::success();
    for (FinalizedAlloc &allocation : reverse(allocations)) {
        std::unique_lock<std::mutex> lock(mutex_);
        auto piece = finished_.find(allocation.release().toPtr<char *>());
        piece->second.is_deallocated = true;
        if (!piece->second.is_held)
            error = joinErrors(std::move(error), end(piece, std::move(lock)));
    }
    done(std::move(error));
}

void **Slab::new_word()
{
    std::unique_lock<std::mutex> lock(mutex_);
    if (free_words_.empty()) {
        lock.unlock();
        auto page = reinterpret_cast<void **>(take(page_size_));
        if (!page)
            return nullptr;
        if (mprotect(page, page_size_, PROT_READ | PROT_WRITE)) {
            give_back(reinterpret_cast<char *>(page), page_size_);
            return nullptr;
        }
        lock.lock();
        used_ -= page_size_; // no code's
        for (size_t i = page_size_ / sizeof(void *); i > 0; i--)
            free_words_.push_back(page + i - 1);
    }
    void **word = free_words_.back();
    free_words_.pop_back();
    return word;
}

void Slab::free_word(void **word)
{
    std::lock_guard<std::mutex> lock(mutex_);
    free_words_.push_back(word);
}

} // namespace kiln
