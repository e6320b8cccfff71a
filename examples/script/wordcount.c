#!/usr/bin/env -S kiln run
//kiln: -O2 -Wall
// wordcount.c - a C file that is a script: `./wordcount.c FILE...` counts lines, words and bytes.
#include <ctype.h>
#include <stdio.h>

typedef struct counts {
    unsigned long lines, words, bytes;
} counts;

static counts count(FILE *file)
{
    counts result = {0};
    int byte, last = ' ';

    while ((byte = getc(file)) != EOF) {
        result.bytes++;
        result.lines += byte == '\n';
        result.words += !isspace(byte) && isspace(last);
        last = byte;
    }
    return result;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        counts result = count(file);
        printf("%lu %lu %lu %s\n", result.lines, result.words, result.bytes, argv[i]);
        fclose(file);
    }
    return 0;
}
