/* clang_flags.c - see clang_flags.h.
 *
 * The list is what Clang's own option table calls Separate or JoinedOrSeparate, less what only
 * other systems have. It is sorted for the reader, not for the code: a command line is short. */
#include "clang_flags.h"

#include <stddef.h>
#include <string.h>

static const char *const flags_with_value[] = {
    "--assert",
    "--config",
    "--define-macro",
    "--for-linker",
    "--force-link",
    "--include-directory",
    "--include-directory-after",
    "--include-prefix",
    "--include-with-prefix",
    "--include-with-prefix-after",
    "--include-with-prefix-before",
    "--language",
    "--library-directory",
    "--no-system-header-prefix",
    "--output",
    "--param",
    "--prefix",
    "--rtlib",
    "--std",
    "--stdlib",
    "--sysroot",
    "--system-header-prefix",
    "--undefine-macro",
    "-A",
    "-B",
    "-D",
    "-F",
    "-I",
    "-L",
    "-MF",
    "-MJ",
    "-MQ",
    "-MT",
    "-T",
    "-U",
    "-Xarch_device",
    "-Xarch_host",
    "-Xassembler",
    "-Xclang",
    "-Xclangas",
    "-Xlinker",
    "-Xopenmp-target",
    "-Xpreprocessor",
    "-arch",
    "-b",
    "-cxx-isystem",
    "-dumpdir",
    "-e",
    "-fdebug-compilation-dir",
    "-fmodule-implementation-of",
    "-fmodules-user-build-path",
    "-fnew-alignment",
    "-ftrapv-handler",
    "-idirafter",
    "-imacros",
    "-imultilib",
    "-include",
    "-include-pch",
    "-iprefix",
    "-iquote",
    "-isysroot",
    "-isystem",
    "-isystem-after",
    "-ivfsoverlay",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-iwithsysroot",
    "-l",
    "-mllvm",
    "-mthread-model",
    "-o",
    "-resource-dir",
    "-rpath",
    "-serialize-diagnostics",
    "-specs",
    "-stdlib++-isystem",
    "-target",
    "-u",
    "-undefined",
    "-vfsoverlay",
    "-working-directory",
    "-x",
    "-z",
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool clang_flag_takes_next(const char *flag)
{
    for (size_t i = 0; i < sizeof flags_with_value / sizeof *flags_with_value; i++) {
        if (strcmp(flag, flags_with_value[i]) == 0)
            return true;
    }
    /* -Xarch_ARCH and -Xopenmp-target=TRIPLE are joined to one value and followed by another. */
    return starts_with(flag, "-Xarch_") || starts_with(flag, "-Xopenmp-target=");
}
