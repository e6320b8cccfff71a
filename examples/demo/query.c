/* query.c - the demo's SQL program, loaded from source on top of SQLite, which is loaded from
 * source too.
 *
 * Turns one query into a table of text. Keeps no state between calls. */
#include "demo.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static void copy_cell(char *cell, const char *text)
{
    snprintf(cell, DEMO_CELL_BYTES, "%s", text ? text : "");
}

static int add_row(void *user_data, int column_count, char **cells, char **names)
{
    demo_table *table = user_data;
    size_t count = column_count < DEMO_COLUMNS ? (size_t)column_count : DEMO_COLUMNS;

    if (table->row_count == DEMO_ROWS)
        return 0;
    for (size_t i = 0; i < count; i++) {
        copy_cell(table->names[i], names[i]);
        copy_cell(table->cells[table->row_count][i], cells[i]);
    }
    table->column_count = count;
    table->row_count++;
    return 0;
}

int query_run(const char *setup, const char *select, demo_table *table, char *message,
              size_t message_size)
{
    sqlite3 *database = NULL;
    int status = sqlite3_open(":memory:", &database);

    memset(table, 0, sizeof *table);
    if (status == SQLITE_OK)
        status = sqlite3_exec(database, setup, NULL, NULL, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_exec(database, select, add_row, table, NULL);
    if (status != SQLITE_OK)
        snprintf(message, message_size, "%s", sqlite3_errmsg(database));
    sqlite3_close(database);
    return status == SQLITE_OK ? 0 : -1;
}

const char *query_version(void)
{
    return sqlite3_libversion();
}
