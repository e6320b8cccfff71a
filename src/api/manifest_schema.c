/* manifest_schema.c - the tables of the manifest's keys, and the check of a text against them: see
 * manifest_schema.h.
 *
 * The check follows libyaml's events along the tables. It holds one frame a level of the schema and
 * stops at the first event that the schema has no place for, so neither depth nor aliases can make
 * it grow; aliases are refused altogether, since a manifest has nothing that is worth the trouble
 * of bounding their expansion. */
#include "api/manifest_schema.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"

/* ---- the tables ---- */

#define STRINGS(key, type, member, flags)                                                          \
    CYAML_FIELD_SEQUENCE_COUNT(key, (flags) | CYAML_FLAG_POINTER, type, member.items,              \
                               member.count, &string_entry, 0, manifest_max_entries)
#define MAPPINGS(key, type, member, count, entry, flags, max)                                      \
    CYAML_FIELD_SEQUENCE_COUNT(key, (flags) | CYAML_FLAG_POINTER, type, member, count, entry, 0,   \
                               max)
#define STRING(key, type, member, flags, least)                                                    \
    CYAML_FIELD_STRING_PTR(key, flags, type, member, least, CYAML_UNLIMITED)

static const cyaml_schema_value_t string_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t public_fields[] = {
    STRINGS("include", manifest_arguments, include, CYAML_FLAG_OPTIONAL),
    STRINGS("define", manifest_arguments, define, CYAML_FLAG_OPTIONAL),
    STRINGS("arguments", manifest_arguments, arguments, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t group_fields[] = {
    STRINGS("sources", manifest_group, sources, CYAML_FLAG_DEFAULT),
    STRINGS("arguments", manifest_group, arguments, CYAML_FLAG_DEFAULT),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t memory_source_fields[] = {
    STRING("path", manifest_memory_file, path, CYAML_FLAG_DEFAULT, 1),
    STRING("text", manifest_memory_file, text, CYAML_FLAG_DEFAULT, 0),
    STRINGS("arguments", manifest_memory_file, arguments, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t memory_header_fields[] = {
    STRING("path", manifest_memory_file, path, CYAML_FLAG_DEFAULT, 1),
    STRING("text", manifest_memory_file, text, CYAML_FLAG_DEFAULT, 0),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t group_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, manifest_group, group_fields),
};
static const cyaml_schema_value_t memory_source_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, manifest_memory_file, memory_source_fields),
};
static const cyaml_schema_value_t memory_header_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, manifest_memory_file, memory_header_fields),
};

/* An enumeration, since libcyaml's booleans take any word for true. */
static const cyaml_strval_t bool_words[] = {{"false", MANIFEST_FALSE}, {"true", MANIFEST_TRUE}};

static const cyaml_schema_field_t library_fields[] = {
    STRING("name", manifest_library, name, CYAML_FLAG_DEFAULT, 1),
    STRING("directory", manifest_library, directory, CYAML_FLAG_OPTIONAL, 1),
    STRING("language", manifest_library, language, CYAML_FLAG_OPTIONAL, 1),
    CYAML_FIELD_ENUM("force_language", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, manifest_library,
                     force_language, bool_words, 2),
    STRING("standard", manifest_library, standard, CYAML_FLAG_OPTIONAL, 1),
    STRINGS("sources", manifest_library, sources, CYAML_FLAG_OPTIONAL),
    STRINGS("include", manifest_library, private_arguments.include, CYAML_FLAG_OPTIONAL),
    STRINGS("define", manifest_library, private_arguments.define, CYAML_FLAG_OPTIONAL),
    STRINGS("arguments", manifest_library, private_arguments.arguments, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_MAPPING("public", CYAML_FLAG_OPTIONAL, manifest_library, public_arguments,
                        public_fields),
    MAPPINGS("groups", manifest_library, groups, group_count, &group_entry, CYAML_FLAG_OPTIONAL,
             manifest_max_entries),
    MAPPINGS("memory_sources", manifest_library, memory_sources, memory_source_count,
             &memory_source_entry, CYAML_FLAG_OPTIONAL, manifest_max_entries),
    MAPPINGS("memory_headers", manifest_library, memory_headers, memory_header_count,
             &memory_header_entry, CYAML_FLAG_OPTIONAL, manifest_max_entries),
    STRINGS("dependencies", manifest_library, dependencies, CYAML_FLAG_OPTIONAL),
    STRINGS("packages", manifest_library, packages, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t library_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, manifest_library, library_fields),
};

static const cyaml_schema_field_t file_fields[] = {
    MAPPINGS("libraries", manifest_file, libraries, library_count, &library_entry,
             CYAML_FLAG_DEFAULT, manifest_max_libraries),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t manifest_schema_library = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, manifest_library, library_fields),
};

const cyaml_schema_value_t manifest_schema_file = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, manifest_file, file_fields),
};

/* ---- the walk ---- */

/* One level of the document that is being read. */
typedef struct frame {
    const cyaml_schema_value_t *schema; /* a mapping or a sequence */
    const cyaml_schema_field_t *field;  /* of a mapping: the key at hand, NULL between entries */
    uint32_t seen;                      /* of a mapping: a bit for each of its fields */
    uint32_t count;                     /* of a sequence: entries begun */
    size_t line;                        /* where it starts */
} frame;

enum { max_depth = 8 }; /* of the schema, with room to grow */

typedef struct walk {
    const char *text;
    size_t size;
    const char *origin;
    const cyaml_schema_value_t *schema;
    const char *target; /* manifest_line: the field that is looked for; else NULL */
    size_t target_line, target_match;
    frame frames[max_depth];
    size_t depth;
    kiln_error **error;
} walk;

/* Where the walk stands: "libraries[1].sources[0]", or "" at the top. */
static void add_position(const walk *w, text *words)
{
    for (size_t i = 0; i < w->depth; i++) {
        const frame *f = &w->frames[i];
        if (f->schema->type == CYAML_SEQUENCE && f->count > 0)
            text_format(words, "[%u]", f->count - 1);
        else if (f->field)
            text_format(words, "%s%s", i > 0 ? "." : "", f->field->key);
    }
}

__attribute__((format(printf, 3, 4))) static kiln_status wrong(const walk *w, size_t line,
                                                               const char *format, ...)
{
    text position = {0}, words = {0};
    kiln_status status;
    va_list arguments;
    va_start(arguments, format);
    text_vformat(&words, format, arguments);
    va_end(arguments);
    add_position(w, &position);
    if (position.failed || words.failed)
        status = error_no_memory(w->error);
    else
        status =
            error_set(w->error, KILN_SPEC, KILN_PHASE_SPEC, "%s:%zu: %s%s%s", w->origin, line,
                      text_string(&position), position.length ? ": " : "", text_string(&words));
    text_destroy(&position);
    text_destroy(&words);
    return status;
}

/* Remember the line of the longest field so far that the target lies in. */
static kiln_status note_target(walk *w, size_t line)
{
    text position = {0};
    add_position(w, &position);
    if (position.failed) {
        text_destroy(&position);
        return KILN_NO_MEMORY;
    }
    size_t length = position.length;
    char after = length <= strlen(w->target) ? w->target[length] : 'x';
    bool around = (after == '\0' || after == '.' || after == '[' || length == 0) &&
                  strncmp(w->target, text_string(&position), length) == 0;
    if (around && (length > w->target_match || w->target_line == 0)) {
        w->target_match = length;
        w->target_line = line;
    }
    text_destroy(&position);
    return KILN_OK;
}

/* ---- what messages say ---- */

static const char *describe(const cyaml_schema_value_t *schema)
{
    switch (schema->type) {
    case CYAML_MAPPING:
        return "a mapping";
    case CYAML_SEQUENCE:
        return schema->sequence.entry->type == CYAML_STRING ? "a sequence of strings"
                                                            : "a sequence of mappings";
    case CYAML_ENUM:
        return "true or false";
    default:
        assert(schema->type == CYAML_STRING);
        return "a string";
    }
}

/* Say what was expected and what stands there; for a lone word where a sequence belongs, how to
 * write it. */
static kiln_status wrong_type(const walk *w, const cyaml_schema_value_t *schema,
                              const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    const char *expected = describe(schema);
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return wrong(w, line, "expected %s, found a sequence", expected);
    if (event->type == YAML_MAPPING_START_EVENT)
        return wrong(w, line, "expected %s, found a mapping", expected);
    const char *value = (const char *)event->data.scalar.value;
    if (event->data.scalar.length == 0)
        return wrong(w, line, "expected %s, found nothing", expected);
    bool listable = schema->type == CYAML_SEQUENCE && strlen(value) <= 60;
    return wrong(w, line, "expected %s, found '%.60s'%s%s%s", expected, value,
                 listable ? "; write [" : "", listable ? value : "", listable ? "]" : "");
}

/* Insertions, deletions and replacements from one word to the other; words longer than 31 count as
 * unlike. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[32], length = strlen(b);
    if (strlen(a) > 31 || length > 31)
        return SIZE_MAX;
    for (size_t k = 0; k <= length; k++)
        row[k] = k;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= length; k++) {
            size_t cost = diagonal + (a[i - 1] != b[k - 1]);
            diagonal = row[k];
            if (row[k] + 1 < cost)
                cost = row[k] + 1;
            if (row[k - 1] + 1 < cost)
                cost = row[k - 1] + 1;
            row[k] = cost;
        }
    }
    return row[length];
}

static kiln_status unknown_key(const walk *w, const cyaml_schema_field_t *fields, const char *key,
                               size_t line)
{
    text known = {0};
    const char *nearest = NULL;
    size_t least = 3; /* two slips still look like the word that was meant */
    for (const cyaml_schema_field_t *f = fields; f->key; f++) {
        size_t distance = edit_distance(key, f->key);
        if (distance < least) {
            least = distance;
            nearest = f->key;
        }
        text_format(&known, "%s%s", f == fields ? "" : ", ", f->key);
    }
    kiln_status status = known.failed
                             ? error_no_memory(w->error)
                             : wrong(w, line, "unknown key '%.60s'%s%s%s; known here: %s", key,
                                     nearest ? ", did you mean '" : "", nearest ? nearest : "",
                                     nearest ? "'?" : "", text_string(&known));
    text_destroy(&known);
    return status;
}

/* ---- one event ---- */

/* A key: one of the mapping's, and for the first time. */
static kiln_status check_key(walk *w, frame *f, const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    if (event->type != YAML_SCALAR_EVENT)
        return wrong(w, line, "expected a key, found %s",
                     event->type == YAML_MAPPING_START_EVENT ? "a mapping" : "a sequence");
    const cyaml_schema_field_t *fields = f->schema->mapping.fields;
    const char *key = (const char *)event->data.scalar.value;
    for (size_t i = 0; fields[i].key; i++) {
        assert(i < 32);
        /* By length too: a key with a NUL in it is none of ours. */
        if (strcmp(fields[i].key, key) != 0 || strlen(key) != event->data.scalar.length)
            continue;
        f->field = &fields[i];
        if (f->seen & (UINT32_C(1) << i))
            return wrong(w, line, "the key is there twice");
        f->seen |= UINT32_C(1) << i;
        return KILN_OK;
    }
    return unknown_key(w, fields, key, line);
}

/* A word, in the place of whatever the schema has there. */
static kiln_status check_scalar(walk *w, const cyaml_schema_value_t *schema,
                                const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    const char *value = (const char *)event->data.scalar.value;
    if (schema->type == CYAML_ENUM) {
        for (uint32_t i = 0; i < schema->enumeration.count; i++)
            if (strcmp(value, schema->enumeration.strings[i].str) == 0)
                return KILN_OK;
        return wrong_type(w, schema, event);
    }
    if (schema->type != CYAML_STRING)
        return wrong_type(w, schema, event);
    /* libcyaml would cut it off there. */
    if (strlen(value) != event->data.scalar.length)
        return wrong(w, line, "the string holds a NUL byte");
    if (event->data.scalar.length < schema->string.min)
        return wrong(w, line, "the string is empty");
    return KILN_OK;
}

/* A value has begun: is it of the schema's type? Opens a frame for a mapping or a sequence. */
static kiln_status check_value(walk *w, const cyaml_schema_value_t *schema,
                               const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return check_scalar(w, schema, event);
    cyaml_type_e found = event->type == YAML_MAPPING_START_EVENT ? CYAML_MAPPING : CYAML_SEQUENCE;
    if (schema->type != found)
        return wrong_type(w, schema, event);
    assert(w->depth < max_depth);
    w->frames[w->depth++] = (frame){.schema = schema, .line = event->start_mark.line + 1};
    return KILN_OK;
}

/* A key, an entry or a value begins: which of them it is, the innermost frame knows. */
static kiln_status check_node(walk *w, const yaml_event_t *event)
{
    if (w->depth == 0)
        return check_value(w, w->schema, event);
    frame *f = &w->frames[w->depth - 1];
    kiln_status status = KILN_OK;
    if (f->schema->type == CYAML_MAPPING && !f->field) {
        status = check_key(w, f, event);
        if (status == KILN_OK && w->target)
            status = note_target(w, event->start_mark.line + 1);
        return status;
    }
    if (f->schema->type == CYAML_SEQUENCE) {
        size_t line = event->start_mark.line + 1;
        if (f->count == f->schema->sequence.max) {
            f->count = 0; /* the message is about the sequence */
            return wrong(w, line, "more than %u entries", f->schema->sequence.max);
        }
        f->count++;
        status = w->target ? note_target(w, line) : KILN_OK;
        return status ? status : check_value(w, f->schema->sequence.entry, event);
    }
    status = check_value(w, &f->field->value, event);
    /* A mapping or sequence as the value keeps the key until it ends. */
    if (status == KILN_OK && event->type == YAML_SCALAR_EVENT)
        f->field = NULL;
    return status;
}

/* A mapping or a sequence ends. */
static kiln_status check_end(walk *w)
{
    frame *f = &w->frames[w->depth - 1];
    if (f->schema->type == CYAML_MAPPING)
        for (size_t i = 0; f->schema->mapping.fields[i].key; i++) {
            const cyaml_schema_field_t *field = &f->schema->mapping.fields[i];
            if (!(field->value.flags & CYAML_FLAG_OPTIONAL) && !(f->seen & (UINT32_C(1) << i)))
                return wrong(w, f->line, "the key '%s' is missing", field->key);
        }
    w->depth--;
    if (w->depth > 0 && w->frames[w->depth - 1].schema->type == CYAML_MAPPING)
        w->frames[w->depth - 1].field = NULL;
    return KILN_OK;
}

static kiln_status check_event(walk *w, const yaml_event_t *event, size_t *documents)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        if (w->depth > 0 && w->frames[w->depth - 1].schema->type == CYAML_SEQUENCE)
            w->frames[w->depth - 1].count++;
        return wrong(w, event->start_mark.line + 1,
                     "aliases (*%.60s) are not supported; write the value out",
                     (const char *)event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return check_node(w, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return check_end(w);
    case YAML_DOCUMENT_START_EVENT:
        /* libcyaml would pass over it in silence. */
        if (++*documents > 1)
            return wrong(w, event->start_mark.line + 1, "a second document starts here");
        return KILN_OK;
    default:
        return KILN_OK;
    }
}

/* ---- the whole text ---- */

static size_t line_of_offset(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static kiln_status wrong_syntax(const walk *w, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_no_memory(w->error);
    size_t line = parser->problem_mark.line + 1;
    /* The reader knows only an offset, which libyaml's look-ahead keeps within the text. */
    if (parser->error == YAML_READER_ERROR)
        line = line_of_offset(w->text,
                              parser->problem_offset < w->size ? parser->problem_offset : w->size);
    if (!parser->context)
        return error_set(w->error, KILN_SPEC, KILN_PHASE_SPEC, "%s:%zu: %s", w->origin, line,
                         parser->problem);
    return error_set(w->error, KILN_SPEC, KILN_PHASE_SPEC, "%s:%zu: %s (%s from line %zu)",
                     w->origin, line, parser->problem, parser->context,
                     parser->context_mark.line + 1);
}

static kiln_status walk_text(walk *w)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_no_memory(w->error);
    yaml_parser_set_input_string(&parser, (const unsigned char *)w->text, w->size);
    kiln_status status = KILN_OK;
    size_t documents = 0;
    bool ended = false;
    while (status == KILN_OK && !ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = wrong_syntax(w, &parser);
            break;
        }
        status = check_event(w, &event, &documents);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (status == KILN_OK && documents == 0)
        return error_set(w->error, KILN_SPEC, KILN_PHASE_SPEC, "%s: the text is empty", w->origin);
    return status;
}

kiln_status manifest_check(const char *text, size_t size, const char *origin,
                           const cyaml_schema_value_t *schema, kiln_error **error)
{
    if (size > manifest_max_bytes)
        return error_set(error, KILN_SPEC, KILN_PHASE_SPEC, "%s: larger than %d MiB", origin,
                         manifest_max_bytes >> 20);
    walk w = {.text = text, .size = size, .origin = origin, .schema = schema, .error = error};
    return walk_text(&w);
}

size_t manifest_line(const char *text, size_t size, const cyaml_schema_value_t *schema,
                     const char *field)
{
    walk w = {.text = text, .size = size, .origin = "", .schema = schema, .target = field};
    return walk_text(&w) == KILN_OK ? w.target_line : 0;
}
