/* hot.c - see hot.h. */
#include "reload/hot.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/path.h"
#include "os/os.h"
#include "reload/patch.h"

/* What is known of a unit since it was compiled last. */
typedef struct hot_unit {
    char id[hot_unit_id_size];
    record inputs;  /* empty: not known */
    uint8_t *table; /* packed HotUnit */
    size_t table_size;
} hot_unit;

/* One entry that a generation changed. */
typedef struct publication {
    void *entry;
    const void *before; /* NULL: its first body */
    const void *after;
} publication;

typedef struct generation {
    image *image;   /* NULL: it changed neither code nor data */
    loaded *loaded; /* of the first one the library's own */
    publication *publications;
    size_t publication_count, publication_capacity;
    bool rolled_back;
    bool brings_symbols; /* that others can refer to */
} generation;

struct hot {
    /* Guards what follows against those who ask without having their turn; whose turn it is reads
     * without it. Nothing of Kiln's is taken under it. */
    pthread_mutex_t mutex;
    record first_inputs; /* of the first generation, where it came from the cache */
    unit_report *failed; /* of the last edit that could not be compiled: what it read */
    size_t failed_count;
    hot_unit *units;
    size_t unit_count, unit_capacity;
    generation *generations;
    size_t generation_count, generation_capacity;
};

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

static char *string_of(ProtobufCBinaryData bytes)
{
    return strndup(bytes.len ? (const char *)bytes.data : "", bytes.len);
}

static bool add_notice(hot_report *report, const Kiln__Wire__HotNotice *notice)
{
    struct hot_notice *place = array_add((void **)&report->notices, &report->notice_count,
                                         &report->notice_capacity, sizeof *place);
    if (!place)
        return false;
    place->kind = notice->kind;
    place->symbol = string_of(notice->symbol);
    place->display = string_of(notice->display);
    place->detail = string_of(notice->detail);
    place->variable = string_of(notice->variable);
    return place->symbol && place->display && place->detail && place->variable;
}

/* ---- the first generation ---- */

static hot_unit *find_unit(const hot *hot, const char *id)
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

static void *entry_of(const hot *hot, const Kiln__Wire__HotSymbol *symbol)
{
    if (symbol->defined == 0 || symbol->defined > hot->generation_count)
        return NULL;
    const generation *generation = &hot->generations[symbol->defined - 1];
    bool is_remade = symbol->kind != KILN__WIRE__HOT_KIND__HOT_FUNCTION && symbol->body.len &&
                     symbol->defined == symbol->changed;
    char *name = string_of(is_remade ? symbol->body : symbol->name);
    void *address =
        name && generation->loaded ? load_symbol_address(generation->loaded, name) : NULL;
    free(name);
    return address;
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
            void *entry = entry_of(hot, symbol);
            if (entry && !os_entry_is_patchable(entry))
                status =
                    error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                              "library '%s' cannot be loaded hot: the entry of '%.*s' does not "
                              "have the form that can be patched",
                              name, (int)symbol->display.len, (const char *)symbol->display.data);
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

/* A thread can owe the destructor of a thread_local to an image, which then stays when the others
 * leave: its entries must not lead to them. */
static bool has_thread_destructors(const hot *hot)
{
    bool found = false;
    for (size_t i = 0; !found && i < hot->unit_count; i++) {
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, hot->units[i].table_size, hot->units[i].table);
        for (size_t k = 0; table && !found && k < table->n_symbols; k++) {
            const Kiln__Wire__HotSymbol *symbol = table->symbols[k];
            bool is_guard = symbol->name.len > 4 && memcmp(symbol->name.data, "_ZGV", 4) == 0;
            found = symbol->kind == KILN__WIRE__HOT_KIND__HOT_THREAD_LOCAL &&
                    (symbol->dynamic || is_guard);
        }
        found |= !table;
        if (table)
            kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    return found;
}

static kiln_status lead_back(const hot *hot)
{
    kiln_status status = KILN_OK;
    for (size_t i = 0; status == KILN_OK && i < hot->generation_count; i++)
        for (size_t k = 0; status == KILN_OK && k < hot->generations[i].publication_count; k++) {
            const patch first = {.entry = hot->generations[i].publications[k].entry};
            status = patch_publish(&first, 1, NULL);
        }
    return status;
}

kiln_status hot_close(hot *hot)
{
    if (hot->generation_count > 1 && has_thread_destructors(hot) && lead_back(hot) != KILN_OK)
        return KILN_PENDING;

    loaded **libraries = calloc(hot->generation_count + 1, sizeof *libraries);
    if (!libraries)
        return KILN_PENDING;
    for (size_t i = 0; i < hot->generation_count; i++) {
        libraries[i] = hot->generations[i].loaded;
        hot->generations[i].loaded = NULL;
    }
    kiln_status status = load_close_together(libraries, hot->generation_count);
    free(libraries);
    return status;
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

void hot_after_fork(hot *hot)
{
    pthread_mutex_init(&hot->mutex, NULL);
}

/* ---- finding edits ---- */

static bool add_files(hot_edit *edit, const string_list *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        if (!string_list_contains(&edit->files, paths->items[i]) &&
            !string_list_add(&edit->files, paths->items[i]))
            return false;
    return true;
}

/* Whether the inputs of a unit, or of the whole library, are as they were; what differs is added to
 * the edit's files. *no_memory: it could not be. */
static bool inputs_hold(record *inputs, const build *build, hot_edit *edit, const unit *unit,
                        bool *only_source, bool *no_memory)
{
    string_list differences = {0};
    record_check_options options = {.trust_system = build->context->trust_system,
                                    .differences = &differences};
    record_check_report report = {0};
    bool holds = record_check(inputs, 0, &options, &report);
    *no_memory |= !add_files(edit, &differences);
    if (unit && differences.count == 1) {
        char *source = path_join(build->spec->directory, unit->path);
        *only_source = source && strcmp(source, differences.items[0]) == 0;
        free(source);
    }
    free(report.mismatch);
    string_list_destroy(&differences);
    return holds;
}

kiln_status hot_find_edits(hot *hot, build *build, hot_edit *edit, kiln_error **error)
{
    size_t count = build->units.count;
    edit->edited = calloc(count + 1, sizeof *edit->edited);
    edit->unknown = calloc(count + 1, sizeof *edit->unknown);
    edit->only_source = calloc(count + 1, sizeof *edit->only_source);
    edit->reports = unit_reports_create(&build->units);
    edit->tables = calloc(count + 1, sizeof *edit->tables);
    if (!edit->edited || !edit->unknown || !edit->only_source || !edit->reports || !edit->tables)
        return error_no_memory(error);
    edit->unit_count = count;
    bool no_memory = false;
    /* Of units that came from the cache as one image nothing is known but what they read together. */
    bool whole_holds = hot->first_inputs.result_count && hot->generation_count == 1 &&
                       inputs_hold(&hot->first_inputs, build, edit, NULL, NULL, &no_memory);
    for (size_t i = 0; i < count; i++) {
        if (!*edit->reports[i].id)
            continue;
        hot_unit *unit = find_unit(hot, edit->reports[i].id);
        if (!unit)
            edit->edited[i] = true;
        else if (unit->inputs.result_count)
            edit->edited[i] = !inputs_hold(&unit->inputs, build, edit, &build->units.items[i],
                                           &edit->only_source[i], &no_memory);
        else
            edit->edited[i] = edit->unknown[i] = !whole_holds;
        edit->edited_count += edit->edited[i];
    }
    return no_memory ? error_no_memory(error) : KILN_OK;
}

/* ---- compiling ---- */

static int write_baseline(const hot *hot)
{
    Kiln__Wire__HotBaseline message = KILN__WIRE__HOT_BASELINE__INIT;
    ProtobufCBinaryData *units = calloc(hot->unit_count + 1, sizeof *units);
    if (!units)
        return -1;
    for (size_t i = 0; i < hot->unit_count; i++)
        if (hot->units[i].table)
            units[message.n_units++] =
                (ProtobufCBinaryData){.len = hot->units[i].table_size, .data = hot->units[i].table};
    message.units = units;
    size_t size = kiln__wire__hot_baseline__get_packed_size(&message);
    uint8_t *bytes = malloc(size + 1);
    if (bytes)
        kiln__wire__hot_baseline__pack(&message, bytes);
    free(units);
    int fd = bytes ? os_memfd_with("kiln-baseline", bytes, size, false) : -1;
    free(bytes);
    return fd;
}

static bool unpack_tables(hot_edit *edit)
{
    for (size_t i = 0; i < edit->unit_count; i++) {
        if (!edit->edited[i] || !edit->reports[i].table)
            continue;
        edit->tables[i] =
            kiln__wire__hot_unit__unpack(NULL, edit->reports[i].table_size, edit->reports[i].table);
        if (!edit->tables[i])
            return false;
    }
    return true;
}

static bool is_refused(const Kiln__Wire__HotNotice *notice, const hot_policy *policy)
{
    switch (notice->kind) {
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_AMBIGUOUS:
        return true;
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_TYPE_CHANGED:
    case KILN__WIRE__HOT_NOTICE_KIND__HOT_LAYOUT_CHANGED:
        return !policy->accept_layouts;
    default:
        return false;
    }
}

/* Layouts and types that existing data does not fit. */
static kiln_status check_notices(const hot_edit *edit, const char *name, const hot_policy *policy,
                                 kiln_error **error)
{
    text words = {0};
    for (size_t i = 0; i < edit->unit_count; i++) {
        const Kiln__Wire__HotUnit *table = edit->tables[i];
        for (size_t k = 0; table && k < table->n_notices; k++) {
            const Kiln__Wire__HotNotice *notice = table->notices[k];
            if (!is_refused(notice, policy))
                continue;
            text_format(&words, "\n  %.*s: %.*s", (int)notice->display.len,
                        (const char *)notice->display.data, (int)notice->detail.len,
                        (const char *)notice->detail.data);
            if (notice->variable.len)
                text_format(&words, " (the variable '%.*s' holds it)", (int)notice->variable.len,
                            (const char *)notice->variable.data);
        }
    }
    kiln_status status = KILN_OK;
    if (words.failed)
        status = error_no_memory(error);
    else if (words.length)
        status = error_set(error, KILN_REFUSED, KILN_PHASE_BIND,
                           "the edit of library '%s' does not fit the data that exists; load it "
                           "anew, or accept that:%s",
                           name, text_string(&words));
    text_destroy(&words);
    return status;
}

/* An edit that fails may be mended by a file that is not among the inputs of what runs. */
static void keep_failed(hot *hot, hot_edit *edit)
{
    pthread_mutex_lock(&hot->mutex);
    unit_reports_destroy(hot->failed, hot->failed_count);
    hot->failed = edit->reports;
    hot->failed_count = edit->unit_count;
    edit->reports = NULL;
    pthread_mutex_unlock(&hot->mutex);
}

kiln_status hot_compile(hot *hot, build *build, const hot_policy *policy, hot_edit *edit,
                        kiln_error **error)
{
    image **earlier = calloc(hot->generation_count + 1, sizeof *earlier);
    int baseline = write_baseline(hot);
    kiln_status status = earlier && baseline >= 0 ? KILN_OK : error_no_memory(error);
    if (status == KILN_OK) {
        for (size_t i = 0; i < hot->generation_count; i++)
            earlier[i] = hot->generations[i].image;
        generation_request request = {.number = (uint32_t)hot->generation_count + 1,
                                      .baseline_fd = baseline,
                                      .edited = edit->edited,
                                      .unknown = edit->unknown,
                                      .changed = &edit->files,
                                      .only_source = edit->only_source,
                                      .earlier = earlier};
        build->generation = &request;
        build->unit_reports = edit->reports;
        build->unit_report_count = edit->unit_count;
        status = build_generation(build, &edit->image, error);
        build->generation = NULL;
        build->unit_reports = NULL;
        build->unit_report_count = 0;
    }
    if (status == KILN_OK && !unpack_tables(edit))
        status = error_no_memory(error);
    if (status == KILN_OK)
        status = check_notices(edit, build->spec->name, policy, error);
    if (status != KILN_OK)
        keep_failed(hot, edit);
    if (baseline >= 0)
        close(baseline);
    free(earlier);
    return status;
}

/* ---- publishing ---- */

/* What a publication changes, gathered before anything is changed. */
typedef struct changes {
    patch *patches;
    size_t patch_count, patch_capacity;
    patch_data *constants;
    size_t constant_count, constant_capacity;
} changes;

static bool add_patch(changes *changes, void *entry, const void *target)
{
    patch *place = array_add((void **)&changes->patches, &changes->patch_count,
                             &changes->patch_capacity, sizeof *place);
    if (place)
        *place = (patch){.entry = entry, .target = target};
    return place != NULL;
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
                     "'%.*s' is in no generation that should have it", (int)symbol->name.len,
                     (const char *)symbol->name.data);
}

static kiln_status add_change(const hot *hot, const Kiln__Wire__HotSymbol *symbol,
                              const loaded *newest, changes *changes, hot_report *report,
                              kiln_error **error)
{
    bool is_function = symbol->kind == KILN__WIRE__HOT_KIND__HOT_FUNCTION;
    bool is_constant = symbol->kind == KILN__WIRE__HOT_KIND__HOT_CONSTANT;
    void *place = is_function || is_constant ? entry_of(hot, symbol) : NULL;
    if (!is_function && !is_constant)
        return KILN_OK;
    char *body_name = string_of(symbol->body);
    const void *body = body_name ? load_symbol_address(newest, body_name) : NULL;
    bool no_memory = !body_name;
    free(body_name);
    if (no_memory)
        return error_no_memory(error);
    if (!place || !body)
        return lost_symbol(symbol, error);
    if (is_constant)
        return add_constant(changes, place, body, symbol->size) ? KILN_OK : error_no_memory(error);
    if (is_known(changes, place))
        return KILN_OK;
    return add_patch(changes, place, body) &&
                   string_list_take(&report->functions, string_of(symbol->display))
               ? KILN_OK
               : error_no_memory(error);
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
            if (symbol->defined < number && symbol->body.len)
                status = add_change(hot, symbol, newest, changes, report, error);
            else if (symbol->defined == number &&
                     symbol->kind == KILN__WIRE__HOT_KIND__HOT_FUNCTION &&
                     !string_list_take(&report->functions, string_of(symbol->display)))
                status = error_no_memory(error);
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
                          .before = os_entry_target(changes->patches[i].entry),
                          .after = changes->patches[i].target};
    return true;
}

static bool tell_edit(hot_edit *edit, hot_report *report)
{
    report->files = edit->files;
    edit->files = (string_list){0};
    for (size_t i = 0; i < edit->unit_count; i++)
        for (size_t k = 0; edit->tables[i] && k < edit->tables[i]->n_notices; k++)
            if (!add_notice(report, edit->tables[i]->notices[k]))
                return false;
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
        hot_unit *unit = *report->id ? find_unit(hot, report->id) : NULL;
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
        if (!report->table)
            continue;
        free(unit->table);
        unit->table = report->table;
        unit->table_size = report->table_size;
        report->table = NULL;
    }
}

static void keep(hot *hot, const generation *made, hot_edit *edit)
{
    pthread_mutex_lock(&hot->mutex);
    if (made)
        hot->generations[hot->generation_count++] = *made;
    unit_reports_destroy(hot->failed, hot->failed_count);
    hot->failed = NULL;
    hot->failed_count = 0;
    keep_tables(hot, edit);
    pthread_mutex_unlock(&hot->mutex);
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

static kiln_status publish(generation *made, const changes *changes, kiln_error **error)
{
    if (!note_publications(made, changes))
        return error_no_memory(error);
    kiln_status status = changes->constant_count
                             ? patch_constants(changes->constants, changes->constant_count, error)
                             : KILN_OK;
    return status == KILN_OK && changes->patch_count
               ? patch_publish(changes->patches, changes->patch_count, error)
               : status;
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
    int64_t begin_ns = os_clock_steady_ns();
    if (status == KILN_OK)
        status = publish(&made, &changes, error);
    report->publish_seconds = (double)(os_clock_steady_ns() - begin_ns) * 1e-9;
    free(changes.patches);
    free(changes.constants);
    if (status != KILN_OK) {
        free(made.publications);
        load_close(made.loaded);
        return status;
    }
    made.image = image_retain(edit->image);
    made.brings_symbols = brings_symbols(edit, (uint32_t)hot->generation_count + 1);
    keep(hot, &made, edit);
    report->generation = (uint32_t)hot->generation_count;
    return KILN_OK;
}

/* ---- the way back ---- */

/* The functions that a generation changed are to be compiled again by the next one, whatever their
 * sources say. false when out of memory. */
static bool forget_functions(hot *hot, hot_unit *unit, uint32_t number, hot_report *report)
{
    Kiln__Wire__HotUnit *table = kiln__wire__hot_unit__unpack(NULL, unit->table_size, unit->table);
    bool changed = false, done = table != NULL;
    for (size_t i = 0; done && i < table->n_symbols; i++) {
        Kiln__Wire__HotSymbol *symbol = table->symbols[i];
        if (symbol->kind != KILN__WIRE__HOT_KIND__HOT_FUNCTION || symbol->changed != number ||
            symbol->defined == number)
            continue;
        symbol->content = 0;
        changed = true;
        done = string_list_take(&report->functions, string_of(symbol->display));
    }
    if (done && changed) {
        size_t size = kiln__wire__hot_unit__get_packed_size(table);
        uint8_t *bytes = malloc(size + 1);
        done = bytes != NULL;
        if (done) {
            kiln__wire__hot_unit__pack(table, bytes);
            pthread_mutex_lock(&hot->mutex);
            free(unit->table);
            unit->table = bytes;
            unit->table_size = size;
            record_destroy(&unit->inputs);
            pthread_mutex_unlock(&hot->mutex);
        }
    }
    if (table)
        kiln__wire__hot_unit__free_unpacked(table, NULL);
    return done;
}

kiln_status hot_roll_back(hot *hot, hot_report *report, kiln_error **error)
{
    size_t number = hot->generation_count;
    while (number > 1 && hot->generations[number - 1].rolled_back)
        number--;
    if (number <= 1)
        return error_set(error, KILN_NOT_FOUND, KILN_PHASE_BIND,
                         "there is no earlier generation of the code to go back to");
    generation *newest = &hot->generations[number - 1];
    changes changes = {0};
    kiln_status status = KILN_OK;
    for (size_t i = 0; status == KILN_OK && i < newest->publication_count; i++)
        if (!add_patch(&changes, newest->publications[i].entry, newest->publications[i].before))
            status = error_no_memory(error);
    for (size_t i = 0; status == KILN_OK && i < hot->unit_count; i++)
        if (hot->units[i].table && !forget_functions(hot, &hot->units[i], (uint32_t)number, report))
            status = error_no_memory(error);
    if (status == KILN_OK)
        status = patch_publish(changes.patches, changes.patch_count, error);
    if (status == KILN_OK) {
        newest->rolled_back = true;
        report->generation = (uint32_t)number - 1;
    }
    free(changes.patches);
    return status;
}

/* ---- single symbols ---- */

/* "f" stands for "f(int)" too. */
static bool is_called(const Kiln__Wire__HotSymbol *symbol, const char *name)
{
    size_t length = strlen(name);
    const ProtobufCBinaryData *shown = &symbol->display;
    if (symbol->name.len == length && memcmp(symbol->name.data, name, length) == 0)
        return true;
    return shown->len >= length && memcmp(shown->data, name, length) == 0 &&
           (shown->len == length || shown->data[length] == '(');
}

/* Call back for each symbol of that name until it returns false. false when out of memory. */
static bool visit_symbols(const hot *hot, const char *name,
                          bool (*visit)(const Kiln__Wire__HotSymbol *symbol, void *data),
                          void *data)
{
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < hot->unit_count; i++) {
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, hot->units[i].table_size, hot->units[i].table);
        if (!table)
            return false;
        for (size_t k = 0; goes_on && k < table->n_symbols; k++)
            if (is_called(table->symbols[k], name))
                goes_on = visit(table->symbols[k], data);
        kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    return true;
}

typedef struct reset {
    const hot *hot;
    void *place;
    char *body;
    uint32_t changed;
    uint64_t size;
    unsigned count;
    bool supported, is_zero;
} reset;

static bool find_variable(const Kiln__Wire__HotSymbol *symbol, void *data)
{
    reset *reset = data;
    if (symbol->kind != KILN__WIRE__HOT_KIND__HOT_VARIABLE &&
        symbol->kind != KILN__WIRE__HOT_KIND__HOT_THREAD_LOCAL)
        return true;
    void *place = entry_of(reset->hot, symbol);
    if (reset->count && place == reset->place)
        return true;
    reset->count++;
    reset->place = place;
    reset->size = symbol->size;
    reset->changed = symbol->changed;
    reset->supported =
        !symbol->dynamic && symbol->kind == KILN__WIRE__HOT_KIND__HOT_VARIABLE && symbol->body.len;
    free(reset->body);
    reset->body = string_of(symbol->body);
    return true;
}

kiln_status hot_reset_variable(hot *hot, const char *name, kiln_error **error)
{
    reset reset = {.hot = hot};
    kiln_status status = KILN_OK;
    const void *bytes = NULL;
    if (!visit_symbols(hot, name, find_variable, &reset) || (reset.count && !reset.body))
        status = error_no_memory(error);
    else if (reset.count == 0)
        status =
            error_set(error, KILN_NOT_FOUND, KILN_PHASE_BIND, "there is no variable '%s'", name);
    else if (reset.count > 1)
        status = error_set(error, KILN_AMBIGUOUS, KILN_PHASE_BIND,
                           "'%s' is the name of %u variables; use the name of one's symbol", name,
                           reset.count);
    else if (!reset.supported)
        status = error_set(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                           "'%s' cannot be reset: its initial value has not changed since the "
                           "library was loaded, or code makes it, or it is thread-local",
                           name);
    else
        bytes = load_symbol_address(hot->generations[reset.changed - 1].loaded, reset.body);
    if (status == KILN_OK && (!bytes || !reset.place))
        status = error_set(error, KILN_INTERNAL, KILN_PHASE_BIND,
                           "the initial value of '%s' cannot be found", name);
    if (status == KILN_OK)
        memcpy(reset.place, bytes, reset.size);
    free(reset.body);
    return status;
}

typedef struct search {
    const hot *hot;
    void *address;
    bool is_function;
} search;

static bool find_new(const Kiln__Wire__HotSymbol *symbol, void *data)
{
    search *search = data;
    if (symbol->defined <= 1)
        return true;
    search->address = entry_of(search->hot, symbol);
    search->is_function = symbol->kind == KILN__WIRE__HOT_KIND__HOT_FUNCTION;
    return !search->address;
}

void *hot_find_symbol(hot *hot, const char *name, bool *is_function)
{
    search search = {.hot = hot};
    pthread_mutex_lock(&hot->mutex);
    if (hot->generation_count > 1)
        visit_symbols(hot, name, find_new, &search);
    pthread_mutex_unlock(&hot->mutex);
    *is_function = search.is_function;
    return search.address;
}

bool hot_inputs(hot *hot, input_set *inputs)
{
    pthread_mutex_lock(&hot->mutex);
    bool done = !hot->first_inputs.result_count || record_add_inputs(&hot->first_inputs, 0, inputs);
    for (size_t i = 0; done && i < hot->unit_count; i++)
        if (hot->units[i].inputs.result_count)
            done = record_add_inputs(&hot->units[i].inputs, 0, inputs);
    for (size_t i = 0; done && i < hot->failed_count; i++)
        if (hot->failed[i].inputs.result_count)
            done = record_add_inputs(&hot->failed[i].inputs, 0, inputs);
    pthread_mutex_unlock(&hot->mutex);
    return done;
}
