/* build_generation.c - see build_generation.h. */
#include "build/build_generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build_link.h"
#include "os/os.h"

bool hot_unit_is_hot(const unit *unit)
{
    return unit->kind == INPUT_C || unit->kind == INPUT_CXX || unit->kind == INPUT_UNKNOWN;
}

/* One file can be a unit several times, with other arguments each. */
void hot_unit_id(const unit_list *units, size_t index, char id[hot_unit_id_size])
{
    char hex[digest_hex_size];
    digest_state state;
    uint64_t same = 0;
    for (size_t i = 0; i < index; i++)
        same += strcmp(units->items[i].path, units->items[index].path) == 0;
    digest_begin(&state);
    digest_string(&state, units->items[index].path);
    digest_number(&state, same);
    digest value = digest_end(&state);
    digest_hex(&value, hex);
    snprintf(id, hot_unit_id_size, "%.8s", hex);
}

void unit_report_destroy(unit_report *report)
{
    record_destroy(&report->inputs);
    free(report->table);
    report->inputs = (record){0};
    report->table = NULL;
    report->table_size = 0;
}

unit_report *unit_reports_create(const unit_list *units)
{
    unit_report *reports = calloc(units->count + 1, sizeof *reports);
    for (size_t i = 0; reports && i < units->count; i++)
        if (hot_unit_is_hot(&units->items[i]))
            hot_unit_id(units, i, reports[i].id);
    return reports;
}

void unit_reports_destroy(unit_report *reports, size_t count)
{
    for (size_t i = 0; reports && i < count; i++)
        unit_report_destroy(&reports[i]);
    free(reports);
}

static kiln_status take_image(miss *miss, link_output *output, const char *id, image **out,
                              kiln_error **error)
{
    char path[64];
    image *made = image_create(miss->build->spec->name, &miss->build->key);
    if (!made)
        return error_no_memory(error);
    memcpy(made->id, id, sizeof made->id);
    made->content = output->content;
    made->unit_count = miss->build->units.count;
    made->symbol_count = output->symbol_count;
    made->host_symbols = output->host_symbols;
    output->host_symbols = (string_list){0};
    image_take_fd(made, output->fd);
    output->fd = -1;
    os_fd_path(made->fd, path, sizeof path);
    made->path = strdup(path);
    made->symbol_table = output->symbol_table;
    made->symbol_table_size = output->symbol_table_size;
    output->symbol_table = NULL;
    memcpy(made->seconds, miss->build->seconds, sizeof made->seconds);
    if (!made->path) {
        image_release(made);
        return error_no_memory(error);
    }
    *out = made;
    return KILN_OK;
}

/* The generations that the new code refers to; the first one is always among them, since it exports
 * what came from archives and objects. false when out of memory. */
static bool find_needed(const build *build, image **needed)
{
    const generation_request *request = build->generation;
    needed[0] = request->earlier[0];
    for (size_t i = 0; i < build->units.count; i++) {
        const unit_report *report = &build->unit_reports[i];
        if (!request->edited[i] || !report->table)
            continue;
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, report->table_size, report->table);
        if (!table)
            return false;
        for (size_t k = 0; k < table->n_needs; k++)
            if (table->needs[k] >= 1 && table->needs[k] < request->number)
                needed[table->needs[k] - 1] = request->earlier[table->needs[k] - 1];
        kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    return true;
}

/* Whether any function or variable differs from what earlier generations have; -1: out of memory. */
static int has_news(const build *build)
{
    int news = 0;
    for (size_t i = 0; !news && i < build->units.count; i++) {
        const unit_report *report = &build->unit_reports[i];
        if (!build->generation->edited[i])
            continue;
        if (!report->table)
            return 1; /* not C or C++ */
        Kiln__Wire__HotUnit *table =
            kiln__wire__hot_unit__unpack(NULL, report->table_size, report->table);
        if (!table)
            return -1;
        for (size_t k = 0; !news && k < table->n_symbols; k++)
            news = table->symbols[k]->changed == build->generation->number ||
                   table->symbols[k]->initial_in == build->generation->number;
        kiln__wire__hot_unit__free_unpacked(table, NULL);
    }
    return news;
}

static kiln_status link_generation(miss *miss, const char *id, link_output *output,
                                   kiln_error **error)
{
    build *build = miss->build;
    const generation_request *request = build->generation;
    generation_request narrowed = *request;
    image **needed = calloc(request->number, sizeof *needed);
    kiln_status status = KILN_NO_MEMORY;
    narrowed.earlier = needed;
    if (needed && find_needed(build, needed)) {
        build->generation = &narrowed;
        status = build_link(miss, id, KILN__WIRE__OUTPUT_KIND__IMAGE, output, error);
        build->generation = request;
    } else {
        error_no_memory(error);
    }
    free(needed);
    return status;
}

kiln_status build_generation(build *build, image **out, kiln_error **error)
{
    miss miss;
    link_output output = {.fd = -1};
    char id[record_image_id_size] = "";
    kiln_status status = miss_begin(&miss, build) ? KILN_OK : error_no_memory(error);
    miss.links = true;
    if (status == KILN_OK)
        status = build_plan(&miss, error);
    if (status == KILN_OK)
        status = build_units(&miss, error);
    int news = status == KILN_OK ? has_news(build) : 0;
    if (news < 0)
        status = error_no_memory(error);
    if (status == KILN_OK && !news)
        goto cleanup;
    if (status == KILN_OK) {
        link_name_image(&miss, id);
        status = link_generation(&miss, id, &output, error);
    }
    if (status == KILN_OK)
        status = take_image(&miss, &output, id, out, error);
cleanup:
    link_output_destroy(&output);
    miss_destroy(&miss);
    return status;
}
