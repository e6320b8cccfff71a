/* fuzz_reasons.c - any text as the ingredients of an earlier build's key, from which the reasons of
 * a miss are read. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char labels[][16] = {"compiler", "argument", "C source a.c", ""};
    static const char *words[] = {"-O2", "-I", "dir", "-DX=\"\n\""};
    ingredient items[4];
    for (size_t i = 0; i < 4; i++)
        items[i] = (ingredient){.label = labels[i], .value = digest_of(labels[i], i)};
    items[1].words = words;
    items[1].word_count = sizeof words / sizeof *words;
    const ingredients list = {.items = items, .count = 4, .capacity = 4};
    char *printed = ingredients_print(&list);
    assert(printed);
    /* As it is, and behind the line without which it is not looked at. */
    int first_line = (int)strcspn(printed, "\n") + 1;
    char *text = NULL, *reasons;
    for (int known = 0; known < 2; known++) {
        int length = asprintf(&text, "%.*s%.*s", known ? first_line : 0, printed, (int)size,
                              (const char *)bytes);
        reasons = length >= 0 ? ingredients_compare(&list, text) : NULL;
        assert(reasons);
        free(reasons);
        free(text);
    }
    /* What was printed itself tells of no change. */
    reasons = ingredients_compare(&list, printed);
    assert(reasons && !*reasons);
    free(reasons);
    free(printed);
    return 0;
}
