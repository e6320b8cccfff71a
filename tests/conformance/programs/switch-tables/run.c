/* Dense switches become jump and lookup tables, sparse ones trees; strings in tables need relocations. */
#include <stdio.h>

#define CASE(n) \
    case n: \
        total = total * 31 + (n ^ 0x55); \
        break;
#define CASES_8(n) CASE(n) CASE(n + 1) CASE(n + 2) CASE(n + 3) CASE(n + 4) CASE(n + 5) CASE(n + 6) CASE(n + 7)
#define CASES_64(n) \
    CASES_8(n) CASES_8(n + 8) CASES_8(n + 16) CASES_8(n + 24) CASES_8(n + 32) CASES_8(n + 40) CASES_8(n + 48) \
        CASES_8(n + 56)

static unsigned dense(unsigned n, unsigned total)
{
    switch (n) {
        CASES_64(0)
        CASES_64(64)
        CASES_64(128)
        CASES_64(192)
        CASES_64(256)
        CASES_64(320)
        CASES_64(384)
        CASES_64(448)
    default:
        total++;
    }
    return total;
}

static const char *name(int n)
{
    switch (n) {
    case 0: return "zero";
    case 1: return "one";
    case 2: return "two";
    case 3: return "three";
    case 4: return "four";
    case 5: return "five";
    case 6: return "six";
    default: return "many";
    }
}

static int sparse(long n)
{
    switch (n) {
    case -1000000: return 1;
    case 17: return 2;
    case 5000 ... 6000: return 3;
    case 1L << 40: return 4;
    default: return 0;
    }
}

int run(void)
{
    unsigned total = 1, expected = 1;
    for (unsigned n = 0; n < 520; n++) {
        total = dense(n, total);
        expected = n < 512 ? expected * 31 + (n ^ 0x55) : expected + 1;
    }
    printf("%s\n", total == expected ? "dense" : "dense is wrong");
    for (int i = 0; i < 8; i += 3)
        printf("%s ", name(i));
    puts(name(7));
    printf("%d %d %d %d %d\n", sparse(-1000000), sparse(17), sparse(5500), sparse(1L << 40), sparse(0));
    return 0;
}
