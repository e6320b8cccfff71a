//kiln: -std=c23
/* Files in the program: #embed (whole, limited, of an empty file), __has_embed, and .incbin. */
#include <stdio.h>

const unsigned char whole[] = {
#embed "data.txt"
};
static const char limited[] = {
#embed "data.txt" limit(5) suffix(, 0)
};
static const char empty[] = {
#embed "empty.txt" if_empty('-', '!', 0)
};
#if __has_embed("data.txt") != __STDC_EMBED_FOUND__
#error "data.txt is there"
#endif
#if __has_embed("no-such-file.txt") != __STDC_EMBED_NOT_FOUND__
#error "it is not there"
#endif

__asm__(".section .rodata\n"
        "included: .incbin \"data.txt\"\n"
        "included_end:\n"
        ".text\n");
extern const char included[] __attribute__((visibility("hidden")));
extern const char included_end[] __attribute__((visibility("hidden")));

int run(void)
{
    printf("%zu %s %s\n", sizeof whole, limited, empty);
    printf("%.*s", (int)(included_end - included), included);
    return 0;
}
