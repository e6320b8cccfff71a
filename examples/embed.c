/* embed.c - the smallest host: open a C file, call a function of it, close. */
#include <kiln.h>
#include <stdio.h>

int main(void)
{
    kiln_library *library;
    kiln_error *error;

    if (kiln_library_open(NULL, "add.c", NULL, &library, &error) != KILN_OK) {
        fputs(kiln_error_rendered(error), stderr);
        kiln_error_destroy(error);
        return 1;
    }
    int (*add)(int, int) = (int (*)(int, int))kiln_library_function(library, "add", NULL);
    printf("2 + 3 = %d\n", add(2, 3));
    kiln_library_close(library);
    return 0;
}
