/* options.c - structs that grow: options that come in, results that go out.
 *
 * Both begin with `size_t size`, as in libbpf's option structs: an older header has a smaller
 * struct, a newer one a larger. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "api/session.h"

kiln_status options_read(void *ours, size_t our_size, const void *theirs, const char *what,
                         kiln_error **error)
{
    memset(ours, 0, our_size);
    memcpy(ours, &our_size, sizeof our_size);
    if (!theirs)
        return KILN_OK;
    size_t size;
    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size || size > 4096)
        return error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_SPEC,
                         "the field `size` of the %s options is %zu: set it to sizeof the struct",
                         what, size);
    const uint8_t *bytes = theirs;
    for (size_t i = our_size; i < size; i++)
        if (bytes[i])
            return error_set(error, KILN_UNSUPPORTED, KILN_PHASE_SPEC,
                             "the %s options have fields that this version of libkiln (%s) does "
                             "not know",
                             what, KILN_VERSION_STRING);
    memcpy((uint8_t *)ours + sizeof size, bytes + sizeof size,
           (size < our_size ? size : our_size) - sizeof size);
    return KILN_OK;
}

void result_write(void *theirs, const void *ours, size_t our_size)
{
    size_t size;
    memcpy(&size, theirs, sizeof size);
    assert(size >= sizeof size);
    if (size > our_size) {
        memset((uint8_t *)theirs + our_size, 0, size - our_size);
        size = our_size;
    }
    memcpy((uint8_t *)theirs + sizeof size, (const uint8_t *)ours + sizeof size,
           size - sizeof size);
}
