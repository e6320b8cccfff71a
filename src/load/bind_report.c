/* bind_report.c - why a load could not be bound: see bind_report.h.
 *
 * A reference is bound in this order, and so it is looked for here: host symbols; the images of the
 * load; what the process exports; the shared libraries that the images need. What remains is
 * missing. For each missing symbol there may be a remedy to name: an installed library that defines
 * it, a loaded library that should be declared, the host's unexported definition. */
#include "load/bind_report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "load/elf_file.h"
#include "load/library_index.h"
#include "load/needed_libraries.h"
#include "load/root_image.h"
#include "os/os.h"

typedef struct missing_symbol {
    char *name;
    char *version;         /* NULL: any */
    const char *needed_by; /* the request's string */
    char *provider;        /* an installed library */
    char *loaded_in;       /* a loaded library that was not declared */
    bool in_host;          /* the host program defines it, unexported */
    bool host_symbol;      /* it was to be lent by the host, and was not */
} missing_symbol;

struct bind_report {
    const load_request *request;
    mapped_image *const *entries;
    elf_mapping *images; /* as the request's; .bytes NULL where one cannot be read */
    string_list ids;
    needed_libraries needed;
    missing_symbol *missing;
    size_t missing_count, missing_capacity;
};

/* ---- what is missing ---- */

static bool is_lent(const load_image *image, const char *name)
{
    for (size_t i = 0; i < image->host_symbol_count; i++)
        if (strcmp(image->host_symbols[i].name, name) == 0)
            return true;
    return false;
}

static bool images_define(const bind_report *report, const char *name, const char *version)
{
    for (size_t i = 0; i < report->request->count; i++)
        if (report->images[i].bytes &&
            elf_file_defines(&report->images[i].file, name, version, NULL))
            return true;
    return false;
}

static bool is_bound(const bind_report *report, const char *name, const char *version)
{
    return images_define(report, name, version) || os_lookup_scope(NULL, name, version) ||
           needed_libraries_define(&report->needed, name, version);
}

static bool add_missing(bind_report *report, const char *name, const char *version,
                        const char *needed_by, bool host_symbol)
{
    missing_symbol *place = array_add((void **)&report->missing, &report->missing_count,
                                      &report->missing_capacity, sizeof *report->missing);
    if (!place)
        return false;
    place->name = strdup(name);
    place->version = version ? strdup(version) : NULL;
    place->needed_by = needed_by;
    place->host_symbol = host_symbol;
    return place->name && (place->version || !version);
}

/* The name under which a host symbol was lent; malloc'd. */
static char *unmarked(const char *name)
{
    char *plain = strdup(name);
    if (plain)
        *plain &= (char)~root_image_host_bit;
    return plain;
}

static bool check_reference(bind_report *report, size_t image, size_t symbol)
{
    const elf_file *file = &report->images[image].file;
    const load_image *of = &report->request->images[image];
    const char *name = elf_symbol_name(&file->dynamic, symbol);
    const char *version = elf_reference_version(file, symbol, NULL);
    if (is_bound(report, name, version))
        return true;
    if (!(*name & root_image_host_bit))
        return add_missing(report, name, version, of->name, false);
    char *plain = unmarked(name);
    bool done = plain && (is_lent(of, plain) || add_missing(report, plain, NULL, of->name, true));
    free(plain);
    return done;
}

static bool check_image(bind_report *report, size_t image)
{
    const elf_symbols *symbols = &report->images[image].file.dynamic;
    for (size_t i = 1; i < symbols->count; i++) {
        const Elf64_Sym *symbol = &symbols->items[i];
        if (symbol->st_shndx == SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL &&
            *elf_symbol_name(symbols, i) && !check_reference(report, image, i))
            return false;
    }
    return true;
}

static bool open_images(bind_report *report)
{
    const load_request *request = report->request;
    report->images = calloc(request->count, sizeof *report->images);
    for (size_t i = 0; report->images && i < request->count; i++) {
        const char *id = request->images[i].id;
        if (id && !string_list_add(&report->ids, id))
            return false;
        if (!elf_mapping_open(&report->images[i], mapped_image_path(report->entries[i]), -1))
            report->images[i].bytes = NULL;
    }
    return report->images != NULL;
}

/* Images that are mapped already have what they need. */
static bool is_new(const bind_report *report, size_t image)
{
    return report->images[image].bytes && !os_is_loaded(mapped_image_path(report->entries[image]));
}

static bool find_missing(bind_report *report)
{
    size_t count = report->request->count;
    for (size_t i = 0; i < count; i++)
        if (is_new(report, i) &&
            !needed_libraries_follow(&report->needed, &report->images[i].file,
                                     mapped_image_path(report->entries[i]),
                                     report->request->images[i].name, &report->ids))
            return false;
    for (size_t i = 0; i < count; i++)
        if (is_new(report, i) && !check_image(report, i))
            return false;
    return true;
}

/* ---- remedies ---- */

static bool find_providers(bind_report *report)
{
    size_t count = report->missing_count;
    library_want *wants = calloc(count, sizeof *wants);
    for (size_t i = 0; wants && i < count; i++)
        wants[i] = (library_want){report->missing[i].name, report->missing[i].version, NULL};
    bool found = wants && library_index_find(wants, count);
    for (size_t i = 0; wants && i < count; i++)
        report->missing[i].provider = wants[i].provider;
    free(wants);
    return found;
}

/* Local ones too: what was compiled with hidden visibility
 * looks like a static one, and either can be lent. */
static void find_in_host(bind_report *report)
{
    elf_mapping program;
    if (!elf_mapping_open(&program, "/proc/self/exe", -1))
        return;
    const elf_symbols *symbols = &program.file.all;
    for (size_t i = 1; i < symbols->count; i++) {
        if (symbols->items[i].st_shndx == SHN_UNDEF)
            continue;
        const char *name = elf_symbol_name(symbols, i);
        for (size_t j = 0; j < report->missing_count; j++)
            if (strcmp(report->missing[j].name, name) == 0)
                report->missing[j].in_host = true;
    }
    elf_mapping_close(&program);
}

static bool find_in_loaded(mapped_image *entry, void *user_data)
{
    bind_report *report = user_data;
    elf_mapping mapping;
    for (size_t i = 0; i < report->request->count; i++)
        if (report->entries[i] == entry)
            return true;
    if (!elf_mapping_open(&mapping, mapped_image_path(entry), -1))
        return true;
    for (size_t i = 0; i < report->missing_count; i++) {
        missing_symbol *symbol = &report->missing[i];
        if (!symbol->loaded_in && elf_file_defines(&mapping.file, symbol->name, NULL, NULL))
            symbol->loaded_in = strdup(mapped_image_name(entry));
    }
    elf_mapping_close(&mapping);
    return true;
}

/* What was meant to be lent by the host is nobody else's. */
static bool find_remedies(bind_report *report)
{
    if (report->missing_count == 0)
        return true;
    find_in_host(report);
    mapped_image_visit(find_in_loaded, report);
    return find_providers(report);
}

kiln_status bind_report_create(const load_request *request, mapped_image *const *entries,
                               bind_report **report, kiln_error **error)
{
    bind_report *made = calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error);
    made->request = request;
    made->entries = entries;
    if (!open_images(made) || !find_missing(made) || !find_remedies(made)) {
        bind_report_destroy(made);
        return error_no_memory(error);
    }
    *report = made;
    return KILN_OK;
}

void bind_report_destroy(bind_report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->missing_count; i++) {
        free(report->missing[i].name);
        free(report->missing[i].version);
        free(report->missing[i].provider);
        free(report->missing[i].loaded_in);
    }
    for (size_t i = 0; report->images && i < report->request->count; i++)
        if (report->images[i].bytes)
            elf_mapping_close(&report->images[i]);
    needed_libraries_destroy(&report->needed);
    string_list_destroy(&report->ids);
    free(report->missing);
    free(report->images);
    free(report);
}

bool bind_report_providers(const bind_report *report, string_list *providers)
{
    if (report->missing_count == 0 || report->needed.absent.count > 0)
        return false;
    for (size_t i = 0; i < report->missing_count; i++) {
        const missing_symbol *symbol = &report->missing[i];
        if (!symbol->provider || symbol->host_symbol)
            return false;
        if (!string_list_contains(providers, symbol->provider) &&
            !string_list_add(providers, symbol->provider))
            return false;
    }
    return true;
}

/* ---- the message ---- */

static void describe_symbol(text *message, const missing_symbol *symbol)
{
    char *demangled = os_demangle(symbol->name);
    text_format(message, "\n  %s", demangled ? demangled : symbol->name);
    free(demangled);
    if (symbol->version)
        text_format(message, " (version %s)", symbol->version);
    text_format(message, ", needed by '%s': ", symbol->needed_by);
    if (symbol->host_symbol)
        text_add_string(message,
                        "the library was built to get it from the host: lend it as a host symbol");
    else if (symbol->loaded_in)
        text_format(message, "the loaded library '%s' defines it: declare that as a dependency",
                    symbol->loaded_in);
    else if (symbol->in_host)
        text_add_string(
            message,
            "the host program defines it but does not export it: lend it as a host symbol, or "
            "link the host with -rdynamic and give it default visibility");
    else if (symbol->provider)
        text_format(message, "%s defines it: add that to the inputs, or turn auto-load on",
                    symbol->provider);
    else
        text_add_string(message, "nothing that is installed defines it: is a source or a library "
                                 "missing from the inputs?");
}

static char *compose(const bind_report *report, const char *words)
{
    const load_request *request = report->request;
    size_t symbols = report->missing_count, libraries = report->needed.absent.count;
    text message = {0};
    text_format(&message, "cannot bind library '%s': ", request->images[request->count - 1].name);
    if (symbols)
        text_format(&message, "%zu %s missing", symbols,
                    symbols == 1 ? "symbol is" : "symbols are");
    else if (libraries)
        text_format(&message, "%zu shared %s missing", libraries,
                    libraries == 1 ? "library is" : "libraries are");
    else
        text_add_string(&message, words ? words : "the system's loader refuses it");
    for (size_t i = 0; i < libraries; i++)
        text_format(&message,
                    "\n  %s, needed by '%s': not found where the system's loader looks; install "
                    "it, or give its "
                    "directory with -Wl,-rpath or LD_LIBRARY_PATH",
                    report->needed.absent.items[i], report->needed.absent_by.items[i]);
    for (size_t i = 0; i < symbols; i++)
        describe_symbol(&message, &report->missing[i]);
    return text_take(&message);
}

kiln_status bind_report_error(const bind_report *report, const char *words, kiln_error **error)
{
    char *message = compose(report, words);
    if (!message)
        return error_no_memory(error);
    kiln_status status = error_set(error, KILN_BIND, KILN_PHASE_BIND, "%s", message);
    free(message);
    for (size_t i = 0; status == KILN_BIND && error && i < report->missing_count; i++) {
        const missing_symbol *symbol = &report->missing[i];
        char *demangled = os_demangle(symbol->name);
        error_add_missing_symbol(*error, symbol->name, demangled, symbol->needed_by,
                                 symbol->provider);
        free(demangled);
    }
    return status;
}
