/* Builtins of the CPU model agree with what cpuid says. */
#include <cpuid.h>
#include <stdio.h>

int run(void)
{
    unsigned eax, ebx, ecx, edx;
    __builtin_cpu_init();
    __cpuid(1, eax, ebx, ecx, edx);
    printf("sse2 %s\n", __builtin_cpu_supports("sse2") ? "yes" : "no");
    printf("sse4.2 %s\n",
           !!__builtin_cpu_supports("sse4.2") == !!(ecx & bit_SSE4_2) ? "agrees" : "differs");
    printf("popcnt %s\n",
           !!__builtin_cpu_supports("popcnt") == !!(ecx & bit_POPCNT) ? "agrees" : "differs");
    printf("vendor %s\n",
           __builtin_cpu_is("intel") && __builtin_cpu_is("amd") ? "both" : "at most one");
    return 0;
}
