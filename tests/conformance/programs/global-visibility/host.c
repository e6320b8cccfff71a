/* Global: dlsym finds the symbols anywhere in the process, and a later library binds to them
 * without a declared dependency. Local: neither. After the close nobody finds them. */
#include "conformance.h"

#include <dlfcn.h>
#include <stdio.h>

static const char *found(const char *name)
{
    return dlsym(RTLD_DEFAULT, name) ? "found" : "not found";
}

int main(void)
{
    conformance_register(conformance_spec("open", "open/open.c", NULL));
    conformance_register(conformance_spec("closed", "closed/closed.c", NULL));
    conformance_register(conformance_spec("user", "user/user.c", NULL));
    kiln_library *global = conformance_load_globally("open"), *local = conformance_load("closed");
    printf("global function %s, data %s\n", found("open_function"), found("open_data"));
    printf("local function %s\n", found("closed_function"));
    int (*function)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "open_function");
    printf("%d, %s\n", function(),
           (kiln_function)function == conformance_function(global, "open_function")
               ? "one address"
               : "two addresses");
    kiln_library *user = conformance_load("user");
    printf("user %d\n", call_int(user, "use"));
    conformance_close(user);
    conformance_close(local);
    conformance_close(global);
    printf("after the close %s\n", found("open_function"));
    return 0;
}
