// processor_stubs.h - what depends on the processor, pieces of machine code that linked objects get above all:
// one file a processor.
#pragma once

#include "llvm/ExecutionEngine/JITLink/JITLink.h"

namespace kiln
{

// Functions of libc that it links statically into each library, since they have to know which one
// calls (libc_nonshared.a): `name` becomes a function of the graph's own that hands on to `target`,
// with the address of the graph's __dso_handle as its argument of that number, from 0 on; the
// arguments between, if any, are NULL. false: there is none of that name.
struct LibraryFunction {
    const char *name, *target;
    unsigned own_arguments, handle_argument;
};
constexpr LibraryFunction library_functions[] = {
    {"atexit", "__cxa_atexit", 1, 2},
    {"at_quick_exit", "__cxa_at_quick_exit", 1, 1},
    {"pthread_atfork", "__register_atfork", 3, 3},
};

// Define `function`, an external symbol of the graph.
void define_library_function(llvm::jitlink::LinkGraph &graph, llvm::jitlink::Symbol &function,
                             const LibraryFunction &what, llvm::jitlink::Symbol &dso_handle,
                             llvm::jitlink::Symbol &target);

// Loads through the global offset table stay loads: what LLVM 22 makes of them where it relaxes them
// can be out of range.
void keep_table_loads(llvm::jitlink::LinkGraph &graph);

// Whether what an edge leads to has to be within 32 bits of it, and is no code.
bool is_near_reference(const llvm::jitlink::Edge &edge);

extern const unsigned processor_of_objects; // ELF's e_machine
// Whether JITLink knows a type of relocation, with that addend; how many bytes any type changes.
bool is_known_relocation(unsigned type, int64_t addend);
unsigned relocation_width(unsigned type);

} // namespace kiln
