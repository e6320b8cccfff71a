/* hot_publish.c - leading a library to the code of a generation, and back: see hot.h.
 *
 * Everything that can fail - memory, the loader, a symbol that is not where it should be - comes
 * before the first entry is changed. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "os/os.h"
#include "reload/hot_state.h"
#include "reload/patch.h"

/* What a publication changes, gathered before anything is changed. */
typedef struct changes {
    patch *patches;
    size_t patch_count, patch_capacity;
    const char **names; /* of what is patched, in the same order */
    size_t name_count, name_capacity;
    patch_data *constants;
    size_t constant_count, constant_capacity;
} changes;

static bool add_patch(changes *changes, void *entry, const void *target, const char *name)
{
    const char **own = array_add((void **)&changes->names, &changes->name_count,
                                 &changes->name_capacity, sizeof *own);
    patch *place = own ? array_add((void **)&changes->patches, &changes->patch_count,
                                   &changes->patch_capacity, sizeof *place)
                       : NULL;
    if (!place)
        return false;
    *own = name;
    *place = (patch){.entry = entry, .target = target};
    return true;
}

static void changes_destroy(changes *changes)
{
    free(changes->patches);
    free(changes->names);
    free(changes->constants);
}

static bool add_constant(changes *changes, void *address, const void *bytes, size_t size)
{
    patch_data *place = array_add((void **)&changes->constants, &changes->constant_count,
                                  &changes->constant_capacity, sizeof *place);
    if (place)
        *place = (patch_data){.place = address, .bytes = bytes, .size = size};
    return place != NULL;
}

/* One function that several units define (an inline one) is published once. */
static bool is_known(const changes *changes, const void *entry)
{
    for (size_t i = 0; i < changes->patch_count; i++)
        if (changes->patches[i].entry == entry)
            return true;
    return false;
}

static kiln_status lost_symbol(const Kiln__Wire__HotSymbol *symbol, kiln_error **error)
{
    return error_set(error, KILN_INTERNAL, KILN_PHASE_BIND,
                     "'%s' is in no generation that should have it", symbol->name);
}

/* A follow-up changes places, not functions; and in a unit that is built as a whole, those that are as
 * they were come along. */
static kiln_status tell_function(hot_report *report, const Kiln__Wire__HotSymbol *symbol,
                                 bool is_follow_up, kiln_error **error)
{
    report->moved += is_follow_up;
    if (is_follow_up || symbol->along || string_list_add(&report->functions, symbol->display))
        return KILN_OK;
    return error_no_memory(error);
}

static kiln_status add_change(const hot *hot, const Kiln__Wire__HotSymbol *symbol,
                              const loaded *newest, bool is_follow_up, changes *changes,
                              hot_report *report, kiln_error **error)
{
    bool is_function = symbol->kind == KILN__WIRE__HOT_KIND__HOT_FUNCTION;
    bool is_constant = symbol->kind == KILN__WIRE__HOT_KIND__HOT_CONSTANT;
    void *place = is_function || is_constant ? hot_place_of(hot, symbol) : NULL;
    if (!is_function && !is_constant)
        return KILN_OK;
    const void *body = load_symbol_address(newest, symbol->body);
    if (!place || !body)
        return lost_symbol(symbol, error);
    if (is_constant)
        return add_constant(changes, place, body, symbol->size) ? KILN_OK : error_no_memory(error);
    if (symbol->weak && is_known(changes, place))
        return KILN_OK;
    if (!add_patch(changes, place, body, symbol->display))
        return error_no_memory(error);
    return tell_function(report, symbol, is_follow_up, error);
}

static kiln_status gather_changes(const hot *hot, const hot_edit *edit, const loaded *newest,
                                  changes *changes, hot_report *report, kiln_error **error)
{
    uint32_t number = (uint32_t)hot->generation_count + 1;
    for (size_t i = 0; i < edit->unit_count; i++) {
        const Kiln__Wire__HotUnit *table = edit->tables[i];
        for (size_t k = 0; table && k < table->n_symbols; k++) {
            const Kiln__Wire__HotSymbol *symbol = table->symbols[k];
            kiln_status status = KILN_OK;
            if (symbol->changed != number)
                continue;
            if (symbol->defined < number && *symbol->body)
                status = add_change(hot, symbol, newest, edit->follow_up, changes, report, error);
            else if (symbol->defined == number &&
                     symbol->kind == KILN__WIRE__HOT_KIND__HOT_FUNCTION)
                status = tell_function(report, symbol, edit->follow_up, error);
            if (status != KILN_OK)
                return status;
        }
    }
    return KILN_OK;
}

/* What each change replaces, for a way back. */
static bool note_publications(generation *generation, const changes *changes)
{
    generation->publications = calloc(changes->patch_count + 1, sizeof *generation->publications);
    if (!generation->publications)
        return false;
    for (size_t i = 0; i < changes->patch_count; i++)
        generation->publications[generation->publication_count++] =
            (publication){.entry = changes->patches[i].entry,
                          .before = os_entry_target(changes->patches[i].entry)};
    return true;
}

static bool tell_edit(hot_edit *edit, hot_report *report)
{
    report->files = edit->files;
    edit->files = (string_list){0};
    for (size_t i = 0; i < edit->unit_count; i++)
        for (size_t k = 0; edit->tables[i] && k < edit->tables[i]->n_notices; k++) {
            const Kiln__Wire__HotNotice *notice = edit->tables[i]->notices[k];
            if (!hot_report_add(report, notice->kind, notice->symbol, notice->display,
                                notice->detail, notice->variable))
                return false;
        }
    return true;
}

/* Room for units that are new, and for the generation. */
static bool reserve(hot *hot, const hot_edit *edit)
{
    pthread_mutex_lock(&hot->mutex);
    bool done = array_reserve((void **)&hot->units, &hot->unit_capacity,
                              hot->unit_count + edit->unit_count, sizeof *hot->units) &&
                array_reserve((void **)&hot->generations, &hot->generation_capacity,
                              hot->generation_count + 1, sizeof *hot->generations);
    pthread_mutex_unlock(&hot->mutex);
    return done;
}

/* What is known of units from now on. Cannot fail. */
static void keep_tables(hot *hot, hot_edit *edit)
{
    for (size_t i = 0; i < edit->unit_count; i++) {
        unit_report *report = &edit->reports[i];
        hot_unit *unit = *report->id ? hot_find_unit(hot, report->id) : NULL;
        if (!*report->id || (!edit->edited[i] && (!unit || !report->inputs.result_count)))
            continue;
        if (!unit) {
            unit = &hot->units[hot->unit_count++];
            *unit = (hot_unit){0};
            memcpy(unit->id, report->id, sizeof unit->id);
        }
        record_destroy(&unit->inputs);
        unit->inputs = report->inputs;
        report->inputs = (record){0};
        unit->is_forgotten = false;
        if (!report->table)
            continue;
        unit->is_stale = edit->tables[i] && edit->tables[i]->stale_lines;
        free(unit->table);
        unit->table = report->table;
        unit->table_size = report->table_size;
        report->table = NULL;
    }
}

static void keep(hot *hot, const generation *made, hot_edit *edit)
{
    pthread_mutex_lock(&hot->inputs_mutex);
    pthread_mutex_lock(&hot->mutex);
    if (made)
        hot->generations[hot->generation_count++] = *made;
    unit_reports_destroy(hot->failed, hot->failed_count);
    hot->failed = NULL;
    hot->failed_count = 0;
    keep_tables(hot, edit);
    pthread_mutex_unlock(&hot->mutex);
    pthread_mutex_unlock(&hot->inputs_mutex);
}

static kiln_status map_generation(const image *image, const load_symbol *symbols,
                                  size_t symbol_count, bool global, loaded **out,
                                  kiln_error **error)
{
    const load_image mapped = {.name = image->name,
                               .id = image->id,
                               .path = image->path,
                               .fd = image_fd(image),
                               .host_symbols = symbols,
                               .host_symbol_count = symbol_count};
    const load_request request = {
        .images = &mapped, .count = 1, .visibility = global ? KILN_GLOBAL : KILN_LOCAL};
    return load_open(&request, out, error);
}

static bool brings_symbols(const hot_edit *edit, uint32_t number)
{
    for (size_t i = 0; i < edit->unit_count; i++)
        for (size_t k = 0; edit->tables[i] && k < edit->tables[i]->n_symbols; k++)
            if (edit->tables[i]->symbols[k]->defined == number)
                return true;
    return false;
}

/* What this thread is in: its calls go on in the code that they began in. Whoever calls a host that
 * reloads, as a loop does, may be edited in vain. */
static bool note_running(const generation *made, const changes *changes, hot_report *report)
{
    enum { functions_at_most = 128 };
    const void *running[functions_at_most];
    size_t count = changes->patch_count ? os_running_functions(running, functions_at_most) : 0;
    for (size_t i = 0; i < made->publication_count; i++) {
        const publication *publication = &made->publications[i];
        bool runs = false;
        for (size_t k = 0; !runs && k < count; k++)
            runs = running[k] == publication->entry || running[k] == publication->before;
        if (runs &&
            !hot_report_add(report, KILN_NOTICE_RUNNING, changes->names[i], changes->names[i],
                            "the call of it that reloads goes on in the code that it began in", ""))
            return false;
    }
    return true;
}

static kiln_status publish(const changes *changes, kiln_error **error)
{
    return patch_publish(changes->patches, changes->patch_count, changes->constants,
                         changes->constant_count, error);
}

kiln_status hot_publish(hot *hot, hot_edit *edit, const load_symbol *symbols, size_t symbol_count,
                        bool global, hot_report *report, kiln_error **error)
{
    changes changes = {0};
    generation made = {0};
    if (!reserve(hot, edit) || !tell_edit(edit, report))
        return error_no_memory(error);
    if (!edit->image) {
        keep(hot, NULL, edit);
        return KILN_OK;
    }
    kiln_status status =
        map_generation(edit->image, symbols, symbol_count, global, &made.loaded, error);
    if (status == KILN_OK)
        status = gather_changes(hot, edit, made.loaded, &changes, report, error);
    if (status == KILN_OK)
        status = hot_migrate(hot, edit, made.loaded, error);
    if (status == KILN_OK && (!note_publications(&made, &changes) ||
                              (!edit->follow_up && !note_running(&made, &changes, report))))
        status = error_no_memory(error);
    int64_t begin_ns = os_clock_steady_ns();
    if (status == KILN_OK)
        status = publish(&changes, error);
    report->publish_seconds = (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
    changes_destroy(&changes);
    if (status != KILN_OK) {
        free(made.publications);
        load_close(made.loaded);
        if (!edit->follow_up)
            hot_keep_failed(hot, edit);
        return status;
    }
    made.image = image_retain(edit->image);
    made.is_follow_up = edit->follow_up;
    made.brings_symbols = brings_symbols(edit, (uint32_t)hot->generation_count + 1);
    keep(hot, &made, edit);
    report->generation = (uint32_t)hot->generation_count;
    return KILN_OK;
}

/* ---- the way back ---- */

static bool has_published(const generation *generation, const void *entry)
{
    for (size_t i = 0; i < generation->publication_count; i++)
        if (generation->publications[i].entry == entry)
            return true;
    return false;
}

/* A unit's table, to be. */
typedef struct new_table {
    uint8_t *bytes; /* NULL: it stays as it is */
    size_t size;
} new_table;

static void new_tables_destroy(new_table *tables, size_t count)
{
    for (size_t i = 0; tables && i < count; i++)
        free(tables[i].bytes);
    free(tables);
}

/* The functions that a generation changed are to be compiled again by the next one, whatever their
 * sources say; a follow-up may have published them once more since then. false when out of memory. */
static bool forget_functions(const hot *hot, const hot_unit *unit, const generation *generation,
                             new_table *made, hot_report *report)
{
    Kiln__Wire__HotUnit *table = kiln__wire__hot_unit__unpack(NULL, unit->table_size, unit->table);
    bool changed = false, done = table != NULL;
    for (size_t i = 0; done && i < table->n_symbols; i++) {
        Kiln__Wire__HotSymbol *symbol = table->symbols[i];
        if (symbol->kind != KILN__WIRE__HOT_KIND__HOT_FUNCTION ||
            symbol->changed == symbol->defined ||
            !has_published(generation, hot_place_of(hot, symbol)))
            continue;
        symbol->content = 0;
        changed = true;
        done = symbol->along || string_list_add(&report->functions, symbol->display);
    }
    if (done && changed) {
        made->size = kiln__wire__hot_unit__get_packed_size(table);
        made->bytes = malloc(made->size + 1);
        done = made->bytes != NULL;
        if (done)
            kiln__wire__hot_unit__pack(table, made->bytes);
    }
    if (table)
        kiln__wire__hot_unit__free_unpacked(table, NULL);
    return done;
}

static void take_tables(hot *hot, new_table *tables)
{
    pthread_mutex_lock(&hot->mutex);
    for (size_t i = 0; i < hot->unit_count; i++) {
        hot_unit *unit = &hot->units[i];
        if (!tables[i].bytes)
            continue;
        free(unit->table);
        unit->table = tables[i].bytes;
        unit->table_size = tables[i].size;
        unit->is_forgotten = true;
        tables[i].bytes = NULL;
    }
    pthread_mutex_unlock(&hot->mutex);
}

/* The newest edit that was not taken back; NULL: there is none. */
static generation *newest_edit(const hot *hot)
{
    for (size_t number = hot->generation_count; number > 1; number--) {
        generation *generation = &hot->generations[number - 1];
        if (!generation->rolled_back && !generation->is_follow_up)
            return generation;
    }
    return NULL;
}

kiln_status hot_roll_back(hot *hot, hot_report *report, kiln_error **error)
{
    generation *newest = newest_edit(hot);
    changes changes = {0};
    if (!newest)
        return error_set(error, KILN_NOT_FOUND, KILN_PHASE_BIND,
                         "there is no earlier generation of the code to go back to");
    new_table *tables = calloc(hot->unit_count + 1, sizeof *tables);
    bool done = tables != NULL;
    for (size_t i = 0; done && i < newest->publication_count; i++)
        done =
            add_patch(&changes, newest->publications[i].entry, newest->publications[i].before, "");
    for (size_t i = 0; done && i < hot->unit_count; i++)
        done = !hot->units[i].table ||
               forget_functions(hot, &hot->units[i], newest, &tables[i], report);
    kiln_status status = done ? publish(&changes, error) : error_no_memory(error);
    if (status == KILN_OK) {
        take_tables(hot, tables);
        newest->rolled_back = true;
        report->generation = (uint32_t)(newest - hot->generations);
    }
    new_tables_destroy(tables, hot->unit_count);
    changes_destroy(&changes);
    return status;
}
