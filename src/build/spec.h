/* spec.h - what to build: the data behind kiln_spec.
 *
 * A spec is filled by the adders of kiln.h (api/spec_calls.c), copied when it is registered or
 * loaded, and read by the build. It holds no result of looking at a disk: patterns stay patterns.
 * One thread at a time; copies are independent. */
#ifndef KILN_BUILD_SPEC_H
#define KILN_BUILD_SPEC_H

#include "base/error.h"
#include "base/text.h"
#include "kiln.h"

/* What a file is, by its name. */
typedef enum input_kind {
    INPUT_UNKNOWN,
    INPUT_C,
    INPUT_CXX,
    INPUT_ASSEMBLY,     /* .s */
    INPUT_ASSEMBLY_CPP, /* .S */
    INPUT_IR,           /* .ll */
    INPUT_BITCODE,      /* .bc */
    INPUT_OBJECT,
    INPUT_ARCHIVE,
    INPUT_SHARED_LIBRARY
} input_kind;

input_kind input_kind_of(const char *path);
/* Goes to the linker as it is. */
bool input_kind_is_linked(input_kind kind);

typedef struct spec_source {
    char *path;     /* as it was given; of a memory source: below the virtual directory */
    uint8_t *bytes; /* of a memory source; NULL for a file */
    size_t size;
    string_list arguments;
} spec_source;

typedef struct spec_header {
    char *path;
    uint8_t *bytes;
    size_t size;
} spec_header;

typedef struct spec_argument {
    char *text;
    kiln_scope scope;
} spec_argument;

typedef struct spec_host_symbol {
    char *name;
    const void *address;
} spec_host_symbol;

struct kiln_spec {
    char *name;
    char *directory; /* absolute */
    char *language;  /* or NULL */
    bool force_language;
    char *standard; /* or NULL */
    spec_source *sources;
    size_t source_count, source_capacity;
    spec_header *headers;
    size_t header_count, header_capacity;
    spec_argument *arguments;
    size_t argument_count, argument_capacity;
    spec_host_symbol *host_symbols;
    size_t host_symbol_count, host_symbol_capacity;
    string_list dependencies;
    string_list packages;
    kiln_error *failure; /* the first that an adder met, or NULL */
};

/* The language that a source's own arguments give (-x), or NULL. */
const char *spec_source_language(const spec_source *source);
/* Add a source's own arguments, but for its language. */
bool spec_source_arguments(const spec_source *source, string_list *list);

/* The level that the last of its arguments asks for, as "-O2"; what no level of LLVM's back end stands
 * for is the nearest one. */
void spec_optimisation(const kiln_spec *spec, char level[4]);

kiln_spec *spec_copy(const kiln_spec *spec);

/* The failure that an adder met, as this call's error; OK if there is none. */
kiln_status spec_check(const kiln_spec *spec, kiln_error **error);

/* Add the arguments that dependents of the spec inherit. */
bool spec_public_arguments(const kiln_spec *spec, string_list *list);

#endif
