/* environment.c - the environment variables that a compilation depends on: see environment.h.
 *
 * From Clang's user manual ("Environment variables"), clang/lib/Driver (ToolChains/Gnu.cpp,
 * CommonArgs.cpp), and pkgconf(1). */
#include "build/environment.h"

#include <stdlib.h>

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
