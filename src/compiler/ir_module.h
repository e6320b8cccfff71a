// ir_module.h - LLVM modules as sources: reading, checking, compiling.
#pragma once

#include "compiler/invocation.h"

namespace kiln
{

// What LLVM's back end and linker have to say, into a DiagnosticList. Installed in an LLVMContext.
std::unique_ptr<llvm::DiagnosticHandler> back_end_messages(DiagnosticList &list);

// Read textual IR or bitcode. NULL where it is neither, or broken; `list` then says why. Malformed
// bitcode can crash LLVM's reader: that, too, is an error here.
std::unique_ptr<llvm::Module> read_module(llvm::MemoryBufferRef buffer, llvm::LLVMContext &context,
                                          DiagnosticList &list);

// Compile the module that is the front end's input. false: `list` has the errors.
bool compile_module(FrontEnd &front, bool &cxx, OutputBytes &bytes, DiagnosticList &list);

// Optimise and emit a module with the front end's options, to `stream`.
void emit_module(FrontEnd &front, llvm::Module &module, clang::BackendAction action,
                 std::unique_ptr<llvm::raw_pwrite_stream> stream);

} // namespace kiln
