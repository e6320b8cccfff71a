//kiln: -fno-optimize-sibling-calls
/* backtrace walks the library's frames into the host, backtrace_symbols names the library's
 * functions. */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) int innermost(void)
{
    void *frames[64];
    int count = backtrace(frames, 64), named = 0, inner = -1, outer = -1;
    char **names = backtrace_symbols(frames, count);
    for (int i = 0; i < count; i++) {
        if (strstr(names[i], "(innermost+"))
            inner = i;
        if (strstr(names[i], "(in_between+"))
            outer = i;
        named += strstr(names[i], "(run+") != NULL;
    }
    free(names);
    printf("%s, %s\n", inner >= 0 && outer == inner + 1 ? "callee before caller" : "out of order",
           named == 1 ? "entry found" : "entry missing");
    printf("walked into the host: %s\n",
           count >= 5 ? "yes" : "no"); /* innermost in_between run main libc */
    return count;
}

__attribute__((noinline)) int in_between(void)
{
    return innermost() + 1;
}

int run(void)
{
    return in_between() > 0 ? 0 : 1;
}
