/* hot.c - making and ending a hot library, and what can be asked of it: see hot.h. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "os/os.h"
#include "reload/hot_state.h"
#include "reload/patch.h"

/* ---- reports and edits ---- */

void hot_edit_destroy(hot_edit *edit)
{
    for (size_t i = 0; i < edit->unit_count; i++)
        if (edit->tables && edit->tables[i])
            kiln__wire__hot_unit__free_unpacked(edit->tables[i], NULL);
    unit_reports_destroy(edit->reports, edit->unit_count);
    free(edit->tables);
    free(edit->edited);
    free(edit->unknown);
    free(edit->only_source);
    string_list_destroy(&edit->files);
    image_release(edit->image);
    *edit = (hot_edit){0};
}

void hot_report_destroy(hot_report *report)
{
    string_list_destroy(&report->files);
    string_list_destroy(&report->functions);
    for (size_t i = 0; i < report->notice_count; i++) {
        free(report->notices[i].symbol);
        free(report->notices[i].display);
        free(report->notices[i].detail);
        free(report->notices[i].variable);
    }
    free(report->notices);
    *report = (hot_report){0};
}

bool hot_report_add(hot_report *report, uint32_t kind, const char *symbol, const char *display,
                    const char *detail, const char *variable)
{
    struct hot_notice *made = array_add((void **)&report->notices, &report->notice_count,
                                        &report->notice_capacity, sizeof *made);
    if (!made)
        return false;
    *made = (struct hot_notice){.kind = kind,
                                .symbol = strdup(symbol),
                                .display = strdup(display),
                                .detail = strdup(detail),
                                .variable = strdup(variable)};
    return made->symbol && made->display && made->detail && made->variable;
}

/* ---- the first generation ---- */

hot_unit *hot_find_unit(const hot *hot, const char *id)
{
    for (size_t i = 0; i < hot->unit_count; i++)
        if (strcmp(hot->units[i].id, id) == 0)
            return &hot->units[i];
    return NULL;
}

/* The table that an image of the first generation carries for a unit: its size, then its bytes. */
static bool read_first_table(hot_unit *unit, const loaded *library)
{
    char name[64] = "kiln.hot.";
    strcat(name, unit->id);
    const uint8_t *place = load_symbol_address(library, name);
    uint64_t size;
    if (!place)
        return true; /* a unit without a single definition */
    memcpy(&size, place, sizeof size);
    unit->table = malloc(size + 1);
    if (!unit->table)
        return false;
    memcpy(unit->table, place + sizeof size, size);
    unit->table_size = size;
    return true;
}

static bool add_units(hot *hot, const loaded *library, unit_report *reports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!*reports[i].id)
            continue;
        hot_unit *unit =
            array_add((void **)&hot->units, &hot->unit_count, &hot->unit_capacity, sizeof *unit);
        if (!unit)
            return false;
        memcpy(unit->id, reports[i].id, sizeof unit->id);
        unit->inputs = reports[i].inputs;
        reports[i].inputs = (record){0};
        if (!read_first_table(unit, library))
            return false;
    }
    return true;
}

void *hot_place_of(const hot *hot, const Kiln__Wire__HotSymbol *symbol)
{
    if (symbol->defined == 0 || symbol->defined > hot->generation_count)
        return NULL;
    const generation *generation = &hot->generations[symbol->defined - 1];
    bool is_remade = symbol->kind != KILN__WIRE__HOT_KIND__HOT_FUNCTION && *symbol->body &&
                     symbol->defined == symbol->changed;
    const char *name = is_remade ? symbol->body : symbol->name;
    return generation->loaded ? load_symbol_address(generation->loaded, name) : NULL;
}

/* Every entry has to have its form; and the system has to let one of them be written. */
static kiln_status check_entries(const hot *hot, const char *name, kiln_error **error)
{
    bool asked = false;
    for (size_t i = 0; i < hot->unit_count; i++) {
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, hot->units[i].table_size, hot->units[i].table);
        if (!table)
            return error_no_memory(error);
        kiln_status status = KILN_OK;
        for (size_t k = 0; status == KILN_OK && k < table->n_symbols; k++) {
            const Kiln__Wire__HotSymbol *symbol = table->symbols[k];
            if (symbol->kind != KILN__WIRE__HOT_KIND__HOT_FUNCTION)
                continue;
            void *entry = hot_place_of(hot, symbol);
            if (entry && !os_entry_is_patchable(entry))
                status = error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                                   "library '%s' cannot be loaded hot: the entry of '%s' does not "
                                   "have the form that can be patched",
                                   name, symbol->display);
            else if (entry && os_entry_target(entry))
                status = error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                                   "library '%s' is loaded hot by another session of this process, "
                                   "which has edited it: use that one, or close it first",
                                   name);
            else if (entry && !asked) {
                status = patch_check(entry, name, error);
                asked = true;
            }
        }
        kiln__wire__hot_unit__free_unpacked(table, NULL);
        if (status != KILN_OK)
            return status;
    }
    return KILN_OK;
}

kiln_status hot_create(image *first, const loaded *library, record *inputs, unit_report *reports,
                       size_t count, hot **out, kiln_error **error)
{
    hot *made = calloc(1, sizeof *made);
    generation *generation = made ? array_add((void **)&made->generations, &made->generation_count,
                                              &made->generation_capacity, sizeof *generation)
                                  : NULL;
    if (!generation) {
        free(made);
        return error_no_memory(error);
    }
    pthread_mutex_init(&made->mutex, NULL);
    pthread_mutex_init(&made->inputs_mutex, NULL);
    generation->image = image_retain(first);
    generation->loaded = (loaded *)library;
    made->first_inputs = *inputs;
    *inputs = (record){0};
    kiln_status status =
        add_units(made, library, reports, count) ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK)
        status = check_entries(made, first->name, error);
    if (status == KILN_OK) {
        *out = made;
        return KILN_OK;
    }
    hot_destroy(made);
    return status;
}

/* Whether the first image may stay when the others leave, so that its entries must not lead to them:
 * somebody else holds it, or a thread can owe it the destructor of a thread_local. */
static bool may_stay(const hot *hot)
{
    bool found = load_is_shared(hot->generations[0].loaded);
    for (size_t i = 0; !found && i < hot->unit_count; i++) {
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, hot->units[i].table_size, hot->units[i].table);
        for (size_t k = 0; table && !found && k < table->n_symbols; k++) {
            const Kiln__Wire__HotSymbol *symbol = table->symbols[k];
            bool is_guard = strncmp(symbol->name, "_ZGV", 4) == 0;
            found = symbol->kind == KILN__WIRE__HOT_KIND__HOT_THREAD_LOCAL &&
                    (symbol->dynamic || is_guard);
        }
        found |= !table;
        if (table)
            kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    return found;
}

/* Every entry to its first body. */
static kiln_status lead_back(const hot *hot)
{
    kiln_status status = KILN_OK;
    for (size_t i = 0; status == KILN_OK && i < hot->generation_count; i++)
        for (size_t k = 0; status == KILN_OK && k < hot->generations[i].publication_count; k++)
            status = patch_publish_one(hot->generations[i].publications[k].entry, NULL, NULL);
    return status;
}

static kiln_status close_together(const hot *hot)
{
    loaded **libraries = calloc(hot->generation_count + 1, sizeof *libraries);
    if (!libraries)
        return KILN_NO_MEMORY;
    for (size_t i = 0; i < hot->generation_count; i++)
        libraries[i] = hot->generations[i].loaded;
    kiln_status status = load_close_together(libraries, hot->generation_count);
    free(libraries);
    return status;
}

/* From the newest to the oldest: nobody refers to what came later when every entry leads to its first
 * body. This needs no memory. */
static kiln_status close_one_by_one(const hot *hot)
{
    kiln_status status = lead_back(hot) == KILN_OK ? KILN_OK : KILN_PENDING;
    for (size_t i = hot->generation_count; status != KILN_PENDING && i > 0; i--)
        if (hot->generations[i - 1].loaded)
            status = load_close(hot->generations[i - 1].loaded);
    return status;
}

kiln_status hot_close(hot *hot)
{
    if (hot->generation_count == 1)
        return load_close(hot->generations[0].loaded);
    if (may_stay(hot) && lead_back(hot) != KILN_OK)
        return KILN_PENDING;
    kiln_status status = close_together(hot);
    return status == KILN_NO_MEMORY ? close_one_by_one(hot) : status;
}

void hot_destroy(hot *hot)
{
    if (!hot)
        return;
    for (size_t i = 0; i < hot->generation_count; i++) {
        image_release(hot->generations[i].image);
        free(hot->generations[i].publications);
    }
    for (size_t i = 0; i < hot->unit_count; i++) {
        record_destroy(&hot->units[i].inputs);
        free(hot->units[i].table);
    }
    record_destroy(&hot->first_inputs);
    unit_reports_destroy(hot->failed, hot->failed_count);
    pthread_mutex_destroy(&hot->mutex);
    pthread_mutex_destroy(&hot->inputs_mutex);
    free(hot->generations);
    free(hot->units);
    free(hot);
}

size_t hot_images(hot *hot, image **images)
{
    size_t count = 0;
    pthread_mutex_lock(&hot->mutex);
    for (size_t i = 0; i < hot->generation_count; i++) {
        if (i > 0 && !hot->generations[i].brings_symbols)
            continue;
        if (images)
            images[count] = hot->generations[i].image;
        count++;
    }
    pthread_mutex_unlock(&hot->mutex);
    return count;
}

uint32_t hot_generation(hot *hot)
{
    pthread_mutex_lock(&hot->mutex);
    uint32_t number = (uint32_t)hot->generation_count;
    pthread_mutex_unlock(&hot->mutex);
    return number;
}

bool hot_is_stale(hot *hot)
{
    bool found = false;
    pthread_mutex_lock(&hot->mutex);
    for (size_t i = 0; !found && i < hot->unit_count; i++)
        found = hot->units[i].is_stale && !hot->units[i].is_forgotten &&
                hot->units[i].inputs.result_count;
    pthread_mutex_unlock(&hot->mutex);
    return found;
}

void hot_after_fork(hot *hot)
{
    pthread_mutex_init(&hot->mutex, NULL);
    pthread_mutex_init(&hot->inputs_mutex, NULL);
}

bool hot_inputs(hot *hot, input_set *inputs)
{
    pthread_mutex_lock(&hot->inputs_mutex);
    pthread_mutex_lock(&hot->mutex);
    bool done = !hot->first_inputs.result_count || record_add_inputs(&hot->first_inputs, 0, inputs);
    for (size_t i = 0; done && i < hot->unit_count; i++)
        if (hot->units[i].inputs.result_count)
            done = record_add_inputs(&hot->units[i].inputs, 0, inputs);
    for (size_t i = 0; done && i < hot->failed_count; i++)
        if (hot->failed[i].inputs.result_count)
            done = record_add_inputs(&hot->failed[i].inputs, 0, inputs);
    pthread_mutex_unlock(&hot->mutex);
    pthread_mutex_unlock(&hot->inputs_mutex);
    return done;
}
