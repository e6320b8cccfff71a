/* command_symbols.c - `kiln symbols`: what a library defines.
 *
 * The list is that of the loaded library, so it shows what a host can look up, not what is in the sources. */
#include <stdio.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "input_set.h"
#include "json_text.h"
#include "message.h"
#include "output.h"

static const char *kind_name(kiln_symbol_kind kind)
{
    switch (kind) {
    case KILN_SYMBOL_FUNCTION:
        return "function";
    case KILN_SYMBOL_DATA:
        return "data";
    case KILN_SYMBOL_THREAD_LOCAL:
        return "thread-local";
    case KILN_SYMBOL_OTHER:
        break;
    }
    return "other";
}

static void print_symbols(const kiln_library *library, bool mangled)
{
    size_t count = kiln_library_symbol_count(library);
    for (size_t i = 0; i < count; i++) {
        kiln_symbol symbol = {.size = sizeof symbol};
        if (kiln_library_symbol(library, i, &symbol) != KILN_OK)
            continue;
        printf("%-12s %10llu %s%s\n", kind_name(symbol.kind), (unsigned long long)symbol.size_bytes,
               mangled ? symbol.name : symbol.demangled, symbol.weak ? "  (weak)" : "");
    }
}

static struct json_object *json_symbol(const kiln_symbol *symbol)
{
    struct json_object *object = own(json_object_new_object());
    json_set(object, "name", json_text(symbol->name));
    json_set(object, "demangled", json_text(symbol->demangled));
    json_set(object, "kind", json_text(kind_name(symbol->kind)));
    json_set(object, "size", json_object_new_int64((int64_t)symbol->size_bytes));
    json_set(object, "weak", json_object_new_boolean(symbol->weak));
    return object;
}

static struct json_object *json_symbols(const kiln_library *library, const char *title)
{
    struct json_object *object = own(json_object_new_object());
    struct json_object *symbols = own(json_object_new_array());
    size_t count = kiln_library_symbol_count(library);
    for (size_t i = 0; i < count; i++) {
        kiln_symbol symbol = {.size = sizeof symbol};
        if (kiln_library_symbol(library, i, &symbol) == KILN_OK)
            json_object_array_add(symbols, json_symbol(&symbol));
    }
    json_set(object, "name", json_text(title));
    json_set(object, "symbols", symbols);
    return object;
}

static int run(const cli_options *options)
{
    input_set inputs = {0};
    kiln_library *library = NULL;
    kiln_error *error = NULL;
    int code = CLI_FAILURE;
    kiln_session *session = cli_session_open(options);
    if (session == NULL || !input_set_make(&inputs, session, options))
        goto cleanup;
    if (cli_session_load(session, options, &inputs, &library, &error) != KILN_OK) {
        message_report(error);
        goto cleanup;
    }
    if (options->json)
        json_print(json_symbols(library, inputs.title));
    else
        print_symbols(library, options->mangled);
    if (output_flush())
        code = CLI_OK;
    kiln_library_close(library);
cleanup:
    input_set_destroy(&inputs);
    kiln_session_destroy(session);
    return code;
}

const cli_command command_symbols = {
    .name = "symbols",
    .summary = "list what a library defines",
    .synopsis = "[option ...] INPUT ...",
    .description = "Loads the INPUTs as one library, constructors included, and lists its own "
                   "exported symbols, one a\n"
                   "line: kind (function, data, thread-local or other), size in bytes, name. C++ "
                   "names are written as\n"
                   "in the source; --mangled as the linker sees them. INPUT and Clang's flags are "
                   "as in 'kiln help\n"
                   "run'.\n",
    .examples = "  kiln symbols sqlite3.c\n"
                "  kiln symbols --mangled shapes.cpp | grep area\n"
                "  kiln symbols --json mylib\n",
    .option_groups = OPTIONS_COMMON | OPTIONS_COMPILER | OPTIONS_INPUTS | OPTIONS_LOAD |
                     OPTIONS_JSON | OPTIONS_SYMBOLS,
    .run = run,
};
