/* Directories and files with blanks, quotes, shell characters, commas, a leading dash or @, a
 * newline, and bytes that are not UTF-8: as sources, as -I, as headers, as working directory, as
 * names in memory. */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

static int part(const char *directory, const char *file, int number)
{
    char name[32];
    char *folder = conformance_path(directory), *source = text_of("%s/%s", folder, file);
    write_file(
        source,
        text_of("#include \"the header.h\"\nint value(void) { return VALUE + %d; }\n", number));
    write_file(text_of("%s/in cl\xfc"
                       "de/the header.h",
                       folder),
               "#define VALUE 100\n");
    snprintf(name, sizeof name, "odd-%d", number);
    kiln_spec *spec = kiln_spec_create(name);
    kiln_spec_set_directory(spec, folder);
    kiln_spec_add_source(spec, number % 2 ? source : file, NULL);
    kiln_spec_add_arguments(spec, KILN_PRIVATE,
                            (const char *const[]){"-I",
                                                  "in cl\xfc"
                                                  "de",
                                                  NULL});
    conformance_register(spec);
    kiln_library *library = conformance_load(name);
    int value = call_int(library, "value");
    conformance_close(library);
    return value;
}

int main(void)
{
    static const struct {
        const char *directory, *file;
    } paths[] = {
        {"with blanks  in it", "a b.c"},
        {"not \xff\xfe UTF-8", "\xe9t\xe9.c"},
        {"quo'te\"s", "it's.c"},
        {"dollar $HOME `x`", "semi;colon.c"},
        {"com,ma", "-Wl,x.c"},
        {"hash # and %", "100%.c"},
        {"back\\slash", "\\n.c"},
        {"new\nline", "a\nb.c"},
        {"at", "@file.c"},
        {"dash", "-o.c"},
        {"star", "equal=colon:.c"},
        {"@dir", "utf-8 \xc3\xa9\xe2\x82\xac.c"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        printf("%d\n", part(paths[i].directory, paths[i].file, (int)i));

    static const char source[] = "int value(void) { return sizeof __FILE__ > 8; }\n";
    kiln_spec *spec = kiln_spec_create("memory");
    kiln_spec_add_memory_source(spec, "in memory/\xff blank.c", source, strlen(source), NULL);
    conformance_register(spec);
    kiln_library *library = conformance_load("memory");
    printf("%d\n", call_int(library, "value"));
    conformance_close(library);
    return 0;
}
