/* fuzz_words.c - any text as a command line or a response file of a build. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/import_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    for (int quoting = IMPORT_SHELL; quoting <= IMPORT_RESPONSE_FILE; quoting++) {
        string_list words = {0};
        const char *problem = NULL;
        if (import_split((const char *)bytes, size, (import_quoting)quoting, &words, &problem)) {
            for (size_t i = 0; i < words.count; i++)
                assert(strlen(words.items[i]) <= size);
        } else {
            assert(problem && *problem);
        }
        string_list_destroy(&words);
    }
    return 0;
}
