// debugger.h - code that debuggers know ("JIT Compilation Interface", GDB manual; LLDB reads the same).
//
// A debugger gets the object as it was, with the addresses of its sections filled in, and applies its
// relocations itself. It is told of the end of the code, too, so that it does not take what lies there
// later for it. Any thread.
#pragma once

#include "llvm/ExecutionEngine/Orc/TargetProcess/JITLoaderGDB.h"
#include "llvm/Support/MemoryBuffer.h"

namespace llvm::jitlink
{
class LinkGraph;
}

namespace kiln
{

extern std::mutex debugger_mutex; // guards what debuggers are told

class DebugObject
{
  public:
    // Of an object that was laid out, and whose symbols have their addresses. NULL: it has no debug
    // information.
    static std::unique_ptr<DebugObject> create(llvm::MemoryBufferRef object,
                                               llvm::jitlink::LinkGraph &graph);
    ~DebugObject(); // the debugger is told, while the code is still there
    // The code is in its place.
    void tell();

  private:
    explicit DebugObject(std::unique_ptr<llvm::WritableMemoryBuffer> bytes)
        : bytes_(std::move(bytes))
    {
    }

    std::unique_ptr<llvm::WritableMemoryBuffer> bytes_;
    void call_debugger(uint32_t action);

    jit_code_entry entry_ = {};
    bool is_told_ = false;
};

} // namespace kiln
