/* arguments.c - the table of refused arguments: see arguments.h. */
#include "build/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

typedef enum match { EXACT, PREFIX, JOINED_OR_NEXT } match;

static const struct refused {
    const char *argument;
    match match;
    const char *reason;
} refused[] = {
    {"-o", JOINED_OR_NEXT, "it chooses an output; Kiln keeps outputs in memory and in its cache"},
    {"--output", PREFIX, "it chooses an output; Kiln keeps outputs in memory and in its cache"},
    {"-c", EXACT, "it chooses an output; Kiln decides what is made"},
    {"--compile", EXACT, "it chooses an output; Kiln decides what is made"},
    {"-S", EXACT, "it chooses an output; use `kiln build -o FILE.s`"},
    {"--assemble", EXACT, "it chooses an output; use `kiln build -o FILE.s`"},
    {"-E", EXACT, "it asks for preprocessed text, which is nothing to load"},
    {"--preprocess", EXACT, "it asks for preprocessed text, which is nothing to load"},
    {"-fsyntax-only", EXACT, "it asks for no output, and there would be nothing to load"},
    {"-emit-llvm", EXACT, "it chooses an output; use `kiln build -o FILE.bc`"},
    {"-MF", JOINED_OR_NEXT, "dependencies are recorded by Kiln itself"},
    {"-MT", JOINED_OR_NEXT, "dependencies are recorded by Kiln itself"},
    {"-MQ", JOINED_OR_NEXT, "dependencies are recorded by Kiln itself"},
    {"-MJ", JOINED_OR_NEXT, "dependencies are recorded by Kiln itself"},
    {"-M", EXACT, "dependencies are recorded by Kiln itself"},
    {"-MM", EXACT, "dependencies are recorded by Kiln itself"},
    {"-MD", EXACT, "dependencies are recorded by Kiln itself"},
    {"-MMD", EXACT, "dependencies are recorded by Kiln itself"},
    {"-MP", EXACT, "dependencies are recorded by Kiln itself"},
    {"-MG", EXACT, "dependencies are recorded by Kiln itself"},
    {"-MV", EXACT, "dependencies are recorded by Kiln itself"},
    {"-save-temps", PREFIX, "it writes files beside the sources"},
    {"--save-temps", PREFIX, "it writes files beside the sources"},
    {"-ftime-trace", PREFIX, "it writes files beside the sources"},
    {"-gsplit-dwarf", PREFIX, "it writes files beside the sources"},
    {"--coverage", EXACT, "it writes files beside the sources"},
    {"-ftest-coverage", EXACT, "it writes files beside the sources"},
    {"-fsave-optimization-record", PREFIX, "it writes files beside the sources"},
    {"--serialize-diagnostics", JOINED_OR_NEXT, "diagnostics come back through the API"},
    {"-serialize-diagnostics", JOINED_OR_NEXT, "diagnostics come back through the API"},
    {"-fplugin", PREFIX, "it runs other code inside the compiler"},
    {"-fpass-plugin", PREFIX, "it runs other code inside the compiler"},
    {"-load", EXACT, "it runs other code inside the compiler"},
    {"-plugin", EXACT, "it runs other code inside the compiler"},
    {"-add-plugin", EXACT, "it runs other code inside the compiler"},
    {"-wrapper", PREFIX, "it runs other programs"},
    {"-fuse-ld", PREFIX, "Kiln links with LLD"},
    {"--ld-path", PREFIX, "Kiln links with LLD"},
    {"-fno-integrated-as", EXACT, "it runs other programs"},
    {"-no-integrated-as", EXACT, "it runs other programs"},
    {"-fno-integrated-cc1", EXACT, "it runs other programs"},
    {"-###", EXACT, "it asks for no output, and there would be nothing to load"},
    {"-static", EXACT, "a library that is loaded into a process cannot be linked statically"},
    {"-static-pie", EXACT, "a library that is loaded into a process cannot be linked statically"},
    {"-r", EXACT, "it chooses an output; use `kiln build -o FILE.o`"},
    {"-shared", EXACT, "Kiln decides what is made: it is always a shared image"},
};

static bool matches(const struct refused *entry, const char *argument)
{
    if (entry->match == EXACT)
        return strcmp(argument, entry->argument) == 0;
    return strncmp(argument, entry->argument, strlen(entry->argument)) == 0;
}

/* -o is a prefix of nothing that Clang knows but -objc..., and -M* of nothing but those listed. */
static bool is_other_option(const char *argument)
{
    return strncmp(argument, "-objcmt", 7) == 0 || strncmp(argument, "-object", 7) == 0;
}

long arguments_find_refused(const char *const *arguments, const char **reason, size_t *taken)
{
    for (size_t i = 0; arguments && arguments[i]; i++) {
        const char *argument = arguments[i];
        size_t skipped = 0;
        /* Clang hands what follows -Xclang to its front end: the same refusals hold there. */
        if (strcmp(argument, "-Xclang") == 0 && arguments[i + 1]) {
            argument = arguments[i + 1];
            skipped = 1;
        }
        for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
            if (!matches(&refused[k], argument) || is_other_option(argument))
                continue;
            bool next = refused[k].match == JOINED_OR_NEXT &&
                        strcmp(argument, refused[k].argument) == 0 && arguments[i + skipped + 1];
            *reason = refused[k].reason;
            *taken = 1 + skipped + (next ? 1 : 0);
            return (long)i;
        }
        i += skipped;
    }
    return -1;
}

bool arguments_add_absolute(string_list *list, const char *previous, const char *argument,
                            const char *directory)
{
    static const char *const options[] = {
        "-I",         "-L",       "-F",           "-isystem",       "-iquote",
        "-idirafter", "-include", "-imacros",     "-isysroot",      "--sysroot=",
        "-iprefix",   "-B",       "-include-pch", "-isystem-after", "--embed-dir=",
    };
    size_t option_count = sizeof options / sizeof *options, best = option_count;
    for (size_t i = 0; i < option_count; i++) {
        size_t length = strlen(options[i]);
        if (previous && strcmp(previous, options[i]) == 0)
            return string_list_take(list, path_join(directory, argument));
        if (strncmp(argument, options[i], length) == 0 && argument[length] &&
            (best == option_count || length > strlen(options[best])))
            best = i;
    }
    if (best == option_count)
        return string_list_add(list, argument);
    size_t length = strlen(options[best]);
    char *path = path_join(directory, argument + length);
    bool done = path && string_list_take(list, text_print("%s%s", options[best], path));
    free(path);
    return done;
}

bool argument_is_native(const char *argument)
{
    return strcmp(argument, "-march=native") == 0 || strcmp(argument, "-mcpu=native") == 0 ||
           strcmp(argument, "-mtune=native") == 0;
}
