/* arguments.c - the table of refused arguments: see arguments.h.
 *
 * Arguments are read as the words that come to somebody: Clang's driver, its front end (-Xclang,
 * -Wp,), the linker (-Wl,) or LLVM (-mllvm). Each has its own refusals, and its own options whose
 * value is never looked at. */
#include "build/arguments.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "os/os.h"

/* ---- the tables ---- */

typedef enum match {
    EXACT,
    PREFIX,
    NEXT,           /* exactly this, and its value follows */
    JOINED_OR_NEXT, /* its value is joined to it, or follows */
    VALUE           /* `-x=value`, or exactly `-x`, and its value follows */
} match;

typedef struct refused {
    const char *argument;
    match match;
    const char *reason;
} refused;

static const char chooses_output[] =
    "it chooses an output; Kiln keeps outputs in memory and in its cache";
static const char writes_files[] = "it writes files beside the sources";
static const char reports_itself[] = "dependencies are recorded by Kiln itself";
static const char runs_code[] = "it runs other code inside the compiler";
static const char runs_programs[] = "it runs other programs";
static const char no_output[] = "it asks for no output, and there would be nothing to load";
static const char prints_report[] = "it prints a report, and standard output is the host's";
static const char hides_arguments[] =
    "what is in the file could not be checked; pass its arguments themselves";

/* Of Clang's driver and of its front end. */
static const refused of_compiler[] = {
    {"@", PREFIX, hides_arguments},
    {"--config", PREFIX, hides_arguments},
    {"--driver-mode", VALUE, "the other arguments would mean something else than was checked"},
    {"-working-directory", VALUE, "the directory is the spec's: set it there"},
    {"--working-directory", VALUE, "the directory is the spec's: set it there"},
    {"-o", JOINED_OR_NEXT, chooses_output},
    {"--output", JOINED_OR_NEXT, chooses_output},
    {"-c", EXACT, "it chooses an output; Kiln decides what is made"},
    {"--compile", EXACT, "it chooses an output; Kiln decides what is made"},
    {"-S", EXACT, "it chooses an output; use `kiln build -o FILE.s`"},
    {"--assemble", EXACT, "it chooses an output; use `kiln build -o FILE.s`"},
    {"-E", EXACT, "it asks for preprocessed text, which is nothing to load"},
    {"--preprocess", EXACT, "it asks for preprocessed text, which is nothing to load"},
    {"-fsyntax-only", EXACT, no_output},
    {"-fdriver-only", EXACT, no_output},
    {"-emit-llvm", EXACT, "it chooses an output; use `kiln build -o FILE.bc`"},
    {"-emit-", PREFIX, "it chooses an output; Kiln decides what is made"},
    {"--emit-", PREFIX, "it chooses an output; Kiln decides what is made"},
    {"--precompile", EXACT, "it chooses an output; Kiln decides what is made"},
    {"-extract-api", PREFIX, "it asks for a report, which is nothing to load"},
    {"--extract-api", PREFIX, "it asks for a report, which is nothing to load"},
    {"--analyze", PREFIX, "it asks for a report, which is nothing to load"},
    {"-analyze", EXACT, "it asks for a report, which is nothing to load"},
    {"-rewrite-", PREFIX, "it rewrites sources, which is nothing to load"},
    {"-fixit", PREFIX, "it rewrites sources, which is nothing to load"},
    {"-MF", JOINED_OR_NEXT, reports_itself},
    {"-MT", JOINED_OR_NEXT, reports_itself},
    {"-MQ", JOINED_OR_NEXT, reports_itself},
    {"-MJ", JOINED_OR_NEXT, reports_itself},
    {"-M", EXACT, reports_itself},
    {"-MM", EXACT, reports_itself},
    {"-MD", EXACT, reports_itself},
    {"-MMD", EXACT, reports_itself},
    {"-MP", EXACT, reports_itself},
    {"-MG", EXACT, reports_itself},
    {"-MV", EXACT, reports_itself},
    {"--dependencies", EXACT, reports_itself},
    {"--user-dependencies", EXACT, reports_itself},
    {"--write-dependencies", EXACT, reports_itself},
    {"--write-user-dependencies", EXACT, reports_itself},
    {"-dependency-file", NEXT, reports_itself},
    {"-dependency-dot", NEXT, reports_itself},
    {"-header-include-file", NEXT, reports_itself},
    {"-module-dependency-dir", NEXT, reports_itself},
    {"-gen-cdb-fragment-path", NEXT, reports_itself},
    {"-dumpdir", NEXT, writes_files},
    {"-dump", PREFIX, no_output},
    {"-dsym-dir", NEXT, writes_files},
    {"-save-stats", PREFIX, writes_files},
    {"-save-temps", PREFIX, writes_files},
    {"--save-", PREFIX, writes_files},
    {"-stats-file", PREFIX, writes_files},
    {"-via-file-asm", EXACT, writes_files},
    {"-ftime-trace", PREFIX, writes_files},
    {"-fproc-stat-report", PREFIX, writes_files},
    {"-fstack-usage", EXACT, writes_files},
    {"-gsplit-dwarf", PREFIX, writes_files},
    {"-split-dwarf-file", NEXT, writes_files},
    {"-split-dwarf-output", NEXT, writes_files},
    {"--coverage", EXACT, writes_files},
    {"-coverage", EXACT, writes_files},
    {"-ftest-coverage", EXACT, writes_files},
    {"-coverage-notes-file", PREFIX, writes_files},
    {"-fsave-optimization-record", PREFIX, writes_files},
    {"-foptimization-record-file", PREFIX, writes_files},
    {"-fthin-link-bitcode", PREFIX, writes_files},
    {"-fmodule-output", PREFIX, writes_files},
    {"-fmodules-cache-path", PREFIX, writes_files},
    {"-fcrash-diagnostics-dir", PREFIX, writes_files},
    {"-gen-reproducer", PREFIX, writes_files},
    {"--symbol-graph-dir", PREFIX, writes_files},
    {"-index-store-path", NEXT, writes_files},
    {"--serialize-diagnostics", JOINED_OR_NEXT, "diagnostics come back through the API"},
    {"-serialize-diagnostics", JOINED_OR_NEXT, "diagnostics come back through the API"},
    {"-serialize-diagnostic-file", NEXT, "diagnostics come back through the API"},
    {"-diagnostic-log-file", NEXT, "diagnostics come back through the API"},
    {"-fdiagnostics-format", VALUE, "diagnostics come back through the API"},
    {"-fplugin", PREFIX, runs_code},
    {"-fpass-plugin", PREFIX, runs_code},
    {"-load", NEXT, runs_code},
    {"-plugin", NEXT, runs_code},
    {"-plugin-arg-", PREFIX, runs_code},
    {"-add-plugin", NEXT, runs_code},
    {"-wrapper", NEXT, runs_programs},
    {"-ccc-gcc-name", NEXT, runs_programs},
    {"-ccc-install-dir", NEXT, runs_programs},
    {"-ccc-", PREFIX, no_output},
    {"-fthinlto-distributor", PREFIX, runs_programs},
    {"--offload-arch-tool", PREFIX, runs_programs},
    {"-fno-integrated-as", EXACT, runs_programs},
    {"-no-integrated-as", EXACT, runs_programs},
    {"-fno-integrated-cc1", EXACT, runs_programs},
    {"-fno-integrated-objemitter", EXACT, runs_programs},
    {"-fuse-ld", PREFIX, "Kiln links with LLD"},
    {"--ld-path", PREFIX, "Kiln links with LLD"},
    {"-###", EXACT, no_output},
    {"-static", EXACT, "a library that is loaded into a process cannot be linked statically"},
    {"--static", EXACT, "a library that is loaded into a process cannot be linked statically"},
    {"-static-pie", EXACT, "a library that is loaded into a process cannot be linked statically"},
    {"-r", EXACT, "it chooses an output; use `kiln build -o FILE.o`"},
    {"-shared", EXACT, "Kiln decides what is made: it is always a shared image"},
    {"--shared", EXACT, "Kiln decides what is made: it is always a shared image"},
};

/* Of LLD, which takes one dash for two; the second is left out here. */
static const refused of_linker[] = {
    {"@", PREFIX, hides_arguments},
    {"-o", JOINED_OR_NEXT, chooses_output},
    {"-output", VALUE, chooses_output},
    {"-oformat", VALUE, chooses_output},
    {"-r", EXACT, "it chooses an output; use `kiln build -o FILE.o`"},
    {"-relocatable", EXACT, "it chooses an output; use `kiln build -o FILE.o`"},
    {"-out-implib", VALUE, writes_files},
    {"-Map", VALUE, writes_files},
    {"-dependency-file", VALUE, reports_itself},
    {"-reproduce", VALUE, writes_files},
    {"-save-temps", PREFIX, writes_files},
    {"-time-trace", PREFIX, writes_files},
    {"-print-archive-stats", VALUE, writes_files},
    {"-print-symbol-order", VALUE, writes_files},
    {"-print-gc-sections=", PREFIX, writes_files},
    {"-why-extract", VALUE, writes_files},
    {"-M", EXACT, prints_report},
    {"-print-map", EXACT, prints_report},
    {"-print-gc-sections", EXACT, prints_report},
    {"-cref", EXACT, prints_report},
    {"-help", EXACT, no_output},
    {"-version", EXACT, no_output},
    {"-pack-dyn-relocs=android", PREFIX, "the system's loader cannot read what comes of it"},
    {"-opt-remarks-filename", VALUE, writes_files},
    {"-thinlto-cache-dir", VALUE, writes_files},
    {"-thinlto-index-only", PREFIX, writes_files},
    {"-thinlto-emit-", PREFIX, writes_files},
    {"-lto-obj-path", VALUE, writes_files},
    {"-lto-emit-", PREFIX, chooses_output},
    {"-plugin-opt=dwo_dir", PREFIX, writes_files},
    {"-plugin-opt=obj-path", PREFIX, writes_files},
    {"-plugin-opt=stats-file", PREFIX, writes_files},
    {"-plugin-opt=save-temps", PREFIX, writes_files},
    {"-plugin-opt=time-trace", PREFIX, writes_files},
    {"-plugin-opt=opt-remarks-filename", PREFIX, writes_files},
    {"-plugin-opt=thinlto-", PREFIX, writes_files},
    {"-plugin-opt=emit-", PREFIX, chooses_output},
    {"-load-pass-plugin", VALUE, runs_code},
    {"-plugin", VALUE, runs_code},
    {"-thinlto-distributor", VALUE, runs_programs},
    {"-thinlto-remote-compiler", VALUE, runs_programs},
    {"-error-handling-script", VALUE, runs_programs},
};

/* Of LLVM's own options, likewise. */
static const refused of_llvm[] = {
    {"-help", PREFIX, no_output},
    {"-version", EXACT, no_output},
    {"-load", VALUE, runs_code},
    {"-load-pass-plugin", VALUE, runs_code},
    {"-x86-lvi-load-opt-plugin", VALUE, runs_code},
    {"-exec-on-ir-change", VALUE, runs_programs},
    {"-print-changed=diff", PREFIX, runs_programs},
    {"-print-changed=cdiff", PREFIX, runs_programs},
    {"-print-changed=dot", PREFIX, runs_programs},
    {"-view-", PREFIX, runs_programs},
    {"-lto-aix-system-assembler", VALUE, runs_programs},
    {"-inliner-interactive-channel-base", VALUE, runs_programs},
    {"-regalloc-evict-interactive-channel-base", VALUE, runs_programs},
    {"-regalloc-priority-interactive-channel-base", VALUE, runs_programs},
    {"-dot-", PREFIX, writes_files},
    {"-cfg-dot-", PREFIX, writes_files},
    {"-mcfg-dot-", PREFIX, writes_files},
    {"-callgraph-dot-", PREFIX, writes_files},
    {"-attributor-depgraph-dot-", PREFIX, writes_files},
    {"-amdgpu-module-splitting-print-", PREFIX, writes_files},
    {"-memprof-export-to-dot", PREFIX, writes_files},
    {"-module-summary-dot-file", VALUE, writes_files},
    {"-as-secure-log-file", VALUE, writes_files},
    {"-crash-diagnostics-dir", VALUE, writes_files},
    {"-info-output-file", VALUE, writes_files},
    {"-ir-dump-directory", VALUE, writes_files},
    {"-lowertypetests-write-summary", VALUE, writes_files},
    {"-wholeprogramdevirt-write-summary", VALUE, writes_files},
    {"-pass-remarks-output", VALUE, writes_files},
    {"-lto-pass-remarks-output", VALUE, writes_files},
    {"-lto-stats-file", VALUE, writes_files},
    {"-opt-bisect-print-ir-path", VALUE, writes_files},
    {"-print-on-crash-path", VALUE, writes_files},
    {"-polly-dump-", PREFIX, writes_files},
    {"-time-trace", PREFIX, writes_files},
};

/* Options with a value of their own argument, which says nothing of what it looks like. */
static const char *const valued_by_compiler[] = {"-D",
                                                 "-U",
                                                 "-I",
                                                 "-L",
                                                 "-l",
                                                 "-F",
                                                 "-B",
                                                 "-T",
                                                 "-u",
                                                 "-z",
                                                 "-e",
                                                 "-x",
                                                 "-include",
                                                 "-imacros",
                                                 "-include-pch",
                                                 "-isystem",
                                                 "-isystem-after",
                                                 "-iquote",
                                                 "-idirafter",
                                                 "-iprefix",
                                                 "-iwithprefix",
                                                 "-iwithprefixbefore",
                                                 "-iwithsysroot",
                                                 "-isysroot",
                                                 "-iframework",
                                                 "-cxx-isystem",
                                                 "-stdlib++-isystem",
                                                 "-ivfsoverlay",
                                                 "-target",
                                                 "-resource-dir",
                                                 "-Xassembler",
                                                 "--param",
                                                 "--sysroot",
                                                 NULL};
static const char *const valued_by_linker[] = {"-rpath",
                                               "-z",
                                               "-soname",
                                               "-h",
                                               "-T",
                                               "-script",
                                               "-u",
                                               "-undefined",
                                               "-e",
                                               "-entry",
                                               "-L",
                                               "-library-path",
                                               "-l",
                                               "-library",
                                               "-y",
                                               "-m",
                                               "-defsym",
                                               "-dynamic-list",
                                               "-version-script",
                                               "-export-dynamic-symbol",
                                               "-wrap",
                                               "-exclude-libs",
                                               "-dynamic-linker",
                                               "-I",
                                               "-init",
                                               "-fini",
                                               NULL};
static const char *const valued_by_nobody[] = {NULL};

/* ---- words ---- */

/* To whom a word goes. */
typedef enum domain { DRIVER, FRONT_END, LINKER, LLVM, DOMAIN_COUNT } domain;

static const struct {
    const refused *refused;
    size_t count;
    const char *const *valued;
    bool one_dash; /* two dashes mean the same as one */
} domains[DOMAIN_COUNT] = {
    [DRIVER] = {of_compiler, sizeof of_compiler / sizeof *of_compiler, valued_by_compiler, false},
    [FRONT_END] = {of_compiler, sizeof of_compiler / sizeof *of_compiler, valued_by_compiler,
                   false},
    [LINKER] = {of_linker, sizeof of_linker / sizeof *of_linker, valued_by_linker, true},
    [LLVM] = {of_llvm, sizeof of_llvm / sizeof *of_llvm, valued_by_nobody, true},
};

/* What carries words to others than the driver. */
static const struct carrier {
    const char *argument;
    enum { WORD_NEXT, WORD_JOINED, WORDS_BY_COMMA, PREFIX_THEN_NEXT } form;
    domain domain;
} carriers[] = {
    {"-Xclang", WORD_NEXT, FRONT_END},        {"-Xclang=", WORD_JOINED, FRONT_END},
    {"-Xpreprocessor", WORD_NEXT, FRONT_END}, {"-Wp,", WORDS_BY_COMMA, FRONT_END},
    {"-Xarch_", PREFIX_THEN_NEXT, FRONT_END}, {"-Xlinker", WORD_NEXT, LINKER},
    {"-Wl,", WORDS_BY_COMMA, LINKER},         {"--for-linker", WORD_NEXT, LINKER},
    {"--for-linker=", WORD_JOINED, LINKER},
};

typedef struct word {
    domain domain;
    const char *text; /* not terminated */
    size_t length;
    size_t first; /* the argument that it begins with, its carrier's */
} word;

typedef struct reader {
    const char *const *arguments;
    size_t next;      /* the first argument that is not read yet */
    const char *rest; /* of a comma-separated argument, or NULL */
    size_t rest_first;
    domain rest_domain;
} reader;

static bool begins_with(const char *string, const char *beginning)
{
    return strncmp(string, beginning, strlen(beginning)) == 0;
}

static const struct carrier *find_carrier(const char *argument, const char *next)
{
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++) {
        const struct carrier *carrier = &carriers[i];
        bool whole = carrier->form == WORD_NEXT;
        bool fits = whole ? strcmp(argument, carrier->argument) == 0
                          : begins_with(argument, carrier->argument);
        if (fits && (next || (!whole && carrier->form != PREFIX_THEN_NEXT)))
            return carrier;
    }
    return NULL;
}

static void take_until_comma(reader *reader, word *word)
{
    size_t length = strcspn(reader->rest, ",");
    word->domain = reader->rest_domain;
    word->text = reader->rest;
    word->length = length;
    word->first = reader->rest_first;
    reader->rest = reader->rest[length] ? reader->rest + length + 1 : NULL;
}

/* The driver's own value of an option: whatever stands there. */
static bool read_raw(reader *reader, word *word)
{
    const char *text = reader->arguments[reader->next];
    if (!text)
        return false;
    *word = (struct word){DRIVER, text, strlen(text), reader->next++};
    return true;
}

static bool read_carried(reader *reader, word *word)
{
    if (reader->rest) {
        take_until_comma(reader, word);
        return true;
    }
    const char *argument = reader->arguments[reader->next];
    if (!argument)
        return false;
    const struct carrier *carrier = find_carrier(argument, reader->arguments[reader->next + 1]);
    if (!carrier)
        return read_raw(reader, word);
    size_t first = reader->next++;
    if (carrier->form == WORDS_BY_COMMA) {
        reader->rest = argument + strlen(carrier->argument);
        reader->rest_first = first;
        reader->rest_domain = carrier->domain;
        take_until_comma(reader, word);
        return true;
    }
    const char *text = carrier->form == WORD_JOINED ? argument + strlen(carrier->argument)
                                                    : reader->arguments[reader->next++];
    *word = (struct word){carrier->domain, text, strlen(text), first};
    return true;
}

/* The value of an option that came to `domain`: the next word that goes there, if it is one. */
static bool read_value(reader *reader, domain domain, word *value)
{
    if (domain == DRIVER)
        return read_raw(reader, value);
    struct reader ahead = *reader;
    if (!read_carried(&ahead, value) || value->domain != domain)
        return false;
    *reader = ahead;
    return true;
}

static bool word_begins(const word *word, const char *beginning)
{
    size_t length = strlen(beginning);
    return word->length >= length && memcmp(word->text, beginning, length) == 0;
}

static bool word_is(const word *word, const char *text)
{
    return word->length == strlen(text) && word_begins(word, text);
}

static void drop_dash(word *word)
{
    if (domains[word->domain].one_dash && word_begins(word, "--")) {
        word->text++;
        word->length--;
    }
}

/* The next word, with whatever is handed on to LLVM told as LLVM's. */
static bool read_word(reader *reader, word *word)
{
    static const char *const joined[] = {"-mllvm=", "-plugin-opt="};
    if (!read_carried(reader, word))
        return false;
    struct word value, single = *word;
    drop_dash(&single);
    if (word_is(&single, "-mllvm")) {
        size_t first = word->first;
        if (read_value(reader, word->domain, &value)) {
            *word = value;
            word->domain = LLVM;
            word->first = first;
        }
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(joined[i]);
        /* Of -plugin-opt= only what looks like an option goes on. */
        if (!word_begins(&single, joined[i]) || single.length == length ||
            single.text[length] != '-')
            continue;
        word->text = single.text + length;
        word->length = single.length - length;
        word->domain = LLVM;
    }
    return true;
}

/* ---- refusing ---- */

static bool matches(const refused *entry, const word *word)
{
    size_t length = strlen(entry->argument);
    if (!word_begins(word, entry->argument))
        return false;
    switch (entry->match) {
    case EXACT:
    case NEXT:
        return word->length == length;
    case VALUE:
        return word->length == length || word->text[length] == '=';
    case PREFIX:
    case JOINED_OR_NEXT:
        break;
    }
    return true;
}

/* What begins like a refused option, and is none: -o is a prefix of nothing else that Clang knows,
 * and of these of LLD's. */
static bool is_other_option(const word *word)
{
    if (word->domain == LINKER)
        return word_is(word, "-omagic") || word_begins(word, "-optimize-bb-jumps") ||
               word_begins(word, "-orphan-handling");
    return word_begins(word, "-objcmt") || word_begins(word, "-object") ||
           word_is(word, "-emit-llvm-uselists");
}

static const refused *find_entry(const word *word)
{
    if (is_other_option(word))
        return NULL;
    struct word single = *word;
    drop_dash(&single);
    for (size_t i = 0; i < domains[word->domain].count; i++) {
        const refused *entry = &domains[word->domain].refused[i];
        if (matches(entry, entry->match == JOINED_OR_NEXT ? word : &single))
            return entry;
    }
    return NULL;
}

static bool takes_value(const word *word)
{
    struct word single = *word;
    drop_dash(&single);
    for (const char *const *option = domains[word->domain].valued; *option; option++)
        if (word_is(&single, *option))
            return true;
    return false;
}

/* Whether the value of a refused option is a word of its own. */
static bool refuses_next(const refused *entry, const word *word)
{
    struct word single = *word;
    drop_dash(&single);
    return entry->match == NEXT || ((entry->match == JOINED_OR_NEXT || entry->match == VALUE) &&
                                    word_is(&single, entry->argument));
}

/* LLVM's words stand behind a -mllvm each, which read_word alone sees through. */
static bool skip_value(reader *reader, domain domain)
{
    word value;
    if (domain != LLVM)
        return read_value(reader, domain, &value);
    struct reader ahead = *reader;
    if (!read_word(&ahead, &value) || value.domain != LLVM)
        return false;
    *reader = ahead;
    return true;
}

long arguments_find_refused(const char *const *arguments, const char **reason, size_t *taken)
{
    if (!arguments)
        return -1;
    reader reader = {.arguments = arguments};
    for (word word; read_word(&reader, &word);) {
        const refused *entry = find_entry(&word);
        if (!entry) {
            if (takes_value(&word))
                skip_value(&reader, word.domain);
            continue;
        }
        if (refuses_next(entry, &word))
            skip_value(&reader, word.domain);
        *reason = entry->reason;
        *taken = reader.next - word.first;
        return (long)word.first;
    }
    return -1;
}

/* ---- paths ---- */

/* What the front end is handed by the arguments before `end`: `-Xclang X`, `-Xclang=X`. */
static const char *carried_before(const string_list *list, size_t end)
{
    static const char joined[] = "-Xclang=";
    if (end >= 1 && begins_with(list->items[end - 1], joined))
        return list->items[end - 1] + sizeof joined - 1;
    if (end >= 2 && strcmp(list->items[end - 2], "-Xclang") == 0)
        return list->items[end - 1];
    return NULL;
}

/* Clang looks for the file of -include in its directory first, then as #include "..." does: what is
 * not in the directory of the spec is found along -I, by dependents too. */
static bool is_searched(const char *option, const char *path, const char *directory)
{
    if (strcmp(option, "-include") != 0 && strcmp(option, "-imacros") != 0)
        return false;
    char *full = path_join(directory, path);
    os_kind kind = OS_ABSENT;
    os_identity identity;
    bool there = full && os_identify(AT_FDCWD, full, &kind, &identity) == 0 && kind == OS_FILE;
    free(full);
    return !there;
}

/* The value of an option that takes a path. `=dir` is below the system's root (--sysroot). */
static char *place(const char *option, const char *path, const char *directory)
{
    if (*path == '=' || is_searched(option, path, directory))
        return strdup(path);
    return path_join(directory, path);
}

static bool is_valued(const char *option)
{
    for (const char *const *valued = valued_by_compiler; *valued; valued++)
        if (strcmp(option, *valued) == 0)
            return true;
    return false;
}

/* Not among them: -iwithprefix, whose value is an end to that of -iprefix, and -iwithsysroot, whose
 * value is below the system's root. */
static char *make_absolute(const char *option, const char *argument, const char *directory)
{
    static const char *const options[] = {
        "-I",          "-L",           "-F",           "-isystem",          "-iquote",
        "-idirafter",  "-include",     "-imacros",     "-isysroot",         "--sysroot=",
        "-iprefix",    "-B",           "-include-pch", "-isystem-after",    "--embed-dir=",
        "--sysroot",   "-cxx-isystem", "-iframework",  "-stdlib++-isystem", "-fmodule-map-file=",
        "-ivfsoverlay"};
    const char *best = NULL;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (option && strcmp(option, options[i]) == 0)
            return place(options[i], argument, directory);
        if (begins_with(argument, options[i]) && (!best || strlen(options[i]) > strlen(best)))
            best = options[i];
    }
    if (!best || strcmp(argument, best) == 0 || (option && is_valued(option)))
        return strdup(argument);
    char *path = place(best, argument + strlen(best), directory);
    char *whole = path ? text_print("%s%s", best, path) : NULL;
    free(path);
    return whole;
}

bool arguments_add_absolute(string_list *list, const char *previous, const char *argument,
                            const char *directory)
{
    static const char joined[] = "-Xclang=";
    bool is_joined = begins_with(argument, joined);
    bool follows = previous && strcmp(previous, "-Xclang") == 0;
    const char *option = previous;
    if (is_joined || follows)
        option = carried_before(list, list->count - (follows && list->count > 0));
    else if (carried_before(list, list->count))
        option = NULL; /* what stands before it went to the front end */
    size_t carrier = is_joined ? sizeof joined - 1 : 0;
    char *made = make_absolute(option, argument + carrier, directory);
    bool done = made && string_list_take(list, text_print("%.*s%s", (int)carrier, argument, made));
    free(made);
    return done;
}

bool argument_has_value(const char *argument)
{
    const struct carrier *carrier = find_carrier(argument, argument);
    bool carries = carrier && (carrier->form == WORD_NEXT || carrier->form == PREFIX_THEN_NEXT);
    return carries || strcmp(argument, "-mllvm") == 0 || is_valued(argument);
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
