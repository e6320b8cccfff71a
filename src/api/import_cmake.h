/* import_cmake.h - what CMake tells of a build tree's targets, by its File API (codemodel version
 * 2).
 *
 * CMake writes it where a query file asked for it before it ran:
 * BUILD/.cmake/api/v1/query/codemodel-v2. It knows what a database of commands does not: kinds of
 * targets, what they link and depend on. Reads only; any thread. */
#ifndef KILN_API_IMPORT_CMAKE_H
#define KILN_API_IMPORT_CMAKE_H

#include <json-c/json.h>

#include "base/error.h"
#include "base/text.h"

/* Read a JSON file. *value is freed with json_object_put. Errors (they name file and line):
 * NOT_FOUND, SPEC, IO, NO_MEMORY. */
kiln_status import_json_read(const char *path, json_object **value, kiln_error **error);
/* A member of an object that is a string without NUL bytes; NULL where there is none. It lives as
 * long as the object. */
const char *import_json_string(json_object *object, const char *key);

typedef enum cmake_kind {
    CMAKE_OTHER, /* utilities, interfaces: nothing to load */
    CMAKE_PROGRAM,
    CMAKE_STATIC,
    CMAKE_SHARED,
    CMAKE_MODULE,
    CMAKE_OBJECTS
} cmake_kind;

/* For messages: "static library". */
const char *cmake_kind_text(cmake_kind kind);

typedef struct cmake_target {
    char *name, *id;
    cmake_kind kind;
    char *directory;          /* of its build, absolute */
    string_list artifacts;    /* the files it makes, absolute */
    string_list dependencies; /* ids */
    string_list link_words;   /* of its link: libraries and where they are */
} cmake_target;

typedef struct cmake_model {
    char *file;            /* the codemodel's, for messages */
    char *build_directory; /* absolute */
    cmake_target *targets;
    size_t count, capacity;
} cmake_model;

/* The newest model of a build tree; *model is NULL where CMake was not asked for one. Of several
 * configurations the first. Errors: SPEC, NOT_FOUND, IO, NO_MEMORY. */
kiln_status cmake_model_read(const char *build_directory, cmake_model **model, kiln_error **error);
void cmake_model_destroy(cmake_model *model);

const cmake_target *cmake_model_find(const cmake_model *model, const char *name);

/* What one library is made of that stands for a target. */
typedef struct cmake_parts {
    string_list
        targets; /* names: the target, then the project's libraries that it links, each once */
    string_list arguments; /* for the link: -l, -L, -pthread, run paths */
    string_list
        files; /* archives, objects and shared libraries from outside the project, absolute */
} cmake_parts;

/* Gather them. Errors: NO_MEMORY, NOT_FOUND (a file that the target links does not exist), SPEC. */
kiln_status cmake_model_gather(const cmake_model *model, const cmake_target *target,
                               cmake_parts *parts, kiln_error **error);
void cmake_parts_destroy(cmake_parts *parts);

#endif
