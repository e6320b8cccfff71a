/* hot_migrate.c - layouts that change: the host brings its data along, or refuses; the load option
 * decides about what cannot be seen. */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

static const char text[] = "struct point { int x, y; };\n"
                           "struct list { struct list *next; struct point p; };\n"
                           "struct point origin = {3, 4};\n"
                           "static struct list *head;\n"
                           "void *hidden;\n"
                           "struct lonely { int a, b; };\n"
                           "int sum(void) { return origin.x + 10 * origin.y + (head != 0); }\n"
                           "int alone(void) { struct lonely l = {1, 2}; return l.a; }\n";

typedef struct migrations {
    int points, lists, types, unseen;
    bool refuses;
} migrations;

static bool on_migration(kiln_library *library, const kiln_migration *migration, void *user_data)
{
    migrations *seen = user_data;
    CHECK(library && migration->size == sizeof *migration && *migration->detail);
    if (migration->kind == KILN_NOTICE_TYPE_CHANGED) {
        CHECK_TEXT(migration->variable, "origin");
        CHECK_INT(migration->from_size, 8);
        CHECK_INT(migration->to_size, 12);
        CHECK(migration->from && migration->to && migration->from != migration->to);
        const int *from = migration->from;
        int *to = migration->to;
        /* The new variable holds what it is initialised with. */
        CHECK_INT(to[0], 3);
        to[0] = from[0], to[1] = 0, to[2] = from[1];
        seen->types++;
    } else if (migration->kind == KILN_NOTICE_LAYOUT_UNSEEN) {
        CHECK_TEXT(migration->variable, "");
        CHECK(!migration->from && !migration->to);
        seen->unseen++;
    } else if (strcmp(migration->variable, "origin") == 0) {
        CHECK_TEXT(migration->type, "struct point");
        CHECK(migration->from && migration->from != migration->to);
        seen->points++;
    } else {
        CHECK_TEXT(migration->variable, "head");
        CHECK(migration->from && migration->from == migration->to);
        seen->lists++;
    }
    return !seen->refuses;
}

TEST(the_host_migrates)
{
    editing e;
    kiln_error *error;
    migrations seen = {.refuses = true};
    kiln_reload_options options = {
        .size = sizeof options, .migrate = on_migration, .migrate_data = &seen};
    edit_begin(&e, "c", text);
    int *origin = edit_data(&e, "origin");
    origin[0] = 5, origin[1] = 6;
    /* Refused: nothing changes, and the library stays edited. */
    write_file(e.path, replaced(text, "int x, y;", "int x, between, y;"));
    CHECK_INT(kiln_library_reload(e.library, &options, NULL, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "migration refuses");
    kiln_error_destroy(error);
    CHECK_INT(edit_int(&e, "sum"), 65);
    CHECK_INT(kiln_library_generation(e.library), 1);
    seen = (migrations){0};
    CHECK_STATUS(kiln_library_reload(e.library, &options, NULL, &error), KILN_OK, &error);
    CHECK_INT(edit_int(&e, "sum"), 65);
    CHECK_INT(seen.types, 1);
    CHECK_INT(seen.points, 1);
    CHECK_INT(seen.lists, 2);
    edit_end(&e);
}

static bool on_swap(kiln_library *library, const kiln_migration *migration, void *user_data)
{
    (void)library;
    CHECK_TEXT(migration->variable, "own");
    CHECK(migration->from == migration->to);
    CHECK_INT(migration->to_size, 8);
    int *members = migration->to;
    int first = members[0];
    members[0] = members[1];
    members[1] = first;
    ++*(int *)user_data;
    return true;
}

/* Two files see one header, and have a variable of one name each: each is migrated once. */
TEST(variables_of_several_files_are_migrated_once)
{
    static const char header[] = "struct pair { int a, b; };\n";
    editing e = {0};
    kiln_error *error;
    int swaps = 0;
    kiln_spec *spec = kiln_spec_create("lib");
    kiln_spec_set_directory(spec, scratch("src"));
    write_file(scratch("src/pair.h"), header);
    for (int i = 1; i < 3; i++)
        write_file(scratch("src/u%d.c", i),
                   text_of("#include \"pair.h\"\nstatic struct pair own = {%d, %d};\n"
                           "int f%d(void) { return own.a++ + 10 * own.b; }\n",
                           i, i + 5, i));
    kiln_spec_add_source(spec, "u*.c", NULL);
    edit_begin_spec(&e, spec);
    CHECK_INT(edit_int(&e, "f1"), 61);
    write_file(scratch("src/pair.h"), replaced(header, "int a, b", "int b, a"));
    kiln_reload_options options = {
        .size = sizeof options, .migrate = on_swap, .migrate_data = &swaps};
    CHECK_STATUS(kiln_library_reload(e.library, &options, NULL, &error), KILN_OK, &error);
    CHECK_INT(swaps, 2);
    CHECK_INT(edit_int(&e, "f1"), 62);
    CHECK_INT(edit_int(&e, "f2"), 72);
    edit_end(&e);
}

TEST(what_cannot_be_seen_is_told_or_refused)
{
    const char *edited = replaced(text, "int a, b;", "int b, a;");
    editing e;
    edit_begin(&e, "c", text);
    edit_save(&e, edited);
    CHECK(edit_noticed(&e, KILN_NOTICE_LAYOUT_UNSEEN, "struct lonely"));
    CHECK_INT(edit_int(&e, "alone"), 2);
    edit_end(&e);

    kiln_session *session = session_create(scratch("cache"), NULL);
    kiln_load_options options = {
        .size = sizeof options, .hot = edit_mode(), .refuse_unseen_layouts = true};
    kiln_library *library;
    kiln_error *error;
    write_file(e.path, text);
    CHECK_STATUS(kiln_library_open(session, e.path, &options, &library, &error), KILN_OK, &error);
    write_file(e.path, edited);
    CHECK_INT(kiln_library_reload(library, NULL, NULL, &error), KILN_REFUSED);
    CHECK_CONTAINS(kiln_error_message(error), "struct lonely");
    kiln_error_destroy(error);
    CHECK_INT(call_int(library, "alone"), 1);
    kiln_reload_options accept = {.size = sizeof accept, .accept_layouts = true};
    CHECK_STATUS(kiln_library_reload(library, &accept, NULL, &error), KILN_OK, &error);
    CHECK_INT(call_int(library, "alone"), 2);
    kiln_library_close(library);
    kiln_session_destroy(session);
}
