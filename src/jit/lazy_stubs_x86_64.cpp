// lazy_stubs_x86_64.cpp - see lazy_stubs.h.
#include "jit/lazy_stubs.h"

#include "llvm/ExecutionEngine/JITLink/x86_64.h"

#include <cpuid.h>

// What stands on the stack: the module, the index, the caller's return address. Vector registers can
// hold arguments in all of their width, so the whole of their state is kept (Intel SDM volume 1,
// chapter 13), as glibc's _dl_runtime_resolve_xsave does it.
__asm__(".text\n"
        ".balign 16\n"
        ".type kiln_lazy_entry, @function\n"
        "kiln_lazy_entry:\n"
        "  .cfi_startproc\n"
        "  .cfi_def_cfa_offset 24\n"
        "  pushq %rbp\n"
        "  .cfi_def_cfa_offset 32\n"
        "  .cfi_offset %rbp, -32\n"
        "  movq %rsp, %rbp\n"
        "  .cfi_def_cfa_register %rbp\n"
        "  pushq %rax\n"
        "  pushq %rcx\n"
        "  pushq %rdx\n"
        "  pushq %rsi\n"
        "  pushq %rdi\n"
        "  pushq %r8\n"
        "  pushq %r9\n"
        "  pushq %r10\n"
        "  pushq %r11\n" // an argument of preserve_none
        "  subq kiln_vector_state_size(%rip), %rsp\n"
        "  andq $-64, %rsp\n"
        "  cmpb $0, kiln_has_xsave(%rip)\n"
        "  je 1f\n"
        "  xorl %eax, %eax\n"
        "  movq %rax, 512(%rsp)\n" // the state's header
        "  movq %rax, 520(%rsp)\n"
        "  movq %rax, 528(%rsp)\n"
        "  movl $0xe6, %eax\n" // SSE, AVX, AVX-512
        "  xorl %edx, %edx\n"
        "  xsave64 (%rsp)\n"
        "  jmp 2f\n"
        "1: fxsave64 (%rsp)\n"
        "2: movq 8(%rbp), %rdi\n"
        "  movq 16(%rbp), %rsi\n"
        "  call kiln_lazy_resolve\n"
        "  movq %rax, 16(%rbp)\n"
        "  cmpb $0, kiln_has_xsave(%rip)\n"
        "  je 1f\n"
        "  movl $0xe6, %eax\n"
        "  xorl %edx, %edx\n"
        "  xrstor64 (%rsp)\n"
        "  jmp 2f\n"
        "1: fxrstor64 (%rsp)\n"
        "2: leaq -72(%rbp), %rsp\n"
        "  popq %r11\n"
        "  popq %r10\n"
        "  popq %r9\n"
        "  popq %r8\n"
        "  popq %rdi\n"
        "  popq %rsi\n"
        "  popq %rdx\n"
        "  popq %rcx\n"
        "  popq %rax\n"
        "  popq %rbp\n"
        "  .cfi_def_cfa %rsp, 24\n"
        "  addq $16, %rsp\n"
        "  .cfi_def_cfa_offset 8\n"
        "  jmp *-8(%rsp)\n" // which signal handlers leave alone (System V ABI, red zone)
        "  .cfi_endproc\n"
        ".size kiln_lazy_entry, .-kiln_lazy_entry\n");

extern "C" {
void kiln_lazy_entry();
__attribute__((visibility("hidden"), used)) uint64_t kiln_vector_state_size = 512;
__attribute__((visibility("hidden"), used)) uint8_t kiln_has_xsave = 0;
}

namespace kiln
{

using namespace llvm;
namespace x86_64 = jitlink::x86_64;

namespace
{

constexpr size_t stub_size = 8, entry_size = 16, header_size = 16, slot_size = 8;

void read_processor()
{
    unsigned a, b, c, d;
    constexpr unsigned osxsave = 1u << 27, state_leaf = 0xd;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave) ||
        !__get_cpuid_count(state_leaf, 0, &a, &b, &c, &d))
        return;
    kiln_vector_state_size = b;
    kiln_has_xsave = 1;
}

// jmp *slot(%rip)
void write_stub(char *code)
{
    static constexpr char bytes[stub_size] = {char(0xff), 0x25, 0, 0, 0, 0, 0x66, char(0x90)};
    memcpy(code, bytes, sizeof bytes);
}

// push $index; push module(%rip); jmp *entry(%rip)
void write_entry(char *code, uint32_t index)
{
    static constexpr char bytes[entry_size + 1] = {
        0x68, 0, 0, 0, 0, char(0xff), 0x35, 0, 0, 0, 0, char(0xe9), 0, 0, 0, 0, char(0xcc)};
    memcpy(code, bytes, entry_size);
    memcpy(code + 1, &index, sizeof index);
}

} // namespace

std::unique_ptr<jitlink::LinkGraph> make_stubs(StringRef name, const std::vector<Stub> &stubs,
                                               LazyModule *module, StringRef slots,
                                               StringRef needed,
                                               std::shared_ptr<orc::SymbolStringPool> names)
{
    static bool done = (read_processor(), true);
    (void)done;
    auto graph = std::make_unique<jitlink::LinkGraph>(
        name.str(), std::move(names), Triple("x86_64-unknown-linux-gnu"), SubtargetFeatures(),
        jitlink::getGenericEdgeKindName);
    auto &code = graph->createSection(".text", orc::MemProt::Read | orc::MemProt::Exec);
    auto &data = graph->createSection(".data", orc::MemProt::Read | orc::MemProt::Write);
    size_t count = stubs.size();
    MutableArrayRef<char> stub_bytes = graph->allocateBuffer(count * stub_size);
    // Behind the entries, the jump that they share.
    MutableArrayRef<char> entry_bytes = graph->allocateBuffer(count * entry_size + stub_size);
    MutableArrayRef<char> header_bytes = graph->allocateBuffer(header_size + slot_size);
    MutableArrayRef<char> slot_bytes = graph->allocateBuffer(count * slot_size);
    memset(header_bytes.data(), 0, header_bytes.size());
    memset(slot_bytes.data(), 0, slot_bytes.size());
    auto resolver = &kiln_lazy_entry;
    memcpy(header_bytes.data(), &module, sizeof module);
    memcpy(header_bytes.data() + 8, &resolver, sizeof resolver);
    for (size_t i = 0; i < count; i++) {
        write_stub(stub_bytes.data() + i * stub_size);
        write_entry(entry_bytes.data() + i * entry_size, uint32_t(i));
    }
    write_stub(entry_bytes.data() + count * entry_size);
    auto &stub_block =
        graph->createMutableContentBlock(code, stub_bytes, orc::ExecutorAddr(), 16, 0);
    auto &entry_block =
        graph->createMutableContentBlock(code, entry_bytes, orc::ExecutorAddr(), 16, 0);
    auto &header_block =
        graph->createMutableContentBlock(data, header_bytes, orc::ExecutorAddr(), 16, 0);
    auto &slot_block =
        graph->createMutableContentBlock(data, slot_bytes, orc::ExecutorAddr(), 16, 0);
    auto &header = graph->addAnonymousSymbol(header_block, 0, header_size, false, true);
    auto &entries = graph->addAnonymousSymbol(entry_block, 0, entry_block.getSize(), true, true);
    auto &first_slot =
        graph->addDefinedSymbol(slot_block, 0, slots, slot_block.getSize(),
                                jitlink::Linkage::Strong, jitlink::Scope::Hidden, false, true);
    for (size_t i = 0; i < count; i++) {
        stub_block.addEdge(x86_64::PCRel32, uint32_t(i * stub_size + 2), first_slot,
                           int64_t(i * slot_size));
        slot_block.addEdge(x86_64::Pointer64, uint32_t(i * slot_size), entries,
                           int64_t(i * entry_size));
        entry_block.addEdge(x86_64::PCRel32, uint32_t(i * entry_size + 7), header, 0);
        entry_block.addEdge(x86_64::PCRel32, uint32_t(i * entry_size + 12), entries,
                            int64_t(count * entry_size));
        auto add = [&](const StubName &symbol) {
            graph->addDefinedSymbol(
                stub_block, i * stub_size, symbol.text, stub_size,
                symbol.is_weak ? jitlink::Linkage::Weak : jitlink::Linkage::Strong,
                symbol.is_hidden ? jitlink::Scope::Hidden : jitlink::Scope::Default, true, true);
        };
        add(stubs[i].name);
        for (const StubName &alias : stubs[i].aliases)
            add(alias);
    }
    entry_block.addEdge(x86_64::PCRel32, uint32_t(count * entry_size + 2), header, 8);
    header_block.addEdge(x86_64::Pointer64, uint32_t(header_size),
                         graph->addExternalSymbol(needed, 0, false), 0);
    return graph;
}

} // namespace kiln
