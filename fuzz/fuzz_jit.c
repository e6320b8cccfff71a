/* fuzz_jit.c - any bytes as an object, or an archive, that is linked into the process.
 *
 * Nothing of it is called: what has constructors or destructors is left out. Unwinders read its unwind
 * table. What needs a compiler or a linker fails, since there is none. */
#include <assert.h>
#include <execinfo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kiln.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static kiln_jit_dylib *dylib;

static void begin(void)
{
    const kiln_session_options options = {
        .size = sizeof options, .no_cache = true, .compiler_path = "/nowhere/kiln-compiler"};
    const kiln_jit_options small = {.size = sizeof small, .address_space_bytes = 64 << 20};
    kiln_session *session;
    kiln_jit *jit;
    kiln_status status = kiln_session_create(&options, &session, NULL);
    assert(status == KILN_OK);
    status = kiln_jit_create(session, &small, &jit, NULL);
    assert(status == KILN_OK);
    status = kiln_jit_add_dylib(jit, "main", NULL, &dylib, NULL);
    assert(status == KILN_OK);
}

static bool would_run(const uint8_t *bytes, size_t size)
{
    static const char *const lists[] = {"init_array", ".fini_array", ".ctors", ".dtors"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (memmem(bytes, size, lists[i], strlen(lists[i])))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"run", "helper", "x"};
    void *frames[32];
    kiln_jit_code *code;
    if (!dylib)
        begin();
    if (would_run(bytes, size) || kiln_jit_add_bytes(dylib, "input", bytes, size, &code, NULL))
        return 0;
    kiln_jit_link(code, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        kiln_jit_data(dylib, names[i], NULL);
    backtrace(frames, 32);
    kiln_status status = kiln_jit_remove(code, NULL);
    assert(status == KILN_OK);
    return 0;
}
