// processor_stubs_x86_64.cpp - see processor_stubs.h.
#include "jit/processor_stubs.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/ExecutionEngine/JITLink/x86_64.h"

namespace kiln
{

using namespace llvm;
namespace x86_64 = jitlink::x86_64;

const unsigned processor_of_objects = ELF::EM_X86_64;

void define_library_function(jitlink::LinkGraph &graph, jitlink::Symbol &function,
                             const LibraryFunction &what, jitlink::Symbol &dso_handle,
                             jitlink::Symbol &target)
{
    // System V ABI: rdi, rsi, rdx, rcx.
    static constexpr char clear_rsi[] = {0x31, char(0xf6)};                  // xor %esi, %esi
    static constexpr char load_rsi[] = {0x48, char(0x8d), 0x35, 0, 0, 0, 0}; // lea ..(%rip), %rsi
    static constexpr char load_rdx[] = {0x48, char(0x8d), 0x15, 0, 0, 0, 0}; // lea ..(%rip), %rdx
    static constexpr char load_rcx[] = {0x48, char(0x8d), 0x0d, 0, 0, 0, 0}; // lea ..(%rip), %rcx
    static constexpr char jump[] = {char(0xe9), 0, 0, 0, 0};                 // jmp ..
    static constexpr ArrayRef<char> loads[] = {{}, load_rsi, load_rdx, load_rcx};
    SmallVector<char, 16> code;
    if (what.own_arguments == 1 && what.handle_argument == 2)
        append_range(code, clear_rsi);
    append_range(code, loads[what.handle_argument]);
    size_t handle_at = code.size() - 4;
    append_range(code, jump);
    jitlink::Section *section = graph.findSectionByName(".text.kiln");
    if (!section)
        section = &graph.createSection(".text.kiln", orc::MemProt::Read | orc::MemProt::Exec);
    jitlink::Block &block = graph.createContentBlock(
        *section, graph.allocateContent(ArrayRef<char>(code)), orc::ExecutorAddr(), 16, 0);
    block.addEdge(x86_64::PCRel32, uint32_t(handle_at), dso_handle, 0);
    block.addEdge(x86_64::BranchPCRel32, uint32_t(code.size() - 4), target, 0);
    graph.makeDefined(function, block, 0, block.getSize(), jitlink::Linkage::Strong,
                      jitlink::Scope::Local, true);
    function.setCallable(true);
}

void keep_table_loads(jitlink::LinkGraph &graph)
{
    for (jitlink::Block *block : graph.blocks())
        for (jitlink::Edge &edge : block->edges()) {
            // Their addends count from the end of the instruction already (JITLink/x86_64.h).
            if (edge.getKind() == x86_64::RequestGOTAndTransformToPCRel32GOTLoadREXRelaxable ||
                edge.getKind() == x86_64::RequestGOTAndTransformToPCRel32GOTLoadRelaxable) {
                edge.setKind(x86_64::RequestGOTAndTransformToDelta32);
                edge.setAddend(edge.getAddend() - 4);
            }
        }
}

bool is_near_reference(const jitlink::Edge &edge)
{
    return edge.getKind() == x86_64::Delta32 || edge.getKind() == x86_64::PCRel32;
}

bool is_known_relocation(unsigned type, int64_t addend)
{
    switch (type) {
    case ELF::R_X86_64_NONE:
    case ELF::R_X86_64_64:
    case ELF::R_X86_64_PC32:
    case ELF::R_X86_64_PLT32:
    case ELF::R_X86_64_GOTPCREL:
    case ELF::R_X86_64_PC64:
    case ELF::R_X86_64_GOTPCREL64:
    case ELF::R_X86_64_GOT64:
    case ELF::R_X86_64_GOTPC64:
        return true;
    case ELF::R_X86_64_GOTPCRELX:
    case ELF::R_X86_64_REX_GOTPCRELX:
        return addend == -4; // JITLink takes it for granted
    default:
        return false;
    }
}

unsigned relocation_width(unsigned type)
{
    switch (type) {
    case ELF::R_X86_64_NONE:
    case ELF::R_X86_64_TLSDESC_CALL:
        return 0;
    case ELF::R_X86_64_8:
    case ELF::R_X86_64_PC8:
        return 1;
    case ELF::R_X86_64_16:
    case ELF::R_X86_64_PC16:
        return 2;
    case ELF::R_X86_64_32:
    case ELF::R_X86_64_32S:
    case ELF::R_X86_64_PC32:
    case ELF::R_X86_64_PLT32:
    case ELF::R_X86_64_GOT32:
    case ELF::R_X86_64_GOTPC32:
    case ELF::R_X86_64_GOTPCREL:
    case ELF::R_X86_64_GOTPCRELX:
    case ELF::R_X86_64_REX_GOTPCRELX:
    case ELF::R_X86_64_SIZE32:
    case ELF::R_X86_64_TLSGD:
    case ELF::R_X86_64_TLSLD:
    case ELF::R_X86_64_DTPOFF32:
    case ELF::R_X86_64_GOTTPOFF:
    case ELF::R_X86_64_TPOFF32:
    case ELF::R_X86_64_GOTPC32_TLSDESC:
        return 4;
    default:
        return 8;
    }
}

} // namespace kiln
