/* Assembly inside functions: operands, goto, clobbers, a section of its own; symbols from
 * file-level assembly. */
#include <stdint.h>
#include <stdio.h>

__asm__(".text\n"
        ".globl assembled\n"
        ".type assembled, @function\n"
        "assembled:\n"
        "    leal 1(%rdi, %rdi, 2), %eax\n"
        "    ret\n"
        ".size assembled, . - assembled\n"
        ".section .rodata\n"
        ".globl assembled_text\n"
        "assembled_text: .asciz \"text from assembly\"\n"
        ".text\n");

int assembled(int n);
extern const char assembled_text[] __attribute__((visibility("hidden")));

static uint64_t rotate(uint64_t value, uint8_t count)
{
    __asm__("rolq %%cl, %0" : "+r"(value) : "c"(count) : "cc");
    return value;
}

static int is_zero(int n)
{
    __asm__ goto("testl %0, %0\n\tjz %l1" : : "r"(n) : "cc" : zero);
    return 0;
zero:
    return 1;
}

int run(void)
{
    unsigned low, high;
    __asm__ volatile("movl $0, %%eax\n\tcpuid" : "=a"(low), "=b"(high) : : "ecx", "edx");
    printf("%d %s\n", assembled(5), assembled_text);
    printf("%#lx %d %d\n", (unsigned long)rotate(0x8000000000000001, 4), is_zero(0), is_zero(1));
    printf("cpuid %s\n", low > 0 ? "answers" : "is silent");
    return 0;
}
