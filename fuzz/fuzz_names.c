/* fuzz_names.c - any text as a demangled name, and as what is asked for (behind a NUL). */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/cxx_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t length = strnlen((const char *)bytes, size);
    char *demangled = strndup((const char *)bytes, length);
    char *asked =
        length < size ? strndup((const char *)bytes + length + 1, size - length - 1) : strdup("");
    assert(demangled && asked);
    cxx_name_squeeze(asked);
    char *again = strdup(asked);
    cxx_name_squeeze(again);
    assert(strcmp(again, asked) == 0);
    cxx_name_answers(demangled, true, asked);
    cxx_name_answers(demangled, false, asked);
    cxx_name_is_complete(demangled, asked);
    /* Every name answers to itself. */
    free(again);
    again = strdup(demangled);
    cxx_name_squeeze(again);
    assert(cxx_name_answers(demangled, true, again));
    free(again);
    free(demangled);
    free(asked);
    return 0;
}
