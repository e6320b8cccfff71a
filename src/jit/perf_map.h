// perf_map.h - names for perf: /tmp/perf-PID.map (linux/tools/perf/Documentation/jit-interface.txt).
#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLink.h"

#include <mutex>

namespace kiln
{

extern std::mutex perf_map_mutex; // guards the file

// Add the functions of a linked graph. What cannot be written is left out. Any thread.
void perf_map_add(llvm::jitlink::LinkGraph &graph);

} // namespace kiln
