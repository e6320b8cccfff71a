/* fuzz_options.c - any bytes as an option struct of another header's size. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kiln_session_options ours;
    kiln_error *error = NULL;
    if (size < sizeof ours.size)
        return 0;
    /* Its size is what it says, up to what a caller could have. */
    size_t said;
    memcpy(&said, bytes, sizeof said);
    uint8_t *theirs = calloc(1, size);
    assert(theirs);
    memcpy(theirs, bytes, size);
    if (said > size && said <= 4096)
        memcpy(theirs, &size, sizeof size);
    kiln_status status = options_read(&ours, sizeof ours, theirs, "fuzz", &error);
    assert((status == KILN_OK) == (error == NULL));
    if (status == KILN_OK) {
        assert(ours.size == sizeof ours);
        result_write(theirs, &ours, sizeof ours);
        status = options_read(&ours, sizeof ours, theirs, "fuzz", NULL);
        assert(status == KILN_OK);
    }
    kiln_error_destroy(error);
    free(theirs);
    return 0;
}
