/* hot.h - a hot library: its generations, and the publication of a new one.
 *
 * A hot library is built so that each of its functions has an entry that can be patched and all of
 * its data is exported (compiler/hot_pass.h). An edit is compiled against what the generations so
 * far define, becomes an image of its own, and is published: the entries of the functions that it
 * changes lead to their new bodies. Data stays where the generation that defined it first has put
 * it. What generations know of each other are the tables of units (wire.proto's HotUnit), which the
 * host keeps and hands to the compiler without reading more of them than names.
 *
 *     hot_find_edits -> hot_compile -> hot_publish
 *
 * Each step changes the library only when it succeeds, and only the last one changes what runs: so
 * a library whose edit failed stays as it is, and is found edited again.
 *
 * A *follow-up* goes the same way for units that are not edited, but of which code stands at other
 * lines of the source now than it was compiled from, since what stands before it was edited. One thread at a time works
 * on a hot library, which is the caller's to see to; any number may run its code, and may ask for
 * its symbols, images, inputs and generation. */
#ifndef KILN_RELOAD_HOT_H
#define KILN_RELOAD_HOT_H

#include "build/build_generation.h"
#include "load/load.h"
#include "wire.pb-c.h"

typedef struct hot hot;

/* What is to become of edits that the data may not fit. */
typedef struct hot_policy {
    bool accept_layouts; /* records that data holds may change; implied by migrate */
    bool refuse_unseen;  /* those that no variable holds may not, unless they are accepted */
    kiln_migrate_callback migrate; /* NULL: nobody sees to the data */
    void *migrate_data;
    kiln_library *library; /* for migrate */
} hot_policy;

/* What a reload is about, from step to step. Zero-initialised, but for follow_up. */
typedef struct hot_edit {
    bool follow_up; /* the caller's: look for such units instead of edited ones */
    bool *edited, *unknown, *only_source; /* one a unit of the build: see build_generation.h */
    size_t edited_count;
    unit_report *reports; /* one a unit of the build */
    size_t unit_count;
    string_list files; /* what has changed, as far as it is known */
    image *image;      /* of the new generation; NULL where the edit changes no code and no data */
    Kiln__Wire__HotUnit **tables; /* unpacked, of the edited units; NULL of the others */
    hot_policy policy;            /* that it was compiled under */
} hot_edit;
void hot_edit_destroy(hot_edit *edit);

/* What a reload did. Strings are owned. */
typedef struct hot_report {
    uint32_t generation; /* 0: there was nothing to do */
    double publish_seconds;
    string_list files, functions;
    size_t moved; /* functions that a follow-up published; these are not among the others */
    struct hot_notice {
        uint32_t kind; /* wire.proto's HotNoticeKind */
        char *symbol, *display, *detail, *variable;
    } *notices;
    size_t notice_count, notice_capacity;
} hot_report;
void hot_report_destroy(hot_report *report);
/* A notice; everything is copied. false when out of memory. */
bool hot_report_add(hot_report *report, uint32_t kind, const char *symbol, const char *display,
                    const char *detail, const char *variable);

/* The first generation has been loaded from `first`. inputs: of all of it, where it came from the
 * cache, else empty; reports: one a unit of its build; what they hold of inputs is taken over. Errors: UNSUPPORTED (its code cannot be patched here),
 * NO_MEMORY. */
kiln_status hot_create(image *first, const loaded *library, record *inputs, unit_report *reports,
                       size_t count, hot **out, kiln_error **error);
/* Close all generations, the first one's `loaded` with them; destructors run in the newest code, but
 * in a library with thread_locals that have destructors in the oldest: some thread may owe one.
 * PENDING: see load_close. */
kiln_status hot_close(hot *hot);
/* Free it; what was not closed stays loaded. NULL is fine. */
void hot_destroy(hot *hot);

uint32_t hot_generation(hot *hot);
/* The images of the first generation and of all that brought symbols which others can refer to.
 * images: NULL to count them. They live as long as the hot library. */
size_t hot_images(hot *hot, image **images);

/* Whether a follow-up would find anything. */
bool hot_is_stale(hot *hot);

/* Which units' inputs are not as they were when the unit was compiled last; of a follow-up, which
 * units are stale, and not edited. The build was begun. */
kiln_status hot_find_edits(hot *hot, build *build, hot_edit *edit, kiln_error **error);

/* Whether the last edit that could not be compiled would fail again: what its units have read is as it
 * was. */
bool hot_fails_still(hot *hot, bool trust_system);

/* Compile and link what was edited. Errors: any of a build's; REFUSED: the edit cannot take effect
 * while the library's data is kept. */
kiln_status hot_compile(hot *hot, build *build, const hot_policy *policy, hot_edit *edit,
                        kiln_error **error);

/* Map the new generation, have the data migrated, and lead all entries to it. symbols: what the host
 * lends to it. report is filled in. Errors: any of a bind's; REFUSED, by the migration. */
kiln_status hot_publish(hot *hot, hot_edit *edit, const load_symbol *symbols, size_t symbol_count,
                        bool global, hot_report *report, kiln_error **error);

/* Lead the entries that the newest edit changed back to what they led to before; follow-ups stay.
 * NOT_FOUND: there is none. */
kiln_status hot_roll_back(hot *hot, hot_report *report, kiln_error **error);

/* Give a variable the initial value that its source has now. display or symbol name. Errors:
 * NOT_FOUND, AMBIGUOUS, UNSUPPORTED (it is initialised by code; it is thread-local), NO_MEMORY. */
kiln_status hot_reset_variable(hot *hot, const char *name, kiln_error **error);

/* Everything that its units have read and looked for. false when out of memory. */
bool hot_inputs(hot *hot, input_set *inputs);

/* A symbol that a later generation brought, by its name or the name that people know it by; NULL:
 * none has. */
void *hot_find_symbol(hot *hot, const char *name, bool *is_function);

/* The child of a fork has none of the threads that may have been in here. */
void hot_after_fork(hot *hot);

#endif
