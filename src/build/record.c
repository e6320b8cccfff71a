/* record.c - reading and making records: see record.h; the checking of inputs stands in
 * record_check.c. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "build/record.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "build/record_format.h"

static size_t round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static uint64_t checksum(const uint8_t *bytes, size_t size)
{
    uint64_t seed = XXH3_64bits(bytes + offsetof(record_header, key), sizeof(digest));
    return XXH3_64bits_withSeed(bytes + sizeof(record_header), size - sizeof(record_header), seed);
}

static result_view view_at(uint8_t *at)
{
    result_view view;
    view.header = (result_header *)at;
    at += sizeof(result_header);
    view.directories = (result_directory *)at;
    at += sizeof(result_directory) * view.header->directory_count;
    view.inputs = (result_input *)at;
    at += sizeof(result_input) * view.header->input_count;
    view.payload = at;
    at += view.header->payload_size;
    view.strings = (char *)at;
    return view;
}

result_view record_view(const record *record, uint32_t index)
{
    assert(index < record->result_count);
    return view_at(record->bytes + record->offsets[index]);
}

/* ---- reading ---- */

static bool payload_is_valid(const uint8_t *bytes, size_t size)
{
    record_payload fixed;
    if (size < sizeof fixed)
        return false;
    memcpy(&fixed, bytes, sizeof fixed);
    uint64_t variable =
        (uint64_t)fixed.name_size + 1 + fixed.diagnostics_size + fixed.host_symbols_size;
    if (variable > size - sizeof fixed || fixed.image_id[record_image_id_size - 1] != '\0')
        return false;
    const uint8_t *name = bytes + sizeof fixed;
    const uint8_t *symbols = name + fixed.name_size + 1 + fixed.diagnostics_size;
    return name[fixed.name_size] == '\0' &&
           (fixed.host_symbols_size == 0 || symbols[fixed.host_symbols_size - 1] == '\0');
}

static bool result_is_valid(const uint8_t *bytes, size_t available)
{
    result_header header;
    if (available < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    uint64_t size = sizeof header + (uint64_t)header.directory_count * sizeof(result_directory) +
                    (uint64_t)header.input_count * sizeof(result_input) + header.payload_size +
                    header.strings_size;
    if (size != header.size || header.size > available || header.size % 8 != 0 ||
        header.payload_size % 8 != 0 || header.strings_size == 0 || bytes[header.size - 1] != 0)
        return false;
    const result_directory *directories = (const result_directory *)(bytes + sizeof header);
    const result_input *inputs = (const result_input *)(directories + header.directory_count);
    for (uint32_t i = 0; i < header.directory_count; i++) {
        const result_directory *directory = &directories[i];
        if (directory->path_offset >= header.strings_size ||
            directory->first_input > header.input_count ||
            directory->input_count > header.input_count - directory->first_input ||
            directory->missing_from > i || directory->same_as > i)
            return false;
    }
    for (uint32_t i = 0; i < header.input_count; i++)
        if (inputs[i].name_offset >= header.strings_size || inputs[i].state >= INPUT_STATE_COUNT)
            return false;
    return payload_is_valid((const uint8_t *)(inputs + header.input_count), header.payload_size);
}

static bool record_is_valid(record *record)
{
    record_header header;
    if (record->size < sizeof header || record->size % 8 != 0)
        return false;
    memcpy(&header, record->bytes, sizeof header);
    if (memcmp(header.magic, record_magic, sizeof header.magic) != 0 ||
        header.schema != record_schema || header.size != record->size ||
        header.result_count > record_max_results ||
        header.checksum != checksum(record->bytes, record->size))
        return false;
    size_t offset = sizeof header;
    for (uint32_t i = 0; i < header.result_count; i++) {
        if (!result_is_valid(record->bytes + offset, record->size - offset))
            return false;
        record->offsets[i] = offset;
        offset += ((const result_header *)(record->bytes + offset))->size;
    }
    record->result_count = header.result_count;
    return offset == record->size;
}

static bool accept(record *record)
{
    if (record_is_valid(record))
        return true;
    record_destroy(record);
    return false;
}

bool record_open(record *record, uint8_t *bytes, size_t size)
{
    *record = (struct record){.bytes = bytes, .size = size};
    return accept(record);
}

bool record_open_fd(record *record, int fd, size_t size)
{
    *record = (struct record){.size = size, .mapped = true};
    return size > 0 && os_map_copy(fd, size, &record->bytes) == 0 && accept(record);
}

void record_destroy(record *record)
{
    if (record->mapped)
        os_unmap(record->bytes, record->size);
    else
        free(record->bytes);
    *record = (struct record){0};
}

record_entry record_result(const record *record, uint32_t index)
{
    result_view view = record_view(record, index);
    record_entry entry;
    memcpy(&entry.fixed, view.payload, sizeof entry.fixed);
    entry.name = (const char *)view.payload + sizeof entry.fixed;
    entry.diagnostics = (const uint8_t *)entry.name + entry.fixed.name_size + 1;
    entry.host_symbols = (const char *)entry.diagnostics + entry.fixed.diagnostics_size;
    return entry;
}

size_t record_input_count(const record *record, uint32_t index)
{
    return record_view(record, index).header->input_count;
}

void record_set_identity(record *record, uint32_t index, const os_identity *identity, bool flushed)
{
    record_payload *payload = (record_payload *)record_view(record, index).payload;
    payload->content_identity = *identity;
    os_boot_id(payload->boot);
    if (flushed)
        memset(payload->boot, 0, sizeof payload->boot);
}

void record_set_key(record *record, const digest *key)
{
    record_header *header = (record_header *)record->bytes;
    header->key = *key;
    record_seal(record);
}

bool record_has_key(const record *record, const digest *key)
{
    return digest_equal(&((const record_header *)record->bytes)->key, key);
}

void record_seal(record *record)
{
    ((record_header *)record->bytes)->checksum = checksum(record->bytes, record->size);
}

bool record_add_inputs(const record *record, uint32_t index, input_set *set)
{
    result_view view = record_view(record, index);
    bool done = true;
    for (uint32_t i = 0; done && i < view.header->directory_count; i++) {
        const result_directory *directory = &view.directories[i];
        for (uint32_t k = 0; done && k < directory->input_count; k++) {
            const result_input *item = &view.inputs[directory->first_input + k];
            char *path = text_print("%s/%s", view.strings + directory->path_offset,
                                    view.strings + item->name_offset);
            done = path && input_set_add(set, path, strlen(path), (input_state)item->state,
                                         &item->identity, &item->content);
            if (done && item->exact)
                done =
                    input_set_add(set, path, strlen(path), INPUT_TIMESTAMP, &item->identity, NULL);
            free(path);
        }
    }
    return done;
}

/* ---- making ---- */

typedef struct maker {
    result_directory *directories;
    size_t directory_count, directory_capacity;
    result_input *inputs;
    text strings;
    int64_t trusted_before_ns; /* what changed later may change again without showing */
    char *changed;
} maker;

static uint32_t add_string(maker *maker, const char *string, size_t length)
{
    size_t offset = maker->strings.length;
    text_add(&maker->strings, string, length);
    text_add(&maker->strings, "", 1);
    return (uint32_t)offset;
}

static bool is_fresh(const maker *maker, const os_identity *identity)
{
    return identity->mtime_ns >= maker->trusted_before_ns ||
           identity->ctime_ns >= maker->trusted_before_ns;
}

/* The number of the recorded directory that the first missing part of an absent path would be in,
 * plus 1; 0 where there is none that could tell. */
static uint32_t find_missing_from(maker *maker, const char *path)
{
    char *cut = strdup(path), *slash;
    uint32_t found = 0;
    os_kind kind = OS_ABSENT;
    os_identity identity;
    while (cut && kind == OS_ABSENT && (slash = strrchr(cut, '/')) && slash > cut &&
           os_look_at_name(cut) != OS_NAME_LINK) {
        *slash = '\0';
        if (os_identify(AT_FDCWD, cut, &kind, &identity))
            break;
    }
    for (size_t i = maker->directory_count; kind == OS_DIRECTORY && !found && i-- > 0;) {
        result_directory *directory = &maker->directories[i];
        if (strcmp(maker->strings.bytes + directory->path_offset, cut) != 0)
            continue;
        directory->flags |= DIRECTORY_HAS_ABSENCES;
        found = (uint32_t)i + 1;
    }
    free(cut);
    return found;
}

/* What belongs to the package manager, which replaces files by renaming. */
static bool is_system(const char *path)
{
    static const char *const roots[] = {"/usr/", "/lib/", "/lib32/", "/lib64/", "/libx32/"};
    if (strncmp(path, "/usr/local/", strlen("/usr/local/")) == 0)
        return false;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        size_t length = strlen(roots[i]);
        bool is_root = strncmp(path, roots[i], length - 1) == 0 && !path[length - 1];
        if (is_root || strncmp(path, roots[i], length) == 0)
            return true;
    }
    return false;
}

/* 1 + the number of an earlier system directory that is the same one; 0 where there is none. */
static uint32_t find_same(const maker *maker, const result_directory *directory)
{
    const unsigned silent = DIRECTORY_FRESH | DIRECTORY_ABSENT;
    for (const result_directory *other = maker->directories; other < directory; other++) {
        bool speaks = other->flags & DIRECTORY_SYSTEM && !(other->flags & silent);
        if (speaks && os_identity_equal(&other->identity, &directory->identity))
            return (uint32_t)(other - maker->directories) + 1;
    }
    return 0;
}

/* An absence is recorded by its directory's identity, which is sound only if the directory is
 * looked at first and the name is still missing afterwards. */
static bool begin_directory(maker *maker, const char *path, size_t length, uint32_t first_input)
{
    result_directory *directory = array_add((void **)&maker->directories, &maker->directory_count,
                                            &maker->directory_capacity, sizeof *directory);
    if (!directory)
        return false;
    directory->first_input = first_input;
    directory->path_offset = add_string(maker, path, length);
    if (maker->strings.failed)
        return false;
    const char *name = length ? maker->strings.bytes + directory->path_offset : "/";
    os_kind kind = OS_ABSENT;
    if (os_identify(AT_FDCWD, name, &kind, &directory->identity) || kind == OS_ABSENT) {
        directory->flags |= DIRECTORY_ABSENT;
        directory->missing_from = find_missing_from(maker, name);
    } else if (is_fresh(maker, &directory->identity)) {
        directory->flags |= DIRECTORY_FRESH;
    }
    if (is_system(name)) {
        directory->flags |= DIRECTORY_SYSTEM;
        if (!(directory->flags & (DIRECTORY_FRESH | DIRECTORY_ABSENT)))
            directory->same_as = find_same(maker, directory);
    }
    return true;
}

static bool is_dangling(const char *path)
{
    os_kind kind;
    os_identity identity;
    return os_identify(AT_FDCWD, path, &kind, &identity) == 0 && kind == OS_ABSENT;
}

static bool add_input(maker *maker, const input *from, uint32_t index, const char *name)
{
    result_directory *directory = &maker->directories[maker->directory_count - 1];
    result_input *item = &maker->inputs[index];
    item->state = (uint16_t)from->state;
    item->identity = from->identity;
    item->content = from->content;
    item->fresh = (from->state == INPUT_READ || from->state == INPUT_LISTED) &&
                  is_fresh(maker, &from->identity);
    item->exact = from->exact;
    item->name_offset = add_string(maker, name, strlen(name));
    directory->input_count++;
    if (from->state != INPUT_ABSENT && from->state != INPUT_EXISTS)
        return true;
    /* What a link leads to may come and go without a change of the directory that has the link. */
    os_name found = os_look_at_name(from->path);
    item->fresh = found == OS_NAME_LINK;
    if (from->state == INPUT_EXISTS)
        return true;
    directory->flags |= DIRECTORY_HAS_ABSENCES;
    if (found == OS_NAME_ABSENT || (found == OS_NAME_LINK && is_dangling(from->path)))
        return true;
    maker->changed = strdup(from->path);
    return false;
}

static bool add_inputs(maker *maker, const input_set *inputs)
{
    const char *last = NULL;
    size_t last_length = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        const input *item = &inputs->items[i];
        const char *slash = strrchr(item->path, '/');
        size_t length = (size_t)(slash - item->path);
        if (!last || length != last_length || memcmp(last, item->path, length) != 0) {
            if (!begin_directory(maker, item->path, length, (uint32_t)i))
                return false;
            last = item->path;
            last_length = length;
        }
        if (!add_input(maker, item, (uint32_t)i, slash + 1))
            return false;
    }
    return true;
}

static void add_aligned(text *to, const void *bytes, size_t size)
{
    static const char zeros[8];
    text_add(to, bytes, size);
    text_add(to, zeros, round_up(to->length) - to->length);
}

static void add_result(text *to, const maker *maker, size_t input_count, const record_entry *entry)
{
    size_t variable =
        entry->fixed.name_size + 1 + entry->fixed.diagnostics_size + entry->fixed.host_symbols_size;
    result_header header = {
        .directory_count = (uint32_t)maker->directory_count,
        .input_count = (uint32_t)input_count,
        .payload_size = (uint32_t)round_up(sizeof entry->fixed + variable),
        .strings_size = (uint32_t)round_up(maker->strings.length + 1),
    };
    size_t directories_size = maker->directory_count * sizeof(result_directory);
    size_t inputs_size = input_count * sizeof(result_input);
    header.size = (uint32_t)(sizeof header + directories_size + inputs_size + header.payload_size +
                             header.strings_size);
    text_add(to, &header, sizeof header);
    text_add(to, maker->directories, directories_size);
    text_add(to, maker->inputs, inputs_size);
    record_payload fixed = entry->fixed;
    os_boot_id(fixed.boot);
    text_add(to, &fixed, sizeof fixed);
    text_add(to, entry->name, entry->fixed.name_size);
    text_add(to, "", 1);
    text_add(to, entry->diagnostics, entry->fixed.diagnostics_size);
    add_aligned(to, entry->host_symbols, entry->fixed.host_symbols_size);
    text_add(to, text_string(&maker->strings), maker->strings.length);
    add_aligned(to, "", 1);
}

/* Whether two results have the same inputs, as far as these decide: with other identities alone, the
 * one holds where the other does. The layout follows from the inputs, which are sorted. */
static bool has_same_inputs(const result_view *a, const result_view *b)
{
    if (a->header->directory_count != b->header->directory_count ||
        a->header->input_count != b->header->input_count ||
        a->header->strings_size != b->header->strings_size ||
        memcmp(a->strings, b->strings, a->header->strings_size) != 0)
        return false;
    for (uint32_t i = 0; i < a->header->directory_count; i++)
        if (a->directories[i].path_offset != b->directories[i].path_offset ||
            a->directories[i].input_count != b->directories[i].input_count)
            return false;
    for (uint32_t i = 0; i < a->header->input_count; i++) {
        const result_input *left = &a->inputs[i], *right = &b->inputs[i];
        bool timed = left->exact || left->state == INPUT_LISTED || left->state == INPUT_CLOCK ||
                     (left->state == INPUT_READ && digest_is_zero(&left->content));
        if (left->name_offset != right->name_offset || left->state != right->state ||
            left->exact != right->exact || !digest_equal(&left->content, &right->content) ||
            (timed && !os_identity_equal(&left->identity, &right->identity)))
            return false;
    }
    return true;
}

static bool assemble(record *made, const record *old, const maker *maker, size_t input_count,
                     const record_entry *entry)
{
    text bytes = {0};
    record_header header = {.schema = record_schema, .result_count = 1};
    memcpy(header.magic, record_magic, sizeof header.magic);
    text_add(&bytes, &header, sizeof header);
    add_result(&bytes, maker, input_count, entry);
    for (uint32_t i = 0; old && !bytes.failed && i < old->result_count; i++) {
        if (header.result_count == record_max_results)
            break;
        result_view fresh = view_at((uint8_t *)bytes.bytes + sizeof header);
        result_view view = record_view(old, i);
        if (has_same_inputs(&fresh, &view))
            continue;
        text_add(&bytes, view.header, view.header->size);
        header.result_count++;
    }
    if (bytes.failed) {
        text_destroy(&bytes);
        return false;
    }
    header.size = bytes.length;
    header.checksum = checksum((uint8_t *)bytes.bytes, bytes.length);
    memcpy(bytes.bytes, &header, sizeof header);
    size_t size = bytes.length;
    return record_open(made, (uint8_t *)text_take(&bytes), size);
}

bool record_make(record *made, const record *old, const input_set *inputs,
                 const record_entry *entry, int64_t not_before_ns, char **changed)
{
    maker maker = {.trusted_before_ns = not_before_ns - os_clock_tick_ns()};
    bool done = false;
    *changed = NULL;
    if (inputs->changed) {
        *changed = strdup(inputs->changed);
        return false;
    }
    maker.inputs = calloc(inputs->count + 1, sizeof *maker.inputs);
    if (maker.inputs && add_inputs(&maker, inputs) && !maker.strings.failed)
        done = assemble(made, old, &maker, inputs->count, entry);
    *changed = maker.changed;
    free(maker.directories);
    free(maker.inputs);
    text_destroy(&maker.strings);
    return done;
}
