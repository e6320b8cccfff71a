/* fuzz_record.c - any bytes as a record of the cache: as they are, and sealed, so that what stands
 * behind the checksum is reached too. What is accepted is asked everything that a record can be
 * asked; no path of it leads out of the folder that the target works in. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/record.h"
#include "build/record_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint8_t *copy_of(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert(copy);
    memcpy(copy, bytes, size);
    return copy;
}

static void enter_empty_folder(void)
{
    static int entered;
    char folder[] = "/tmp/kiln-fuzz-XXXXXX";
    if (entered++)
        return;
    int failed = !mkdtemp(folder) || chdir(folder) || rmdir(folder);
    assert(!failed);
    (void)failed;
}

/* Paths become names in the working directory, which no longer exists. */
static void confine(const result_view *view)
{
    for (uint32_t i = 0; i < view->header->strings_size; i++)
        if (view->strings[i] == '/')
            view->strings[i] = '_';
}

static void check(record *record, uint32_t index)
{
    static const record_check_options options[] = {{.trust_system = false}, {.trust_system = true}};
    for (size_t i = 0; i < 2; i++) {
        record_check_report report;
        bool holds = record_check(record, index, &options[i], &report);
        assert(!holds || !report.mismatch);
        free(report.mismatch);
    }
}

static size_t walk(const record *record, uint32_t index)
{
    record_entry entry = record_result(record, index);
    const char *symbol = entry.host_symbols, *end = symbol + entry.fixed.host_symbols_size;
    size_t seen = strlen(entry.name) + strlen(entry.fixed.image_id);
    for (; symbol < end; symbol += strlen(symbol) + 1)
        seen++;
    for (uint32_t i = 0; i < entry.fixed.diagnostics_size; i++)
        seen += entry.diagnostics[i];
    return seen;
}

/* A record that is made of what an old one holds holds that too. */
static void make_again(const record *old)
{
    record made;
    char *changed;
    input_set inputs = {0};
    record_entry entry = {.name = "", .host_symbols = ""};
    if (record_make(&made, old, &inputs, &entry, 0, &changed)) {
        assert(made.result_count >= 1 && made.result_count <= record_max_results);
        record_destroy(&made);
    }
    free(changed);
    input_set_destroy(&inputs);
}

static void use(record *record)
{
    static volatile size_t seen;
    make_again(record);
    for (uint32_t i = 0; i < record->result_count; i++) {
        input_set inputs = {0};
        seen += walk(record, i) + record_input_count(record, i);
        record_add_inputs(record, i, &inputs);
        input_set_sort(&inputs);
        input_set_destroy(&inputs);
    }
    for (uint32_t i = 0; i < record->result_count; i++) {
        result_view view = record_view(record, i);
        confine(&view);
        check(record, i);
    }
    record_seal(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    record record;
    enter_empty_folder();
    if (record_open(&record, copy_of(bytes, size), size)) {
        use(&record);
        record_destroy(&record);
    }
    if (size < sizeof(record_header))
        return 0;
    struct record raw = {.bytes = copy_of(bytes, size), .size = size};
    record_header *header = (record_header *)raw.bytes;
    memcpy(header->magic, record_magic, sizeof header->magic);
    header->schema = record_schema;
    header->size = size;
    record_seal(&raw);
    if (record_open(&record, raw.bytes, size)) {
        use(&record);
        record_destroy(&record);
    }
    return 0;
}
