/* Global: dlsym finds the symbols anywhere in the process, and a later library binds to them without a
 * declared dependency. Local: neither. After the close nobody finds them.
 *
 * The lookups are made by a library that is closed first: glibc keeps what dlsym(RTLD_DEFAULT) found
 * for as long as the object that asked is loaded, and that would be for ever if the host asked. */
#include "conformance.h"

#include <stdio.h>

static void *find(const char *name)
{
    kiln_library *finder = conformance_load("finder");
    void *(*find_by_dlsym)(const char *) =
        (void *(*)(const char *))conformance_function(finder, "find_by_dlsym");
    void *address = find_by_dlsym(name);
    conformance_close(finder);
    return address;
}

static const char *found(const char *name)
{
    return find(name) ? "found" : "not found";
}

int main(void)
{
    conformance_register(conformance_spec("finder", "finder/finder.c", NULL));
    conformance_register(conformance_spec("open", "open/open.c", NULL));
    conformance_register(conformance_spec("closed", "closed/closed.c", NULL));
    conformance_register(conformance_spec("user", "user/user.c", NULL));
    kiln_library *global = conformance_load_globally("open"), *local = conformance_load("closed");
    printf("global function %s, data %s\n", found("open_function"), found("open_data"));
    printf("local function %s\n", found("closed_function"));
    printf("%s\n", find("open_function") == (void *)conformance_function(global, "open_function")
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
