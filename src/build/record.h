/* record.h - what the cache knows of a build: for one key, several results, each with every input
 * that led to it.
 *
 * A record is one flat buffer, so that a warm load reads it with one read and checks it where it
 * lies:
 *
 *     record_header | result | result | ...      newest first, at most record_max_results
 *     result: result_header | directories | inputs | payload | strings
 *
 * Inputs stand by directory. Integers are native: a cache belongs to one machine's architecture
 * (the schema's version and the processor's kind are part of every key). A buffer is untrusted
 * until record_open has accepted it; after that no offset in it leads outside. Checking writes into
 * the buffer (a touched but unchanged file gets its new identity); the caller publishes it again
 * where record_check says so. One thread at a time. */
#ifndef KILN_BUILD_RECORD_H
#define KILN_BUILD_RECORD_H

#include "base/text.h"
#include "build/inputs.h"

enum { record_max_results = 8, record_image_id_size = 40 };

/* What a result leads to. */
typedef struct record_payload {
    digest content; /* of the image or object, which also names its file */
    os_identity content_identity;
    uint8_t boot[os_boot_id_size]; /* the run of the system in which the content was written; zero:
                                      it has reached the disk since */
    uint64_t content_size;
    char image_id[record_image_id_size]; /* "" of an object */
    uint32_t unit_count, symbol_count;
    uint32_t needs_cxx;
    uint32_t name_size;         /* the library's or source's name, without NUL */
    uint32_t diagnostics_size;  /* a packed DiagnosticList; 0 if there was none */
    uint32_t host_symbols_size; /* the names of host symbols that the image refers to, each with its
                                   NUL */
} record_payload;

/* A payload with its variable parts. Of one that was read, pointers lead into the record's buffer.
 */
typedef struct record_entry {
    record_payload fixed;
    const char *name;
    const uint8_t *diagnostics;
    const char *host_symbols;
} record_entry;

typedef struct record {
    uint8_t *bytes; /* owned: malloc'd or mapped */
    size_t size;
    bool mapped;
    uint32_t result_count;
    size_t offsets[record_max_results];
} record;

/* Take over malloc'd bytes. false (bytes are freed) if they are no record of this schema, or a
 * damaged one. */
bool record_open(record *record, uint8_t *bytes, size_t size);
/* The same for a file, which is mapped: new memory costs more than all else that reading does. Like
 * an image, it must not be cut short while it is in use; the cache replaces files, it never writes
 * into them. */
bool record_open_fd(record *record, int fd, size_t size);
void record_destroy(record *record);

typedef struct record_check_options {
    bool trust_system; /* of system files only the directory is looked at: see docs/cache.md */
    string_list
        *differences; /* NULL: the first one ends the check; else the paths of all are added */
} record_check_options;

typedef struct record_check_report {
    bool refreshed; /* the buffer has changed: publish it */
    char *mismatch; /* malloc'd: what differs ("'/x/y.h' has changed"), of a result that does not
                       hold */
} record_check_report;

/* Whether every input of result `index` is as it was. */
bool record_check(record *record, uint32_t index, const record_check_options *options,
                  record_check_report *report);

record_entry record_result(const record *record, uint32_t index);
size_t record_input_count(const record *record, uint32_t index);
/* Set the identity of the content of result `index`, after its digest was checked, or it was
 * flushed. */
void record_set_identity(record *record, uint32_t index, const os_identity *identity, bool flushed);
/* Say whose record it is; whether it is that one's. */
void record_set_key(record *record, const digest *key);
bool record_has_key(const record *record, const digest *key);
/* Finish changes in the buffer: its checksum. */
void record_seal(record *record);

/* Add the inputs of a result to a set. false when out of memory. */
bool record_add_inputs(const record *record, uint32_t index, input_set *set);

/* Make the record that holds a new result before those of `old` (may be NULL), the oldest beyond
 * the maximum being dropped. `inputs` must be sorted. not_before_ns: a time, by os_clock_file_ns,
 * before anything was read; files changed since then are marked as too fresh to trust. *changed:
 * malloc'd, an input that is no longer as the build saw it, and nothing is made. false when out of
 * memory, or changed. */
bool record_make(record *made, const record *old, const input_set *inputs,
                 const record_entry *entry, int64_t not_before_ns, char **changed);

#endif
