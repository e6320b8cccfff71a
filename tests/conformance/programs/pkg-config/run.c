//kiln: --pkg zlib
/* A pkg-config package in the source's own comment. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

int run(void)
{
    unsigned char text[1000], packed[1100], unpacked[1000];
    uLongf packed_size = sizeof packed, size = sizeof unpacked;
    memset(text, 'k', sizeof text);
    int status = compress(packed, &packed_size, text, sizeof text);
    status |= uncompress(unpacked, &size, packed, packed_size);
    printf("%d %d %d\n", status, packed_size < 100, memcmp(text, unpacked, sizeof text));
    printf("crc %08lx\n", crc32(0, (const unsigned char *)"kiln", 4));
    return 0;
}
