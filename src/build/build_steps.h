/* build_steps.h - what the files build_*.c share. */
#ifndef KILN_BUILD_BUILD_STEPS_H
#define KILN_BUILD_BUILD_STEPS_H

#include "build/build.h"
#include "build/job.h"

/* The work of one miss. */
typedef struct miss {
    build *build;
    size_t unit_count;
    unit_result *results; /* one a unit */
    job lead;
    string_list *source_arguments; /* one a unit: from its comment */
    string_list package_compile, package_link;
    input_set inputs;
    diagnostic_list warnings;
    int64_t begun_file_ns;  /* by os_clock_file_ns, before anything was read */
    bool lead_holds_object; /* the lead compiled lead_unit: the link takes it from there */
    size_t lead_unit;
    bool links; /* a link follows */
} miss;

double build_seconds_since(int64_t begin_ns);
uint32_t build_codegen_units(const build *build);
key_context build_key_context(const build *build);

/* Open a job with the surroundings of a build. */
kiln_status build_open_job(build *build, const char *subject, job *job, kiln_error **error);

/* The lead job: plan, with the key's lock where there is a cache. */
kiln_status build_plan(miss *miss, kiln_error **error);
/* Compile all units that the cache does not have, in parallel or, if it is only one, in the lead.
 */
kiln_status build_units(miss *miss, kiln_error **error);
/* Start the work of a miss; miss_destroy must follow. false when out of memory. */
bool miss_begin(miss *miss, build *build);
void miss_destroy(miss *miss);
/* The compiler may have been replaced since the key was made, which only shows when it is started.
 * *replaced: the build has begun anew, with another key. */
kiln_status build_check_compiler(build *build, bool *replaced, kiln_error **error);

/* Arguments of a unit's compilation, and of the link, in order. false when out of memory. */
bool build_compile_arguments(const miss *miss, size_t unit, string_list *list);
bool build_link_arguments(const miss *miss, string_list *list);

/* Whether a unit goes to the compiler, not straight to the linker. */
bool build_is_compiled(const unit *unit);
/* Whether this build compiles a unit: a later generation only what was edited. */
bool build_compiles(const build *build, size_t index);

/* Turn a failed reply into an error that carries its diagnostics. */
kiln_status build_failed(kiln_status code, kiln_phase phase, const char *what,
                         const Kiln__Wire__DiagnosticList *list, kiln_error **error);
/* Tell the session's callback of the warnings of a reply, and keep them, unless kept is NULL. */
bool build_keep_warnings(build *build, const Kiln__Wire__DiagnosticList *list,
                         diagnostic_list *kept);
/* The same of those that a record holds. */
bool build_repeat_warnings(build *build, const record_entry *entry, diagnostic_list *kept);

/* The warnings of a miss, packed for its record, so that a hit can repeat them: malloc'd as
 * entry->diagnostics. false when out of memory. */
bool build_pack_warnings(const miss *miss, record_entry *entry);

void build_emit(const build *build, const kiln_event *event);

#endif
