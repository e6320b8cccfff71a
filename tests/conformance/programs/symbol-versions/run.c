/* References to a chosen version of a libc function, by .symver. */
#include <stdio.h>
#include <string.h>

__asm__(".symver old_memcpy, memcpy@GLIBC_2.2.5");
void *old_memcpy(void *to, const void *from, size_t size);

int run(void)
{
    char text[8];
    old_memcpy(text, "version", 8);
    puts(text);
    return 0;
}
