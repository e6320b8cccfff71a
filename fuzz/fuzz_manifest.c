/* fuzz_manifest.c - any bytes as a manifest, and as one library's text: an answer or a refusal with
 * words, never a crash. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_refusal(kiln_status status, kiln_error *error)
{
    assert(error && kiln_error_code(error) == status && status != KILN_INTERNAL);
    assert(strncmp(kiln_error_message(error), "fuzz:", 5) == 0);
    kiln_error_destroy(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kiln_spec **specs = NULL;
    kiln_spec *spec = NULL;
    kiln_error *error = NULL;
    size_t count = 0;
    /* A copy of exactly this size: a read beyond it is seen. */
    char *text = malloc(size ? size : 1);
    if (!text)
        return 0;
    memcpy(text, bytes, size);
    kiln_status status = manifest_parse(text, size, "fuzz", "/", &specs, &count, &error);
    if (status == KILN_OK)
        manifest_specs_destroy(specs, count);
    else
        check_refusal(status, error);
    error = NULL;
    status = manifest_parse_spec(text, size, "fuzz", &spec, &error);
    if (status == KILN_OK)
        kiln_spec_destroy(spec);
    else
        check_refusal(status, error);
    free(text);
    return 0;
}
