/* import_commands.c - a spec from a build's compile_commands.json: see import_commands.h.
 *
 * Four steps: read the entries, as far as it takes to tell their targets; choose the target and
 * gather what belongs to it; read the commands of those entries; make the spec. What all commands
 * have in common at their beginning goes to the spec and the rest to each source, so that every
 * source sees its arguments in their order. */
#include "api/import_commands.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "api/import_arguments.h"
#include "api/import_cmake.h"
#include "base/array.h"
#include "base/path.h"
#include "build/spec.h"
#include "os/os.h"

/* One command of the database. */
typedef struct entry {
    size_t number;   /* from 1 */
    char *directory; /* absolute */
    char *file;      /* absolute */
    char *target;    /* "" where its output does not tell */
    string_list words;
    import_command command; /* once it is chosen */
} entry;

typedef struct import {
    char *database;  /* absolute */
    char *directory; /* of it, without links */
    entry *entries;
    size_t count, capacity;
    string_list targets; /* each once, in their order; "" is none of them */
    bool has_loose;      /* entries without a target */
    cmake_model *model;  /* NULL: CMake told nothing */
    cmake_parts parts;   /* of the chosen target */
    size_t *chosen;      /* indices of entries */
    size_t chosen_count, chosen_capacity;
    kiln_error **error;
} import;

static import_place place_of(const import *m, const entry *e)
{
    return (import_place){m->database, e->number, e->directory ? e->directory : m->directory,
                          m->error};
}

/* ---- the entries ---- */

/* The target in an object's path: CMake's .../CMakeFiles/TARGET.dir/..., Meson's .../TARGET.p/...;
 * "" in others'. */
static char *target_of_output(const char *output)
{
    static const char folder[] = "CMakeFiles/";
    const char *found = NULL;
    for (const char *at = output; (at = strstr(at, folder)); at += sizeof folder - 1)
        if (at == output || at[-1] == '/')
            found = at + sizeof folder - 1;
    if (found) {
        size_t length = strcspn(found, "/");
        if (length > 4 && found[length] == '/' && strncmp(found + length - 4, ".dir", 4) == 0)
            return strndup(found, length - 4);
    }
    const char *end = strrchr(output, '/');
    const char *start = end;
    while (start && start > output && start[-1] != '/')
        start--;
    if (start && end - start > 2 && strncmp(end - 2, ".p", 2) == 0)
        return strndup(start, (size_t)(end - start) - 2);
    return strdup("");
}

/* What -o says, for databases without `output` (CMake's were among them for long). Before response
 * files are expanded: this runs for every entry, and what build systems put into such files are
 * lists of directories. */
static const char *value_of_output(const string_list *words)
{
    const char *value = "";
    for (size_t i = 0; i < words->count; i++)
        if (strncmp(words->items[i], "-o", 2) == 0)
            value = words->items[i][2]     ? words->items[i] + 2
                    : i + 1 < words->count ? words->items[i + 1]
                                           : "";
    return value;
}

/* The command as words. Where both forms are given, `arguments` needs no splitting and wins. */
static kiln_status read_words(const import_place *place, json_object *object, string_list *words)
{
    json_object *arguments;
    const char *problem;
    if (json_object_object_get_ex(object, "arguments", &arguments)) {
        if (!json_object_is_type(arguments, json_type_array))
            return import_wrong(place, KILN_SPEC, "'arguments' is not an array");
        for (size_t i = 0; i < json_object_array_length(arguments); i++) {
            json_object *word = json_object_array_get_idx(arguments, i);
            if (!json_object_is_type(word, json_type_string))
                return import_wrong(place, KILN_SPEC, "'arguments' holds other than strings");
            if (!string_list_add(words, json_object_get_string(word)))
                return error_no_memory(place->error);
        }
        return KILN_OK;
    }
    const char *command = import_json_string(object, "command");
    if (!command)
        return import_wrong(place, KILN_SPEC, "neither 'arguments' nor 'command'");
    if (import_split(command, strlen(command), IMPORT_SHELL, words, &problem))
        return KILN_OK;
    return problem ? import_wrong(place, KILN_SPEC, "'command': %s", problem)
                   : error_no_memory(place->error);
}

static kiln_status read_entry(const import *m, json_object *object, entry *e)
{
    import_place place = place_of(m, e);
    if (!json_object_is_type(object, json_type_object))
        return import_wrong(&place, KILN_SPEC, "not an object");
    const char *directory = import_json_string(object, "directory");
    const char *file = import_json_string(object, "file");
    const char *output = import_json_string(object, "output");
    if (!directory || !file)
        return import_wrong(&place, KILN_SPEC, "no string '%s'", directory ? "file" : "directory");
    e->directory = path_join(m->directory, directory);
    e->file = e->directory ? path_join(e->directory, file) : NULL;
    if (!e->file)
        return error_no_memory(m->error);
    kiln_status status = read_words(&place, object, &e->words);
    if (status != KILN_OK)
        return status;
    e->target = target_of_output(output ? output : value_of_output(&e->words));
    return e->target ? KILN_OK : error_no_memory(m->error);
}

static kiln_status note_target(import *m, const entry *e)
{
    if (!e->target[0])
        m->has_loose = true;
    else if (!string_list_contains(&m->targets, e->target) &&
             !string_list_add(&m->targets, e->target))
        return error_no_memory(m->error);
    return KILN_OK;
}

static kiln_status read_entries(import *m)
{
    json_object *root = NULL;
    kiln_status status = import_json_read(m->database, &root, m->error);
    if (status == KILN_OK && !json_object_is_type(root, json_type_array))
        status = error_set(m->error, KILN_SPEC, KILN_PHASE_SPEC,
                           "'%s': expected an array of commands", m->database);
    size_t count = status == KILN_OK ? json_object_array_length(root) : 0;
    for (size_t i = 0; i < count && status == KILN_OK; i++) {
        entry *e = array_add((void **)&m->entries, &m->count, &m->capacity, sizeof *e);
        if (!e) {
            status = error_no_memory(m->error);
            break;
        }
        e->number = i + 1;
        status = read_entry(m, json_object_array_get_idx(root, i), e);
        if (status == KILN_OK)
            status = note_target(m, e);
    }
    json_object_put(root);
    if (status == KILN_OK && count == 0)
        status = error_set(m->error, KILN_NOT_FOUND, KILN_PHASE_SPEC, "'%s' holds no commands",
                           m->database);
    return status;
}

/* ---- the target ---- */

enum { max_listed_targets = 100 };

/* "app (program), core (static library)" */
static void list_targets(const import *m, text *list)
{
    size_t shown = m->targets.count < max_listed_targets ? m->targets.count : max_listed_targets;
    for (size_t i = 0; i < shown; i++) {
        const char *name = m->targets.items[i];
        const cmake_target *target = m->model ? cmake_model_find(m->model, name) : NULL;
        text_format(list, "%s%s", i > 0 ? ", " : "", name);
        if (target)
            text_format(list, " (%s)", cmake_kind_text(target->kind));
    }
    if (m->targets.count > shown)
        text_format(list, " and %zu more", m->targets.count - shown);
    if (m->has_loose)
        text_format(list, "%scommands that belong to no target (an empty name chooses them)",
                    m->targets.count > 0 ? "; " : "");
}

/* An error that ends with the list of targets. */
static kiln_status wrong_target(const import *m, kiln_status code, const char *problem)
{
    text list = {0};
    list_targets(m, &list);
    kiln_status status = list.failed ? error_no_memory(m->error)
                                     : error_set(m->error, code, KILN_PHASE_SPEC, "'%s' %s: %s",
                                                 m->database, problem, text_string(&list));
    text_destroy(&list);
    return status;
}

/* Check the caller's choice, or choose what there is no other of. */
static kiln_status choose_target(const import *m, const char **target)
{
    if (*target) {
        const cmake_target *known = m->model ? cmake_model_find(m->model, *target) : NULL;
        bool there = **target ? string_list_contains(&m->targets, *target) || known : m->has_loose;
        if (there)
            return KILN_OK;
        char *problem = text_print("has no target '%s'; it has", *target);
        kiln_status status =
            problem ? wrong_target(m, KILN_NOT_FOUND, problem) : error_no_memory(m->error);
        free(problem);
        return status;
    }
    if (m->targets.count + m->has_loose > 1)
        return wrong_target(m, KILN_AMBIGUOUS, "has several targets; choose one of");
    *target = m->has_loose ? "" : m->targets.items[0];
    return KILN_OK;
}

/* Where CMake put its build tree: a database is often a link from the source tree into it. */
static kiln_status read_model(import *m)
{
    char *real = realpath(m->database, NULL);
    if (!real)
        return error_set_errno(m->error, KILN_IO, KILN_PHASE_SPEC, errno, "cannot find '%s'",
                               m->database);
    char *directory = path_parent(real);
    kiln_status status =
        directory ? cmake_model_read(directory, &m->model, m->error) : error_no_memory(m->error);
    free(directory);
    free(real);
    return status;
}

/* What belongs to the target: with a model its libraries too, without one its own commands. */
static kiln_status gather(import *m, const char *target)
{
    const cmake_target *known = m->model ? cmake_model_find(m->model, target) : NULL;
    if (known)
        return cmake_model_gather(m->model, known, &m->parts, m->error);
    return string_list_add(&m->parts.targets, target) ? KILN_OK : error_no_memory(m->error);
}

/* ---- the commands ---- */

/* Whether a target is linked as a shared library or module, so that its hidden symbols stay hidden.
 */
static bool is_shared(const import *m, const entry *e)
{
    const cmake_target *target = m->model ? cmake_model_find(m->model, e->target) : NULL;
    if (target)
        return target->kind == CMAKE_SHARED || target->kind == CMAKE_MODULE;
    /* CMake gives the sources of such targets, and of no others, this definition. */
    for (size_t i = 0; i < e->words.count; i++) {
        const char *word = e->words.items[i];
        size_t length = strlen(word);
        if (strncmp(word, "-D", 2) == 0 && length > 8 && strcmp(word + length - 8, "_EXPORTS") == 0)
            return true;
    }
    return false;
}

static bool is_chosen_file(const import *m, const char *file)
{
    for (size_t i = 0; i < m->chosen_count; i++)
        if (strcmp(m->entries[m->chosen[i]].file, file) == 0)
            return true;
    return false;
}

/* Said here, where entry and database can be named, rather than when the compiler finds it missing.
 */
static kiln_status check_file(const import_place *place, const char *file)
{
    os_kind kind;
    os_identity identity;
    if (os_identify(AT_FDCWD, file, &kind, &identity) != 0)
        return import_wrong(place, KILN_IO, "cannot look at '%s': %s", file, strerror(errno));
    if (kind == OS_FILE)
        return KILN_OK;
    return import_wrong(place, KILN_NOT_FOUND,
                        "there is no file '%s'; if the build makes it, build the project first",
                        file);
}

/* Read the command of an entry and choose it, unless it makes a precompiled header or its source is
 * chosen already: in several configurations, or by a target that the first one links. */
static kiln_status choose_entry(import *m, size_t index)
{
    entry *e = &m->entries[index];
    import_place place = place_of(m, e);
    string_list words = {0};
    if (is_chosen_file(m, e->file))
        return KILN_OK;
    kiln_status status = import_words_expand(&place, &e->words, &words);
    if (status == KILN_OK)
        status = import_command_read(&place, &words, is_shared(m, e), &e->command);
    string_list_destroy(&words);
    if (status != KILN_OK || e->command.makes_pch)
        return status;
    if ((status = check_file(&place, e->file)) != KILN_OK)
        return status;
    size_t *added =
        array_add((void **)&m->chosen, &m->chosen_count, &m->chosen_capacity, sizeof *added);
    if (!added)
        return error_no_memory(m->error);
    *added = index;
    return KILN_OK;
}

/* Choose the target's own commands first: of two for one file the first counts. */
static kiln_status choose_entries(import *m, const char *target)
{
    kiln_status status = KILN_OK;
    for (size_t t = 0; t < m->parts.targets.count; t++)
        for (size_t i = 0; i < m->count && status == KILN_OK; i++)
            if (strcmp(m->entries[i].target, m->parts.targets.items[t]) == 0)
                status = choose_entry(m, i);
    if (status == KILN_OK && m->chosen_count == 0)
        status = error_set(m->error, KILN_NOT_FOUND, KILN_PHASE_SPEC,
                           "'%s': target '%s' compiles no sources", m->database, target);
    return status;
}

/* ---- the spec ---- */

static const entry *chosen(const import *m, size_t index)
{
    return &m->entries[m->chosen[index]];
}

/* The language that each source has been given by -x where that says more than its name; NULL where
 * it does not. */
static const char *language_of(const entry *e)
{
    const char *language = e->command.language;
    input_kind kind = input_kind_of(e->file);
    bool obvious = language && ((kind == INPUT_C && strcmp(language, "c") == 0) ||
                                (kind == INPUT_CXX && strcmp(language, "c++") == 0));
    return obvious ? NULL : language;
}

/* The language that all sources share, to be forced; NULL where they do not. */
static const char *common_language(const import *m)
{
    const char *common = language_of(chosen(m, 0));
    for (size_t i = 1; i < m->chosen_count && common; i++) {
        const char *language = language_of(chosen(m, i));
        if (!language || strcmp(language, common) != 0)
            return NULL;
    }
    return common;
}

/* How many words all commands begin with, without tearing an option from its value. */
static size_t common_prefix(const import *m)
{
    const string_list *first = &chosen(m, 0)->command.arguments;
    size_t common = first->count;
    for (size_t i = 1; i < m->chosen_count; i++) {
        const string_list *other = &chosen(m, i)->command.arguments;
        size_t same = 0;
        while (same < common && same < other->count &&
               strcmp(first->items[same], other->items[same]) == 0)
            same++;
        common = same;
    }
    size_t whole = 0;
    while (whole < common) {
        size_t length = import_unit_length(string_list_view(first) + whole);
        if (whole + length > common)
            break;
        whole += length;
    }
    return whole;
}

/* Where the name does not tell the language, the spec has to. *force: all sources share it. */
static const char *spec_language(const import *m, bool *force)
{
    const char *language = common_language(m);
    *force = language != NULL;
    for (size_t i = 0; i < m->chosen_count && !language; i++)
        if (input_kind_of(chosen(m, i)->file) == INPUT_UNKNOWN)
            language = language_of(chosen(m, i));
    return language;
}

static bool add_source(kiln_spec *spec, const entry *e, size_t common, bool forced)
{
    string_list arguments = {0};
    const char *own = forced ? NULL : language_of(e);
    bool done = (!own || string_list_take(&arguments, text_print("-x%s", own))) &&
                string_list_add_all(&arguments, string_list_view(&e->command.arguments) + common);
    if (done)
        kiln_spec_add_source(spec, e->file, string_list_view(&arguments));
    string_list_destroy(&arguments);
    return done;
}

/* What all sources share, and what the link needs. */
static bool add_arguments(const import *m, kiln_spec *spec, size_t common)
{
    string_list list = {0};
    const import_command *first = &chosen(m, 0)->command;
    /* Written for another compiler, or another Clang: what is not known here is not worth a warning
     * in each source. */
    bool done = string_list_add(&list, "-Wno-unknown-warning-option") &&
                string_list_add(&list, "-Wno-ignored-optimization-argument");
    for (size_t i = 0; i < common && done; i++)
        done = string_list_add(&list, first->arguments.items[i]);
    for (size_t i = 0; i < m->chosen_count && done; i++) {
        const string_list *libraries = &chosen(m, i)->command.libraries;
        for (size_t k = 0; k < libraries->count && done; k++)
            done = import_link_argument(libraries->items[k], NULL, &list);
    }
    done = done && string_list_add_all(&list, string_list_view(&m->parts.arguments));
    if (done)
        kiln_spec_add_arguments(spec, KILN_PRIVATE, string_list_view(&list));
    string_list_destroy(&list);
    return done;
}

/* The directory that all commands ran in, or else the database's. */
static const char *common_directory(const import *m)
{
    for (size_t i = 1; i < m->chosen_count; i++)
        if (strcmp(chosen(m, i)->directory, chosen(m, 0)->directory) != 0)
            return m->directory;
    return chosen(m, 0)->directory;
}

static bool fill_spec(const import *m, kiln_spec *spec)
{
    bool force;
    size_t common = common_prefix(m);
    const char *language = spec_language(m, &force);
    kiln_spec_set_directory(spec, common_directory(m));
    if (language)
        kiln_spec_set_language(spec, language, force);
    bool done = add_arguments(m, spec, common);
    for (size_t i = 0; i < m->chosen_count && done; i++)
        done = add_source(spec, chosen(m, i), common, force);
    for (size_t i = 0; i < m->parts.files.count && done; i++)
        kiln_spec_add_source(spec, m->parts.files.items[i], NULL);
    return done;
}

static kiln_status make_spec(const import *m, const char *name, kiln_spec **spec)
{
    kiln_error *failure = NULL;
    kiln_spec *made = kiln_spec_create(name);
    if (!made || !fill_spec(m, made)) {
        kiln_spec_destroy(made);
        return error_no_memory(m->error);
    }
    if (spec_check(made, &failure) == KILN_OK) {
        *spec = made;
        return KILN_OK;
    }
    /* Not what the call returned: memory may have run out while the failure was copied. */
    kiln_status status = kiln_error_code(failure);
    status = status == KILN_NO_MEMORY ? error_no_memory(m->error)
                                      : error_set(m->error, status, KILN_PHASE_SPEC, "'%s': %s",
                                                  m->database, kiln_error_message(failure));
    kiln_error_destroy(failure);
    kiln_spec_destroy(made);
    return status;
}

/* ---- the whole ---- */

/* Find the database: its directory, without links and dots, and its name in it. */
static kiln_status locate(import *m, const char *path)
{
    os_kind kind;
    os_identity identity;
    bool folder = os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind == OS_DIRECTORY;
    char *parent = folder ? strdup(path) : path_parent(path);
    if (!parent)
        return error_no_memory(m->error);
    m->directory = realpath(parent, NULL);
    int reason = errno;
    free(parent);
    if (!m->directory)
        return reason == ENOMEM
                   ? error_no_memory(m->error)
                   : error_set_errno(
                         m->error, reason == ENOENT || reason == ENOTDIR ? KILN_NOT_FOUND : KILN_IO,
                         KILN_PHASE_SPEC, reason, "cannot read '%s'", path);
    m->database = path_join(m->directory, folder ? "compile_commands.json" : path_name(path));
    return m->database ? KILN_OK : error_no_memory(m->error);
}

static void import_destroy(import *m)
{
    for (size_t i = 0; i < m->count; i++) {
        entry *e = &m->entries[i];
        free(e->directory);
        free(e->file);
        free(e->target);
        string_list_destroy(&e->words);
        import_command_destroy(&e->command);
    }
    free(m->entries);
    free(m->chosen);
    string_list_destroy(&m->targets);
    cmake_parts_destroy(&m->parts);
    cmake_model_destroy(m->model);
    free(m->database);
    free(m->directory);
}

kiln_status import_commands(const char *path, const char *target, const char *name,
                            kiln_spec **spec, kiln_error **error)
{
import m = {.error = error };
    kiln_status status;
    if ((status = locate(&m, path)) == KILN_OK && (status = read_entries(&m)) == KILN_OK &&
        (status = read_model(&m)) == KILN_OK && (status = choose_target(&m, &target)) == KILN_OK &&
        (status = gather(&m, target)) == KILN_OK &&
        (status = choose_entries(&m, target)) == KILN_OK)
        status = make_spec(&m, name, spec);
    import_destroy(&m);
    return status;
}
