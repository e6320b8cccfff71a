/* hot_migrate.c - data whose layout an edit changes, brought to its new one by the host: see kiln.h,
 * kiln_migrate_callback.
 *
 * A notice names a variable as its unit knows it; static variables of several files may share that
 * name, and each is one to migrate. Units that read one header tell the same of it: that is one
 * notice here. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "reload/hot_state.h"

/* What all of it is about. */
typedef struct migrating {
    const hot *hot;
    const hot_edit *edit;
    const loaded *newest;
    kiln_error **error;
} migrating;

static bool is_for_migration(const Kiln__Wire__HotNotice *notice)
{
    return notice->kind == KILN__WIRE__HOT_NOTICE_KIND__HOT_LAYOUT_CHANGED ||
           notice->kind == KILN__WIRE__HOT_NOTICE_KIND__HOT_LAYOUT_UNSEEN ||
           notice->kind == KILN__WIRE__HOT_NOTICE_KIND__HOT_TYPE_CHANGED;
}

/* Whether one that stands before it, in this table or an earlier one, says the same. */
static bool is_told(const hot_edit *edit, size_t table, size_t index)
{
    const Kiln__Wire__HotNotice *notice = edit->tables[table]->notices[index];
    for (size_t i = 0; i <= table; i++) {
        size_t count = !edit->tables[i] ? 0 : i == table ? index : edit->tables[i]->n_notices;
        for (size_t k = 0; k < count; k++) {
            const Kiln__Wire__HotNotice *other = edit->tables[i]->notices[k];
            if (other->kind == notice->kind && strcmp(other->symbol, notice->symbol) == 0 &&
                strcmp(other->variable, notice->variable) == 0)
                return true;
        }
    }
    return false;
}

/* The place that the new generation gives to a variable: another one only where it is made anew. */
static void place_after(const migrating *migrating, const Kiln__Wire__HotSymbol *now,
                        kiln_migration *migration)
{
    migration->to = (void *)(uintptr_t)migration->from;
    migration->to_size = migration->from_size;
    for (size_t i = 0; i < migrating->edit->unit_count; i++) {
        const Kiln__Wire__HotUnit *table = migrating->edit->tables[i];
        for (size_t k = 0; table && k < table->n_symbols; k++) {
            const Kiln__Wire__HotSymbol *symbol = table->symbols[k];
            if (symbol->defined != migrating->hot->generation_count + 1 ||
                strcmp(symbol->name, now->name) != 0)
                continue;
            migration->to =
                load_symbol_address(migrating->newest, *symbol->body ? symbol->body : symbol->name);
            migration->to_size = symbol->size;
            return;
        }
    }
}

static kiln_status ask_host(const migrating *migrating, const kiln_migration *migration)
{
    const hot_policy *policy = &migrating->edit->policy;
    if (policy->migrate(policy->library, migration, policy->migrate_data))
        return KILN_OK;
    return error_set(migrating->error, KILN_REFUSED, KILN_PHASE_BIND,
                     "the host's migration refuses the edit: %s: %s",
                     *migration->type ? migration->type : migration->variable, migration->detail);
}

typedef struct places {
    const void **items;
    size_t count, capacity;
} places;

static bool is_known(const places *places, const void *place)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i] == place)
            return true;
    return false;
}

/* All variables of one unit that have the name. */
static kiln_status migrate_in_unit(const migrating *migrating, const Kiln__Wire__HotUnit *table,
                                   const char *name, kiln_migration migration, places *places)
{
    kiln_status status = KILN_OK;
    for (size_t i = 0; status == KILN_OK && i < table->n_symbols; i++) {
        const Kiln__Wire__HotSymbol *symbol = table->symbols[i];
        if (symbol->kind != KILN__WIRE__HOT_KIND__HOT_VARIABLE || !hot_is_called(symbol, name))
            continue;
        migration.from = hot_place_of(migrating->hot, symbol);
        migration.from_size = symbol->size;
        if (!migration.from || is_known(places, migration.from))
            continue;
        const void **place =
            array_add((void **)&places->items, &places->count, &places->capacity, sizeof *place);
        if (!place)
            return error_no_memory(migrating->error);
        *place = migration.from;
        place_after(migrating, symbol, &migration);
        status = ask_host(migrating, &migration);
    }
    return status;
}

/* name: of the variable, as symbols have it. */
static kiln_status migrate_variables(const migrating *migrating, const char *name,
                                     const kiln_migration *migration)
{
    const hot *hot = migrating->hot;
    places places = {0};
    kiln_status status = KILN_OK;
    for (size_t i = 0; *name && status == KILN_OK && i < hot->unit_count; i++) {
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, hot->units[i].table_size, hot->units[i].table);
        status = table ? migrate_in_unit(migrating, table, name, *migration, &places)
                       : error_no_memory(migrating->error);
        if (table)
            kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    if (status == KILN_OK && places.count == 0)
        status = ask_host(migrating, migration);
    free(places.items);
    return status;
}

static kiln_status migrate_one(const migrating *migrating, const Kiln__Wire__HotNotice *notice)
{
    bool is_type = notice->kind == KILN__WIRE__HOT_NOTICE_KIND__HOT_TYPE_CHANGED;
    const kiln_migration migration = {.size = sizeof migration,
                                      .kind = (kiln_notice_kind)notice->kind,
                                      .type = is_type ? "" : notice->display,
                                      .detail = notice->detail,
                                      .variable = is_type ? notice->display : notice->variable};
    return migrate_variables(migrating, is_type ? notice->symbol : notice->variable, &migration);
}

kiln_status hot_migrate(const hot *hot, const hot_edit *edit, const loaded *newest,
                        kiln_error **error)
{
    const migrating migrating = {.hot = hot, .edit = edit, .newest = newest, .error = error};
    kiln_status status = KILN_OK;
    for (size_t i = 0; edit->policy.migrate && i < edit->unit_count; i++)
        for (size_t k = 0; edit->tables[i] && k < edit->tables[i]->n_notices; k++)
            if (status == KILN_OK && is_for_migration(edit->tables[i]->notices[k]) &&
                !is_told(edit, i, k))
                status = migrate_one(&migrating, edit->tables[i]->notices[k]);
    return status;
}
