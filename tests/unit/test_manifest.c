/* test_manifest.c - manifests: what their keys become, how mistakes are reported, which files are
 * refused, and that the examples of docs/manifest.md are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/manifest.h"
#include "api/manifest_schema.h"
#include "base/text.h"
#include "build/spec.h"

/* ---- helpers ---- */

typedef struct specs {
    kiln_spec **items;
    size_t count;
} specs;

static specs parse(const char *text)
{
    specs made = {0};
    kiln_error *error = NULL;
    kiln_status status =
        manifest_parse(text, strlen(text), "kiln.yaml", "/base", &made.items, &made.count, &error);
    if (status != KILN_OK)
        print_error("%s\n", kiln_error_message(error));
    assert_int_equal(status, KILN_OK);
    return made;
}

static void forget(specs *s)
{
    manifest_specs_destroy(s->items, s->count);
}

/* The text is refused with this message, to the letter. */
static void refused_bytes(const char *text, size_t size, const char *message)
{
    kiln_spec **items = (kiln_spec **)-1;
    size_t count = 77;
    kiln_error *error = NULL;
    kiln_status status = manifest_parse(text, size, "kiln.yaml", "/base", &items, &count, &error);
    assert_true(status == KILN_SPEC || status == KILN_INVALID_ARGUMENT ||
                status == KILN_ALREADY_EXISTS);
    assert_int_equal(kiln_error_code(error), status);
    assert_int_equal(kiln_error_phase(error), KILN_PHASE_SPEC);
    assert_string_equal(kiln_error_message(error), message);
    assert_ptr_equal(items, (kiln_spec **)-1); /* outputs are untouched */
    assert_int_equal(count, 77);
    kiln_error_destroy(error);
}

static void refused(const char *text, const char *message)
{
    refused_bytes(text, strlen(text), message);
}

/* The same for a message of which only a part is ours to fix. */
static void refused_with(const char *text, size_t size, const char *part)
{
    kiln_spec **items;
    size_t count;
    kiln_error *error = NULL;
    assert_int_equal(manifest_parse(text, size, "kiln.yaml", "/base", &items, &count, &error),
                     KILN_SPEC);
    if (!strstr(kiln_error_message(error), part))
        fail_msg("'%s' is not in '%s'", part, kiln_error_message(error));
    kiln_error_destroy(error);
}

static void assert_arguments(const kiln_spec *spec, kiln_scope scope, const char *expected)
{
    text found = {0};
    for (size_t i = 0; i < spec->argument_count; i++)
        if (spec->arguments[i].scope == scope)
            text_format(&found, "%s%s", found.length ? " " : "", spec->arguments[i].text);
    assert_string_equal(text_string(&found), expected);
    text_destroy(&found);
}

static char *scratch;

static char *in_scratch(const char *name)
{
    char *path = text_print("%s/%s", scratch, name);
    assert_non_null(path);
    return path;
}

static void write_scratch(const char *name, const char *text)
{
    char *path = in_scratch(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
    free(path);
}

static int make_scratch(void **state)
{
    (void)state;
    char pattern[] = "/tmp/kiln-manifest-XXXXXX";
    if (!mkdtemp(pattern))
        return -1;
    scratch = realpath(pattern, NULL);
    return scratch ? chdir(scratch) : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    char *command = text_print("rm -rf '%s'", scratch);
    int status = chdir("/") == 0 && command ? system(command) : -1;
    free(command);
    free(scratch);
    return status;
}

/* ---- what keys become ---- */

static void test_every_key(void **state)
{
    (void)state;
    specs s = parse("libraries:\n"
                    "  - name: base\n"
                    "    sources: [base.c, 'src/**/*.c']\n"
                    "    arguments: [-O3, -lm]\n"
                    "    public:\n"
                    "      include: [include, /abs]\n"
                    "      define: [A=1]\n"
                    "      arguments: [-pthread]\n"
                    "  - name: engine\n"
                    "    directory: engine\n"
                    "    standard: c++20\n"
                    "    language: c++\n"
                    "    force_language: true\n"
                    "    sources:\n"
                    "      - main.cpp\n"
                    "    include: [inc]\n"
                    "    define: [X, 'Y=\"a b\"']\n"
                    "    groups:\n"
                    "      - sources: [simd.cpp, 'more/*.cpp']\n"
                    "        arguments: [-mavx2]\n"
                    "    memory_headers:\n"
                    "      - path: config.h\n"
                    "        text: |\n"
                    "          #define V 1\n"
                    "    memory_sources:\n"
                    "      - {path: gen.c, text: 'int f;', arguments: [-O0]}\n"
                    "      - {path: empty.c, text: ''}\n"
                    "    dependencies: [base]\n"
                    "    packages: ['zlib >= 1.2']\n");
    assert_int_equal(s.count, 2);
    const kiln_spec *base = s.items[0], *engine = s.items[1];

    assert_string_equal(base->name, "base");
    assert_string_equal(base->directory, "/base");
    assert_null(base->language);
    assert_false(base->force_language);
    assert_int_equal(base->source_count, 2);
    assert_string_equal(base->sources[1].path, "src/**/*.c");
    assert_arguments(base, KILN_PRIVATE, "-O3 -lm");
    assert_arguments(base, KILN_PUBLIC, "-I/base/include -I/abs -DA=1 -pthread");

    assert_string_equal(engine->directory, "/base/engine");
    assert_string_equal(engine->standard, "c++20");
    assert_string_equal(engine->language, "c++");
    assert_true(engine->force_language);
    assert_arguments(engine, KILN_PRIVATE, "-I/base/engine/inc -DX -DY=\"a b\"");
    assert_int_equal(engine->source_count, 5);
    assert_string_equal(engine->sources[2].path, "more/*.cpp");
    assert_string_equal(engine->sources[2].arguments.items[0], "-mavx2");
    assert_int_equal(engine->sources[0].arguments.count, 0);
    assert_string_equal((char *)engine->sources[3].bytes, "int f;");
    assert_string_equal(engine->sources[3].arguments.items[0], "-O0");
    assert_non_null(engine->sources[4].bytes);
    assert_int_equal(engine->sources[4].size, 0);
    assert_string_equal(engine->headers[0].path, "config.h");
    assert_int_equal(engine->headers[0].size, strlen("#define V 1\n"));
    assert_string_equal(engine->dependencies.items[0], "base");
    assert_string_equal(engine->packages.items[0], "zlib >= 1.2");
    forget(&s);
}

static void test_no_libraries(void **state)
{
    (void)state;
    specs s = parse("libraries: []\n");
    assert_int_equal(s.count, 0);
    forget(&s);
}

static void test_one_library_as_text(void **state)
{
    (void)state;
    static const char json[] =
        "{\"name\": \"a\", \"sources\": [\"a.c\"], \"arguments\": [\"-O3\"]}";
    kiln_spec *spec = NULL;
    kiln_error *error = NULL;
    assert_int_equal(manifest_parse_spec(json, strlen(json), "<text>", &spec, &error), KILN_OK);
    assert_string_equal(spec->name, "a");
    assert_string_equal(spec->directory, scratch); /* the current directory */
    kiln_spec_destroy(spec);

    static const char bad[] = "name: a\nsources: [a.c]\narguments:\n- -c\n";
    assert_int_equal(manifest_parse_spec(bad, strlen(bad), "<text>", &spec, &error), KILN_SPEC);
    assert_non_null(strstr(kiln_error_message(error), "<text>:3: arguments: "));
    kiln_error_destroy(error);
}

/* ---- mistakes ---- */

static const char known_keys[] = "name, directory, language, force_language, standard, sources, "
                                 "include, define, arguments, public, groups, memory_sources, "
                                 "memory_headers, dependencies, packages";

static void test_unknown_keys(void **state)
{
    (void)state;
    char *message = text_print("kiln.yaml:3: libraries[0]: unknown key 'sorces', did you mean "
                               "'sources'?; known here: %s",
                               known_keys);
    refused("libraries:\n- name: x\n  sorces: [a]\n", message);
    free(message);
    message =
        text_print("kiln.yaml:3: libraries[0]: unknown key 'zzzzzz'; known here: %s", known_keys);
    refused("libraries:\n- name: x\n  zzzzzz: [a]\n", message);
    free(message);
    refused("library: []\n", "kiln.yaml:1: unknown key 'library'; known here: libraries");
    refused("libraries:\n- name: x\n  public:\n    defines: [a]\n",
            "kiln.yaml:4: libraries[0].public: unknown key 'defines', did you mean 'define'?; "
            "known here: include, define, arguments");
    /* The longest words that are compared, and longer ones. */
    refused_with("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1", 34, "unknown key 'aaa");
    refused_with("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1", 35, "unknown key 'aaa");
    refused_bytes("\"libraries\\0\": []", strlen("\"libraries\\0\": []"),
                  "kiln.yaml:1: unknown key 'libraries', did you mean 'libraries'?; known here: "
                  "libraries");
}

static void test_types(void **state)
{
    (void)state;
    refused("libraries:\n- name: x\n  sources: a.c\n",
            "kiln.yaml:3: libraries[0].sources: expected a sequence of strings, found 'a.c'; "
            "write [a.c]");
    refused("libraries:\n- name: x\n  sources:\n",
            "kiln.yaml:3: libraries[0].sources: expected a sequence of strings, found nothing");
    refused("libraries:\n- name: x\n  sources: [a, [b]]\n",
            "kiln.yaml:3: libraries[0].sources[1]: expected a string, found a sequence");
    refused("libraries:\n  x: {sources: [a]}\n",
            "kiln.yaml:2: libraries: expected a sequence of mappings, found a mapping");
    refused("libraries:\n- name: x\n  groups: [a]\n",
            "kiln.yaml:3: libraries[0].groups[0]: expected a mapping, found 'a'");
    refused("libraries:\n- name: x\n  force_language: yes\n",
            "kiln.yaml:3: libraries[0].force_language: expected true or false, found 'yes'");
    refused("libraries:\n- name: [x]\n",
            "kiln.yaml:2: libraries[0].name: expected a string, found a sequence");
    refused("[libraries]\n", "kiln.yaml:1: expected a mapping, found a sequence");
    refused("libraries:\n- name: x\n  ? [a]\n  : b\n",
            "kiln.yaml:3: libraries[0]: expected a key, found a sequence");
    refused("--- \n", "kiln.yaml:2: expected a mapping, found nothing");
}

static void test_values(void **state)
{
    (void)state;
    refused("libraries:\n- sources: [a]\n", "kiln.yaml:2: libraries[0]: the key 'name' is missing");
    refused("a: 1\n", "kiln.yaml:1: unknown key 'a'; known here: libraries");
    refused("{}\n", "kiln.yaml:1: the key 'libraries' is missing");
    refused("libraries:\n- name: a\n  groups:\n  - sources: [x]\n",
            "kiln.yaml:4: libraries[0].groups[0]: the key 'arguments' is missing");
    refused("libraries:\n- name: a\n  standard: ''\n",
            "kiln.yaml:3: libraries[0].standard: the string is empty");
    refused("libraries:\n- name: a\n  sources: [b, '']\n",
            "kiln.yaml:3: libraries[0].sources[1]: the string is empty");
    refused("libraries:\n- name: \"a\\0b\"\n",
            "kiln.yaml:2: libraries[0].name: the string holds a NUL byte");
    refused("libraries:\n- name: a\n  force_language: true\n",
            "kiln.yaml:3: libraries[0].force_language: there is no 'language' to force");
}

static void test_duplicates(void **state)
{
    (void)state;
    refused("libraries:\n- name: a\n  standard: c17\n  name: b\n",
            "kiln.yaml:4: libraries[0].name: the key is there twice");
    refused("libraries:\n- name: x\n- name: y\n- sources: []\n  name: x\n",
            "kiln.yaml:5: libraries[2].name: libraries[0] has the same name, 'x'");
}

/* What the adders of kiln.h refuse is reported with the field, too. */
static void test_what_adders_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *start;
    } cases[] = {
        {"libraries:\n- sources: []\n  name: a b\n", "kiln.yaml:3: libraries[0].name: "},
        {"libraries:\n- name: a\n  arguments:\n  - -O2\n  - -o\n",
         "kiln.yaml:3: libraries[0].arguments: "},
        {"libraries:\n- name: a\n  public: {arguments: [-c]}\n",
         "kiln.yaml:3: libraries[0].public: "},
        {"libraries:\n- name: a\n  groups:\n  - sources: []\n    arguments: []\n  - {sources: [a], "
         "arguments: [-E]}\n",
         "kiln.yaml:6: libraries[0].groups[1]: "},
        {"libraries:\n- name: a\n  memory_headers:\n  - {path: ../a, text: b}\n",
         "kiln.yaml:4: libraries[0].memory_headers[0]: "},
        {"libraries:\n- name: a\n  memory_sources:\n  - {path: a.c, text: b}\n  - {path: a.c, "
         "text: "
         "b}\n",
         "kiln.yaml:5: libraries[0].memory_sources[1]: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        specs s = {0};
        kiln_error *error = NULL;
        assert_int_not_equal(manifest_parse(cases[i].text, strlen(cases[i].text), "kiln.yaml", "/",
                                            &s.items, &s.count, &error),
                             KILN_OK);
        if (strncmp(kiln_error_message(error), cases[i].start, strlen(cases[i].start)) != 0)
            fail_msg("'%s' does not begin with '%s'", kiln_error_message(error), cases[i].start);
        kiln_error_destroy(error);
    }
}

static void test_syntax(void **state)
{
    (void)state;
    refused("", "kiln.yaml: the text is empty");
    refused("# nothing\n", "kiln.yaml: the text is empty");
    refused("libraries: []\n---\nb: 1\n", "kiln.yaml:2: a second document starts here");
    refused_with("libraries: [\n", 13, "kiln.yaml:2: ");
    refused_with("libraries:\n\t- x", 15,
                 "kiln.yaml:2: found character that cannot start any token");
    refused_with("libraries:\n- name: 'a\n", 22, "from line 2)");
    refused_with("libraries:\n- name: \xff\n", 21, "kiln.yaml:2: invalid leading UTF-8 octet");
    refused_with("libraries:\n- name: a\0b\n", 23,
                 "kiln.yaml:2: control characters are not allowed");
}

/* ---- bounds ---- */

static void test_aliases(void **state)
{
    (void)state;
    refused(
        "libraries:\n- name: a\n  sources: &s [a]\n- name: b\n  sources: *s\n",
        "kiln.yaml:5: libraries[1].sources: aliases (*s) are not supported; write the value out");
    refused("a: &a [b]\n", "kiln.yaml:1: unknown key 'a'; known here: libraries");
    refused("libraries:\n- &l {name: a}\n- *l\n",
            "kiln.yaml:3: libraries[1]: aliases (*l) are not supported; write the value out");
    specs s = parse("libraries: &l\n- name: &n a\n"); /* an anchor alone does no harm */
    forget(&s);
}

/* Neither depth nor length costs more than the text. */
static void test_large_texts(void **state)
{
    (void)state;
    size_t size = 1 << 20;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, '[', size);
    refused_with(bytes, size, "expected a mapping");
    memset(bytes, 'a', size);
    refused_with(bytes, size, "expected a mapping");
    for (size_t i = 0; i + 2 <= size; i += 2)
        memcpy(bytes + i, "- ", 2);
    refused_with(bytes, size, "expected a mapping");
    free(bytes);

    bytes = calloc(1, manifest_max_bytes + 1);
    assert_non_null(bytes);
    refused_with(bytes, manifest_max_bytes + 1, "larger than 16 MiB");
    free(bytes);

    text many = {0};
    text_add_string(&many, "libraries:\n- name: a\n  sources:\n");
    for (unsigned i = 0; i < manifest_max_entries; i++)
        text_add_string(&many, "  - x\n");
    specs s = parse(text_string(&many));
    assert_int_equal(s.items[0]->source_count, manifest_max_entries);
    forget(&s);
    text_add_string(&many, "  - x\n");
    refused(text_string(&many), "kiln.yaml:16388: libraries[0].sources: more than 16384 entries");
    text_destroy(&many);
}

/* ---- files ---- */

static void test_read(void **state)
{
    (void)state;
    specs s = {0};
    kiln_error *error = NULL;
    assert_int_equal(mkdir("project", 0755), 0);
    write_scratch("project/kiln.yaml", "libraries:\n- name: a\n  sources: [a.c]\n");
    assert_int_equal(manifest_read("project/kiln.yaml", &s.items, &s.count, &error), KILN_OK);
    char *directory = in_scratch("project");
    assert_string_equal(s.items[0]->directory, directory);
    free(directory);
    forget(&s);

    write_scratch("bad.yaml", "libraries:\n- nam: a\n");
    assert_int_equal(manifest_read("bad.yaml", &s.items, &s.count, &error), KILN_SPEC);
    assert_non_null(strstr(kiln_error_message(error), "bad.yaml:2: libraries[0]: unknown key"));
    kiln_error_destroy(error);
    error = NULL;
    assert_int_equal(manifest_read("absent.yaml", &s.items, &s.count, &error), KILN_NOT_FOUND);
    assert_non_null(strstr(kiln_error_message(error), "absent.yaml': No such file or directory"));
    kiln_error_destroy(error);
    error = NULL;
    assert_int_equal(manifest_read("project", &s.items, &s.count, &error), KILN_SPEC);
    assert_non_null(strstr(kiln_error_message(error), "is not a regular file"));
    kiln_error_destroy(error);
}

/* A pipe would be waited for. */
static void test_read_pipe(void **state)
{
    (void)state;
    specs s = {0};
    kiln_error *error = NULL;
    assert_int_equal(mkfifo("pipe.yaml", 0600), 0);
    assert_int_equal(manifest_read("pipe.yaml", &s.items, &s.count, &error), KILN_SPEC);
    kiln_error_destroy(error);
}

static void test_refuse_what_others_can_write(void **state)
{
    (void)state;
    specs s = {0};
    kiln_error *error = NULL;
    static const mode_t modes[] = {0664, 0646, 0666};
    write_scratch("shared.yaml", "libraries: []\n");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod("shared.yaml", modes[i]), 0);
        assert_int_equal(manifest_read("shared.yaml", &s.items, &s.count, &error), KILN_SPEC);
        assert_non_null(
            strstr(kiln_error_message(error), "could have been written by another user"));
        kiln_error_destroy(error);
        error = NULL;
    }
    assert_int_equal(chmod("shared.yaml", 0644), 0);
    assert_int_equal(manifest_read("shared.yaml", &s.items, &s.count, &error), KILN_OK);
    forget(&s);
}

static void test_refuse_another_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* a file can be given away by root alone */
    specs s = {0};
    kiln_error *error = NULL;
    write_scratch("given.yaml", "libraries: []\n");
    assert_int_equal(chown("given.yaml", 65534, 65534), 0);
    assert_int_equal(manifest_read("given.yaml", &s.items, &s.count, &error), KILN_SPEC);
    kiln_error_destroy(error);
}

static void test_find(void **state)
{
    (void)state;
    char *path = NULL, *expected = in_scratch("tree/kiln.yaml");
    kiln_error *error = NULL;
    assert_int_equal(mkdir("tree", 0755), 0);
    assert_int_equal(mkdir("tree/a", 0755), 0);
    assert_int_equal(mkdir("tree/a/b", 0755), 0);
    assert_int_equal(mkdir("tree/a/kiln.yaml", 0755), 0); /* a directory is none */
    assert_int_equal(chdir("tree/a/b"), 0);
    kiln_status status = manifest_find(&path, &error);
    if (status == KILN_OK) { /* one above the scratch directory is not ours */
        free(path);
    } else {
        assert_int_equal(status, KILN_NOT_FOUND);
        assert_string_equal(kiln_error_message(error),
                            "there is no kiln.yaml in the current directory or above it");
        kiln_error_destroy(error);
        error = NULL;
    }
    write_scratch("tree/kiln.yaml", "libraries: []\n");
    assert_int_equal(manifest_find(&path, &error), KILN_OK);
    assert_string_equal(path, expected);
    free(path);
    free(expected);
    write_scratch("tree/a/b/kiln.yaml", "libraries: []\n");
    assert_int_equal(manifest_find(&path, &error), KILN_OK);
    assert_non_null(strstr(path, "/tree/a/b/kiln.yaml"));
    free(path);
    assert_int_equal(chdir(scratch), 0);
}

/* ---- the page ---- */

/* The fenced blocks of a language; each is handed to check. */
static unsigned each_example(const char *page, const char *fence,
                             void (*check)(const char *example))
{
    unsigned count = 0;
    for (const char *at = page; (at = strstr(at, fence)); count++) {
        at += strlen(fence);
        const char *end = strstr(at, "\n```");
        assert_non_null(end);
        char *example = strndup(at, (size_t)(end - at) + 1);
        check(example);
        free(example);
        at = end + 4;
    }
    return count;
}

static void check_manifest_example(const char *example)
{
    specs s = parse(example);
    assert_true(s.count > 0);
    forget(&s);
}

static void check_text_example(const char *example)
{
    kiln_spec *spec = NULL;
    kiln_error *error = NULL;
    assert_int_equal(manifest_parse_spec(example, strlen(example), "<page>", &spec, &error),
                     KILN_OK);
    kiln_spec_destroy(spec);
}

static void test_examples_of_the_page(void **state)
{
    (void)state;
    FILE *file = fopen(KILN_TEST_SOURCE_DIR "/docs/manifest.md", "r");
    assert_non_null(file);
    static char page[1 << 16];
    size_t size = fread(page, 1, sizeof page - 1, file);
    assert_true(size > 0 && size < sizeof page - 1);
    fclose(file);
    assert_int_equal(each_example(page, "```yaml\n", check_manifest_example), 4);
    assert_int_equal(each_example(page, "```json\n", check_text_example), 1);
    /* Each key has its row. */
    char keys[sizeof known_keys];
    strcpy(keys, known_keys);
    for (char *key = strtok(keys, ", "); key; key = strtok(NULL, ", ")) {
        char *row = text_print("\n| `%s` |", key);
        assert_non_null(strstr(page, row));
        free(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_no_libraries),
        cmocka_unit_test(test_one_library_as_text),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_what_adders_refuse),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_large_texts),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_pipe),
        cmocka_unit_test(test_refuse_what_others_can_write),
        cmocka_unit_test(test_refuse_another_owner),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_examples_of_the_page),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
