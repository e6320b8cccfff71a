/* Objects, an archive, bitcode, IR and a shared library as files beside a source; an archive's
 * member comes in only where it is needed; made anew by each run: same bytes, so a hit all the
 * same. */
#include "conformance.h"

#include <stdio.h>

#define PART(name) conformance_path(name)

int main(void)
{
    clang("-c", "-fPIC", "-o", PART("object.o"), "parts/object.c", NULL);
    clang("-c", "-fPIC", "-o", PART("member.o"), "parts/member.c", NULL);
    clang("-c", "-fPIC", "-o", PART("unneeded.o"), "parts/unneeded.c", NULL);
    clang("-c", "-emit-llvm", "-fPIC", "-o", PART("bitcode.bc"), "parts/bitcode.c", NULL);
    clang("-S", "-emit-llvm", "-fPIC", "-O1", "-o", PART("ir.ll"), "parts/ir.c", NULL);
    clang("-shared", "-fPIC", "-Wl,-soname,libshared.so.3", "-o", PART("libshared.so.3"),
          "parts/shared.c", NULL);
    remove(PART("libarchive.a"));
    CHECK_INT(RUN(NULL, "ar", "rcD", PART("libarchive.a"), PART("member.o"), PART("unneeded.o")),
              0);

    conformance_register(conformance_spec("mixed", "run.c", PART("object.o"), PART("libarchive.a"),
                                          PART("bitcode.bc"), PART("ir.ll"), PART("libshared.so.3"),
                                          NULL));
    kiln_library *library = conformance_load("mixed");
    int status = call_int(library, "run");
    fflush(stdout);
    conformance_close(library);
    return status;
}
