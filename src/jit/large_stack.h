// large_stack.h - work that needs more stack than who calls it may have: threads and coroutines of hosts
// often have little, and LLVM takes what it needs.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"

#include <cstddef>

namespace kiln
{

// Run it on this thread, here if enough stack is left, else on a stack that is made for it; without memory
// for one, here. It must not throw. May be nested.
void run_on_large_stack(llvm::function_ref<void()> run);

// As backtrace (execinfo.h), of this thread: beyond the stacks that were made, too.
int frames_of_this_thread(void **frames, int capacity);

} // namespace kiln
