/* misuse_outputs.c - compiling without loading, from the cache: a hit starts no compiler, whatever
 * the kind of output; and what an edit, an eviction or a damaged entry does to it. */
#include "load_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE scratch("cache")

static kiln_spec *project(void)
{
    if (access(scratch("value.h"), F_OK)) {
        write_file(scratch("a.c"), "#include \"value.h\"\n#warning look here\n"
                                   "int a(void) { return VALUE; }\n");
        write_file(scratch("b.c"), "#include \"value.h\"\nint b(void) { return VALUE + 1; }\n");
        write_file(scratch("value.h"), "#define VALUE 1\n");
    }
    kiln_spec *spec = spec_of_file("project", scratch("a.c"));
    CHECK_STATUS(kiln_spec_add_source(spec, scratch("b.c"), NULL), KILN_OK, NULL);
    return spec;
}

/* A compiler that leaves a line in a file each time it is started. */
static const char *counting_compiler(void)
{
    char *path = scratch("counting-compiler");
    if (access(path, F_OK)) {
        write_file(path, text_of("#!/bin/sh\necho >>%s\nexec %s \"$@\"\n", scratch("starts"),
                                 getenv("KILN_COMPILER")));
        CHECK_INT(chmod(path, 0755), 0);
    }
    return path;
}

static size_t starts(void)
{
    size_t size = 0;
    if (access(scratch("starts"), F_OK))
        return 0;
    free(read_file(scratch("starts"), &size));
    return size;
}

typedef struct made {
    size_t count, hits;
    char *bytes[4];
    size_t sizes[4];
    char *sources;
    char *diagnostics;
    unsigned lookup_hits, finished;
} made;

/* In a session of its own, so that only the cache can help. */
static made compile(kiln_output_kind kind, bool merge)
{
    made made = {.sources = strdup("")};
    event_log log = {0};
    event_log_reset(&log);
    kiln_session_options options = session_options(CACHE, &log);
    options.compiler_path = counting_compiler();
    kiln_session *session = session_create_with(&options);
    kiln_spec *spec = project();
    kiln_compile_options compile_options = {
        .size = sizeof compile_options, .kind = kind, .merge = merge};
    kiln_outputs *outputs;
    kiln_error *error;
    CHECK_STATUS(kiln_compile(session, spec, &compile_options, &outputs, &error), KILN_OK, &error);
    made.count = kiln_outputs_count(outputs);
    CHECK(made.count <= 4);
    for (size_t i = 0; i < made.count; i++) {
        kiln_output output = {.size = sizeof output};
        CHECK_STATUS(kiln_outputs_get(outputs, i, &output), KILN_OK, NULL);
        made.hits += output.hit;
        made.sizes[i] = output.size_bytes;
        made.bytes[i] = memcpy(malloc(output.size_bytes + 1), output.bytes, output.size_bytes);
        made.sources = text_of("%s %s", made.sources, output.source);
    }
    kiln_outputs_destroy(outputs);
    kiln_spec_destroy(spec);
    kiln_session_destroy(session);
    made.diagnostics = strdup(log.diagnostics);
    made.lookup_hits = log.count[KILN_EVENT_LOOKUP_HIT];
    made.finished = log.count[KILN_EVENT_UNIT_FINISHED];
    return made;
}

static bool same(const made *a, const made *b)
{
    bool equal = a->count == b->count && strcmp(a->sources, b->sources) == 0;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->sizes[i] == b->sizes[i] && memcmp(a->bytes[i], b->bytes[i], a->sizes[i]) == 0;
    return equal;
}

static const struct {
    kiln_output_kind kind;
    bool merge;
    size_t count;
} kinds[] = {{KILN_OUTPUT_OBJECT, false, 2},  {KILN_OUTPUT_OBJECT, true, 1},
             {KILN_OUTPUT_BITCODE, false, 2}, {KILN_OUTPUT_BITCODE, true, 1},
             {KILN_OUTPUT_IR, false, 2},      {KILN_OUTPUT_ASSEMBLY, false, 2},
             {KILN_OUTPUT_ARCHIVE, false, 1}, {KILN_OUTPUT_SHARED_LIBRARY, false, 1}};
enum { kind_count = sizeof kinds / sizeof *kinds };

TEST(hits_start_no_compiler)
{
    made first[kind_count];
    for (size_t i = 0; i < kind_count; i++) {
        first[i] = compile(kinds[i].kind, kinds[i].merge);
        CHECK_INT(first[i].count, kinds[i].count);
        CHECK_INT(first[i].lookup_hits, 0);
    }
    CHECK_INT(first[0].hits, 0);
    size_t before = starts();
    CHECK(before > 0);
    for (size_t i = 0; i < kind_count; i++) {
        made again = compile(kinds[i].kind, kinds[i].merge);
        CHECK_INT(again.hits, kinds[i].count);
        CHECK_INT(again.lookup_hits, 1);
        CHECK(same(&first[i], &again));
        if (kinds[i].count == 2)
            CHECK_INT(again.finished, 2);
    }
    CHECK_INT(starts(), before);
}

TEST(hits_repeat_warnings)
{
    for (int combined = 0; combined < 2; combined++) {
        kiln_output_kind kind = combined ? KILN_OUTPUT_ARCHIVE : KILN_OUTPUT_OBJECT;
        compile(kind, false);
        made again = compile(kind, false);
        CHECK_INT(again.hits, again.count);
        CHECK_CONTAINS(again.diagnostics, "look here");
    }
}

TEST(edits_are_seen_and_undone)
{
    for (size_t i = 0; i < kind_count; i++) {
        write_file(scratch("value.h"), "#define VALUE 1\n");
        if (i == 0)
            remove(scratch("value.h")); /* the project is written anew */
        made one = compile(kinds[i].kind, kinds[i].merge);
        write_file(scratch("value.h"), "#define VALUE 2\n");
        made two = compile(kinds[i].kind, kinds[i].merge);
        CHECK_INT(two.lookup_hits, 0);
        CHECK(!same(&one, &two));
        write_file(scratch("value.h"), "#define VALUE 1\n");
        size_t before = starts();
        made undone = compile(kinds[i].kind, kinds[i].merge);
        CHECK_INT(undone.lookup_hits, 1);
        CHECK_INT(starts(), before);
        CHECK(same(&one, &undone));
    }
}

static void truncate_file(const char *path, void *data)
{
    (void)data;
    CHECK_INT(truncate(path, 5), 0);
}

static void alter_file(const char *path, void *data)
{
    (void)data;
    size_t size;
    char *bytes = read_file(path, &size);
    bytes[size / 2] ^= 1;
    write_bytes(path, bytes, size);
    free(bytes);
}

static void remove_file(const char *path, void *data)
{
    if (!data || strstr(path, data))
        CHECK_INT(unlink(path), 0);
}

TEST(damaged_outputs_are_made_anew)
{
    for (size_t i = 0; i < kind_count; i++) {
        made good = compile(kinds[i].kind, kinds[i].merge);
        void (*const damages[])(const char *, void *) = {truncate_file, alter_file, remove_file};
        for (size_t k = 0; k < 3; k++) {
            for_each_file(scratch("cache/objects"), damages[k], NULL);
            made again = compile(kinds[i].kind, kinds[i].merge);
            CHECK_INT(again.count, kinds[i].count);
            CHECK(same(&good, &again));
            CHECK_INT(again.lookup_hits, 0);
            made hit = compile(kinds[i].kind, kinds[i].merge);
            CHECK_INT(hit.lookup_hits, 1);
            CHECK(same(&good, &hit));
        }
    }
}

/* One of the outputs goes, the list of them stays; and the other way round. */
TEST(half_of_the_outputs_is_evicted)
{
    static const char *const parts[] = {"0", "1", "2", "3", "4", "5", "6", "7",
                                        "8", "9", "a", "b", "c", "d", "e", "f"};
    made good = compile(KILN_OUTPUT_OBJECT, false);
    for (size_t i = 0; i < 16; i++) {
        char folder[8];
        snprintf(folder, sizeof folder, "/%s", parts[i]);
        for_each_file(scratch("cache/objects"), remove_file, folder);
        made again = compile(KILN_OUTPUT_OBJECT, false);
        CHECK(same(&good, &again));
    }
}

TEST(kinds_are_not_confused)
{
    for (size_t i = 0; i < kind_count; i++) {
        made one = compile(kinds[i].kind, kinds[i].merge);
        CHECK_INT(one.count, kinds[i].count);
        CHECK_INT(one.lookup_hits, 0);
    }
    kiln_session *session = session_create(CACHE, NULL);
    kiln_library *library = load_spec(session, project());
    CHECK(!was_hit(library));
    CHECK_INT(call_int(library, "b"), 2);
    kiln_library_close(library);
    kiln_session_destroy(session);
}

static bool has_changed;

/* When the first unit is done, the header that both include changes. */
static void change_between(const kiln_event *event, void *user_data)
{
    if (event->kind == KILN_EVENT_UNIT_FINISHED && !has_changed)
        write_file(scratch("value.h"), "#define VALUE 7000\n");
    has_changed |= event->kind == KILN_EVENT_UNIT_FINISHED;
    if (event->kind == KILN_EVENT_LOOKUP_MISS)
        ++*(unsigned *)user_data;
}

TEST(header_that_changes_between_two_units)
{
    unsigned misses = 0;
    kiln_spec *spec = project();
    kiln_session_options options = session_options(CACHE, NULL);
    options.jobs = 1;
    options.event_callback = change_between;
    options.event_user_data = &misses;
    kiln_session *session = session_create_with(&options);
    kiln_compile_options compile_options = {.size = sizeof compile_options,
                                            .kind = KILN_OUTPUT_ASSEMBLY};
    kiln_outputs *outputs;
    kiln_error *error;
    CHECK_STATUS(kiln_compile(session, spec, &compile_options, &outputs, &error), KILN_OK, &error);
    for (size_t i = 0; i < 2; i++) {
        kiln_output output = {.size = sizeof output};
        CHECK_STATUS(kiln_outputs_get(outputs, i, &output), KILN_OK, NULL);
        CHECK_CONTAINS(text_of("%.*s", (int)output.size_bytes, (const char *)output.bytes),
                       i == 0 ? "$7000" : "$7001");
    }
    CHECK_INT(misses, 1);
    kiln_outputs_destroy(outputs);
    kiln_session_destroy(session);

    session = session_create(CACHE, NULL);
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    CHECK_STATUS(kiln_cache_statistics_read(session, &statistics, NULL), KILN_OK, NULL);
    CHECK_INT(statistics.misses, 1);
    CHECK_STATUS(kiln_compile(session, spec, &compile_options, &outputs, &error), KILN_OK, &error);
    kiln_outputs_destroy(outputs);
    kiln_session_destroy(session);
    session = session_create(CACHE, NULL);
    CHECK_STATUS(kiln_cache_statistics_read(session, &statistics, NULL), KILN_OK, NULL);
    CHECK_INT(statistics.hits, 1);
    kiln_session_destroy(session);
    kiln_spec_destroy(spec);
}
