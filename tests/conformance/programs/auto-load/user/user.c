unsigned long crc32(unsigned long crc, const unsigned char *bytes, unsigned size);

int checksum(void)
{
    return (int)crc32(0, (const unsigned char *)"kiln", 4);
}
