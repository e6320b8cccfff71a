/* hot_symbols.c - single variables and functions of a hot library, by name: see hot.h. */
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "reload/hot_state.h"

bool hot_is_called(const Kiln__Wire__HotSymbol *symbol, const char *name)
{
    size_t length = strlen(name);
    if (strcmp(symbol->name, name) == 0)
        return true;
    return strncmp(symbol->display, name, length) == 0 &&
           (symbol->display[length] == '\0' || symbol->display[length] == '(');
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
            if (hot_is_called(table->symbols[k], name))
                goes_on = visit(table->symbols[k], data);
        kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    return true;
}

typedef struct reset {
    const hot *hot;
    void *place;
    char *initial;
    uint32_t initial_in;
    uint64_t size;
    unsigned count;
    bool supported;
} reset;

static bool find_variable(const Kiln__Wire__HotSymbol *symbol, void *data)
{
    reset *reset = data;
    if (symbol->kind != KILN__WIRE__HOT_KIND__HOT_VARIABLE &&
        symbol->kind != KILN__WIRE__HOT_KIND__HOT_THREAD_LOCAL)
        return true;
    void *place = hot_place_of(reset->hot, symbol);
    if (reset->count && place == reset->place)
        return true;
    reset->count++;
    reset->place = place;
    reset->size = symbol->size;
    reset->initial_in = symbol->initial_in;
    reset->supported =
        !symbol->dynamic && symbol->kind == KILN__WIRE__HOT_KIND__HOT_VARIABLE && *symbol->initial;
    free(reset->initial);
    reset->initial = strdup(symbol->initial);
    return true;
}

kiln_status hot_reset_variable(hot *hot, const char *name, kiln_error **error)
{
    reset reset = {.hot = hot};
    kiln_status status = KILN_OK;
    const void *bytes = NULL;
    if (!visit_symbols(hot, name, find_variable, &reset) || (reset.count && !reset.initial))
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
                           "'%s' cannot be reset: its initial value has not changed since it "
                           "was made, or code makes it, or it is thread-local",
                           name);
    else
        bytes = load_symbol_address(hot->generations[reset.initial_in - 1].loaded, reset.initial);
    if (status == KILN_OK && (!bytes || !reset.place))
        status = error_set(error, KILN_INTERNAL, KILN_PHASE_BIND,
                           "the initial value of '%s' cannot be found", name);
    if (status == KILN_OK)
        memcpy(reset.place, bytes, reset.size);
    free(reset.initial);
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
    search->address = hot_place_of(search->hot, symbol);
    search->is_function = symbol->kind == KILN__WIRE__HOT_KIND__HOT_FUNCTION ||
                          symbol->kind == KILN__WIRE__HOT_KIND__HOT_INDIRECT;
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
