/* fuzz_reasons.c - any text as the ingredients of an earlier build's key, from which the reasons of
 * a miss are read. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "build/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char labels[][16] = {"compiler", "arguments", "source a.c", ""};
    ingredient items[4];
    for (size_t i = 0; i < 4; i++)
        items[i] = (ingredient){.label = labels[i], .value = digest_of(labels[i], i)};
    const ingredients list = {.items = items, .count = 4, .capacity = 4};
    char *text = strndup((const char *)bytes, size);
    char *reasons = text ? ingredients_compare(&list, text) : NULL;
    assert(reasons);
    free(reasons);
    free(text);
    /* What was printed itself tells of no change. */
    char *printed = ingredients_print(&list);
    reasons = printed ? ingredients_compare(&list, printed) : NULL;
    assert(reasons && !*reasons);
    free(reasons);
    free(printed);
    return 0;
}
