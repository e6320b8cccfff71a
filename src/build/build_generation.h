/* build_generation.h - a later generation of a hot library: the units that were edited, compiled
 * against what earlier generations define, and linked to an image of their own.
 *
 * Nothing of it is kept in the cache: what a unit comes to depends on the whole history of the
 * process. See reload/hot.h for who calls this. */
#ifndef KILN_BUILD_GENERATION_H
#define KILN_BUILD_GENERATION_H

#include "build/build.h"

enum { hot_unit_id_size = 17 };

/* A unit's name in the tables of generations: the same as long as its path is. */
void hot_unit_id(const unit_list *units, size_t index, char id[hot_unit_id_size]);
/* Whether the code of a unit can be replaced: not that of assembly, of objects and their kind. */
bool hot_unit_is_hot(const unit *unit);

/* What is found out of a unit while it is compiled. */
struct unit_report {
    char id[hot_unit_id_size]; /* "" of a unit that is not hot */
    record inputs;             /* one result; empty where it is not known */
    uint8_t *table;            /* packed HotUnit; malloc'd; NULL: none */
    size_t table_size;
};
/* One for each unit; NULL when out of memory. */
unit_report *unit_reports_create(const unit_list *units);
void unit_report_destroy(unit_report *report);
void unit_reports_destroy(unit_report *reports, size_t count);

struct generation_request {
    uint32_t number; /* from 2 on */
    int baseline_fd; /* a memfd with the packed HotBaseline */
    bool *edited;    /* one a unit of the build, in its order */
    /* Of which nothing is known but that something of the library differs: those whose record has nothing of
     * `changed` turn out not to be edited. */
    const bool *unknown;
    const string_list *changed; /* the inputs that differ */
    const bool *only_source;    /* of which nothing but the source itself differs */
    bool follow_up;        /* nothing is edited: code is brought to the lines where it stands */
    image *const *earlier; /* the images of generations 1 .. number - 1; NULL: not to be linked */
};

/* Compile the edited units, with build->generation and build->unit_reports set; link them. The
 * build was begun. *out: the generation's image, from memory; NULL where
 * nothing differs from what there is. Errors: any of a load's. */
kiln_status build_generation(build *build, image **out, kiln_error **error);

#endif
