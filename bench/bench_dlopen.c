/* bench_dlopen.c - one sample of the plain way: dlopen of a prebuilt library in a fresh process
 * without libkiln.
 *
 *     bench-dlopen LIBRARY
 *
 * Prints "SECONDS 0 - PSS". */
#include "measure.h"

#include <dlfcn.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        measure_fail("usage", "bench-dlopen LIBRARY");
    double start = measure_now();
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    double seconds = measure_now() - start;
    if (!library)
        measure_fail(argv[1], dlerror());
    measure_print(seconds, 0, "-");
    return 0;
}
