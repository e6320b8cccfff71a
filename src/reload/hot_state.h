/* hot_state.h - what a hot library is made of: for the files hot*.c alone. */
#ifndef KILN_RELOAD_HOT_STATE_H
#define KILN_RELOAD_HOT_STATE_H

#include <pthread.h>

#include "reload/hot.h"

/* What is known of a unit since it was compiled last. */
typedef struct hot_unit {
    char id[hot_unit_id_size];
    record inputs;     /* empty: not known */
    bool is_forgotten; /* its code was rolled back: it is edited, whatever its inputs say */
    bool is_stale;     /* wire.proto's HotUnit.stale_lines */
    uint8_t *table;    /* packed HotUnit */
    size_t table_size;
} hot_unit;

/* One entry that a generation changed. */
typedef struct publication {
    void *entry;
    const void *before; /* NULL: its first body */
} publication;

typedef struct generation {
    image *image;   /* NULL: it changed neither code nor data */
    loaded *loaded; /* of the first one the library's own */
    publication *publications;
    size_t publication_count, publication_capacity;
    bool rolled_back;
    bool is_follow_up;
    bool brings_symbols; /* that others can refer to */
} generation;

struct hot {
    /* Guards what follows against those who ask without having their turn; whose turn it is reads
     * without it. Nothing of Kiln's is taken under it. */
    pthread_mutex_t mutex;
    /* Guards what the records of inputs hold, which a check writes to; taken before the other one. */
    pthread_mutex_t inputs_mutex;
    record first_inputs; /* of the first generation, where it came from the cache */
    unit_report
        *failed; /* of the last edit that could not be compiled or published: what it read */
    size_t failed_count;
    hot_unit *units;
    size_t unit_count, unit_capacity;
    generation *generations;
    size_t generation_count, generation_capacity;
};

/* NULL where it is new. */
hot_unit *hot_find_unit(const hot *hot, const char *id);
/* Whether that is a name of it: the linker's, or people's. "f" stands for "f(int)", too. */
bool hot_is_called(const Kiln__Wire__HotSymbol *symbol, const char *name);
/* Where the edit's policy has the host see to changed layouts: before anything is published. */
kiln_status hot_migrate(const hot *hot, const hot_edit *edit, const loaded *newest,
                        kiln_error **error);
/* What an edit that failed has read: a change of it may mend that. */
void hot_keep_failed(hot *hot, hot_edit *edit);
/* The address of a symbol for all generations: its entry, or its place. NULL where it has none. */
void *hot_place_of(const hot *hot, const Kiln__Wire__HotSymbol *symbol);

#endif
