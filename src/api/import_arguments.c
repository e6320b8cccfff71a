/* import_arguments.c - the rules by which a build's command line becomes arguments: see
 * import_arguments.h.
 *
 * Rules are looked through in order and the first that fits decides; a word that none fits and that
 * begins with a dash goes on as it is, and any other word is an input, a compiler's name or a
 * wrapper's, none of which an argument. What Kiln refuses (build/arguments.h) is dropped by that
 * table at the end, so that the two cannot drift apart. */
#include "api/import_arguments.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "build/arguments.h"
#include "os/os.h"

/* ---- rules ---- */

typedef enum match {
    EXACT,  /* the word alone */
    PREFIX, /* the word and whatever follows in it */
    NEXT,   /* the word, and the next one is its value */
    EITHER  /* the value follows in the word, or is the next one */
} match;

typedef enum action {
    DROP,
    KEEP,
    PATH,    /* keep; the value is a path */
    LIBRARY, /* for the link */
    LIBRARY_PATH,
    INCLUDE,    /* -include */
    PCH,        /* -include-pch */
    LANGUAGE,   /* -x */
    OUTPUT,     /* -o */
    FRONT_END,  /* -Xclang */
    VISIBILITY, /* -fvisibility=hidden and the like */
    ERROR       /* -Werror=: a warning of another compiler is no reason to fail */
} action;

typedef struct rule {
    const char *word;
    match match;
    action action;
} rule;

/* First what has a meaning of its own, then what is dropped and why. */
static const rule rules[] = {
    {"-o", EITHER, OUTPUT},
    {"-x", EITHER, LANGUAGE},
    {"-Xclang", NEXT, FRONT_END},
    {"-include-pch", NEXT, PCH},
    {"-include", EITHER, INCLUDE},
    {"-imacros", EITHER, PATH},
    {"-iprefix", NEXT, KEEP},
    {"-iwithprefixbefore", NEXT, KEEP},
    {"-iwithprefix", NEXT, KEEP},
    {"-isystem-after", EITHER, PATH},
    {"-isystem", EITHER, PATH},
    {"-iquote", EITHER, PATH},
    {"-idirafter", EITHER, PATH},
    {"-isysroot", EITHER, PATH},
    {"-cxx-isystem", EITHER, PATH},
    {"-stdlib++-isystem", EITHER, PATH},
    {"-ivfsoverlay", NEXT, PATH},
    {"-I", EITHER, PATH},
    {"--sysroot=", PREFIX, PATH},
    {"--sysroot", NEXT, PATH},
    {"--gcc-toolchain=", PREFIX, PATH},
    {"--embed-dir=", PREFIX, PATH},
    {"-fmodule-map-file=", PREFIX, PATH},
    {"-fprofile-use=", PREFIX, PATH},
    {"-fprofile-instr-use=", PREFIX, PATH},
    {"-fprofile-sample-use=", PREFIX, PATH},
    {"-fsanitize-ignorelist=", PREFIX, PATH},
    {"-fsanitize-blacklist=", PREFIX, PATH},
    {"-D", EITHER, KEEP},
    {"-U", EITHER, KEEP},
    {"-target", NEXT, KEEP},
    {"-mllvm", NEXT, KEEP},
    {"-Xassembler", NEXT, KEEP},
    {"-Xpreprocessor", NEXT, KEEP},
    {"-l", EITHER, LIBRARY},
    {"-L", EITHER, LIBRARY_PATH},

    /* Warnings: the project's compiler may not know them, and this one may have more. */
    {"-Werror=", PREFIX, ERROR},
    {"-Werror", EXACT, DROP},
    {"-Wfatal-errors", EXACT, DROP},
    {"-pedantic-errors", EXACT, DROP},
    {"-Winvalid-pch", EXACT, DROP},

    /* A loaded library is position independent whatever the target was. */
    {"-fPIC", EXACT, DROP},
    {"-fpic", EXACT, DROP},
    {"-fPIE", EXACT, DROP},
    {"-fpie", EXACT, DROP},
    {"-fno-PIC", EXACT, DROP},
    {"-fno-pic", EXACT, DROP},
    {"-fno-PIE", EXACT, DROP},
    {"-fno-pie", EXACT, DROP},
    {"-pie", EXACT, DROP},
    {"-no-pie", EXACT, DROP},
    {"-nopie", EXACT, DROP},
    {"-rdynamic", EXACT, DROP},
    {"-s", EXACT, DROP},
    {"-fvisibility=", PREFIX, VISIBILITY},
    {"-fvisibility-inlines-hidden", EXACT, VISIBILITY},

    /* Other products: objects of another form, files beside the sources, talk. */
    {"-flto", PREFIX, DROP},
    {"-fno-lto", EXACT, DROP},
    {"-ffat-lto-objects", EXACT, DROP},
    {"-fno-fat-lto-objects", EXACT, DROP},
    {"-fprofile-arcs", EXACT, DROP},
    {"-fprofile-dir=", PREFIX, DROP},
    {"-fprofile-note=", PREFIX, DROP},
    {"-fprofile-abs-path", EXACT, DROP},
    {"-coverage", EXACT, DROP},
    {"-pg", EXACT, DROP},
    {"-p", EXACT, DROP},
    {"-fstack-usage", EXACT, DROP},
    {"-fcallgraph-info", PREFIX, DROP},
    {"-fdump", PREFIX, DROP},
    {"-fopt-info", PREFIX, DROP},
    {"-foptimization-record", PREFIX, DROP},
    {"-fcrash-diagnostics-dir=", PREFIX, DROP},
    {"-fdiagnostics-", PREFIX, DROP},
    {"-fno-diagnostics-", PREFIX, DROP},
    {"-fcolor-diagnostics", EXACT, DROP},
    {"-fno-color-diagnostics", EXACT, DROP},
    {"-fansi-escape-codes", EXACT, DROP},
    {"-fmessage-length=", PREFIX, DROP},
    {"-ftime-report", PREFIX, DROP},
    {"-MF", EITHER, DROP},
    {"-MT", EITHER, DROP},
    {"-MQ", EITHER, DROP},
    {"-MJ", EITHER, DROP},
    {"--serialize-diagnostics", NEXT, DROP},
    {"-serialize-diagnostics", NEXT, DROP},
    {"-index-store-path", NEXT, DROP},
    {"-aux-info", NEXT, DROP},
    {"-dumpbase", NEXT, DROP},
    {"-dumpbase-ext", NEXT, DROP},
    {"-dumpdir", NEXT, DROP},
    {"-pipe", EXACT, DROP},
    {"-v", EXACT, DROP},
    {"-H", EXACT, DROP},
    {"-P", EXACT, DROP},
    {"-C", EXACT, DROP},
    {"-CC", EXACT, DROP},
    {"-Q", EXACT, DROP},
    {"-time", EXACT, DROP},
    {"-Wp,-M", PREFIX, DROP},

    /* What the build has compiled beforehand is another compiler's: precompiled headers, C++
       modules. */
    {"-fpch-", PREFIX, DROP},
    {"-fno-pch-", PREFIX, DROP},
    {"-fmodules-ts", EXACT, DROP},
    {"-fmodule-mapper=", PREFIX, DROP},
    {"-fmodule-file=", PREFIX, DROP},
    {"-fmodule-output", PREFIX, DROP},
    {"-fdeps-", PREFIX, DROP},

    /* The tools are Kiln's. */
    {"-B", EITHER, DROP},
    {"-specs=", PREFIX, DROP},
    {"--specs=", PREFIX, DROP},
    {"-resource-dir", NEXT, DROP},
    {"-resource-dir=", PREFIX, DROP},
    {"-wrapper", NEXT, DROP},
    {"-fuse-linker-plugin", EXACT, DROP},
    {"-fno-use-linker-plugin", EXACT, DROP},
    {"--param", NEXT, DROP},
    {"--param=", PREFIX, DROP},
    {"-Wl,", PREFIX, DROP},
    {"-Xlinker", NEXT, DROP},
    {"-arch", NEXT, DROP},
    {"-framework", NEXT, DROP},
    {"-T", EITHER, DROP},
    {"-u", NEXT, DROP},
    {"-z", NEXT, DROP},

    /* Clang has these two of a family that is otherwise gcc's own. */
    {"-ftree-vectorize", EXACT, KEEP},
    {"-fno-tree-vectorize", EXACT, KEEP},
    {"-ftree-slp-vectorize", EXACT, KEEP},
    {"-fno-tree-slp-vectorize", EXACT, KEEP},
    {"-gno-", PREFIX, DROP},
    {"-gas-loc", PREFIX, DROP},
    {"-gbtf", EXACT, DROP},
    {"-gctf", PREFIX, DROP},
    {"-gdescribe-dies", EXACT, DROP},
    {"-ginline-points", EXACT, DROP},
    {"-ginternal-reset-location-views", EXACT, DROP},
    {"-gstabs", PREFIX, DROP},
    {"-gstatement-frontiers", EXACT, DROP},
    {"-gtoggle", EXACT, DROP},
    {"-gvariable-location-views", PREFIX, DROP},
};

/* Beginnings of gcc's -f and -fno- options that Clang rejects and that change the speed or form of
 * code, not what it means. Options that do change it (-ffixed-, -fpcc-struct-return, character
 * sets) stay, so that Clang can say no. */
static const char foreign_f[] =
    "abi-compat-version abi-version aggressive-loop-opt allocation-dce "
    "allow-store-data-races analyzer auto-inc-dec auto-profile bit-tests "
    "branch-probabilities branch-target-load btr- canonical-system-headers check-data-deps "
    "checking code-hoisting combine-stack-adj compare-debug compare-elim concepts conserve- "
    "constexpr-cache-depth constexpr-fp-except constexpr-loop-limit constexpr-ops-limit "
    "cprop- crossjumping cse- dbg-cnt dce declone-ctor deduce-init-list delayed-branch "
    "delete-dead-exceptions devirtualize disable-ipa disable-rtl disable-tree dse "
    "early-inlining eliminate-dwarf2 emit-class-debug emit-struct-debug enable-ipa "
    "enable-rtl enable-tree enforce-eh-specs ext-numeric-literals extended-identifiers "
    "extern-tls-init fold-simple-inlines forward-propagate fp-int-builtin-inexact "
    "function-cse gcse gnu-unique graphite guess-branch harden- hoist-adjacent if-conversion "
    "implicit-constexpr indirect-inlining inline-atomics inline-limit ipa- ira- "
    "isolate-erroneous keep-gc-roots keep-static-functions large-source-files lifetime-dse "
    "limit-function-alignment live- loop- lra- mem-report merge-debug-strings move-loop "
    "new-inheriting-ctors new-ttp-matching nothrow-opt optimize-register-move "
    "optimize-strlen partial-inlining peephole post-ipa pre-ipa predictive-commoning "
    "pretty-templates printf-return-value profile-info-section profile-partial "
    "profile-reorder profile-report profile-reproducible random-seed ree regmove reorder- "
    "report-bug rerun- reschedule- sched section-anchors sel-sched selective- shrink-wrap "
    "simd-cost-model split-ivs split-loops split-paths split-wide ssa- stack-check "
    "stack-limit stack-protector-explicit stack-reuse stats stdarg-opt store-merging "
    "strict-volatile-bitfields "
    "strong-eval-order sync-libcalls tail-call-workaround thread-jumps toplevel-reorder "
    "track-macro-expansion trampolines tree- unconstrained-commons unroll-completely "
    "use-cxa-get-exception-ptr var-tracking vect-cost-model version-loops vpt vtable-verify "
    "vtv- working-directory wpa zee";

/* The same for -m and -mno-. */
static const char foreign_m[] =
    "8bit-idiv accumulate-outgoing align-data align-stringops avx256-split branch-cost "
    "call-ms2sysv cet-switch dispatch-scheduler dump-tune fancy-math-387 fentry-name "
    "fentry-section force-drap force-indirect-call fused-madd incoming-stack indirect-branch "
    "inline-all-stringops inline-stringops instrument-return manual-endbr memcpy-strategy "
    "memset-strategy mitigate-rop move-max nop-mcount prefer-avx128 preferred-stack "
    "push-args record-mcount record-return relax-cmpxchg sse2avx store-max stringop-strategy "
    "stv tune-ctrl veclibabi";

static bool begins_with(const char *word, const char *start)
{
    return strncmp(word, start, strlen(start)) == 0;
}

/* Whether a name begins with one of the words of a list. */
static bool is_listed(const char *name, const char *list)
{
    for (size_t length; (length = strcspn(list, " ")) > 0; list += length, list += *list == ' ')
        if (strncmp(name, list, length) == 0)
            return true;
    return false;
}

/* Whether a word is one of gcc's own that Clang would stumble over. */
static bool is_foreign(const char *word)
{
    if (word[0] != '-' || (word[1] != 'f' && word[1] != 'm'))
        return false;
    const char *name = word + 2;
    /* Clang has the prefix since it exists in gcc; the rest of that family it has not. */
    if (strcmp(word, "-mindirect-branch-cs-prefix") == 0)
        return false;
    if (begins_with(name, "no-"))
        name += 3;
    return is_listed(name, word[1] == 'f' ? foreign_f : foreign_m);
}

static const rule *find_rule(const char *word)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const rule *r = &rules[i];
        bool exact = strcmp(word, r->word) == 0;
        if (exact || ((r->match == PREFIX || r->match == EITHER) && begins_with(word, r->word)))
            return r;
    }
    return NULL;
}

size_t import_unit_length(const char *const *arguments)
{
    const rule *r = find_rule(arguments[0]);
    if (!r || r->match != NEXT || !arguments[1])
        return 1;
    bool include = r->action == FRONT_END && strcmp(arguments[1], "-include") == 0;
    return include && arguments[2] && arguments[3] ? 4 : 2;
}

/* ---- the sorting ---- */

typedef struct sorting {
    const import_place *place;
    const string_list *words;
    bool shared;
    import_command *command;
} sorting;

static kiln_status add(sorting *s, const char *word)
{
    return string_list_add(&s->command->arguments, word) ? KILN_OK
                                                         : error_no_memory(s->place->error);
}

static kiln_status add_joined(sorting *s, string_list *list, const char *option, const char *value)
{
    return string_list_take(list, text_print("%s%s", option, value))
               ? KILN_OK
               : error_no_memory(s->place->error);
}

/* An option with its value: in one word, unless the option takes the next one only. */
static kiln_status add_option(sorting *s, const rule *r, const char *value)
{
    if (r->match != NEXT)
        return add_joined(s, &s->command->arguments, r->word, value);
    kiln_status status = add(s, r->word);
    return status == KILN_OK ? add(s, value) : status;
}

/* A path that means the same in every directory. "=" and "$SYSROOT" begin paths below the system
 * root. The caller frees it. */
static char *absolute(const sorting *s, const char *path)
{
    bool below_root = path[0] == '=' || begins_with(path, "$SYSROOT");
    return below_root ? strdup(path) : path_join(s->place->directory, path);
}

static kiln_status add_path(sorting *s, const rule *r, const char *value)
{
    char *path = absolute(s, value);
    kiln_status status = path ? add_option(s, r, path) : error_no_memory(s->place->error);
    free(path);
    return status;
}

/* Whether a header named by a relative path is meant from the build's directory, or by a search. */
static bool is_file(const char *path)
{
    os_kind kind;
    os_identity identity;
    return os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind == OS_FILE;
}

/* Include a header before the source, by an option of the front end: given -include, Clang's driver
 * would prefer a precompiled header that the build has left beside the header, made by whatever
 * compiler. */
static kiln_status add_include(sorting *s, const char *value)
{
    char *path = path_join(s->place->directory, value);
    if (!path)
        return error_no_memory(s->place->error);
    const char *const unit[] = {"-Xclang", "-include", "-Xclang", is_file(path) ? path : value};
    kiln_status status = KILN_OK;
    for (size_t i = 0; i < 4 && status == KILN_OK; i++)
        status = add(s, unit[i]);
    free(path);
    return status;
}

/* In the place of a precompiled header comes the header; not where the command includes it besides,
 * as CMake's do. */
static kiln_status replace_pch(sorting *s, const char *value)
{
    char *path = path_join(s->place->directory, value);
    if (!path)
        return error_no_memory(s->place->error);
    char *extension = (char *)path_extension(path);
    if (strcmp(extension, ".pch") == 0 || strcmp(extension, ".gch") == 0)
        *extension = '\0';
    kiln_status status = KILN_OK;
    if (!string_list_contains(s->words, path)) {
        if (is_file(path) && *extension == '\0')
            status = add_include(s, path);
        else
            status =
                import_wrong(s->place, KILN_SPEC,
                             "the precompiled header '%s' cannot be used here, and the header that "
                             "it was made of is not beside it",
                             value);
    }
    free(path);
    return status;
}

static kiln_status sort_front_end(sorting *s, const char *option, size_t *i)
{
    /* Those that take a value take it from the next -Xclang. */
    bool more = *i + 2 < s->words->count && strcmp(s->words->items[*i + 1], "-Xclang") == 0;
    const char *value = more ? s->words->items[*i + 2] : NULL;
    bool include = strcmp(option, "-include") == 0, pch = strcmp(option, "-include-pch") == 0;
    bool code = strcmp(option, "-load") == 0 || strcmp(option, "-plugin") == 0 ||
                strcmp(option, "-add-plugin") == 0 || begins_with(option, "-plugin-arg-");
    if (value && (include || pch || code)) {
        *i += 2;
        if (code)
            return KILN_OK;
        return include ? add_include(s, value) : replace_pch(s, value);
    }
    if (strcmp(option, "-emit-pch") == 0)
        s->command->makes_pch = true;
    /* Where there is no precompiled header, nothing needs to be said about it. */
    if (strstr(option, "-pch"))
        return KILN_OK;
    kiln_status status = add(s, "-Xclang");
    return status == KILN_OK ? add(s, option) : status;
}

static kiln_status set_language(sorting *s, const char *value)
{
    import_command *command = s->command;
    free(command->language);
    command->language = NULL;
    if (strstr(value, "-header"))
        command->makes_pch = true;
    if (strcmp(value, "none") == 0)
        return KILN_OK;
    command->language = strdup(value);
    return command->language ? KILN_OK : error_no_memory(s->place->error);
}

static kiln_status set_output(sorting *s, const char *value)
{
    const char *extension = path_extension(value);
    s->command->makes_pch |= strcmp(extension, ".gch") == 0 || strcmp(extension, ".pch") == 0;
    free(s->command->output);
    s->command->output = strdup(value);
    return s->command->output ? KILN_OK : error_no_memory(s->place->error);
}

/* Do what a rule says. value: the option's; word: as it stood there. *i: of the last word taken. */
static kiln_status apply(sorting *s, const rule *r, const char *word, const char *value, size_t *i)
{
    char *path;
    kiln_status status;
    switch (r->action) {
    case DROP:
        return KILN_OK;
    case KEEP:
        return r->match == EXACT || r->match == PREFIX ? add(s, word) : add_option(s, r, value);
    case PATH:
        return add_path(s, r, value);
    case LIBRARY:
        return add_joined(s, &s->command->libraries, "-l", value);
    case LIBRARY_PATH:
        path = absolute(s, value);
        status = path ? add_joined(s, &s->command->libraries, "-L", path)
                      : error_no_memory(s->place->error);
        free(path);
        return status;
    case INCLUDE:
        return add_include(s, value);
    case PCH:
        return replace_pch(s, value);
    case LANGUAGE:
        return set_language(s, value);
    case OUTPUT:
        return set_output(s, value);
    case FRONT_END:
        return sort_front_end(s, value, i);
    case VISIBILITY:
        return s->shared ? add(s, word) : KILN_OK;
    case ERROR:
        return add_joined(s, &s->command->arguments, "-W", value);
    }
    assert(!"an action without a case");
    return KILN_INTERNAL;
}

/* One word, or an option with its value. */
static kiln_status sort_word(sorting *s, size_t *i)
{
    const char *word = s->words->items[*i];
    const rule *r = find_rule(word);
    if (!r)
        return word[0] != '-' || strcmp(word, "--") == 0 || is_foreign(word) ? KILN_OK
                                                                             : add(s, word);
    const char *value = word + strlen(r->word);
    bool next = r->match == NEXT || (r->match == EITHER && !*value);
    if (!next)
        return apply(s, r, word, value, i);
    if (*i + 1 == s->words->count)
        return import_wrong(s->place, KILN_SPEC, "the option '%s' has no value", word);
    return apply(s, r, word, s->words->items[++*i], i);
}

/* Take out what a spec refuses. None of it can take the next word for its value: rules have taken
 * those that do. */
static void drop_refused(string_list *arguments)
{
    const char *reason;
    size_t taken;
    for (long at;
         (at = arguments_find_refused(string_list_view(arguments), &reason, &taken)) >= 0;) {
        for (size_t i = 0; i < taken; i++)
            free(arguments->items[(size_t)at + i]);
        size_t rest = arguments->count - (size_t)at - taken;
        memmove(arguments->items + at, arguments->items + at + taken,
                (rest + 1) * sizeof *arguments->items);
        arguments->count -= taken;
    }
}

kiln_status import_command_read(const import_place *place, const string_list *words, bool shared,
                                import_command *command)
{
    import_command made = {0};
    kiln_status status = KILN_OK;
    sorting s = {.place = place, .words = words, .shared = shared, .command = &made};
    for (size_t i = 0; i < words->count && status == KILN_OK; i++)
        status = sort_word(&s, &i);
    if (status != KILN_OK) {
        import_command_destroy(&made);
        return status;
    }
    drop_refused(&made.arguments);
    *command = made;
    return KILN_OK;
}

void import_command_destroy(import_command *command)
{
    string_list_destroy(&command->arguments);
    string_list_destroy(&command->libraries);
    free(command->language);
    free(command->output);
    *command = (import_command){0};
}

/* Run paths without those below a root, and without empty ones, which would mean the working
 * directory. */
static bool add_run_paths(const char *paths, const char *skipped_root, string_list *arguments)
{
    while (*paths) {
        size_t length = strcspn(paths, ":,");
        size_t root = skipped_root ? strlen(skipped_root) : 0;
        bool below = skipped_root && length >= root && strncmp(paths, skipped_root, root) == 0 &&
                     (length == root || paths[root] == '/');
        if (length > 0 && !below &&
            !string_list_take(arguments, text_print("-Wl,-rpath,%.*s", (int)length, paths)))
            return false;
        paths += length;
        if (*paths == ',')
            return true;
        paths += *paths == ':';
    }
    return true;
}

bool import_link_argument(const char *word, const char *skipped_root, string_list *arguments)
{
    static const char *const run_path[] = {"-Wl,-rpath,", "-Wl,-rpath="};
    for (size_t i = 0; i < 2; i++)
        if (begins_with(word, run_path[i]))
            return add_run_paths(word + strlen(run_path[i]), skipped_root, arguments);
    bool taken = begins_with(word, "-l") || begins_with(word, "-L") ||
                 strcmp(word, "-pthread") == 0 || begins_with(word, "-fopenmp") ||
                 begins_with(word, "-fsanitize=") || begins_with(word, "-stdlib=");
    return !taken || string_list_contains(arguments, word) || string_list_add(arguments, word);
}
