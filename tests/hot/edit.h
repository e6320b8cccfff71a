/* edit.h - a library under edit: its files, its loads and reloads. For one thread. */
#ifndef KILN_TESTS_HOT_EDIT_H
#define KILN_TESTS_HOT_EDIT_H

#include "support.h"

/* A session, and a library "lib" of the sources DIRECTORY/lib.c or lib.cpp. */
typedef struct editing {
    kiln_session *session;
    kiln_library *library;
    kiln_reload *report; /* of the last reload */
    char *path;
    event_log events;
} editing;

/* KILN_HOT_WHOLE where the test runs so. */
kiln_hot_mode edit_mode(void);

/* Write the source (extension: "c" or "cpp") and load it hot. */
void edit_begin(editing *e, const char *extension, const char *text);
/* The same for a spec, which is destroyed. */
void edit_begin_spec(editing *e, kiln_spec *spec);
void edit_end(editing *e); /* closes the library: OK */

/* Save a new text, and reload. */
void edit_save(editing *e, const char *text);
void edit_reload(editing *e);
/* The reload fails so; the error's rendered text, malloc'd. */
char *edit_reload_fails(editing *e, kiln_status expected);
char *edit_save_fails(editing *e, const char *text, kiln_status expected);
/* Save a copy of `text` in which `from` is replaced by `to` wherever it stands. */
void edit_replace(editing *e, const char *text, const char *from, const char *to);
char *replaced(const char *text, const char *from, const char *to); /* malloc'd */

/* Whether the last report has a notice of that kind about what people know as `display`. */
bool edit_noticed(const editing *e, kiln_notice_kind kind, const char *display);
bool edit_reported_function(const editing *e, const char *display);

int edit_int(const editing *e, const char *function); /* call int f(void) */
void *edit_data(const editing *e, const char *name);

#endif
