/* Compilation without loading: objects, bitcode, IR and assembly as bytes, one a source or merged
 * into one; an archive; a shared library that dlopen takes, without any trace of the cache. Cached
 * as loads are. */
#include "conformance.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static bool is_elf(const char *bytes, int type)
{
    return memcmp(bytes, "\177ELF", 4) == 0 && bytes[16] == type;
}

static const char *describe(const kiln_output *output)
{
    const char *bytes = output->bytes;
    if (output->size_bytes < 16)
        return "too short";
    if (is_elf(bytes, 1))
        return "relocatable object";
    if (is_elf(bytes, 3))
        return "shared object";
    if (memcmp(bytes, "BC\xc0\xde", 4) == 0)
        return "bitcode";
    if (memcmp(bytes, "!<arch>\n", 8) == 0)
        return "archive";
    if (memmem(bytes, output->size_bytes, "define ", 7))
        return "IR";
    if (memmem(bytes, output->size_bytes, ".globl", 6))
        return "assembly";
    return "something else";
}

/* Compile, print what came out, and write the last output to a file for those who try it. */
static void compile(const char *title, kiln_output_kind kind, bool merge, const char *file)
{
    kiln_spec *spec = conformance_spec("parts", "parts/a.c", "parts/b.c", NULL);
    kiln_compile_options options = {.size = sizeof options, .kind = kind, .merge = merge};
    kiln_outputs *outputs;
    kiln_error *error;
    CHECK_STATUS(kiln_compile(conformance_session(), spec, &options, &outputs, &error), KILN_OK,
                 &error);
    printf("%s:", title);
    for (size_t i = 0; i < kiln_outputs_count(outputs); i++) {
        kiln_output output = {.size = sizeof output};
        CHECK_STATUS(kiln_outputs_get(outputs, i, &output), KILN_OK, NULL);
        const char *slash = strrchr(output.source, '/');
        printf(" %s %s", slash ? slash + 1 : output.source, describe(&output));
        write_bytes(file, output.bytes, output.size_bytes);
    }
    putchar('\n');
    kiln_outputs_destroy(outputs);
    kiln_spec_destroy(spec);
}

static void call(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        support_fail(__FILE__, __LINE__, "%s", dlerror());
    printf("  %d\n", ((int (*)(void))dlsym(handle, "a"))());
    dlclose(handle);
}

int main(void)
{
    char *file = conformance_path("output"), *object = conformance_path("output.o"),
         *library = conformance_path("made.so");
    compile("objects", KILN_OUTPUT_OBJECT, false, file);
    compile("merged object", KILN_OUTPUT_OBJECT, true, object);
    clang("-shared", "-o", library, object, NULL);
    call(library);
    compile("bitcode", KILN_OUTPUT_BITCODE, false, file);
    compile("merged bitcode", KILN_OUTPUT_BITCODE, true, conformance_path("output.bc"));
    clang("-shared", "-fPIC", "-o", library, conformance_path("output.bc"), NULL);
    call(library);
    compile("IR", KILN_OUTPUT_IR, false, file);
    compile("assembly", KILN_OUTPUT_ASSEMBLY, false, file);
    compile("archive", KILN_OUTPUT_ARCHIVE, false, conformance_path("libparts.a"));
    clang("-shared", "-o", library, "-Wl,--whole-archive", conformance_path("libparts.a"),
          "-Wl,--no-whole-archive", NULL);
    call(library);
    compile("shared library", KILN_OUTPUT_SHARED_LIBRARY, false, library);
    call(library);
    return 0;
}
