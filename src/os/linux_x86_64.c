/* linux_x86_64.c - what depends on the processor, for x86-64: see linux_processor.h and os.h. */
#if defined(__x86_64__)
#include "os/linux_processor.h"

#include <cpuid.h>
#include <string.h>
#include <ucontext.h>

#include "os/os.h"

bool linux_relocation_is_address(Elf64_Xword info)
{
    return ELF64_R_TYPE(info) == R_X86_64_GLOB_DAT;
}

bool linux_relocation_is_thread_module(Elf64_Xword info)
{
    return ELF64_R_TYPE(info) == R_X86_64_DTPMOD64;
}

uintptr_t linux_code_address(const void *context)
{
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

/* Leaves that name the processor and its instructions, and of each the registers (bits 0-3: eax,
 * ebx, ecx, edx) that say the same on every core at every time: leaf 1's ebx, for one, holds the
 * number of the core that asks. */
static const struct {
    uint32_t leaf, subleaf;
    unsigned registers;
} leaves[] = {
    {0x00000000, 0, 0xf}, {0x00000001, 0, 0xd}, {0x00000007, 0, 0xf}, {0x00000007, 1, 0xf},
    {0x00000007, 2, 0xf}, {0x0000000d, 0, 0x9}, {0x0000000d, 1, 0x1}, {0x00000014, 0, 0xf},
    {0x00000019, 0, 0xf}, {0x0000001e, 1, 0xf}, {0x00000024, 0, 0xf}, {0x80000001, 0, 0xc},
    {0x80000008, 0, 0x2},
};

/* Which register files the system saves: an instruction set without that cannot be used. */
static uint32_t saved_registers(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

/* ---- entries (src/compiler/hot_entry.cpp) ----
 *
 * The slot is the eight bytes before the entry; what is patched is an eight-byte no-operation on an
 * eight-byte boundary, at the entry or, with control-flow protection, behind endbr64 and a
 * four-byte one. It becomes `jmp *slot(%rip)`, six bytes and two that are never run.
 *
 * Why one store is enough: the no-operation is a single instruction, so no thread stands inside of
 * it; and the store covers a naturally aligned quadword, which AMD64 processors change for
 * instruction fetch as a whole (AMD64 Architecture Programmer's Manual, volume 2, section 7.6.1,
 * "Cache and processor topology; self- and cross-modifying code": asynchronous modification of an
 * aligned quadword needs no synchronisation where either version may be executed). Intel promises
 * that for data (SDM volume 3, section 9.1.1) and asks for more care with code (9.1.3), but its
 * processors behave so, and the kernel's own static calls rely on the like; a stress test runs it
 * (tests/unit/test_reload_patch.c). The slot is stored first: x86 keeps the order of stores, and a
 * thread that runs the jump loads the slot afterwards. */

enum { slot_offset = -8, protected_offset = 8, jump_size = 6 };
static const uint64_t no_operation = 0x0000000000841f0f;
static const uint64_t branch_target = 0x00401f0ffa1e0ff3;
static const uint64_t never_run = 0xcccccccccccccccc;

static uint64_t *slot_of(const void *entry)
{
    return (uint64_t *)((uintptr_t)entry + (uintptr_t)slot_offset);
}

/* Where the no-operation or jump of an entry is. */
static uint64_t *site_of(const void *entry)
{
    uint64_t *first = (uint64_t *)(uintptr_t)entry;
    return *first == branch_target ? first + protected_offset / sizeof *first : first;
}

static uint64_t jump_of(const void *entry)
{
    int32_t distance = (int32_t)((intptr_t)slot_of(entry) - (intptr_t)site_of(entry) - jump_size);
    return 0x9066000000000000 | (uint64_t)(uint32_t)distance << 16 | 0x25ff;
}

bool os_entry_is_patchable(const void *entry)
{
    if ((uintptr_t)entry % sizeof(uint64_t) || slot_of(entry)[-1] != never_run)
        return false;
    uint64_t site = __atomic_load_n(site_of(entry), __ATOMIC_RELAXED);
    return site == no_operation || site == jump_of(entry);
}

void os_entry_extent(const void *entry, const void **begin, const void **end)
{
    *begin = slot_of(entry);
    *end = site_of(entry) + 1;
}

void os_entry_publish(void *entry, const void *target)
{
    if (target)
        __atomic_store_n(slot_of(entry), (uint64_t)(uintptr_t)target, __ATOMIC_RELEASE);
    __atomic_store_n(site_of(entry), target ? jump_of(entry) : no_operation, __ATOMIC_RELEASE);
}

const void *os_entry_target(const void *entry)
{
    if (__atomic_load_n(site_of(entry), __ATOMIC_RELAXED) == no_operation)
        return NULL;
    return (const void *)(uintptr_t)__atomic_load_n(slot_of(entry), __ATOMIC_ACQUIRE);
}

size_t os_processor_features(uint8_t *bytes, size_t capacity)
{
    uint32_t words[4 * sizeof leaves / sizeof leaves[0] + 1] = {0};
    size_t count = 0;
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++, count += 4) {
        uint32_t *r = words + count;
        if (!__get_cpuid_count(leaves[i].leaf, leaves[i].subleaf, &r[0], &r[1], &r[2], &r[3]))
            continue;
        for (unsigned which = 0; which < 4; which++)
            if (!(leaves[i].registers >> which & 1))
                r[which] = 0;
    }
    words[count++] = saved_registers();
    size_t size = count * sizeof words[0];
    if (size > capacity)
        size = capacity;
    memcpy(bytes, words, size);
    return size;
}
#endif
