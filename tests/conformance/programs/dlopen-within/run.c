//kiln: -D_GNU_SOURCE
/* A library opens another one itself, and finds its own symbols by RTLD_DEFAULT's neighbours: libm
 * by name, libc by dlsym. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

__attribute__((constructor)) static void open_in_constructor(void)
{
    void *libm = dlopen("libm.so.6", RTLD_NOW);
    double (*cosine)(double) = (double (*)(double))dlsym(libm, "cos");
    printf("in the constructor: %g\n", cosine(0));
    dlclose(libm);
}

int run(void)
{
    void *libm = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    double (*power)(double, double) = (double (*)(double, double))dlsym(libm, "pow");
    size_t (*length)(const char *) = (size_t(*)(const char *))dlsym(RTLD_DEFAULT, "strlen");
    printf("%g %zu\n", power(2, 10), length("four"));
    printf("no such library: %s\n", dlopen("libkiln-no-such.so", RTLD_NOW) ? "opened" : "refused");
    printf("dlerror %s\n", dlerror() ? "says why" : "is silent");
    dlclose(libm);
    return 0;
}
