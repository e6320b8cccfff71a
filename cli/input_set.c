/* input_set.c - from INPUTs to what libkiln loads: see input_set.h.
 *
 * Adders of a spec keep their first error for the load, so their results are not looked at here. The
 * manifest is read only if an input is no file: what needs no manifest must not fail for a bad one. */
#include "input_set.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "response_file.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
#define STDIN_NAME "<stdin>"

/* What an input turns out to be. A directory is none: a name may well be that of the library's
 * directory. */
typedef enum input_form {
    FORM_FILE,
    FORM_PATTERN, /* of files: libkiln looks for the matches */
    FORM_STREAM,  /* standard input, or a pipe by path: read here, as it can be read but once */
    FORM_NAME
} input_form;

/* Where names come from is read at the first name, and once. */
typedef enum names_state { NAMES_UNREAD, NAMES_READ, NAMES_NONE, NAMES_FAILED } names_state;

typedef struct set_maker {
    kiln_session *session;
    const cli_options *options;
    input_set *inputs;
    names_state names;
    const char *language; /* where one -x holds for all inputs */
    bool has_file;
    word_list dependencies;
} set_maker;

char *input_library_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    char *name =
        own(strndup(base, dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base)));
    for (char *byte = name; *byte != '\0'; byte++) {
        if (strchr(NAME_BYTES, *byte) == NULL || (byte == name && strchr("._+-", *byte) != NULL))
            *byte = '_';
    }
    if (name[0] != '\0')
        return name;
    free(name);
    return own(strdup("input"));
}

/* Read the manifest, unless that was done. */
static names_state read_manifest(set_maker *maker)
{
    kiln_error *error = NULL;
    kiln_status status =
        kiln_session_read_manifest(maker->session, maker->options->manifest, &error);
    if (status == KILN_OK)
        return NAMES_READ;
    if (status == KILN_NOT_FOUND && maker->options->manifest == NULL) {
        kiln_error_destroy(error);
        return NAMES_NONE;
    }
    message_report(error);
    return NAMES_FAILED;
}

/* Register the target that a name means in the compile_commands.json of --commands. target: NULL
 * for its only one. */
static bool import_target(set_maker *maker, const char *target, const char *name)
{
    kiln_error *error = NULL;
    if (kiln_session_is_registered(maker->session, name))
        return true;
    if (kiln_session_import_commands(maker->session, maker->options->commands, target, name,
                                     &error) == KILN_OK)
        return true;
    message_report(error);
    return false;
}

/* Say that an input is neither a file nor a name. */
static bool report_unknown(const set_maker *maker, const char *path, int reason)
{
    kiln_status status = reason == ENOENT ? KILN_NOT_FOUND : KILN_IO;
    if (maker->names == NAMES_READ)
        message_failure(status,
                        "cannot read '%s': %s; the manifest has no library of that name either",
                        path, strerror(reason));
    else
        message_failure(status, "cannot read '%s': %s", path, strerror(reason));
    return false;
}

static bool resolve_name(set_maker *maker, const char *path, int reason)
{
    if (path[0] == '\0' || path[strspn(path, NAME_BYTES)] != '\0')
        return report_unknown(maker, path, reason);
    if (maker->options->commands != NULL)
        return import_target(maker, path, path);
    if (maker->names == NAMES_UNREAD)
        maker->names = read_manifest(maker);
    if (maker->names == NAMES_FAILED)
        return false;
    return kiln_session_is_registered(maker->session, path) || report_unknown(maker, path, reason);
}

static bool find_form(set_maker *maker, const cli_input *input, input_form *form)
{
    struct stat status;
    if (strcmp(input->path, "-") == 0)
        return *form = FORM_STREAM, true;
    int reason = EISDIR;
    if (stat(input->path, &status) != 0)
        reason = errno;
    else if (!S_ISDIR(status.st_mode))
        return *form = S_ISFIFO(status.st_mode) ? FORM_STREAM : FORM_FILE, true;
    if (reason != EISDIR && input->path[strcspn(input->path, "*?[")] != '\0')
        return *form = FORM_PATTERN, true;
    *form = FORM_NAME;
    return resolve_name(maker, input->path, reason);
}

/* The spec that files go into, made for the first of them. */
static kiln_spec *need_spec(set_maker *maker, const char *path)
{
    if (maker->inputs->spec != NULL)
        return maker->inputs->spec;
    maker->inputs->title = input_library_name(path);
    maker->inputs->spec = own(kiln_spec_create(maker->inputs->title));
    return maker->inputs->spec;
}

/* Read the source here, since it can be read but once, and hand it over from memory. */
static bool add_stream(set_maker *maker, const cli_input *input, const char *const *arguments)
{
    bool is_standard = strcmp(input->path, "-") == 0;
    const char *name = is_standard ? STDIN_NAME : input->path + strspn(input->path, "/");
    char *bytes = NULL;
    size_t size = 0;
    int fd = is_standard ? STDIN_FILENO : open(input->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read_whole(fd, &bytes, &size) != 0) {
        message_failure(KILN_IO, "cannot read %s: %s", is_standard ? "standard input" : input->path,
                        strerror(errno));
        if (fd > STDIN_FILENO)
            close(fd);
        return false;
    }
    if (!is_standard)
        close(fd);
    kiln_spec *spec = need_spec(maker, is_standard ? "stdin" : name);
    kiln_spec_add_memory_source(spec, name, bytes, size, arguments);
    /* Such names tell no language. */
    kiln_spec_set_language(spec, "c", false);
    free(bytes);
    return true;
}

static bool add_input(set_maker *maker, size_t index)
{
    const cli_input *input = &maker->options->inputs[index];
    const char *const language[] = {"-x", input->language, NULL};
    bool differs = input->language != NULL && maker->language == NULL;
    const char *const *arguments = differs ? language : NULL;
    input_form form = FORM_FILE;
    if (!find_form(maker, input, &form))
        return false;
    switch (form) {
    case FORM_NAME:
        word_list_add(&maker->dependencies, input->path);
        return true;
    case FORM_STREAM:
        maker->has_file = true;
        return add_stream(maker, input, arguments);
    case FORM_FILE:
    case FORM_PATTERN:
        break;
    }
    maker->has_file = true;
    kiln_spec_add_source(need_spec(maker, input->path), input->path, arguments);
    /* A script's name need not tell its language. */
    if (maker->options->is_script && index + 1 == maker->options->input_count)
        kiln_spec_set_language(maker->inputs->spec, "c", false);
    return true;
}

static bool has_flags(const cli_options *options)
{
    return options->arguments.count > 0 || options->packages.count > 0;
}

/* Names only: one library as it is registered. */
static bool use_registered(set_maker *maker)
{
    const word_list *names = &maker->dependencies;
    if (names->count > 1) {
        message_error("'%s' and '%s' are libraries of their own: give one name, or names beside "
                      "files",
                      names->items[0], names->items[1]);
        return false;
    }
    if (has_flags(maker->options)) {
        const char *flag =
            maker->options->arguments.count > 0 ? maker->options->arguments.items[0] : "--pkg";
        message_error("'%s' cannot apply to '%s', whose flags are the manifest's", flag,
                      names->items[0]);
        return false;
    }
    maker->inputs->title = own(strdup(names->items[0]));
    maker->inputs->name = maker->inputs->title;
    return true;
}

/* Files, and names that they depend on. */
static void complete_spec(set_maker *maker)
{
    kiln_spec *spec = maker->inputs->spec;
    const cli_options *options = maker->options;
    if (maker->language != NULL)
        kiln_spec_set_language(spec, maker->language, true);
    if (options->arguments.count > 0)
        kiln_spec_add_arguments(spec, KILN_PRIVATE, (const char *const *)options->arguments.items);
    for (size_t i = 0; i < options->packages.count; i++)
        kiln_spec_add_package(spec, options->packages.items[i]);
    for (size_t i = 0; i < maker->dependencies.count; i++)
        kiln_spec_add_dependency(spec, maker->dependencies.items[i]);
}

/* No INPUT at all, which a command line may have only with --commands: the database's one target. */
static bool use_only_target(set_maker *maker)
{
    assert(maker->options->commands != NULL);
    char *name = input_library_name(maker->options->commands);
    bool done = import_target(maker, NULL, name);
    if (done)
        word_list_add(&maker->dependencies, name);
    free(name);
    return done;
}

/* The language that every input has by -x, or NULL. */
static const char *common_language(const cli_options *options)
{
    const char *language = options->input_count > 0 ? options->inputs[0].language : NULL;
    for (size_t i = 0; language != NULL && i < options->input_count; i++) {
        const char *other = options->inputs[i].language;
        if (other == NULL || strcmp(other, language) != 0)
            language = NULL;
    }
    return language;
}

static bool is_single_stream(const cli_options *options)
{
    size_t count = 0;
    for (size_t i = 0; i < options->input_count; i++)
        count += strcmp(options->inputs[i].path, "-") == 0;
    if (count > 1)
        message_error("standard input ('-') can be read only once");
    return count <= 1;
}

bool input_set_make(input_set *inputs, kiln_session *session, const cli_options *options)
{
    set_maker maker = {.session = session,
                       .options = options,
                       .inputs = inputs,
                       .language = common_language(options)};
    *inputs = (input_set){0};
    bool done = is_single_stream(options);
    if (done && options->input_count == 0)
        done = use_only_target(&maker);
    for (size_t i = 0; done && i < options->input_count; i++)
        done = add_input(&maker, i);
    if (done && maker.has_file)
        complete_spec(&maker);
    else if (done)
        done = use_registered(&maker);
    word_list_destroy(&maker.dependencies);
    return done;
}

void input_set_destroy(input_set *inputs)
{
    kiln_spec_destroy(inputs->spec);
    free(inputs->title);
    *inputs = (input_set){0};
}
