/* linux_x86_64.c - what depends on the processor, for x86-64: see linux_processor.h and os.h. */
#if defined(__x86_64__)
#include "os/linux_processor.h"

#include <cpuid.h>
#include <string.h>

#include "os/os.h"

bool linux_relocation_is_address(Elf64_Xword info)
{
    return ELF64_R_TYPE(info) == R_X86_64_GLOB_DAT;
}

bool linux_relocation_is_thread_module(Elf64_Xword info)
{
    return ELF64_R_TYPE(info) == R_X86_64_DTPMOD64;
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
