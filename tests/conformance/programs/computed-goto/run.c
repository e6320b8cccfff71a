/* Labels as values: a threaded interpreter, with a table of addresses and with a table of
 * differences. */
#include <stdio.h>

static int interpret(const unsigned char *code)
{
    static void *const labels[] = {&&push, &&add, &&multiply, &&end};
    static const int offsets[] = {0, &&add - &&push, &&multiply - &&push, &&end - &&push};
    int stack[8], *top = stack;
    goto *labels[*code++];
push:
    *top++ = *code++;
    goto *(&&push + offsets[*code++]);
add:
    top--;
    top[-1] += *top;
    goto *labels[*code++];
multiply:
    top--;
    top[-1] *= *top;
    goto *(&&push + offsets[*code++]);
end:
    return *stack;
}

int run(void)
{
    static const unsigned char code[] = {0, 2, 0, 3, 1, 0, 7, 2, 3}; /* (2 + 3) * 7 */
    printf("%d\n", interpret(code));
    return 0;
}
