/* environment.c - the environment variables that a compilation depends on: see environment.h.
 *
 * From Clang's user manual ("Environment variables"), clang/lib/Driver (ToolChains/Gnu.cpp,
 * CommonArgs.cpp), and pkgconf(1). */
#include "build/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool environment_collect(string_list *list)
{
    static const char *const names[] = {
        "CPATH",
        "C_INCLUDE_PATH",
        "CPLUS_INCLUDE_PATH",
        "OBJC_INCLUDE_PATH",
        "OBJCPLUS_INCLUDE_PATH",
        "LIBRARY_PATH",
        "COMPILER_PATH",
        "GCC_EXEC_PREFIX",
        "CCC_OVERRIDE_OPTIONS",
        "CLANG_NO_DEFAULT_CONFIG",
        "SDKROOT",
        "SYSROOT",
        "SOURCE_DATE_EPOCH",
        "TZ",
        "PKG_CONFIG_PATH",
        "PKG_CONFIG_LIBDIR",
        "PKG_CONFIG_SYSROOT_DIR",
        "PKG_CONFIG_SYSTEM_INCLUDE_PATH",
        "PKG_CONFIG_SYSTEM_LIBRARY_PATH",
        "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS",
        "PKG_CONFIG_ALLOW_SYSTEM_LIBS",
        "PKG_CONFIG_DISABLE_UNINSTALLED",
        "PKG_CONFIG_TOP_BUILD_DIR",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && !string_list_take(list, text_print("%s=%s", names[i], value)))
            return false;
    }
    return true;
}

/* Of the loader's variables (ld.so(8)) those that change what runs, or print. */
static bool is_for_the_host_alone(const char *variable)
{
    static const char *const names[] = {"LD_PRELOAD=", "LD_AUDIT=", "LD_DEBUG=", "LD_PROFILE="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

char **environment_for_compiler(void)
{
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    char **list = calloc(count + 1, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        if (!is_for_the_host_alone(environ[i]))
            list[kept++] = environ[i];
    return list;
}
