/* Symbols that the host lends: functions and data, before what the process exports, after the
 * library's own definitions, its dependencies' and the shared libraries that it links (libc). */
#include "conformance.h"

#include <stdio.h>
#include <unistd.h>

int exported_by_host(void);
int exported_by_host(void) /* the host is linked with -rdynamic */
{
    return 1;
}

static int lent_counter = 10;
static int lent_add(int a, int b)
{
    return a + b;
}
static int lent_instead(void)
{
    return 2;
}
static pid_t lent_getpid(void)
{
    return 12345;
}
static int lent_never(void)
{
    return -1;
}

static kiln_spec *user_spec(void)
{
    kiln_spec *spec = conformance_spec("user", "user/user.c", NULL);
    kiln_spec_add_dependency(spec, "base");
    kiln_spec_add_host_symbol(spec, "lent_add", (void *)lent_add);
    kiln_spec_add_host_symbol(spec, "lent_counter", &lent_counter);
    kiln_spec_add_host_symbol(spec, "exported_by_host", (void *)lent_instead);
    kiln_spec_add_host_symbol(spec, "getpid", (void *)lent_getpid);
    kiln_spec_add_host_symbol(spec, "own_function", (void *)lent_never);
    kiln_spec_add_host_symbol(spec, "base_function", (void *)lent_never);
    kiln_spec_add_host_symbol(spec, "not_referred_to", &lent_counter);
    return spec;
}

int main(void)
{
    conformance_register(conformance_spec("base", "base/base.c", NULL));
    conformance_register(user_spec());
    kiln_library *library = conformance_load("user");
    int status = call_int(library, "run");
    fflush(stdout);
    void *(*address)(void) = (void *(*)(void))conformance_function(library, "address_of_lent_add");
    printf("counter %d, %s\n", lent_counter,
           address() == (void *)lent_add ? "one address" : "two addresses");
    printf("the host itself: %d, %s\n", exported_by_host(),
           getpid() == 12345 ? "changed" : "unchanged");
    conformance_close(library);
    return status;
}
