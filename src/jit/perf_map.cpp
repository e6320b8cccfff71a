// perf_map.cpp - see perf_map.h.
#include "jit/perf_map.h"

#include "llvm/Demangle/Demangle.h"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace kiln
{

std::mutex perf_map_mutex;

namespace
{

// Anybody can put something else there: a link is not followed, and nothing that exists is truncated.
FILE *open_map()
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", int(getpid()));
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return descriptor >= 0 ? fdopen(descriptor, "a") : nullptr;
}

} // namespace

void perf_map_add(llvm::jitlink::LinkGraph &graph)
{
    std::lock_guard<std::mutex> lock(perf_map_mutex);
    FILE *map = open_map();
    if (!map)
        return;
    for (llvm::jitlink::Symbol *symbol : graph.defined_symbols())
        if (symbol->hasName() && symbol->isCallable() && symbol->getSize())
            fprintf(map, "%llx %llx %s\n", (unsigned long long)symbol->getAddress().getValue(),
                    (unsigned long long)symbol->getSize(),
                    llvm::demangle((*symbol->getName()).str()).c_str());
    fclose(map);
}

} // namespace kiln
