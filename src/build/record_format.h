/* record_format.h - the layout of records on disk: see record.h. For the files record_*.c alone. */
#ifndef KILN_BUILD_RECORD_FORMAT_H
#define KILN_BUILD_RECORD_FORMAT_H

#include "build/record.h"

/* Changes with every change of this layout or of what keys are made of. */
enum { record_schema = 6 };

static const char record_magic[8] = {'K', 'I', 'L', 'N', 'R', 'E', 'C', '\n'};

typedef struct record_header {
    char magic[8];
    uint32_t schema;
    uint32_t result_count;
    digest key;        /* whose record it is */
    uint64_t size;     /* of the whole record */
    uint64_t checksum; /* XXH3-64 of all that follows, seeded with that of the key */
} record_header;

/* All sizes are multiples of 8, so that every part is aligned. */
typedef struct result_header {
    uint32_t size; /* of the result, this header included */
    uint32_t directory_count;
    uint32_t input_count;
    uint32_t payload_size;
    uint32_t strings_size; /* the last byte is NUL */
    uint32_t reserved;
} result_header;

enum {
    DIRECTORY_ABSENT = 1,       /* it was not there: nor was anything in it */
    DIRECTORY_HAS_ABSENCES = 2, /* some inputs are names that were not in it */
    DIRECTORY_FRESH = 4,        /* changed too recently for its identity to tell anything */
    DIRECTORY_SYSTEM = 8        /* the package manager's: below /usr, /lib and their kind */
};

typedef struct result_directory {
    os_identity identity;
    uint32_t path_offset;
    uint32_t first_input;
    uint32_t input_count;
    uint32_t flags;
    /* Of one that was not there: 1 + the number of an earlier directory, which the first missing part of its path
     * would be in; 0: that one is not recorded. */
    uint32_t missing_from;
    /* Of a system directory: 1 + the number of an earlier one, which is the same by another path (/lib is /usr/lib,
     * and compilers name theirs by way of `..`); 0: there is none. Only who trusts the system takes its word. */
    uint32_t same_as;
} result_directory;

typedef struct result_input {
    os_identity identity;
    digest content;
    uint32_t name_offset;
    uint16_t state; /* input_state */
    /* Changed too recently for its identity to tell anything; of an absence or existence: its
     * directory's does not. */
    uint8_t fresh;
    uint8_t exact; /* the time of its last change went into the result */
} result_input;

/* The parts of one result. */
typedef struct result_view {
    result_header *header;
    result_directory *directories;
    result_input *inputs;
    uint8_t *payload;
    char *strings;
} result_view;

result_view record_view(const record *record, uint32_t index);

#endif
