/* symbols.c - looking symbols up by their linker's or their C++ name, and listing them.
 *
 * A linker's name goes straight to the image. The index - names, demangled names, kinds - was made
 * when the image was linked; it is read at the first need of it, so that a host that asks for plain
 * names never pays for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cxx_names.h"
#include "api/live_library.h"
#include "api/session.h"
#include "wire.pb-c.h"

typedef struct symbol_index {
    Kiln__Wire__SymbolTable *table;
    char **names; /* two a symbol: name, demangled */
} symbol_index;

void symbol_index_destroy(symbol_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; index->names && index->table && i < 2 * index->table->n_symbols; i++)
        free(index->names[i]);
    free(index->names);
    kiln__wire__symbol_table__free_unpacked(index->table, NULL);
    free(index);
}

static char *copy_bytes(const ProtobufCBinaryData *bytes)
{
    return strndup(bytes->len ? (const char *)bytes->data : "", bytes->len);
}

static symbol_index *index_read(const kiln_library *library)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    symbol_index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    errno = 0;
    if (image_read_symbols(library->image, library->session->store, &bytes, &size))
        index->table = kiln__wire__symbol_table__unpack(NULL, size, bytes);
    bool no_memory = !index->table && errno == ENOMEM;
    free(bytes);
    if (!index->table && !no_memory) /* lost or damaged: the library works without */
        index->table = kiln__wire__symbol_table__unpack(NULL, 0, NULL);
    bool done = index->table &&
                (index->names = calloc(2 * index->table->n_symbols + 1, sizeof *index->names));
    for (size_t i = 0; done && i < index->table->n_symbols; i++) {
        const Kiln__Wire__Symbol *symbol = index->table->symbols[i];
        index->names[2 * i] = copy_bytes(&symbol->name);
        index->names[2 * i + 1] =
            copy_bytes(symbol->demangled.len ? &symbol->demangled : &symbol->name);
        done = index->names[2 * i] && index->names[2 * i + 1];
    }
    if (done)
        return index;
    symbol_index_destroy(index);
    return NULL;
}

static const symbol_index *symbols_of(const kiln_library *library)
{
    kiln_library *mutable = (kiln_library *)library;
    pthread_mutex_lock(&mutable->symbols_mutex);
    if (!mutable->symbols)
        mutable->symbols = index_read(library);
    symbol_index *index = mutable->symbols;
    pthread_mutex_unlock(&mutable->symbols_mutex);
    return index;
}

static void *address_of(const kiln_library *library, const char *name)
{
    return library->live ? live_address(library, name) : load_symbol_address(library->loaded, name);
}

/* ---- C++ names ---- */

static bool is_wanted(uint32_t kind, bool function)
{
    bool is_data = kind == KILN_SYMBOL_DATA || kind == KILN_SYMBOL_THREAD_LOCAL;
    return kind == KILN_SYMBOL_OTHER || is_data != function;
}

static kiln_status tell_candidates(const symbol_index *index, const kiln_library *library,
                                   const char *name, const char *asked, bool function,
                                   kiln_error **error)
{
    text message = {0};
    text_format(&message, "'%s' is ambiguous in library '%s'; it may be", name,
                library->image->name);
    for (size_t i = 0; i < index->table->n_symbols; i++)
        if (is_wanted(index->table->symbols[i]->kind, function) &&
            cxx_name_answers(index->names[2 * i + 1], function, asked))
            text_format(&message, "\n  %s", index->names[2 * i + 1]);
    kiln_status status =
        error_set(error, KILN_AMBIGUOUS, KILN_PHASE_BIND, "%s", text_string(&message));
    text_destroy(&message);
    return status;
}

/* Constructors and destructors exist in variants of one C++ name: the one for complete objects is
 * meant. Whether `a` is another variant of what `b` is that one of. */
static bool is_completed_by(const symbol_index *index, size_t a, size_t b)
{
    return strcmp(index->names[2 * a + 1], index->names[2 * b + 1]) == 0 &&
           cxx_name_is_complete(index->names[2 * a], index->names[2 * b]);
}

static void *lookup_cxx(const kiln_library *library, const char *name, bool function,
                        kiln_error **error)
{
    const symbol_index *index = symbols_of(library);
    char *asked = strdup(name);
    void *found = NULL;
    if (!index || !asked) {
        free(asked);
        error_no_memory(error);
        return NULL;
    }
    cxx_name_squeeze(asked);
    bool ambiguous = false;
    size_t found_at = 0;
    for (size_t i = 0; i < index->table->n_symbols && !ambiguous; i++) {
        if (!is_wanted(index->table->symbols[i]->kind, function) ||
            !cxx_name_answers(index->names[2 * i + 1], function, asked))
            continue;
        void *address = address_of(library, index->names[2 * i]);
        if (!address || address == found || (found && is_completed_by(index, i, found_at)))
            continue;
        ambiguous = found && !is_completed_by(index, found_at, i);
        found = address;
        found_at = i;
    }
    if (ambiguous) {
        tell_candidates(index, library, name, asked, function, error);
        found = NULL;
    } else if (!found) {
        error_set(error, KILN_NOT_FOUND, KILN_PHASE_BIND,
                  "library '%s' defines no %s '%s'; `kiln symbols` lists what it defines",
                  library->image->name, function ? "function" : "variable", name);
    }
    free(asked);
    return found;
}

static void *lookup(const kiln_library *library, const char *name, bool function,
                    kiln_error **error)
{
    if (error)
        *error = NULL;
    if (!name || !*name) {
        error_set(error, KILN_INVALID_ARGUMENT, KILN_PHASE_BIND, "the symbol's name is empty");
        return NULL;
    }
    void *address = address_of(library, name);
    if (!address && library->hot)
        address = library_hot_symbol(library, name, function);
    return address ? address : lookup_cxx(library, name, function, error);
}

kiln_function kiln_library_function(const kiln_library *library, const char *name,
                                    kiln_error **error)
{
    return (kiln_function)(uintptr_t)lookup(library, name, true, error);
}

void *kiln_library_data(const kiln_library *library, const char *name, kiln_error **error)
{
    return lookup(library, name, false, error);
}

/* ---- listing ---- */

size_t kiln_library_symbol_count(const kiln_library *library)
{
    const symbol_index *index = symbols_of(library);
    return index ? index->table->n_symbols : 0;
}

kiln_status kiln_library_symbol(const kiln_library *library, size_t index, kiln_symbol *symbol)
{
    const symbol_index *symbols = symbols_of(library);
    if (!symbols)
        return KILN_NO_MEMORY;
    if (index >= symbols->table->n_symbols || symbol->size < sizeof symbol->size)
        return KILN_INVALID_ARGUMENT;
    const Kiln__Wire__Symbol *from = symbols->table->symbols[index];
    kiln_symbol ours = {.name = symbols->names[2 * index],
                        .demangled = symbols->names[2 * index + 1],
                        .kind = from->kind <= KILN_SYMBOL_OTHER ? (kiln_symbol_kind)from->kind
                                                                : KILN_SYMBOL_OTHER,
                        .size_bytes = from->size,
                        .address = address_of(library, symbols->names[2 * index]),
                        .weak = from->weak};
    result_write(symbol, &ours, sizeof ours);
    return KILN_OK;
}
