/* edit.c - see edit.h. */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

kiln_hot_mode edit_mode(void)
{
    const char *mode = getenv("KILN_TEST_HOT");
    return mode && strcmp(mode, "whole") == 0 ? KILN_HOT_WHOLE : KILN_HOT_ISLANDS;
}

void edit_begin_spec(editing *e, kiln_spec *spec)
{
    kiln_load_options options = {.size = sizeof options, .hot = edit_mode()};
    kiln_error *error;
    if (!e->session)
        e->session = session_create(scratch("cache"), &e->events);
    kiln_status status = kiln_library_load_spec(e->session, spec, &options, &e->library, &error);
    CHECK_STATUS(status, KILN_OK, &error);
    kiln_spec_destroy(spec);
}

void edit_begin(editing *e, const char *extension, const char *text)
{
    *e = (editing){.path = scratch("lib.%s", extension)};
    write_file(e->path, text);
    edit_begin_spec(e, spec_of_file("lib", e->path));
}

void edit_end(editing *e)
{
    kiln_reload_destroy(e->report);
    CHECK_STATUS(kiln_library_close(e->library), KILN_OK, NULL);
    kiln_session_destroy(e->session);
}

void edit_reload(editing *e)
{
    kiln_error *error;
    kiln_reload_destroy(e->report);
    e->report = NULL;
    CHECK_STATUS(kiln_library_reload(e->library, NULL, &e->report, &error), KILN_OK, &error);
}

void edit_save(editing *e, const char *text)
{
    write_file(e->path, text);
    edit_reload(e);
}

char *edit_reload_fails(editing *e, kiln_status expected)
{
    kiln_error *error = NULL;
    kiln_reload_destroy(e->report);
    e->report = NULL;
    CHECK_INT(kiln_library_reload(e->library, NULL, &e->report, &error), expected);
    CHECK(e->report == NULL);
    char *text = strdup(kiln_error_rendered(error));
    kiln_error_destroy(error);
    return text;
}

char *edit_save_fails(editing *e, const char *text, kiln_status expected)
{
    write_file(e->path, text);
    return edit_reload_fails(e, expected);
}

char *replaced(const char *text, const char *from, const char *to)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, from)); at += strlen(from))
        count++;
    CHECK(count > 0);
    char *made = calloc(1, strlen(text) + count * strlen(to) + 1);
    for (const char *next; (next = strstr(text, from)); text = next + strlen(from)) {
        strncat(made, text, (size_t)(next - text));
        strcat(made, to);
    }
    return strcat(made, text);
}

void edit_replace(editing *e, const char *text, const char *from, const char *to)
{
    char *edited = replaced(text, from, to);
    edit_save(e, edited);
    free(edited);
}

bool edit_noticed(const editing *e, kiln_notice_kind kind, const char *display)
{
    for (size_t i = 0; i < kiln_reload_notice_count(e->report); i++) {
        kiln_notice notice = {.size = sizeof notice};
        CHECK_STATUS(kiln_reload_notice(e->report, i, &notice), KILN_OK, NULL);
        if (notice.kind == kind && strcmp(notice.display, display) == 0)
            return true;
    }
    return false;
}

bool edit_reported_function(const editing *e, const char *display)
{
    for (size_t i = 0; i < kiln_reload_function_count(e->report); i++)
        if (strcmp(kiln_reload_function(e->report, i), display) == 0)
            return true;
    return false;
}

int edit_int(const editing *e, const char *function)
{
    return call_int(e->library, function);
}

void *edit_data(const editing *e, const char *name)
{
    void *data = kiln_library_data(e->library, name, NULL);
    CHECK(data);
    return data;
}
