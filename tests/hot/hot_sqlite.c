/* hot_sqlite.c - SQLite with an open database in memory, whose virtual machine is edited while a query
 * steps. Needs KILN_INPUTS, the folder that scripts/inputs has filled; skipped without it. */
#include "edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { sqlite_ok = 0, sqlite_row = 100, sqlite_done = 101, sqlite_utf8 = 1, rows = 1000 };

/* What of its API is called. */
typedef struct sqlite {
    int (*open)(const char *, void **);
    int (*close)(void *);
    int (*exec)(void *, const char *, void *, void *, char **);
    int (*prepare_v2)(void *, const char *, int, void **, const char **);
    int (*step)(void *);
    int (*finalize)(void *);
    int (*column_int)(void *, int);
    const char *(*column_text)(void *, int);
    int (*create_function)(void *, const char *, int, int, void *,
                           void (*)(void *context, int count, void **values), void *, void *);
    void *(*user_data)(void *context);
    int (*value_int)(void *);
    void (*result_int)(void *context, int);
} sqlite;

static sqlite api_of(const kiln_library *library)
{
    const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define FUNCTION(name) {"sqlite3_" #name, offsetof(sqlite, name)}
        FUNCTION(open),       FUNCTION(close),       FUNCTION(exec),
        FUNCTION(prepare_v2), FUNCTION(step),        FUNCTION(finalize),
        FUNCTION(column_int), FUNCTION(column_text), FUNCTION(create_function),
        FUNCTION(user_data),  FUNCTION(value_int),   FUNCTION(result_int),
#undef FUNCTION
    };
    sqlite api;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        kiln_function function = kiln_library_function(library, functions[i].name, NULL);
        CHECK(function);
        memcpy((char *)&api + functions[i].offset, &function, sizeof function);
    }
    return api;
}

/* The virtual machine, by the instruction that adds integers. */
static const char add[] = "if( sqlite3AddInt64(&iB,iA) ) goto fp_math;  break;";
static const char add_more[] = "if( sqlite3AddInt64(&iB,iA+5000) ) goto fp_math;  break;";
static const char mistaken[] = "if( sqlite3AddInt64(&iB,iA+5000) ) goto fp_math;  break";

/* The library is edited by a query: `edit(n)` is n, and saves a text where n is the number for it. */
typedef struct editor {
    editing e;
    sqlite api;
    void *database;
    int when;
    const char *text;
} editor;

static void *(*user_data_of)(void *context);
static void edit_within_query(void *context, int count, void **values)
{
    editor *own = user_data_of(context);
    int number = own->api.value_int(values[0]);
    CHECK_INT(count, 1);
    if (number == own->when)
        edit_save(&own->e, own->text);
    own->api.result_int(context, number);
}

static void *prepare(const editor *own, const char *sql)
{
    void *statement;
    CHECK_INT(own->api.prepare_v2(own->database, sql, -1, &statement, NULL), sqlite_ok);
    return statement;
}

static int next_int(const editor *own, void *statement)
{
    CHECK_INT(own->api.step(statement), sqlite_row);
    return own->api.column_int(statement, 0);
}

static int single_int(const editor *own, const char *sql)
{
    void *statement = prepare(own, sql);
    int value = next_int(own, statement);
    CHECK_INT(own->api.step(statement), sqlite_done);
    CHECK_INT(own->api.finalize(statement), sqlite_ok);
    return value;
}

/* The source as it was fetched; ends the test where it was not. */
static char *sqlite_text(void)
{
    const char *inputs = getenv("KILN_INPUTS");
    const char *path = inputs ? text_of("%s/sqlite/sqlite3.c", inputs) : NULL;
    if (!path || access(path, R_OK) != 0) {
        fprintf(stderr, "there is no SQLite in KILN_INPUTS: run scripts/inputs\n");
        exit(77);
    }
    return read_file(path, NULL);
}

static void open_database(editor *own)
{
    CHECK_INT(own->api.open(":memory:", &own->database), sqlite_ok);
    user_data_of = own->api.user_data;
    CHECK_INT(own->api.create_function(own->database, "edit", 1, sqlite_utf8, own,
                                       edit_within_query, NULL, NULL),
              sqlite_ok);
    CHECK_INT(
        own->api.exec(own->database,
                      text_of("CREATE TABLE t(x INTEGER PRIMARY KEY, y TEXT);"
                              "CREATE INDEX i ON t(y); WITH RECURSIVE n(x) AS (SELECT 1 UNION "
                              "ALL SELECT x + 1 FROM n WHERE x < %d)"
                              "INSERT INTO t SELECT x, 'row ' || x FROM n;",
                              rows),
                      NULL, NULL, NULL),
        sqlite_ok);
}

TEST(the_virtual_machine_is_edited_while_a_query_steps)
{
    char *text = sqlite_text(), *edited = replaced(text, add, add_more);
    editor own = {0};
    edit_begin(&own.e, "c", text);
    own.api = api_of(own.e.library);
    open_database(&own);
    void *statement = prepare(&own, "SELECT x + 1, edit(x) FROM t ORDER BY x");
    own.when = 5, own.text = edited;
    /* The step that edits ends in the code that it began in; the next one runs the new code. */
    for (int i = 1; i <= 5; i++)
        CHECK_INT(next_int(&own, statement), i + 1);
    if (edit_mode() == KILN_HOT_ISLANDS) {
        CHECK_INT(kiln_reload_function_count(own.e.report), 1);
        CHECK(edit_reported_function(&own.e, "sqlite3VdbeExec"));
        CHECK(edit_noticed(&own.e, KILN_NOTICE_RUNNING, "sqlite3VdbeExec"));
    }
    for (int i = 6; i <= rows / 2; i++)
        CHECK_INT(next_int(&own, statement), i + 5001);
    /* One that is not C changes nothing, in the middle of the query either. */
    char *wrong = replaced(text, add, mistaken);
    free(edit_save_fails(&own.e, wrong, KILN_COMPILE));
    CHECK_INT(next_int(&own, statement), rows / 2 + 5002);
    /* One step adds all rows up: it ends as it began, though it goes back in the middle. */
    own.when = rows / 2, own.text = text;
    CHECK_INT(single_int(&own, "SELECT sum(edit(x) * 0 + 1) FROM t"), rows * 5001);
    CHECK_INT(next_int(&own, statement), rows / 2 + 3);
    CHECK_STATUS(kiln_library_roll_back(own.e.library, NULL, NULL), KILN_OK, NULL);
    CHECK_INT(next_int(&own, statement), rows / 2 + 5004);
    CHECK_INT(own.api.finalize(statement), sqlite_ok);
    edit_reload(&own.e);
    CHECK_INT(single_int(&own, "SELECT count(*) FROM t WHERE y = 'row ' || x"), rows);
    statement = prepare(&own, "PRAGMA integrity_check");
    CHECK_INT(own.api.step(statement), sqlite_row);
    CHECK_TEXT(own.api.column_text(statement, 0), "ok");
    CHECK_INT(own.api.finalize(statement), sqlite_ok);
    CHECK_INT(own.api.close(own.database), sqlite_ok);
    edit_end(&own.e);
    free(wrong);
    free(edited);
    free(text);
}
