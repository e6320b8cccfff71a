/* linux_stack.c - which functions are on this thread's stack: see os.h. */
#include <dlfcn.h>
#include <execinfo.h>

#include "os/os.h"

size_t os_running_functions(const void **functions, size_t capacity)
{
    enum { frames_at_most = 256 };
    void *frames[frames_at_most];
    int depth = backtrace(frames, frames_at_most);
    size_t count = 0;
    for (int i = 0; i < depth && count < capacity; i++) {
        Dl_info found;
        /* A call may be the last instruction of its function. */
        if (dladdr((const char *)frames[i] - 1, &found) && found.dli_saddr)
            functions[count++] = found.dli_saddr;
    }
    return count;
}
