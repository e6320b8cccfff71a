// large_stack.cpp - see large_stack.h: by POSIX's contexts, which glibc keeps, and pthread_getattr_np.
#include "jit/large_stack.h"

#include <algorithm>
#include <cstdint>
#include <execinfo.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace kiln
{
namespace
{

// Generating one function takes up to half a megabyte; what is made is as large as a program's own.
constexpr size_t enough = size_t(1) << 20, made_size = size_t(8) << 20;

struct Bounds {
    uintptr_t low = 0, high = 0;
};

Bounds bounds_of_this_thread()
{
    Bounds bounds;
    pthread_attr_t attributes;
    void *low;
    size_t size, guard;
    if (pthread_getattr_np(pthread_self(), &attributes))
        return bounds;
    if (!pthread_attr_getstack(&attributes, &low, &size) &&
        !pthread_attr_getguardsize(&attributes, &guard))
        bounds = {uintptr_t(low) + guard, uintptr_t(low) + size};
    pthread_attr_destroy(&attributes);
    return bounds;
}

// A stack that was made, while it is used.
struct Made {
    Made *outer;
    Bounds bounds;
    void *frames[256]; // of where it was left for this one
    int frame_count;
    llvm::function_ref<void()> run;
    ucontext_t here, there;
};

thread_local Made *innermost;

bool has_enough()
{
    static thread_local Bounds own = bounds_of_this_thread();
    const Bounds &bounds = innermost ? innermost->bounds : own;
    uintptr_t here = uintptr_t(__builtin_frame_address(0));
    // A coroutine's stack lies elsewhere, and nobody knows how large it is.
    return here >= bounds.low && here < bounds.high && here - bounds.low >= enough;
}

void begin()
{
    innermost->run();
}

} // namespace

void run_on_large_stack(llvm::function_ref<void()> run)
{
    if (has_enough())
        return run();
    size_t guard = size_t(sysconf(_SC_PAGESIZE));
    void *memory = mmap(nullptr, made_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return run();
    mprotect(memory, guard, PROT_NONE);
    uintptr_t low = uintptr_t(memory) + guard;
    // On that stack, too: this one has no room for it.
    auto *made = new (reinterpret_cast<void *>(low))
        Made{innermost, {low + sizeof(Made), uintptr_t(memory) + made_size}, {}, 0, run, {}, {}};
    made->frame_count = backtrace(made->frames, 256);
    if (getcontext(&made->there) == 0) {
        made->there.uc_stack.ss_sp = reinterpret_cast<void *>(made->bounds.low);
        made->there.uc_stack.ss_size = made->bounds.high - made->bounds.low;
        made->there.uc_link = &made->here;
        makecontext(&made->there, begin, 0);
        innermost = made;
        swapcontext(&made->here, &made->there);
        innermost = made->outer;
    } else {
        run();
    }
    munmap(memory, made_size);
}

int frames_of_this_thread(void **frames, int capacity)
{
    int count = backtrace(frames, capacity);
    for (const Made *made = innermost; made; made = made->outer) {
        int more = std::min(made->frame_count, capacity - count);
        std::copy_n(made->frames, more, frames + count);
        count += more;
    }
    return count;
}

} // namespace kiln
