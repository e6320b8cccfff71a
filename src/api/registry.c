/* registry.c - a session's specs by name: registering, listing, manifests and imported databases.
 */
#include <stdlib.h>
#include <string.h>

#include "api/import_commands.h"
#include "api/manifest.h"
#include "api/session.h"
#include "base/array.h"

/* Where a name stands or would stand. The mutex is held. */
static size_t find(const kiln_session *session, const char *name, bool *found)
{
    size_t low = 0, high = session->spec_count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(session->specs[middle]->name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

kiln_status session_find_spec(kiln_session *session, const char *name, const char *dependent,
                              kiln_spec **copy, kiln_error **error)
{
    bool found;
    kiln_spec *made = NULL;
    pthread_mutex_lock(&session->mutex);
    size_t place = find(session, name, &found);
    if (found)
        made = spec_copy(session->specs[place]);
    pthread_mutex_unlock(&session->mutex);
    if (made) {
        *copy = made;
        return KILN_OK;
    }
    if (found)
        return error_no_memory(error);
    if (dependent)
        return error_set(error, KILN_NOT_FOUND, KILN_PHASE_SPEC,
                         "library '%s' depends on '%s', which is not registered", dependent, name);
    return error_set(error, KILN_NOT_FOUND, KILN_PHASE_SPEC, "no library named '%s' is registered",
                     name);
}

void session_forget_specs(kiln_session *session)
{
    for (size_t i = 0; i < session->spec_count; i++)
        kiln_spec_destroy(session->specs[i]);
    free(session->specs);
}

/* Takes the copy over. The mutex is held. */
static kiln_status insert(kiln_session *session, kiln_spec *copy, kiln_error **error)
{
    bool found;
    size_t place = find(session, copy->name, &found);
    if (found) {
        kiln_status status = error_set(error, KILN_ALREADY_EXISTS, KILN_PHASE_SPEC,
                                       "a library named '%s' is registered already", copy->name);
        kiln_spec_destroy(copy);
        return status;
    }
    if (!array_reserve((void **)&session->specs, &session->spec_capacity, session->spec_count + 1,
                       sizeof *session->specs)) {
        kiln_spec_destroy(copy);
        return error_no_memory(error);
    }
    memmove(session->specs + place + 1, session->specs + place,
            (session->spec_count - place) * sizeof *session->specs);
    session->specs[place] = copy;
    session->spec_count++;
    return KILN_OK;
}

kiln_status kiln_session_register(kiln_session *session, const kiln_spec *spec, kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!spec)
        return error_null(error, "spec");
    kiln_status status = spec_check(spec, error);
    if (status != KILN_OK)
        return status;
    kiln_spec *copy = spec_copy(spec);
    if (!copy)
        return error_no_memory(error);
    pthread_mutex_lock(&session->mutex);
    status = insert(session, copy, error);
    pthread_mutex_unlock(&session->mutex);
    return status;
}

kiln_status kiln_session_unregister(kiln_session *session, const char *name, kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!name)
        return error_null(error, "name");
    bool found;
    pthread_mutex_lock(&session->mutex);
    size_t place = find(session, name, &found);
    if (found) {
        kiln_spec_destroy(session->specs[place]);
        session->spec_count--;
        memmove(session->specs + place, session->specs + place + 1,
                (session->spec_count - place) * sizeof *session->specs);
    }
    pthread_mutex_unlock(&session->mutex);
    return found ? KILN_OK
                 : error_set(error, KILN_NOT_FOUND, KILN_PHASE_SPEC,
                             "no library named '%s' is registered", name);
}

kiln_status kiln_session_spec(kiln_session *session, const char *name, kiln_spec **spec,
                              kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!name || !spec)
        return error_null(error, name ? "spec" : "name");
    return session_find_spec(session, name, NULL, spec, error);
}

bool kiln_session_is_registered(kiln_session *session, const char *name)
{
    bool found = false;
    session = session_or_default(session);
    if (!session || !name)
        return false;
    pthread_mutex_lock(&session->mutex);
    find(session, name, &found);
    pthread_mutex_unlock(&session->mutex);
    return found;
}

kiln_status kiln_session_names(kiln_session *session, char ***names, size_t *count,
                               kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    if (!names)
        return error_null(error, "names");
    pthread_mutex_lock(&session->mutex);
    size_t found = session->spec_count;
    char **list = calloc(found + 1, sizeof *list);
    bool done = list != NULL;
    for (size_t i = 0; done && i < found; i++)
        done = (list[i] = strdup(session->specs[i]->name)) != NULL;
    pthread_mutex_unlock(&session->mutex);
    if (!done) {
        kiln_names_destroy(list);
        return error_no_memory(error);
    }
    *names = list;
    if (count)
        *count = found;
    return KILN_OK;
}

void kiln_names_destroy(char **names)
{
    for (char **name = names; name && *name; name++)
        free(*name);
    free(names);
}

/* ---- many at once ---- */

/* All or nothing: what was inserted before a failure is taken out again. */
static kiln_status register_all(kiln_session *session, kiln_spec **specs, size_t count,
                                kiln_error **error)
{
    kiln_status status = KILN_OK;
    size_t done = 0;
    for (; status == KILN_OK && done < count; done++)
        status = kiln_session_register(session, specs[done], error);
    if (status == KILN_OK)
        return KILN_OK;
    for (size_t i = 0; i + 1 < done; i++)
        kiln_session_unregister(session, specs[i]->name, NULL);
    return status;
}

kiln_status kiln_session_read_manifest(kiln_session *session, const char *path, kiln_error **error)
{
    if (error)
        *error = NULL;
    session = session_or_default(session);
    if (!session)
        return error_no_memory(error);
    char *found = NULL;
    kiln_spec **specs = NULL;
    size_t count = 0;
    kiln_status status = path ? KILN_OK : manifest_find(&found, error);
    if (status == KILN_OK)
        status = manifest_read(path ? path : found, &specs, &count, error);
    if (status == KILN_OK)
        status = register_all(session, specs, count, error);
    manifest_specs_destroy(specs, count);
    free(found);
    return status;
}

kiln_status kiln_session_import_commands(kiln_session *session, const char *path,
                                         const char *target, const char *name, kiln_error **error)
{
    if (error)
        *error = NULL;
    if (!path || !name)
        return error_null(error, path ? "name" : "path");
    kiln_spec *spec = NULL;
    kiln_status status = import_commands(path, target, name, &spec, error);
    if (status == KILN_OK)
        status = kiln_session_register(session, spec, error);
    kiln_spec_destroy(spec);
    return status;
}
