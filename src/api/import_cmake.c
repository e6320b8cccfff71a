/* import_cmake.c - CMake's File API: see import_cmake.h.
 *
 * An executable, shared library or module has a link line; the libraries of the project on it are
 * told by the paths of what targets make, so dependencies that only order the build are no part of
 * it. A static or object library has none: there its dependencies tell of the project, and the link
 * lines of its users of what comes from outside. Relative paths on a link line start at the
 * target's build directory (Makefiles) or at the top one (Ninja); both are tried. */
#include "api/import_cmake.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/import_arguments.h"
#include "base/array.h"
#include "base/path.h"
#include "build/spec.h"
#include "os/os.h"

/* ---- JSON ---- */

enum { max_json_bytes = 1 << 30, max_json_depth = 64 };

static kiln_status wrong_json(const char *path, const char *bytes, size_t offset,
                              const char *problem, kiln_error **error)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += bytes[i] == '\n';
    return error_set(error, KILN_SPEC, KILN_PHASE_SPEC, "'%s':%zu: %s", path, line, problem);
}

static kiln_status parse_json(const char *path, const char *bytes, size_t size, json_object **value,
                              kiln_error **error)
{
    /* Its check for UTF-8 stays off: paths are bytes. */
    json_tokener *tokener = json_tokener_new_ex(max_json_depth);
    if (!tokener)
        return error_no_memory(error);
    *value = json_tokener_parse_ex(tokener, bytes, (int)size);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (problem == json_tokener_continue)
        return wrong_json(path, bytes, size, "the JSON text ends too early", error);
    if (problem != json_tokener_success)
        return wrong_json(path, bytes, end, json_tokener_error_desc(problem), error);
    return KILN_OK;
}

static kiln_status cannot_read(const char *path, int errno_value, kiln_error **error)
{
    if (errno_value == ENOMEM)
        return error_no_memory(error);
    bool absent = errno_value == ENOENT || errno_value == ENOTDIR;
    return error_set_errno(error, absent ? KILN_NOT_FOUND : KILN_IO, KILN_PHASE_SPEC, errno_value,
                           "cannot read '%s'", path);
}

kiln_status import_json_read(const char *path, json_object **value, kiln_error **error)
{
    os_kind kind;
    os_identity identity;
    uint8_t *bytes = NULL;
    size_t size;
    if (os_identify(AT_FDCWD, path, &kind, &identity) != 0)
        return cannot_read(path, errno, error);
    if (kind == OS_ABSENT)
        return cannot_read(path, ENOENT, error);
    if (kind != OS_FILE || identity.size > max_json_bytes)
        return error_set(error, KILN_SPEC, KILN_PHASE_SPEC, "'%s' is no file, or too large", path);
    if (os_read_file(AT_FDCWD, path, &bytes, &size) != 0)
        return cannot_read(path, errno, error);
    /* It may have grown since. */
    kiln_status status = size > INT_MAX ? cannot_read(path, EFBIG, error)
                                        : parse_json(path, (char *)bytes, size, value, error);
    free(bytes);
    return status;
}

const char *import_json_string(json_object *object, const char *key)
{
    json_object *value;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    const char *string = json_object_get_string(value);
    return strlen(string) == (size_t)json_object_get_string_len(value) ? string : NULL;
}

/* NULL where there is none, and for a member of what is no object, so that calls can be chained. */
static json_object *member(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

/* The members of an array; none of anything else. */
static size_t length_of(json_object *value)
{
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
}

/* ---- paths ---- */

/* A path without empty parts, "." and "..", by its text; in place. */
static void simplify(char *path)
{
    assert(path[0] == '/');
    char *to = path;
    for (const char *from = path; *from;) {
        from += strspn(from, "/");
        size_t length = strcspn(from, "/");
        if (length == 2 && from[0] == '.' && from[1] == '.') {
            while (to > path && *--to != '/')
                ;
        } else if (length > 0 && !(length == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, length);
            to += length;
        }
        from += length;
    }
    if (to == path)
        *to++ = '/';
    *to = '\0';
}

/* An absolute, simple path; the caller frees it. NULL when out of memory. */
static char *resolve(const char *directory, const char *path)
{
    char *joined = path_join(directory, path);
    if (joined && joined[0] == '/')
        simplify(joined);
    return joined;
}

static bool is_there(const char *path)
{
    os_kind kind;
    os_identity identity;
    return os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind == OS_FILE;
}

/* ---- targets ---- */

const char *cmake_kind_text(cmake_kind kind)
{
    static const char *const texts[] = {
        [CMAKE_OTHER] = "nothing to load", [CMAKE_PROGRAM] = "program",
        [CMAKE_STATIC] = "static library", [CMAKE_SHARED] = "shared library",
        [CMAKE_MODULE] = "module",         [CMAKE_OBJECTS] = "object library",
    };
    return texts[kind];
}

static cmake_kind kind_of(const char *type)
{
    static const struct {
        const char *type;
        cmake_kind kind;
    } kinds[] = {
        {"EXECUTABLE", CMAKE_PROGRAM},     {"STATIC_LIBRARY", CMAKE_STATIC},
        {"SHARED_LIBRARY", CMAKE_SHARED},  {"MODULE_LIBRARY", CMAKE_MODULE},
        {"OBJECT_LIBRARY", CMAKE_OBJECTS},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i].type) == 0)
            return kinds[i].kind;
    return CMAKE_OTHER;
}

/* A file of CMake's that is not as CMake writes it. */
static kiln_status wrong(const char *file, const char *problem, kiln_error **error)
{
    return error_set(error, KILN_SPEC, KILN_PHASE_SPEC,
                     "'%s': %s; let CMake write it again, or remove the folder .cmake/api", file,
                     problem);
}

/* The words of a link line's fragments that name libraries and their places. */
static kiln_status read_link(json_object *fragments, const char *file, cmake_target *target,
                             kiln_error **error)
{
    for (size_t i = 0; i < length_of(fragments); i++) {
        json_object *fragment = json_object_array_get_idx(fragments, i);
        const char *role = import_json_string(fragment, "role");
        const char *words = import_json_string(fragment, "fragment");
        const char *problem;
        if (!role || !words)
            return wrong(file, "a link fragment has no role or no text", error);
        if (!import_split(words, strlen(words), IMPORT_SHELL, &target->link_words, &problem))
            return problem ? wrong(file, problem, error) : error_no_memory(error);
    }
    return KILN_OK;
}

/* Artifacts, dependencies and a link line are missing in kinds of targets that have none. */
static kiln_status read_target(const cmake_model *model, json_object *object, const char *file,
                               cmake_target *target, kiln_error **error)
{
    const char *name = import_json_string(object, "name"), *id = import_json_string(object, "id");
    const char *type = import_json_string(object, "type");
    const char *build = import_json_string(member(object, "paths"), "build");
    if (!name || !id || !type || !build)
        return wrong(file, "a target has no name, id, type or paths", error);
    target->name = strdup(name);
    target->id = strdup(id);
    target->kind = kind_of(type);
    target->directory = resolve(model->build_directory, build);
    if (!target->name || !target->id || !target->directory)
        return error_no_memory(error);
    json_object *artifacts = member(object, "artifacts");
    for (size_t i = 0; i < length_of(artifacts); i++) {
        const char *path = import_json_string(json_object_array_get_idx(artifacts, i), "path");
        if (!path)
            return wrong(file, "an artifact has no path", error);
        if (!string_list_take(&target->artifacts, resolve(model->build_directory, path)))
            return error_no_memory(error);
    }
    json_object *dependencies = member(object, "dependencies");
    for (size_t i = 0; i < length_of(dependencies); i++) {
        const char *other = import_json_string(json_object_array_get_idx(dependencies, i), "id");
        if (!other)
            return wrong(file, "a dependency has no id", error);
        if (!string_list_add(&target->dependencies, other))
            return error_no_memory(error);
    }
    return read_link(member(member(object, "link"), "commandFragments"), file, target, error);
}

static kiln_status add_target(cmake_model *model, const char *directory, json_object *reference,
                              kiln_error **error)
{
    const char *name = import_json_string(reference, "jsonFile");
    if (!name || !path_is_below(name))
        return wrong(model->file, "a target has no file", error);
    json_object *object = NULL;
    char *file = path_join(directory, name);
    cmake_target *target =
        file ? array_add((void **)&model->targets, &model->count, &model->capacity, sizeof *target)
             : NULL;
    kiln_status status = target ? import_json_read(file, &object, error) : error_no_memory(error);
    if (status == KILN_OK)
        status = read_target(model, object, file, target, error);
    json_object_put(object);
    free(file);
    return status;
}

/* ---- the model ---- */

/* The newest index of a reply folder: the last by name. *index stays NULL where there is none. */
static kiln_status find_index(const char *directory, char **index, kiln_error **error)
{
    string_list names = {0};
    DIR *stream = opendir(directory);
    /* CMake was not asked, or is not the build system. */
    if (!stream)
        return errno == ENOENT || errno == ENOTDIR ? KILN_OK : cannot_read(directory, errno, error);
    kiln_status status = KILN_OK;
    errno = 0;
    for (struct dirent *entry; status == KILN_OK && (entry = readdir(stream)); errno = 0)
        if (strncmp(entry->d_name, "index-", 6) == 0 &&
            strcmp(path_extension(entry->d_name), ".json") == 0 &&
            !string_list_add(&names, entry->d_name))
            status = error_no_memory(error);
    if (status == KILN_OK && errno != 0)
        status = cannot_read(directory, errno, error);
    closedir(stream);
    string_list_sort(&names);
    if (status == KILN_OK && names.count > 0) {
        *index = path_join(directory, names.items[names.count - 1]);
        status = *index ? KILN_OK : error_no_memory(error);
    }
    string_list_destroy(&names);
    return status;
}

/* The codemodel's file that an index names; *file stays NULL where CMake was asked for other things
 * only. */
static kiln_status find_codemodel(const char *directory, const char *index, char **file,
                                  kiln_error **error)
{
    json_object *root = NULL;
    kiln_status status = import_json_read(index, &root, error);
    if (status != KILN_OK)
        return status;
    json_object *objects = member(root, "objects");
    for (size_t i = 0; i < length_of(objects) && !*file && status == KILN_OK; i++) {
        json_object *object = json_object_array_get_idx(objects, i);
        const char *kind = import_json_string(object, "kind");
        const char *name = import_json_string(object, "jsonFile");
        json_object *major = member(member(object, "version"), "major");
        if (!kind || !name || strcmp(kind, "codemodel") != 0 || json_object_get_int(major) != 2 ||
            !path_is_below(name))
            continue;
        *file = path_join(directory, name);
        status = *file ? KILN_OK : error_no_memory(error);
    }
    json_object_put(root);
    return status;
}

static kiln_status read_model(const char *directory, cmake_model *model, kiln_error **error)
{
    json_object *root = NULL;
    kiln_status status = import_json_read(model->file, &root, error);
    if (status != KILN_OK)
        return status;
    const char *build = import_json_string(member(root, "paths"), "build");
    json_object *configurations = member(root, "configurations");
    if (!build || build[0] != '/' || length_of(configurations) == 0) {
        json_object_put(root);
        return wrong(model->file, "it has no build directory or no configurations", error);
    }
    model->build_directory = resolve("/", build);
    if (!model->build_directory)
        status = error_no_memory(error);
    /* The first is also the one whose commands come first in the database. */
    json_object *targets = member(json_object_array_get_idx(configurations, 0), "targets");
    for (size_t i = 0; i < length_of(targets) && status == KILN_OK; i++)
        status = add_target(model, directory, json_object_array_get_idx(targets, i), error);
    json_object_put(root);
    return status;
}

kiln_status cmake_model_read(const char *build_directory, cmake_model **model, kiln_error **error)
{
    char *index = NULL;
    cmake_model *made = calloc(1, sizeof *made);
    char *directory = path_join(build_directory, ".cmake/api/v1/reply");
    kiln_status status = made && directory ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK)
        status = find_index(directory, &index, error);
    if (status == KILN_OK && index)
        status = find_codemodel(directory, index, &made->file, error);
    if (status == KILN_OK && made->file)
        status = read_model(directory, made, error);
    free(index);
    free(directory);
    if (status == KILN_OK && made->file) {
        *model = made;
        return KILN_OK;
    }
    cmake_model_destroy(made);
    if (status == KILN_OK)
        *model = NULL;
    return status;
}

void cmake_model_destroy(cmake_model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->count; i++) {
        cmake_target *target = &model->targets[i];
        free(target->name);
        free(target->id);
        free(target->directory);
        string_list_destroy(&target->artifacts);
        string_list_destroy(&target->dependencies);
        string_list_destroy(&target->link_words);
    }
    free(model->targets);
    free(model->file);
    free(model->build_directory);
    free(model);
}

const cmake_target *cmake_model_find(const cmake_model *model, const char *name)
{
    for (size_t i = 0; i < model->count; i++)
        if (strcmp(model->targets[i].name, name) == 0)
            return &model->targets[i];
    return NULL;
}

/* ---- what a target is made of ---- */

/* By name, id and file linear searches do: a target is looked for some hundred times, not for every
 * source. */
static const cmake_target *find_id(const cmake_model *model, const char *id)
{
    for (size_t i = 0; i < model->count; i++)
        if (strcmp(model->targets[i].id, id) == 0)
            return &model->targets[i];
    return NULL;
}

static const cmake_target *find_maker(const cmake_model *model, const char *artifact)
{
    for (size_t i = 0; i < model->count; i++)
        if (string_list_contains(&model->targets[i].artifacts, artifact))
            return &model->targets[i];
    return NULL;
}

/* Whether a target's sources can be part of another's library. */
static bool is_library(const cmake_target *target)
{
    return target->kind == CMAKE_STATIC || target->kind == CMAKE_SHARED ||
           target->kind == CMAKE_OBJECTS;
}

/* Note a target for gather, which works through the list; each once. */
static kiln_status note_target(cmake_parts *parts, const cmake_target *target, kiln_error **error)
{
    if (string_list_contains(&parts->targets, target->name))
        return KILN_OK;
    return string_list_add(&parts->targets, target->name) ? KILN_OK : error_no_memory(error);
}

/* Whether a word of a link line is a file, not an option. */
static bool is_linked_file(const char *word)
{
    return word[0] != '-' && input_kind_is_linked(input_kind_of(word));
}

/* What a file on a target's link line is: *maker, the target that makes it, or else *file, where it
 * is, for the caller to free; both NULL where there is no such file. */
static kiln_status identify(const cmake_model *model, const cmake_target *target, const char *word,
                            const cmake_target **maker, char **file, kiln_error **error)
{
    const char *const starts[] = {target->directory, model->build_directory};
    *maker = NULL;
    *file = NULL;
    for (size_t i = 0; i < 2 && !*maker; i++) {
        char *path = resolve(starts[i], word);
        if (!path) {
            free(*file);
            return error_no_memory(error);
        }
        *maker = find_maker(model, path);
        if (!*maker && !*file && is_there(path))
            *file = path;
        else
            free(path);
    }
    if (*maker) {
        free(*file);
        *file = NULL;
    }
    return KILN_OK;
}

/* A file on a link line: one that the project makes stands for its target, others are linked as
 * they are. outside_only: the line is another target's, so the project's files on it, and what is
 * not there, do not matter. */
static kiln_status gather_file(const cmake_model *model, const cmake_target *target,
                               const char *word, bool outside_only, cmake_parts *parts,
                               kiln_error **error)
{
    char *file;
    const cmake_target *maker;
    kiln_status status = identify(model, target, word, &maker, &file, error);
    if (status != KILN_OK)
        return status;
    if (maker)
        status = is_library(maker) && !outside_only ? note_target(parts, maker, error) : KILN_OK;
    else if (file)
        status = string_list_contains(&parts->files, file) || string_list_add(&parts->files, file)
                     ? KILN_OK
                     : error_no_memory(error);
    else if (!outside_only)
        status = error_set(error, KILN_NOT_FOUND, KILN_PHASE_SPEC,
                           "'%s': target '%s' links '%s', which does not exist; build it first",
                           model->file, target->name, word);
    free(file);
    return status;
}

static kiln_status gather_link(const cmake_model *model, const cmake_target *target, size_t first,
                               bool outside_only, cmake_parts *parts, kiln_error **error)
{
    kiln_status status = KILN_OK;
    for (size_t i = first; i < target->link_words.count && status == KILN_OK; i++) {
        const char *word = target->link_words.items[i];
        if (is_linked_file(word))
            status = gather_file(model, target, word, outside_only, parts, error);
        else if (!import_link_argument(word, model->build_directory, &parts->arguments))
            status = error_no_memory(error);
    }
    return status;
}

/* Whether a target has no link line of its own. */
static bool is_archived(const cmake_target *target)
{
    return target->kind == CMAKE_STATIC || target->kind == CMAKE_OBJECTS;
}

/* Where an archive stands on a target's link line, by the file's name; past the end where it does
 * not. */
static size_t find_word(const cmake_target *user, const cmake_target *archive)
{
    size_t i = 0;
    for (; i < user->link_words.count && archive->artifacts.count > 0; i++)
        if (strcmp(path_name(user->link_words.items[i]), path_name(archive->artifacts.items[0])) ==
            0)
            break;
    return i;
}

/* What an archive needs from outside is known to those who link it: it stands behind the archive on
 * their link lines, among what else they need. The shortest such rest says it best. */
static kiln_status gather_from_users(const cmake_model *model, const cmake_target *archive,
                                     cmake_parts *parts, kiln_error **error)
{
    const cmake_target *best = NULL;
    size_t best_rest = 0;
    for (size_t i = 0; i < model->count; i++) {
        const cmake_target *user = &model->targets[i];
        size_t rest = user->link_words.count - find_word(user, archive);
        if (rest > 0 && (!best || rest < best_rest)) {
            best = user;
            best_rest = rest;
        }
    }
    if (!best)
        return KILN_OK;
    return gather_link(model, best, best->link_words.count - best_rest, true, parts, error);
}

/* Below a target with a link line that line names whatever its archives need, but not the objects
 * that went into them. */
static kiln_status gather_target(const cmake_model *model, const cmake_target *root,
                                 const cmake_target *target, cmake_parts *parts, kiln_error **error)
{
    bool by_dependencies = is_archived(root) && is_archived(target);
    kiln_status status = KILN_OK;
    if (!is_archived(target))
        status = gather_link(model, target, 0, false, parts, error);
    else if (target == root)
        status = gather_from_users(model, target, parts, error);
    for (size_t i = 0; i < target->dependencies.count && status == KILN_OK; i++) {
        const cmake_target *other = find_id(model, target->dependencies.items[i]);
        if (other && (other->kind == CMAKE_OBJECTS || (by_dependencies && is_library(other))))
            status = note_target(parts, other, error);
    }
    return status;
}

kiln_status cmake_model_gather(const cmake_model *model, const cmake_target *target,
                               cmake_parts *parts, kiln_error **error)
{
    cmake_parts made = {0};
    kiln_status status = note_target(&made, target, error);
    /* The list grows while it is worked through. */
    for (size_t i = 0; i < made.targets.count && status == KILN_OK; i++)
        status = gather_target(model, target, cmake_model_find(model, made.targets.items[i]), &made,
                               error);
    if (status == KILN_OK)
        *parts = made;
    else
        cmake_parts_destroy(&made);
    return status;
}

void cmake_parts_destroy(cmake_parts *parts)
{
    string_list_destroy(&parts->targets);
    string_list_destroy(&parts->arguments);
    string_list_destroy(&parts->files);
}
