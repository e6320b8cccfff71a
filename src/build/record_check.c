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

/* From so many names on, opening their directory costs less than resolving its path for each. */
enum { worth_opening = 3 };

typedef struct checker {
    result_view view;
    const record_check_options *options;
    int64_t trusted_before_ns;
    record_check_report *report;
} checker;

static bool differs(checker *checker, const result_directory *directory, const result_input *item,
                    const char *how)
{
    checker->report->mismatch =
        text_print("'%s/%s' %s", checker->view.strings + directory->path_offset,
                   checker->view.strings + item->name_offset, how);
    return false;
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
    checker->report->mismatch =
        text_print("%s", "the time, which __DATE__ or __TIME__ uses, has changed");
    return false;
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

/* The inputs of one directory, names resolved against `at`; prefix: what stands before each name.
 */
static bool check_names(checker *checker, result_directory *directory, int at, const char *prefix,
                        bool absences_hold, bool files_hold)
{
    char path[4096 + 256];
    size_t prefix_length = strlen(prefix);
    memcpy(path, prefix, prefix_length);
    for (uint32_t i = 0; i < directory->input_count; i++) {
        result_input *item = &checker->view.inputs[directory->first_input + i];
        const char *name = checker->view.strings + item->name_offset;
        if (item->state == INPUT_PROCESSOR) {
            digest processor = key_processor();
            if (!digest_equal(&processor, &item->content))
                return differs(checker, directory, item, "is another one");
            continue;
        }
        if (item->state == INPUT_CLOCK) {
            if (!check_clock(checker, item))
                return false;
            continue;
        }
        bool known = item->state == INPUT_ABSENT ? absences_hold : files_hold;
        if (known && item->state != INPUT_LISTED && !(item->state == INPUT_ABSENT && item->fresh))
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
        bool holds = item->state == INPUT_ABSENT ? check_absence(checker, directory, item, at, name)
                     : item->state == INPUT_EXISTS
                         ? check_existence(checker, directory, item, at, name)
                         : check_file(checker, directory, item, at, name);
        if (!holds)
            return false;
    }
    return true;
}

static bool check_directory(checker *checker, result_directory *directory)
{
    const char *path = checker->view.strings + directory->path_offset;
    bool system = checker->options->trust_system && directory->flags & DIRECTORY_SYSTEM;
    bool look = system || directory->flags & (DIRECTORY_HAS_ABSENCES | DIRECTORY_ABSENT);
    os_kind kind = OS_DIRECTORY;
    os_identity identity = {0};
    char prefix[4096];
    size_t length = strlen(path);
    if (length + 2 > sizeof prefix)
        return false;
    memcpy(prefix, path, length);
    memcpy(prefix + length, "/", 2);

    int at = -1;
    if (directory->input_count >= worth_opening && directory->flags & DIRECTORY_HAS_FILES)
        at = os_open_directory(AT_FDCWD, prefix);
    if (look) {
        int failed = at >= 0 ? os_identify_fd(at, &kind, &identity)
                             : os_identify(AT_FDCWD, prefix, &kind, &identity);
        if (failed)
            kind = OS_ABSENT;
    }
    bool same = look && kind != OS_ABSENT &&
                !(directory->flags & (DIRECTORY_FRESH | DIRECTORY_ABSENT)) &&
                os_identity_equal(&identity, &directory->identity);
    bool still_absent = look && kind == OS_ABSENT && directory->flags & DIRECTORY_ABSENT;
    bool holds = check_names(checker, directory, at >= 0 ? at : AT_FDCWD, at >= 0 ? "" : prefix,
                             same || still_absent, same && system);
    if (at >= 0)
        close(at);
    /* The names were looked up one by one after the directory was looked at: from now on it speaks
     * for them. */
    if (holds && look && !same && !still_absent && is_trusted(checker, &identity)) {
        directory->identity = identity;
        directory->flags &= ~(uint32_t)(DIRECTORY_FRESH | DIRECTORY_ABSENT);
        if (kind == OS_ABSENT)
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
    for (uint32_t i = 0; i < checker.view.header->directory_count; i++)
        if (!check_directory(&checker, &checker.view.directories[i]))
            return false;
    return true;
}
