/* command_cache.c - `kiln cache`: look at the cache, check it, make it smaller.
 *
 * One table of actions; each prints what it did. All the care - locks, entries in use - is libkiln's. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli_session.h"
#include "command.h"
#include "command_line.h"
#include "json_text.h"
#include "message.h"

#define DEFAULT_MAX_BYTES (5ull << 30)
#define DEFAULT_MAX_AGE_SECONDS (30ull * 86400)

static int show_statistics(kiln_session *session, const cli_options *options)
{
    kiln_cache_statistics statistics = {.size = sizeof statistics};
    kiln_error *error = NULL;
    char size[UNIT_TEXT_CAPACITY];
    if (kiln_cache_statistics_read(session, &statistics, &error) != KILN_OK)
        return message_report(error), CLI_FAILURE;
    if (options->json) {
        struct json_object *object = own(json_object_new_object());
        json_set(object, "directory", json_text(kiln_session_cache_directory(session)));
        json_set(object, "entries", json_object_new_int64((int64_t)statistics.entry_count));
        json_set(object, "bytes", json_object_new_int64((int64_t)statistics.total_bytes));
        json_set(object, "in_use", json_object_new_int64((int64_t)statistics.in_use_count));
        json_set(object, "hits", json_object_new_int64((int64_t)statistics.hits));
        json_set(object, "misses", json_object_new_int64((int64_t)statistics.misses));
        json_print(object);
        return CLI_OK;
    }
    printf("directory  %s\n", kiln_session_cache_directory(session));
    printf("entries    %llu\n", (unsigned long long)statistics.entry_count);
    printf("size       %s\n", format_size(statistics.total_bytes, size));
    printf("in use     %llu\n", (unsigned long long)statistics.in_use_count);
    printf("hits       %llu\n", (unsigned long long)statistics.hits);
    printf("misses     %llu\n", (unsigned long long)statistics.misses);
    return CLI_OK;
}

static void format_time(int64_t unix_seconds, char *buffer, size_t capacity)
{
    time_t seconds = (time_t)unix_seconds;
    struct tm parts;
    if (localtime_r(&seconds, &parts) == NULL || strftime(buffer, capacity, "%F %T", &parts) == 0)
        snprintf(buffer, capacity, "unknown");
}

static bool print_entry(const kiln_cache_entry *entry, void *unused)
{
    char size[UNIT_TEXT_CAPACITY];
    char last_used[64];
    (void)unused;
    format_time(entry->last_used_unix, last_used, sizeof last_used);
    printf("%s  %10s  %-6s  %.16s  %s%s\n", last_used, format_size(entry->total_bytes, size),
           entry->kind, entry->key, entry->name, entry->in_use ? "  (in use)" : "");
    return true;
}

static bool collect_entry(const kiln_cache_entry *entry, void *array)
{
    struct json_object *object = own(json_object_new_object());
    json_set(object, "name", json_text(entry->name));
    json_set(object, "kind", json_text(entry->kind));
    json_set(object, "key", json_text(entry->key));
    json_set(object, "bytes", json_object_new_int64((int64_t)entry->total_bytes));
    json_set(object, "last_used_unix", json_object_new_int64(entry->last_used_unix));
    json_set(object, "in_use", json_object_new_boolean(entry->in_use));
    json_object_array_add(array, object);
    return true;
}

static int list(kiln_session *session, const cli_options *options)
{
    kiln_error *error = NULL;
    struct json_object *array = options->json ? own(json_object_new_array()) : NULL;
    kiln_status status =
        kiln_cache_list(session, options->json ? collect_entry : print_entry, array, &error);
    if (status != KILN_OK) {
        json_object_put(array);
        message_report(error);
        return CLI_FAILURE;
    }
    if (!options->json)
        return CLI_OK;
    struct json_object *object = own(json_object_new_object());
    json_set(object, "directory", json_text(kiln_session_cache_directory(session)));
    json_set(object, "entries", array);
    json_print(object);
    return CLI_OK;
}

static int verify(kiln_session *session, const cli_options *options)
{
    uint64_t checked = 0, removed = 0;
    kiln_error *error = NULL;
    (void)options;
    if (kiln_cache_verify(session, &checked, &removed, &error) != KILN_OK)
        return message_report(error), CLI_FAILURE;
    printf("checked %llu entries, removed %llu that were damaged\n", (unsigned long long)checked,
           (unsigned long long)removed);
    return removed == 0 ? CLI_OK : CLI_NO;
}

static int collect(kiln_session *session, const cli_options *options)
{
    uint64_t removed = 0, freed = 0;
    uint64_t max_bytes = options->has_max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
    uint64_t max_age = options->has_max_age ? options->max_age_seconds : DEFAULT_MAX_AGE_SECONDS;
    kiln_error *error = NULL;
    char size[UNIT_TEXT_CAPACITY];
    if (kiln_cache_collect(session, max_bytes, max_age, &removed, &freed, &error) != KILN_OK)
        return message_report(error), CLI_FAILURE;
    printf("removed %llu entries, %s\n", (unsigned long long)removed, format_size(freed, size));
    return CLI_OK;
}

static int clear(kiln_session *session, const cli_options *options)
{
    uint64_t removed = 0;
    kiln_error *error = NULL;
    (void)options;
    if (kiln_cache_clear(session, &removed, &error) != KILN_OK)
        return message_report(error), CLI_FAILURE;
    printf("removed %llu entries\n", (unsigned long long)removed);
    return CLI_OK;
}

static const struct action {
    const char *name;
    int (*run)(kiln_session *, const cli_options *);
} actions[] = {
    {"stats", show_statistics}, {"list", list}, {"verify", verify}, {"gc", collect},
    {"clear", clear},
};

static const struct action *find_action(const cli_options *options)
{
    if (options->words.count != 1) {
        message_error("'kiln cache' takes one of stats, list, verify, gc and clear");
        return NULL;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(options->words.items[0], actions[i].name) == 0)
            return &actions[i];
    }
    message_error("'kiln cache' takes one of stats, list, verify, gc and clear, not '%s'",
                  options->words.items[0]);
    return NULL;
}

static int run(const cli_options *options)
{
    int code = CLI_FAILURE;
    const struct action *action = find_action(options);
    kiln_session *session = action != NULL ? cli_session_open(options) : NULL;
    if (session == NULL)
        return CLI_FAILURE;
    if (kiln_session_cache_directory(session) == NULL)
        message_failure(
            KILN_NOT_FOUND,
            "there is no cache: KILN_NO_CACHE is set, or no directory for it can be had");
    else
        code = action->run(session, options);
    kiln_session_destroy(session);
    return code;
}

const cli_command command_cache = {
    .name = "cache",
    .summary = "look at the cache, check it, make it smaller",
    .synopsis = "stats|list|verify|gc|clear [option ...]",
    .description =
        "stats   how many entries and bytes there are, hits and misses so far\n"
        "list    every entry, most recently used first\n"
        "verify  check every entry against its digest and remove damaged ones; exits 1 if there "
        "were any\n"
        "gc      remove what is old, then the least recently used until the rest is small enough\n"
        "clear   remove everything (gc takes no limit of 0)\n"
        "What a running process has loaded stays. The cache is in $KILN_CACHE_DIR, else "
        "$XDG_CACHE_HOME/kiln,\n"
        "else ~/.cache/kiln. A SIZE is a number with K, M, G or T; a TIME one with s, m, h or d.\n",
    .examples = "  kiln cache stats\n"
                "  kiln cache gc --max-size 500M --max-age 7d\n"
                "  kiln cache list --json\n",
    .option_groups = OPTIONS_COMMON | OPTIONS_JSON | OPTIONS_COLLECT,
    .run = run,
};
