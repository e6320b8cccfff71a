/* key.h - what names a build.
 *
 * A key is the digest of its ingredients: everything that can change the output and is known
 * without looking at a disk or asking the compiler. Each ingredient has a label, so that `kiln why`
 * can tell which one changed; one that is a list has its words too, for the telling alone. What is
 * on disk is not in the key but among the inputs of the key's record.
 *
 * Words are borrowed: what the key was made of must outlive the ingredients. */
#ifndef KILN_BUILD_KEY_H
#define KILN_BUILD_KEY_H

#include "base/digest.h"
#include "base/text.h"
#include "build/spec.h"
#include "build/units.h"

typedef struct ingredient {
    char *label; /* of a list: what one of its words is called ("argument"); "" of what follows from
                    others and is not told */
    digest value;
    const char **words; /* of a list, in order; NULL of anything else */
    size_t word_count;
} ingredient;

typedef struct ingredients {
    ingredient *items;
    size_t count, capacity;
    bool failed; /* out of memory: no key can be had */
} ingredients;

/* What a key needs beside the spec. */
typedef struct key_context {
    const digest *compiler; /* its identity */
    const string_list *environment;
    const string_list *inherited;      /* public arguments of dependencies, in order */
    const string_list *dependency_ids; /* "NAME ID" of each dependency's image */
    const kiln_spec *const *providers; /* dependencies, whose memory headers are seen */
    size_t provider_count;
    const string_list *package_arguments; /* of a unit: what packages came to; else NULL */
    uint32_t output;                      /* wire.proto's OutputKind */
    uint32_t codegen_units;
    unsigned lending_number; /* of a library */
    bool merge;
    unsigned hot; /* build.h's hot_mode */
} key_context;

/* The ingredients of a whole library, or of one unit of it. */
void key_of_library(const kiln_spec *spec, const unit_list *units, const key_context *context,
                    ingredients *list);
void key_of_unit(const kiln_spec *spec, const unit *unit, const string_list *extra_arguments,
                 const key_context *context, ingredients *list);

/* What the processor can do. */
digest key_processor(void);

digest ingredients_digest(const ingredients *list);
void ingredients_destroy(ingredients *list);

/* In key_reasons.c: as text, to be stored; and what differs from such a text: malloc'd, a sentence a
 * line, "" where nothing does. A text that another version wrote tells nothing, and that is said.
 */
char *ingredients_print(const ingredients *list);
char *ingredients_compare(const ingredients *list, const char *printed);

#endif
