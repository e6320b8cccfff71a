/* command_build.c - `kiln build`: the same inputs ahead of time, into a file.
 *
 * The file is whole or not there: it is written beside its place under another name, then renamed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "input_set.h"
#include "message.h"

static const struct kind_row {
    const char *name;
    const char *extension;
    kiln_output_kind kind;
    bool mergeable; /* several sources fit one file */
} kinds[] = {
    {"shared", ".so", KILN_OUTPUT_SHARED_LIBRARY, true},
    {"archive", ".a", KILN_OUTPUT_ARCHIVE, true},
    {"object", ".o", KILN_OUTPUT_OBJECT, true},
    {"bitcode", ".bc", KILN_OUTPUT_BITCODE, true},
    {"ir", ".ll", KILN_OUTPUT_IR, false},
    {"assembly", ".s", KILN_OUTPUT_ASSEMBLY, false},
};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)

static const struct kind_row *kind_by_name(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
    }
    message_error("--kind takes shared, archive, object, bitcode, ir or assembly, not '%s'", name);
    return NULL;
}

static const struct kind_row *kind_by_extension(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const char *extension = strrchr(base, '.');
    for (size_t i = 0; extension != NULL && i < KIND_COUNT; i++) {
        if (strcmp(extension, kinds[i].extension) == 0)
            return &kinds[i];
    }
    /* A versioned name: libfoo.so.1.2 */
    if (strstr(base, ".so.") != NULL)
        return &kinds[0];
    message_error(
        "'%s' does not say what to write: end it with .so, .a, .o, .bc, .ll or .s, or give "
        "--kind",
        path);
    return NULL;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* Write to what is there already and is no regular file: a pipe, a terminal, /dev/null. */
static bool write_through(const char *path, const kiln_output *output)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write_all(fd, output->bytes, output->size_bytes);
    int reason = errno;
    if (fd >= 0 && close(fd) != 0 && done) {
        reason = errno;
        done = false;
    }
    errno = reason;
    return done;
}

/* Write beside the place and rename. A symbolic link's target is replaced, not the link. */
static bool write_atomically(const char *path, const kiln_output *output, mode_t mode)
{
    char *resolved = realpath(path, NULL);
    const char *place = resolved != NULL ? resolved : path;
    char *temporary = own_format("%s.XXXXXX", place);
    mode_t mask = umask(0);
    umask(mask);
    bool done = false;
    int reason = 0;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        reason = errno;
        goto cleanup;
    }
    done = write_all(fd, output->bytes, output->size_bytes) && fchmod(fd, mode & ~mask) == 0;
    reason = errno;
    if (close(fd) != 0 && done) {
        reason = errno;
        done = false;
    }
    if (done && rename(temporary, place) != 0) {
        reason = errno;
        done = false;
    }
    if (!done)
        unlink(temporary);
cleanup:
    free(temporary);
    free(resolved);
    errno = reason;
    return done;
}

static bool write_output(const char *path, const kiln_output *output, const struct kind_row *kind)
{
    struct stat status;
    bool through = strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISREG(status.st_mode));
    mode_t mode = kind->kind == KILN_OUTPUT_SHARED_LIBRARY ? 0777 : 0666;
    if (through ? write_through(path, output) : write_atomically(path, output, mode))
        return true;
    message_error("cannot write '%s': %s", path, strerror(errno));
    return false;
}

static bool report_several(const struct kind_row *kind, size_t count)
{
    message_error(
        "%zu sources do not fit one file of kind '%s': build them one by one, or as .o, .bc, "
        ".a or .so",
        count, kind->name);
    return false;
}

/* Compile and write; false after the reason was printed. */
static bool build(kiln_session *session, const cli_options *options, const input_set *inputs,
                  const struct kind_row *kind)
{
    const kiln_compile_options what = {
        .size = sizeof what, .kind = kind->kind, .merge = kind->mergeable};
    kiln_output output = {.size = sizeof output};
    kiln_outputs *outputs = NULL;
    kiln_error *error = NULL;
    bool done = false;
    if (cli_session_compile(session, inputs, &what, &outputs, &error) != KILN_OK) {
        message_report(error);
        goto cleanup;
    }
    /* A pattern or a manifest can bring more sources than the command line shows. */
    size_t count = kiln_outputs_count(outputs);
    if (count > 1)
        done = report_several(kind, count);
    else if (kiln_outputs_get(outputs, 0, &output) != KILN_OK)
        message_error("'%s' has no source to compile", inputs->title);
    else
        done = write_output(options->output, &output, kind);
    if (done && options->verbose)
        message_note("%s: wrote %s, %zu bytes%s", inputs->title, options->output, output.size_bytes,
                     output.hit ? ", from the cache" : "");
cleanup:
    kiln_outputs_destroy(outputs);
    return done;
}

static int run(const cli_options *options)
{
    input_set inputs = {0};
    kiln_session *session = NULL;
    const struct kind_row *kind = NULL;
    int code = CLI_FAILURE;
    if (options->output == NULL) {
        message_error("no output; give one with -o FILE");
        return CLI_FAILURE;
    }
    kind = options->kind != NULL ? kind_by_name(options->kind) : kind_by_extension(options->output);
    if (kind == NULL)
        return CLI_FAILURE;
    if (!kind->mergeable && options->input_count > 1) {
        report_several(kind, options->input_count);
        return CLI_FAILURE;
    }
    session = cli_session_open(options);
    if (session == NULL || !input_set_make(&inputs, session, options))
        goto cleanup;
    if (inputs.spec == NULL) { /* a library of the manifest */
        kiln_error *error = NULL;
        if (kiln_session_spec(session, inputs.name, &inputs.spec, &error) != KILN_OK) {
            message_report(error);
            goto cleanup;
        }
    }
    if (build(session, options, &inputs, kind))
        code = CLI_OK;
cleanup:
    input_set_destroy(&inputs);
    kiln_session_destroy(session);
    return code;
}

const cli_command command_build = {
    .name = "build",
    .summary = "compile ahead of time, into a file to ship",
    .synopsis = "-o FILE [option ...] INPUT ...",
    .description = "Compiles the INPUTs without loading them and writes one file, whole or not at "
                   "all. The file's\n"
                   "extension chooses what it is: .so (a shared library), .a (an archive), .o (an "
                   "object), .bc\n"
                   "(bitcode), .ll (LLVM IR) or .s (assembly); --kind overrides that, and `-o -` "
                   "writes to standard\n"
                   "output. Several sources are linked into one .o or .bc; .ll and .s take a "
                   "single one. INPUT and\n"
                   "Clang's flags are as in 'kiln help run'.\n",
    .examples = "  kiln build -o libshapes.so -O3 shapes.cpp --pkg glm\n"
                "  kiln build -o all.o a.c b.c\n"
                "  kiln build -o - --kind assembly -O3 hot.c | less\n",
    .option_groups = OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_OUTPUT,
    .run = run,
};
