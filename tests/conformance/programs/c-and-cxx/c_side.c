#include <stdio.h>

const char *cxx_text(int n);

int c_side(int n)
{
    puts(cxx_text(n));
    return n + 1;
}
