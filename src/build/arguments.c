/* arguments.c - the table of refused arguments: see arguments.h. */
#include "build/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

typedef enum match {
    EXACT,
    PREFIX,
    NEXT,          /* exactly this, and its value follows */
    JOINED_OR_NEXT /* its value is joined to it, or follows */
} match;

static const struct refused {
    const char *argument;
    match match;
    const char *reason;
} refused[] = {
    {"@", PREFIX, "what is in the file could not be checked; pass its arguments themselves"},
    {"-o", JOINED_OR_NEXT, "it chooses an output; Kiln keeps outputs in memory and in its cache"},
    {"--output", JOINED_OR_NEXT,
     "it chooses an output; Kiln keeps outputs in memory and in its cache"},
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
    {"-Wp,-M", PREFIX, "dependencies are recorded by Kiln itself"},
    {"--analyze", EXACT, "it asks for a report, which is nothing to load"},
    {"--precompile", EXACT, "it chooses an output; Kiln decides what is made"},
    {"-emit-ast", EXACT, "it chooses an output; Kiln decides what is made"},
    {"-save-stats", PREFIX, "it writes files beside the sources"},
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
    {"-load", NEXT, "it runs other code inside the compiler"},
    {"-plugin", NEXT, "it runs other code inside the compiler"},
    {"-add-plugin", NEXT, "it runs other code inside the compiler"},
    {"-wrapper", NEXT, "it runs other programs"},
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
    if (entry->match == EXACT || entry->match == NEXT)
        return strcmp(argument, entry->argument) == 0;
    return strncmp(argument, entry->argument, strlen(entry->argument)) == 0;
}

/* -o is a prefix of nothing that Clang knows but -objc..., and -M* of nothing but those listed. */
static bool is_other_option(const char *argument)
{
    return strncmp(argument, "-objcmt", 7) == 0 || strncmp(argument, "-object", 7) == 0;
}

static const struct refused *find_entry(const char *argument)
{
    if (is_other_option(argument))
        return NULL;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (matches(&refused[i], argument))
            return &refused[i];
    return NULL;
}

/* What -Xclang hands to Clang's front end, in either of its forms: `-Xclang X`, `-Xclang=X`. NULL
 * where the argument is another. *span: how many arguments it takes. */
static const char *frontend_argument(const char *const *arguments, size_t *span)
{
    static const char joined[] = "-Xclang=";
    *span = 1;
    if (strncmp(arguments[0], joined, sizeof joined - 1) == 0)
        return arguments[0] + sizeof joined - 1;
    if (strcmp(arguments[0], "-Xclang") != 0 || !arguments[1])
        return NULL;
    *span = 2;
    return arguments[1];
}

/* How many arguments the value of an option takes that ends before `arguments`. */
static size_t value_span(const char *const *arguments, bool of_frontend)
{
    size_t span;
    if (!arguments[0])
        return 0;
    if (!of_frontend)
        return 1;
    return frontend_argument(arguments, &span) ? span : 0;
}

long arguments_find_refused(const char *const *arguments, const char **reason, size_t *taken)
{
    for (size_t i = 0; arguments && arguments[i];) {
        size_t span;
        /* The same refusals hold for the front end. */
        const char *frontend = frontend_argument(arguments + i, &span);
        const char *argument = frontend ? frontend : arguments[i];
        const struct refused *entry = find_entry(argument);
        if (!entry) {
            i += span;
            continue;
        }
        bool next = entry->match == NEXT ||
                    (entry->match == JOINED_OR_NEXT && strcmp(argument, entry->argument) == 0);
        *reason = entry->reason;
        *taken = span + (next ? value_span(arguments + i + span, frontend != NULL) : 0);
        return (long)i;
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
        "--sysroot",
    };
    size_t option_count = sizeof options / sizeof *options, best = option_count;
    for (size_t i = 0; i < option_count; i++) {
        size_t length = strlen(options[i]);
        if (previous && strcmp(previous, options[i]) == 0)
            return string_list_take(list, path_join(directory, argument));
        if (strcmp(argument, options[i]) == 0)
            return string_list_add(list, argument); /* its path follows */
        if (strncmp(argument, options[i], length) == 0 &&
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

bool arguments_are_native(const string_list *list)
{
    for (size_t i = 0; list && i < list->count; i++)
        if (argument_is_native(list->items[i]))
            return true;
    return false;
}
