/* The same kinds handed over as bytes: object, archive, bitcode, IR, assembly, alone without any
 * source file. */
#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>

static void add(kiln_spec *spec, const char *name)
{
    size_t size;
    char *bytes = read_file(conformance_path(name), &size);
    CHECK_STATUS(kiln_spec_add_memory_source(spec, name, bytes, size, NULL), KILN_OK, NULL);
    free(bytes); /* the spec has a copy */
}

int main(void)
{
    const char *parts = "../inputs-from-disk/parts";
    clang("-c", "-fPIC", "-o", conformance_path("object.o"), text_of("%s/object.c", parts), NULL);
    clang("-c", "-fPIC", "-o", conformance_path("member.o"), text_of("%s/member.c", parts), NULL);
    clang("-c", "-emit-llvm", "-fPIC", "-o", conformance_path("bitcode.bc"),
          text_of("%s/bitcode.c", parts), NULL);
    clang("-S", "-emit-llvm", "-fPIC", "-o", conformance_path("ir.ll"), text_of("%s/ir.c", parts),
          NULL);
    clang("-S", "-fPIC", "-o", conformance_path("assembly.s"), text_of("%s/shared.c", parts), NULL);
    remove(conformance_path("libarchive.a"));
    CHECK_INT(
        RUN(NULL, "ar", "rcD", conformance_path("libarchive.a"), conformance_path("member.o")), 0);

    clang("-c", "-fPIC", "-o", conformance_path("run.o"), "../inputs-from-disk/run.c", NULL);
    kiln_spec *spec = kiln_spec_create("bytes");
    add(spec, "run.o");
    add(spec, "object.o");
    add(spec, "libarchive.a");
    add(spec, "bitcode.bc");
    add(spec, "ir.ll");
    add(spec, "assembly.s");
    conformance_register(spec);
    kiln_library *library = conformance_load("bytes");
    int status = call_int(library, "run");
    fflush(stdout);
    conformance_close(library);
    return status;
}
