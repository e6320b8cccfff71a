/* folder_host.c - the host of every program of the suite that brings none: loads the folder's
 * sources as one library, calls its `int run(void)`, closes it. What the library's destructors
 * print at the close belongs to the expected output. */
#include "conformance.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_source(const struct dirent *entry)
{
    static const char *const extensions[] = {".c", ".cc", ".cpp", ".s", ".S", ".ll"};
    const char *dot = strrchr(entry->d_name, '.');
    for (size_t i = 0; dot && i < sizeof extensions / sizeof *extensions; i++) {
        if (strcmp(dot, extensions[i]) == 0)
            return 1;
    }
    return 0;
}

int main(void)
{
    struct dirent **entries;
    int count = scandir(".", &entries, is_source, alphasort);
    kiln_spec *spec = conformance_spec("program", NULL);
    CHECK(count > 0);
    for (int i = 0; i < count; i++) {
        kiln_spec_add_source(spec, entries[i]->d_name, NULL);
        free(entries[i]);
    }
    free(entries);
    conformance_register(spec);

    kiln_library *library = conformance_load("program");
    int status = ((int (*)(void))conformance_function(library, "run"))();
    fflush(stdout);
    conformance_close(library);
    kiln_session_destroy(conformance_session());
    return status;
}
