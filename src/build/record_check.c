/* record_check.c - whether the inputs of a result are as they were.
 *
 * This is the warm path: a few hundred system calls decide what a load costs. Names are resolved
 * against a descriptor of their directory where several share it; absences cost one look at their
 * directory as long as that has not changed. A file whose identity differs, or is too fresh to
 * trust, is judged by its digest. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/key.h"
#include "build/record_format.h"

/* From so many names on, opening their directory costs less than resolving its path for each (3.5
 * us against 0.1 us a component and name). */
enum { worth_opening = 12 };

typedef struct checker {
    result_view view;
    const record_check_options *options;
    int64_t trusted_before_ns;
    record_check_report *report;
    bool *same;  /* of each directory so far: its names are as they were; NULL: out of memory */
    bool differ; /* something does, and the check has gone on */
} checker;

/* Whether the check goes on: it does where all differences are asked for. */
static bool differs(checker *checker, const result_directory *directory, const result_input *item,
                    const char *how)
{
    const char *path = checker->view.strings + directory->path_offset;
    const char *name = checker->view.strings + item->name_offset;
    string_list *all = checker->options->differences;
    if (!checker->report->mismatch)
        checker->report->mismatch = text_print("'%s/%s' %s", path, name, how);
    checker->differ |= all != NULL;
    return all && string_list_take(all, text_print("%s/%s", path, name));
}

static bool is_trusted(const checker *checker, const os_identity *identity)
{
    return identity->mtime_ns < checker->trusted_before_ns &&
           identity->ctime_ns < checker->trusted_before_ns;
}

static bool content_is_same(int at, const char *name, const result_input *item)
{
    uint8_t *bytes;
    size_t size;
    if (digest_is_zero(&item->content) || os_read_file(at, name, &bytes, &size))
        return false;
    digest content = digest_of(bytes, size);
    free(bytes);
    return digest_equal(&content, &item->content);
}

static bool check_file(checker *checker, const result_directory *directory, result_input *item,
                       int at, const char *name)
{
    os_kind kind;
    os_identity identity;
    if (os_identify(at, name, &kind, &identity) || kind == OS_ABSENT)
        return differs(checker, directory, item, "is gone");
    bool same = os_identity_equal(&identity, &item->identity);
    if (same && !item->fresh)
        return true;
    if (item->exact && identity.mtime_ns != item->identity.mtime_ns)
        return differs(checker, directory, item,
                       "has another time of change, which __TIMESTAMP__ uses");
    if (item->state == INPUT_LISTED)
        return (same && !item->fresh) || differs(checker, directory, item, "lists other files");
    if (kind != OS_FILE || !content_is_same(at, name, item))
        return differs(checker, directory, item, "has changed");
    item->identity = identity;
    item->fresh = !is_trusted(checker, &identity);
    checker->report->refreshed |= !item->fresh;
    return true;
}

static bool check_absence(checker *checker, const result_directory *directory,
                          const result_input *item, int at, const char *name)
{
    os_kind kind;
    os_identity identity;
    if (os_identify(at, name, &kind, &identity) == 0 && kind == OS_ABSENT)
        return true;
    return differs(checker, directory, item, "has appeared");
}

/* The clock: its interval stands where a file's times do. */
static bool check_clock(checker *checker, const result_input *item)
{
    int64_t now = os_clock_file_ns();
    if (now >= item->identity.ctime_ns && now < item->identity.mtime_ns)
        return true;
    if (!checker->report->mismatch)
        checker->report->mismatch =
            text_print("%s", "the time, which __DATE__ or __TIME__ uses, has changed");
    checker->differ = true;
    return checker->options->differences != NULL;
}

static bool check_existence(checker *checker, const result_directory *directory,
                            const result_input *item, int at, const char *name)
{
    os_kind kind;
    os_identity identity;
    if (os_identify(at, name, &kind, &identity) == 0 && kind != OS_ABSENT)
        return true;
    return differs(checker, directory, item, "is gone");
}

static bool check_processor(checker *checker, const result_directory *directory,
                            const result_input *item)
{
    digest processor = key_processor();
    return digest_equal(&processor, &item->content) ||
           differs(checker, directory, item, "is another one");
}

static bool check_input(checker *checker, const result_directory *directory, result_input *item,
                        int at, const char *name)
{
    switch (item->state) {
    case INPUT_PROCESSOR:
        return check_processor(checker, directory, item);
    case INPUT_CLOCK:
        return check_clock(checker, item);
    case INPUT_ABSENT:
        return check_absence(checker, directory, item, at, name);
    case INPUT_EXISTS:
        return check_existence(checker, directory, item, at, name);
    default:
        return check_file(checker, directory, item, at, name);
    }
}

static bool is_system(const checker *checker, const result_directory *directory)
{
    return checker->options->trust_system && directory->flags & DIRECTORY_SYSTEM;
}

/* What a look at a directory itself told. */
typedef struct directory_look {
    bool looked, looked_itself, same, still_absent;
    os_kind kind;
    os_identity identity;
} directory_look;

static directory_look look_at(const checker *checker, const result_directory *directory,
                              const char *path)
{
    directory_look look = {.looked =
                               is_system(checker, directory) ||
                               directory->flags & (DIRECTORY_HAS_ABSENCES | DIRECTORY_ABSENT)};
    if (!look.looked)
        return look;
    if (directory->missing_from && checker->same && checker->same[directory->missing_from - 1]) {
        look.kind = OS_ABSENT;
        look.still_absent = true;
        return look;
    }
    if (is_system(checker, directory) && directory->same_as && checker->same &&
        checker->same[directory->same_as - 1]) {
        look.kind = OS_DIRECTORY;
        look.same = true;
        return look;
    }
    look.looked_itself = true;
    if (os_identify(AT_FDCWD, path, &look.kind, &look.identity))
        look.kind = OS_ABSENT;
    if (look.kind == OS_ABSENT)
        look.still_absent = directory->flags & DIRECTORY_ABSENT;
    else
        look.same = !(directory->flags & (DIRECTORY_FRESH | DIRECTORY_ABSENT)) &&
                    os_identity_equal(&look.identity, &directory->identity);
    return look;
}

/* Whether the look at the directory told all about this one of its names. */
static bool is_known(const checker *checker, const result_directory *directory,
                     const directory_look *look, const result_input *item)
{
    switch (item->state) {
    case INPUT_ABSENT:
        return (look->same || look->still_absent) && !item->fresh;
    case INPUT_EXISTS: /* nothing was removed or renamed */
        return look->same && !item->fresh;
    case INPUT_READ:
        return look->same && is_system(checker, directory);
    default:
        return false;
    }
}

/* The names of one directory, resolved against `at`; prefix: what stands before each name. */
static bool check_names(checker *checker, result_directory *directory, const directory_look *look,
                        int at, const char *prefix)
{
    char path[4096 + 256];
    size_t prefix_length = strlen(prefix);
    memcpy(path, prefix, prefix_length);
    for (uint32_t i = 0; i < directory->input_count; i++) {
        result_input *item = &checker->view.inputs[directory->first_input + i];
        const char *name = checker->view.strings + item->name_offset;
        if (is_known(checker, directory, look, item))
            continue;
        size_t length = strlen(name);
        if (prefix_length + length >= sizeof path)
            return differs(checker, directory, item, "has too long a path");
        if (prefix_length) {
            memcpy(path + prefix_length, name, length + 1);
            name = path;
        } else if (length == 0) {
            name = "/"; /* the root directory itself */
        }
        if (!check_input(checker, directory, item, at, name))
            return false;
    }
    return true;
}

static size_t count_unknown(const checker *checker, const result_directory *directory,
                            const directory_look *look)
{
    size_t count = 0;
    for (uint32_t i = 0; i < directory->input_count; i++)
        count +=
            !is_known(checker, directory, look, &checker->view.inputs[directory->first_input + i]);
    return count;
}

static bool check_directory(checker *checker, result_directory *directory)
{
    const char *path = checker->view.strings + directory->path_offset;
    char prefix[4096];
    size_t length = strlen(path);
    if (length + 2 > sizeof prefix)
        return false;
    memcpy(prefix, path, length);
    memcpy(prefix + length, "/", 2);

    directory_look look = look_at(checker, directory, prefix);
    if (checker->same)
        checker->same[directory - checker->view.directories] = look.same;
    /* What spoke for it has changed, and is going to be taken as it is now: it speaks no longer. */
    if (directory->missing_from && look.looked_itself)
        directory->missing_from = 0;
    size_t unknown = count_unknown(checker, directory, &look);
    int at = unknown >= worth_opening ? os_open_directory(AT_FDCWD, prefix) : -1;
    bool holds = unknown == 0 || check_names(checker, directory, &look, at >= 0 ? at : AT_FDCWD,
                                             at >= 0 ? "" : prefix);
    if (at >= 0)
        close(at);
    /* The names were looked up one by one after the directory was looked at: from now on it speaks
     * for them. */
    if (holds && !checker->differ && look.looked && !look.same && !look.still_absent &&
        is_trusted(checker, &look.identity)) {
        directory->identity = look.identity;
        directory->flags &= ~(uint32_t)(DIRECTORY_FRESH | DIRECTORY_ABSENT);
        directory->missing_from = directory->same_as = 0;
        if (look.kind == OS_ABSENT)
            directory->flags |= DIRECTORY_ABSENT;
        checker->report->refreshed = true;
    }
    return holds;
}

bool record_check(record *record, uint32_t index, const record_check_options *options,
                  record_check_report *report)
{
    *report = (record_check_report){0};
    checker checker = {.view = record_view(record, index),
                       .options = options,
                       .trusted_before_ns = os_clock_file_ns() - os_clock_tick_ns(),
                       .report = report};
    uint32_t count = checker.view.header->directory_count, held = 0;
    checker.same = calloc(count + 1, sizeof *checker.same);
    while (held < count && check_directory(&checker, &checker.view.directories[held]))
        held++;
    free(checker.same);
    return held == count && !checker.differ;
}
